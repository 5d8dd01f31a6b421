/**
 * USB/IP as Linux speaks it over TCP, big-endian. Source: Linux, Documentation/usb/usbip_protocol.rst.
 */
import { ByteReader, ByteWriter, concat } from '#core/bytes.ts'
import type { SetupPacket, UsbTwin } from '#bench/twin.ts'
import { parseConfiguration, parseDevice } from '#bench/twin-usb-descriptors.ts'

const protocolVersion = 0x0111

export const Op = { RequestDevices: 0x8005, RequestImport: 0x8003 } as const
const Reply = { Devices: 0x0005, Import: 0x0003 } as const

/** Of an operation: version, code, status. */
export const opBytes = 8
export const busIdBytes = 32

export const parseOp = (bytes: Uint8Array): number => {
  const read = new ByteReader(bytes, 'a USB/IP operation')
  read.u16be() // version
  return read.u16be()
}

export const parseBusId = (bytes: Uint8Array): string =>
  new TextDecoder('latin1').decode(bytes.subarray(0, bytes.indexOf(0) < 0 ? undefined : bytes.indexOf(0)))

/** One exported device; `number` is that of its bus id `1-number`. */
export interface Exported {
  readonly number: number
  readonly twin: UsbTwin
}

/** How the kernel counts (`enum usb_device_speed`). */
export const speeds = { low: 1, full: 2, high: 3, super: 5 } as const

export function encodeDevices(devices: readonly Exported[]): Uint8Array {
  const writer = new ByteWriter().u16be(protocolVersion).u16be(Reply.Devices).u32be(0).u32be(devices.length)
  for (const device of devices) {
    writer.bytes(encodeDevice(device))
    for (const { alternates } of parseConfiguration(device.twin.descriptors).interfaces)
      writer
        .u8(alternates[0]?.interfaceClass ?? 0)
        .u8(alternates[0]?.interfaceSubclass ?? 0)
        .u8(alternates[0]?.interfaceProtocol ?? 0)
        .u8(0)
  }
  return writer.done()
}

/** Why a device is not to be had: `ST_NA` and `ST_DEV_BUSY` of the kernel's own tools. */
const refusals = { absent: 1, busy: 2 } as const
export type Refusal = keyof typeof refusals

export function encodeImport(device: Exported | Refusal): Uint8Array {
  const writer = new ByteWriter().u16be(protocolVersion).u16be(Reply.Import)
  if (typeof device === 'string') return writer.u32be(refusals[device]).done()
  return writer.u32be(0).bytes(encodeDevice(device)).done()
}

function encodeDevice({ number, twin }: Exported): Uint8Array {
  const device = parseDevice(twin.descriptors)
  const { value, interfaces } = parseConfiguration(twin.descriptors)
  const busId = `1-${String(number)}`
  return new ByteWriter()
    .bytes(text(`/reflasher/${busId}`, 256))
    .bytes(text(busId, busIdBytes))
    .u32be(1)
    .u32be(number)
    .u32be(speeds[twin.speed])
    .u16be(device.vendorId)
    .u16be(device.productId)
    .u16be(device.deviceVersion)
    .bytes([device.deviceClass, device.deviceSubclass, device.deviceProtocol])
    .bytes([value, 1, interfaces.length])
    .done()
}

function text(value: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set(new TextEncoder().encode(value).subarray(0, length - 1))
  return bytes
}

// ---- requests and their replies ------------------------------------------------------------------

export const headerBytes = 48
const Command = { Submit: 1, Unlink: 2, Submitted: 3, Unlinked: 4 } as const

/** One transfer that the host asks for. */
export interface Submit {
  readonly kind: 'submit'
  readonly sequence: number
  readonly endpoint: number
  readonly direction: 'in' | 'out'
  readonly setup: SetupPacket
  /** Bytes to send, or at most to receive. */
  readonly length: number
}
export interface Unlink {
  readonly kind: 'unlink'
  readonly sequence: number
  /** What is to be given up. */
  readonly target: number
}

/** More than any kernel driver asks for in one transfer; a length beyond is not believed. */
const mostBytes = 4 << 20

export function parseCommand(header: Uint8Array): Submit | Unlink {
  const read = new ByteReader(header, 'a USB/IP command')
  const [command, sequence] = [read.u32be(), read.u32be()]
  read.u32be() // devid: one device a connection
  const direction = read.u32be() === 1 ? 'in' : 'out'
  const endpoint = read.u32be()
  if (command === Command.Unlink) return { kind: 'unlink', sequence, target: read.u32be() }
  if (command !== Command.Submit) throw new Error(`USB/IP command ${String(command)} is not known`)
  read.u32be() // flags
  const length = read.u32be()
  if (length > mostBytes) throw new Error(`a transfer of ${String(length)} bytes`)
  read.bytes(12) // start frame, packets, interval
  const setup = parseSetup(read.bytes(8))
  return { kind: 'submit', sequence, endpoint, direction, setup, length }
}

/** USB 2.0, 9.3. */
export function parseSetup(bytes: Uint8Array): SetupPacket {
  const read = new ByteReader(bytes, 'a setup packet')
  return {
    requestType: read.u8(),
    request: read.u8(),
    value: read.u16le(),
    index: read.u16le(),
    length: read.u16le(),
  }
}

export const setupBytes = ({ requestType, request, value, index, length }: SetupPacket): Uint8Array =>
  new ByteWriter().u8(requestType).u8(request).u16le(value).u16le(index).u16le(length).done()

/** As the kernel numbers them. */
export const Status = {
  Ok: 0,
  /** EPIPE: STALL. */
  Stall: -32,
  /** EPROTO: no valid handshake. */
  Broken: -71,
  /** EOVERFLOW: more than was asked for. */
  Babble: -75,
  /** ECONNRESET: given up by `Unlink`. */
  Unlinked: -104,
} as const
export type Status = (typeof Status)[keyof typeof Status]

/** How a transfer ended, and what it received or how much it sent. */
export interface Answered {
  readonly status: Status
  readonly bytes: Uint8Array
}

/** An OUT transfer says how many of its bytes were taken, an IN transfer brings them. */
export function encodeSubmitted({ sequence, direction }: Submit, { status, bytes }: Answered): Uint8Array {
  const head = reply(Command.Submitted, sequence, status, bytes.length)
  return direction === 'in' ? concat(head, bytes) : head
}

export const encodeUnlinked = ({ sequence }: Unlink, status: Status): Uint8Array =>
  reply(Command.Unlinked, sequence, status, 0)

function reply(command: number, sequence: number, status: Status, length: number): Uint8Array {
  const header = new ByteWriter().u32be(command).u32be(sequence).bytes(new Uint8Array(12))
  header.u32be(status).u32be(length)
  return header.bytes(new Uint8Array(headerBytes - 28)).done()
}
