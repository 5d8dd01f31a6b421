/**
 * CMSIS-DAP commands and their answers, as bytes. Sources: ARM-software/CMSIS-DAP, `Documentation/Doxygen/src/ref_dap.txt`
 * and `Firmware/Include/DAP.h`, protocol version 2.1.
 */
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'

export const Command = {
  Info: 0x00,
  HostStatus: 0x01,
  Connect: 0x02,
  Disconnect: 0x03,
  TransferConfigure: 0x04,
  Transfer: 0x05,
  TransferBlock: 0x06,
  WriteAbort: 0x08,
  Delay: 0x09,
  ResetTarget: 0x0a,
  SwjPins: 0x10,
  SwjClock: 0x11,
  SwjSequence: 0x12,
  SwdConfigure: 0x13,
  JtagSequence: 0x14,
  JtagConfigure: 0x15,
  JtagIdcode: 0x16,
} as const
export type Command = (typeof Command)[keyof typeof Command]

export const Info = {
  Vendor: 0x01,
  Product: 0x02,
  Serial: 0x03,
  Protocol: 0x04,
  Firmware: 0x09,
  Capabilities: 0xf0,
  PacketCount: 0xfe,
  PacketSize: 0xff,
} as const
export type Info = (typeof Info)[keyof typeof Info]

export const Port = { Swd: 1, Jtag: 2 } as const
/** In DAP_Info's capabilities. */
export const Can = { Swd: 1, Jtag: 2 } as const
export const Pin = { Clock: 1, Data: 2, Reset: 0x80 } as const
export const Status = { Ok: 0, Error: 0xff } as const
/** A command that is not there is answered with this instead of its id. */
export const unknownCommand = 0xff

/** What an access asked for: bits of the request byte; A[3:2] between them. */
const Request = { Ap: 1, Read: 2 } as const

/** One access, one register. */
export interface Single {
  readonly isAp: boolean
  /** A[3:2] as 0, 4, 8, 0xC. */
  readonly address: number
  /** Absent: it is a read. */
  readonly write?: number
}

/** The same register many times. */
export interface Block {
  readonly isAp: boolean
  readonly address: number
  readonly count: number
  /** Absent: it is a read. */
  readonly words?: Uint32Array
}

const requestByte = ({ isAp, address }: Pick<Single, 'isAp' | 'address'>, isRead: boolean): number =>
  (isAp ? Request.Ap : 0) | (isRead ? Request.Read : 0) | address

export const info = (id: Info): Uint8Array => Uint8Array.of(Command.Info, id)
export const connect = (port: number): Uint8Array => Uint8Array.of(Command.Connect, port)
export const disconnect = Uint8Array.of(Command.Disconnect)
/** The light that says that somebody is connected. */
export const hostStatus = (isOn: boolean): Uint8Array => Uint8Array.of(Command.HostStatus, 0, isOn ? 1 : 0)
export const swjClock = (hz: number): Uint8Array =>
  new ByteWriter().bytes([Command.SwjClock]).u32le(hz).done()
/** Of no time at all. */
export const noDelay = Uint8Array.of(Command.Delay, 0, 0)
/** Of one debug port at the wires: DAPABORT and what else it has. */
export const writeAbort = (index: number, word: number): Uint8Array =>
  new ByteWriter().bytes([Command.WriteAbort, index]).u32le(word).done()
/** One turnaround cycle, and no data after WAIT or FAULT. */
export const swdConfigure = Uint8Array.of(Command.SwdConfigure, 0)

/** `waits`: how often an access that is told to wait is done again. */
export const transferConfigure = (waits: number): Uint8Array =>
  new ByteWriter().bytes([Command.TransferConfigure, 0]).u16le(waits).u16le(0).done()

/** At most 256 bits. */
export const swjSequence = (bits: Uint8Array, count: number): Uint8Array =>
  Uint8Array.of(Command.SwjSequence, count & 0xff, ...bits.subarray(0, Math.ceil(count / 8)))

/** Drives the pins of `select` as `output` has them. */
export const swjPins = (output: number, select: number): Uint8Array =>
  new ByteWriter().bytes([Command.SwjPins, output, select]).u32le(0).done()

export const transferHead = 3
export const blockHead = 5
/** Of a request in DAP_Transfer: so much goes out for it, and comes back. */
export const costOf = ({ write }: Single): { readonly out: number; readonly in: number } =>
  write === undefined ? { out: 1, in: 4 } : { out: 5, in: 0 }
export const transferAnswerHead = 3
export const blockAnswerHead = 4

/** `index`: which of a JTAG chain, counted from TDO. */
export function transfer(singles: readonly Single[], index = 0): Uint8Array {
  const writer = new ByteWriter().bytes([Command.Transfer, index, singles.length])
  for (const single of singles) {
    const { write } = single
    writer.bytes([requestByte(single, write === undefined)])
    if (write !== undefined) writer.u32le(write >>> 0)
  }
  return writer.done()
}

export function transferBlock(block: Block, index = 0): Uint8Array {
  const { count, words } = block
  const writer = new ByteWriter().bytes([Command.TransferBlock, index]).u16le(count)
  writer.bytes([requestByte(block, words === undefined)])
  for (const word of words ?? []) writer.u32le(word >>> 0)
  return writer.done()
}

/** Of a target's answer to one access (bits 2:0), with what the probe itself found wrong in it. */
export const Ack = { Ok: 1, Wait: 2, Fault: 4, None: 7, ProtocolError: 8 } as const

export interface TransferAnswer {
  /** So many were done. */
  readonly count: number
  readonly ack: number
  readonly words: Uint32Array
}

/** @throws `unexpected-answer` · `short-transfer`, with `words` read words where all was done */
export function parseTransfer(
  answer: Uint8Array,
  command: Command,
  words: number,
  wanted: number,
): TransferAnswer {
  const isBlock = command === Command.TransferBlock
  const head = isBlock ? blockAnswerHead : transferAnswerHead
  const during = `command ${String(command)}`
  if (answer.length < head)
    throw new FlashError('short-transfer', { during, expected: head, found: answer.length })
  const reader = new ByteReader(answer)
  if (reader.u8() !== command) throw new FlashError('unexpected-answer', { during, found: String(answer[0]) })
  const count = isBlock ? reader.u16le() : reader.u8()
  const ack = reader.u8()
  const isAll = count === wanted && ack === Ack.Ok
  if (isAll && reader.rest < words * 4)
    throw new FlashError('short-transfer', { during, expected: head + words * 4, found: answer.length })
  const there = Math.min(words, reader.rest >> 2)
  return { count, ack, words: Uint32Array.from({ length: there }, () => reader.u32le()) }
}

// ---- JTAG ---------------------------------------------------------------------------------------

/** Cycles with the same TMS, as many as have bits on TDI. */
export interface Cycles {
  readonly tms: number
  readonly count: number
  readonly tdi: Uint8Array
}

export const mostCycles = 64
export const mostCycleRows = 255
export const jtagSequenceHead = 2
export const bytesOf = (count: number): number => Math.ceil(count / 8)
const captures = 0x80

/** What comes on TDO is wanted of all of them. */
export function jtagSequence(rows: readonly Cycles[]): Uint8Array {
  const writer = new ByteWriter().bytes([Command.JtagSequence, rows.length])
  for (const { tms, count, tdi } of rows)
    writer.bytes([captures | (tms ? 0x40 : 0) | (count % mostCycles), ...tdi.subarray(0, bytesOf(count))])
  return writer.done()
}

/** How long their instructions are, from TDO on. */
export const jtagConfigure = (lengths: readonly number[]): Uint8Array =>
  Uint8Array.of(Command.JtagConfigure, lengths.length, ...lengths)

export const jtagIdcode = (index: number): Uint8Array => Uint8Array.of(Command.JtagIdcode, index)

/** What follows the status of an answer. @throws `short-transfer` · `device-refused` */
export function parseJtag(answer: Uint8Array, length: number, during: string): Uint8Array {
  const [, status] = answer
  if (status !== undefined && status !== Status.Ok)
    throw new FlashError('device-refused', { during, status: String(status) })
  const expected = jtagSequenceHead + length
  if (answer.length < expected)
    throw new FlashError('short-transfer', { during, expected, found: answer.length })
  return answer.subarray(jtagSequenceHead, expected)
}
