/**
 * What went over the wires as a pcapng file that Wireshark opens. Sources: the pcapng specification (Section Header,
 * Interface Description, Enhanced Packet blocks); Linux, Documentation/usb/usbmon.rst (the binary interface with a header
 * of 64 bytes, link type 220); tcpdump.org, LINKTYPE_RTAC_SERIAL (250); USB 2.0, 9.3 (setup packets).
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import type { ControlSetup } from './links.ts'
import type { HidEvent, Recorded, SerialBytes, SerialLines, UsbEvent } from './recorder.ts'

const Block = { Section: 0x0a0d_0d0a, Interface: 1, Packet: 6 } as const
const Option = { End: 0, Comment: 1 } as const
/** Link types, in the order in which the header describes them. */
const interfaces = { usb: 220, serial: 250 } as const
const transferTypes = { interrupt: 1, control: 2, bulk: 3 } as const
/** As the kernel numbers them. */
const inProgress = -115
const statuses: Partial<Record<ErrorCode, number>> = { stalled: -32, timeout: -110, 'device-gone': -108 }
const otherStatus = -71

export interface UsbPacket {
  /** Milliseconds: when it began and when it had ended. */
  readonly from: number
  readonly at: number
  /** The device's number on bus 1. */
  readonly device: number
  readonly endpoint: number
  readonly type: keyof typeof transferTypes
  readonly direction: 'in' | 'out'
  /** Eight bytes. */
  readonly setup?: Uint8Array | undefined
  /** Asked for (IN) or sent (OUT). */
  readonly length: number
  /** Of Linux, 0 or negative. */
  readonly status: number
  /** Received (IN) or sent (OUT). */
  readonly bytes: Uint8Array
}

/** What every file begins with; a file may have several such sections, each with a comment of its own. */
export const pcapHeader = (comment = ''): Uint8Array =>
  concat(
    block(
      Block.Section,
      new ByteWriter()
        .u32le(0x1a2b_3c4d)
        .u16le(1)
        .u16le(0)
        .u32le(0xffff_ffff)
        .u32le(0xffff_ffff)
        .bytes(comment === '' ? none : option(Option.Comment, new TextEncoder().encode(comment)))
        .done(),
    ),
    ...Object.values(interfaces).map((linkType) =>
      block(Block.Interface, new ByteWriter().u16le(linkType).u16le(0).u32le(0).done()),
    ),
  )

/** The submission and the completion of one transfer; `id` is the same for both. */
export function pcapUsb(id: number, transfer: UsbPacket): Uint8Array {
  const { direction, bytes, length, status } = transfer
  const [sent, received] = direction === 'out' ? [bytes, none] : [none, bytes]
  return concat(
    packet('usb', transfer.from, monitored(id, 'S', transfer, inProgress, length, sent)),
    packet('usb', transfer.at, monitored(id, 'C', transfer, status, bytes.length, received)),
  )
}

/** The whole file, in pieces. */
export function pcapOf({ events }: Pick<Recorded, 'events'>): Uint8Array<ArrayBuffer>[] {
  /** Of each serial wire as they were driven last; opening the port, also for another speed, raises both. */
  const driven = new Map<number, Lines>()
  const pieces = events.map((event, id) => {
    if (event.kind === 'usb') return pcapUsb(id, usbPacket(event))
    if (event.kind === 'report') return pcapUsb(id, reportPacket(event))
    if (event.kind === 'baud') driven.delete(event.wire)
    if (event.kind === 'reset' || event.kind === 'baud') return none
    const before = driven.get(event.wire) ?? { dtr: true, rts: true }
    const isDriven = event.kind === 'signals' && event.error === undefined
    const lines = isDriven ? { dtr: event.dtr ?? before.dtr, rts: event.rts ?? before.rts } : before
    driven.set(event.wire, lines)
    return serialPacket(event, lines)
  })
  return [pcapHeader(), ...pieces].map((piece) => Uint8Array.from(piece))
}

const statusOf = (error: string | undefined): number =>
  error === undefined ? 0 : (statuses[error as ErrorCode] ?? otherStatus)

/** On an interrupt endpoint, whose number a browser does not tell; with its id, where it has one. */
function reportPacket(event: HidEvent): UsbPacket {
  const bytes = event.reportId === 0 ? event.bytes : concat(Uint8Array.of(event.reportId), event.bytes)
  return {
    ...{ ...event, bytes, length: bytes.length },
    ...{ device: event.wire, endpoint: 1, type: 'interrupt', status: statusOf(event.error) },
  }
}

function usbPacket(event: UsbEvent): UsbPacket {
  const { setup, endpoint, direction, length, error } = event
  return {
    ...event,
    ...{ device: event.wire, type: endpoint === 0 ? 'control' : 'bulk', status: statusOf(error) },
    setup: setup && setupBytes(setup, direction, length),
  }
}

const types = ['standard', 'class', 'vendor'] as const
const recipients = ['device', 'interface', 'endpoint', 'other'] as const

function setupBytes(setup: ControlSetup, direction: 'in' | 'out', length: number): Uint8Array {
  const { requestType, recipient, request, value, index } = setup
  const type = types.indexOf(requestType) << 5
  const bits = (direction === 'in' ? 0x80 : 0) | type | recipients.indexOf(recipient)
  return new ByteWriter().u8(bits).u8(request).u16le(value).u16le(index).u16le(length).done()
}

const none = new Uint8Array()

function monitored(
  id: number,
  event: 'S' | 'C',
  { from, at, endpoint, direction, setup, device, type }: UsbPacket,
  status: number,
  length: number,
  data: Uint8Array,
): Uint8Array {
  const hasSetup = event === 'S' && setup !== undefined
  const us = Math.round((event === 'S' ? from : at) * 1000)
  const writer = new ByteWriter()
    .u32le(id)
    .u32le(0)
    .u8(event.charCodeAt(0))
    .u8(transferTypes[type])
    .u8(endpoint | (direction === 'in' ? 0x80 : 0))
    .u8(device)
    .u16le(1)
    .u8(hasSetup ? 0 : '-'.charCodeAt(0))
    .u8(data.length > 0 ? 0 : (direction === 'in' ? '<' : '>').charCodeAt(0))
    .u32le(Math.floor(us / 1e6))
    .u32le(0)
    .u32le(us % 1e6)
    .u32le(status)
    .u32le(length)
    .u32le(data.length)
  writer.bytes(hasSetup ? setup : new Uint8Array(8))
  return writer.bytes(new Uint8Array(16)).bytes(data).done() // interval, start frame, flags, descriptors
}

const Serial = { Lines: 0, Sent: 1, Received: 2, Dtr: 0x10, Rts: 0x08 } as const

interface Lines {
  readonly dtr: boolean
  readonly rts: boolean
}

function serialPacket(event: SerialBytes | SerialLines, { dtr, rts }: Lines): Uint8Array {
  const us = Math.round(event.at * 1000)
  const isLines = event.kind === 'signals'
  const lines = (dtr ? Serial.Dtr : 0) | (rts ? Serial.Rts : 0)
  const kind = isLines ? Serial.Lines : event.kind === 'sent' ? Serial.Sent : Serial.Received
  const head = new ByteWriter().u32be(Math.floor(us / 1e6)).u32be(us % 1e6)
  const data = isLines ? none : event.bytes
  return packet('serial', event.at, head.u8(kind).u8(lines).u16be(0).bytes(data).done())
}

/** One option, and the end of options. */
function option(code: number, value: Uint8Array): Uint8Array {
  const padding = new Uint8Array(-value.length & 3)
  const writer = new ByteWriter().u16le(code).u16le(value.length).bytes(value).bytes(padding)
  return writer.u16le(Option.End).u16le(0).done()
}

function packet(link: keyof typeof interfaces, at: number, data: Uint8Array): Uint8Array {
  const us = Math.round(at * 1000)
  const padding = new Uint8Array(-data.length & 3)
  const writer = new ByteWriter()
    .u32le(Object.keys(interfaces).indexOf(link))
    .u32le(Math.floor(us / 2 ** 32))
    .u32le(us % 2 ** 32)
  return block(Block.Packet, writer.u32le(data.length).u32le(data.length).bytes(data).bytes(padding).done())
}

function block(type: number, body: Uint8Array): Uint8Array {
  const length = body.length + 12
  return new ByteWriter().u32le(type).u32le(length).bytes(body).u32le(length).done()
}
