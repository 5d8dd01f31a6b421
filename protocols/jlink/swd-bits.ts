/**
 * Accesses by SWD as bits, and what was sampled as answers. A J-Link samples SWDIO after the rising edge, so that what the
 * target says is seen one clock earlier than the specification draws it. Sources: Arm IHI 0031 (ADIv5.2), B4.2; OpenOCD,
 * `src/jtag/drivers/jlink.c`, and blackmagic, `src/platforms/hosted/jlink_swd.c`, which agree in that.
 */
import { bitsAt } from '#chips/jtag-chain.ts'
import type { Bits } from './packets.ts'

/** One access; without `write` a read. `address` is A[3:2] as 0, 4, 8, 0xC. */
export interface Single {
  readonly isAp: boolean
  readonly address: number
  readonly write?: number
}

/** What a target said to one access. */
export interface Answer {
  readonly ack: number
  readonly value: number
  readonly isParityRight: boolean
}

export const Ack = { Ok: 1, Wait: 2, Fault: 4 } as const

/** Request, turnarounds, acknowledge, data and parity: as many for a read as for a write. */
export const accessBits = 46
const requestBits = 8
const ackBits = 3
/** Of a read up to its acknowledge, and of a write with the turnaround behind it. */
const readHead = requestBits + ackBits
const writeHead = requestBits + 2 + ackBits
/** The last access reaches its port only with some clocks behind it. */
export const idleBits = 8
const dataBits = 32

export function requestByte({ isAp, address, write }: Single): number {
  const wanted = (isAp ? 1 : 0) | (write === undefined ? 2 : 0) | address
  return 0x81 | (wanted << 1) | (parityOf(wanted) << 5)
}

/** Even parity: 1 where the number of ones is odd. */
export function parityOf(value: number): number {
  let folded = value ^ (value >>> 16)
  folded ^= folded >>> 8
  folded ^= folded >>> 4
  folded ^= folded >>> 2
  return (folded ^ (folded >>> 1)) & 1
}

/** Bits for the wires: driven, or left to the target. */
class Row implements Bits {
  count = 0
  readonly a: Uint8Array
  readonly b: Uint8Array

  constructor(most: number) {
    this.a = new Uint8Array(Math.ceil(most / 8))
    this.b = new Uint8Array(Math.ceil(most / 8))
  }

  drive(value: number, bits: number): this {
    for (let i = 0; i < bits; i++, this.count++) {
      const [at, mask] = [this.count >> 3, 1 << (this.count & 7)]
      this.a[at] = (this.a[at] ?? 0) | mask
      if ((value >>> i) & 1) this.b[at] = (this.b[at] ?? 0) | mask
    }
    return this
  }

  listen(bits: number): this {
    this.count += bits
    return this
  }

  request = (single: Single): this => this.drive(requestByte(single), requestBits)

  data = (value: number): this => this.drive(value, dataBits).drive(parityOf(value), 1)
}

/** Whole accesses, one behind the other: only for a target that has a data phase whatever it acknowledges. */
export function encodeRow(singles: readonly Single[]): Bits {
  const row = new Row(singles.length * accessBits + idleBits)
  for (const single of singles) {
    row.request(single)
    if (single.write === undefined) row.listen(accessBits - requestBits)
    else row.listen(writeHead - requestBits).data(single.write)
  }
  return row.drive(0, idleBits)
}

/** Of the access at this place. */
export function answerAt(sampled: Uint8Array, place: number): Answer {
  const at = place * accessBits + requestBits
  return {
    ack: bitsAt(sampled, at, ackBits),
    ...dataAt(sampled, at + ackBits),
  }
}

/** Up to the acknowledge. */
export const encodeHead = (single: Single): Bits =>
  single.write === undefined
    ? new Row(readHead).request(single).listen(readHead - requestBits)
    : new Row(writeHead).request(single).listen(writeHead - requestBits)
export const ackOfHead = (sampled: Uint8Array): number => bitsAt(sampled, requestBits, ackBits)

/** What follows the acknowledge of a read; one that was not OK has no data, and the line is the host's after two clocks. */
export const encodeReadTail = (isOk: boolean): Bits => {
  const rest = isOk ? accessBits - readHead : 2
  return new Row(rest + idleBits).listen(rest).drive(0, idleBits)
}
/** The same of a write. Zeros where it was refused: they are idle bits, or data that nobody takes. */
export const encodeWriteTail = (value: number): Bits =>
  new Row(dataBits + 1 + idleBits).data(value).drive(0, idleBits)
export const dataOfTail = (sampled: Uint8Array): Omit<Answer, 'ack'> => dataAt(sampled, 0)

/** All of them driven. */
export const encodeSequence = (bits: Uint8Array, count: number): Bits => {
  const row = new Row(count)
  for (let i = 0; i < count; i++) row.drive(((bits[i >> 3] ?? 0) >> (i & 7)) & 1, 1)
  return row
}

function dataAt(sampled: Uint8Array, at: number): Omit<Answer, 'ack'> {
  const value = bitsAt(sampled, at, dataBits)
  return { value, isParityRight: bitsAt(sampled, at + dataBits, 1) === parityOf(value) }
}
