/**
 * Transfers as a pcapng file that Wireshark opens. Sources: the pcapng specification (Section Header, Interface
 * Description, Enhanced Packet blocks); Linux, Documentation/usb/usbmon.rst (the binary interface with a header
 * of 64 bytes, link type 220).
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { Transfer } from './usb-port.ts'
import { setupBytes } from './usbip-packets.ts'

const usbLinuxMmapped = 220
const Block = { Section: 0x0a0d_0d0a, Interface: 1, Packet: 6 } as const
const interrupt = 1
const control = 2
const bulk = 3
const inProgress = -115

export interface Traced extends Transfer {
  /** The device's number on bus 1. */
  readonly device: number
}

export const pcapHeader = (): Uint8Array =>
  concat(
    block(
      Block.Section,
      new ByteWriter().u32le(0x1a2b_3c4d).u16le(1).u16le(0).u32le(0xffff_ffff).u32le(0xffff_ffff).done(),
    ),
    block(Block.Interface, new ByteWriter().u16le(usbLinuxMmapped).u16le(0).u32le(0).done()),
  )

/** The submission and the completion of one transfer; `id` is the same for both. */
export function pcapTransfer(id: number, transfer: Traced): Uint8Array {
  const { direction, bytes, length, status } = transfer
  const [sent, received] = direction === 'out' ? [bytes, none] : [none, bytes]
  return concat(
    packet(transfer.from, monitored(id, 'S', transfer, inProgress, length, sent)),
    packet(transfer.at, monitored(id, 'C', transfer, status, bytes.length, received)),
  )
}

const none = new Uint8Array()

function monitored(
  id: number,
  type: 'S' | 'C',
  { from, at, endpoint, direction, setup, device, isInterrupt }: Traced,
  status: number,
  length: number,
  data: Uint8Array,
): Uint8Array {
  const kind = endpoint === 0 ? control : isInterrupt ? interrupt : bulk
  const hasSetup = type === 'S' && setup !== undefined
  const us = Math.round((type === 'S' ? from : at) * 1000)
  const writer = new ByteWriter()
    .u32le(id)
    .u32le(0)
    .u8(type.charCodeAt(0))
    .u8(kind)
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
  writer.bytes(hasSetup ? setupBytes(setup) : new Uint8Array(8))
  return writer.bytes(new Uint8Array(16)).bytes(data).done() // interval, start frame, flags, descriptors
}

function packet(at: number, data: Uint8Array): Uint8Array {
  const us = Math.round(at * 1000)
  const padding = new Uint8Array(-data.length & 3)
  const writer = new ByteWriter()
    .u32le(0)
    .u32le(Math.floor(us / 2 ** 32))
    .u32le(us % 2 ** 32)
  return block(Block.Packet, writer.u32le(data.length).u32le(data.length).bytes(data).bytes(padding).done())
}

function block(type: number, body: Uint8Array): Uint8Array {
  const length = body.length + 12
  return new ByteWriter().u32le(type).u32le(length).bytes(body).u32le(length).done()
}
