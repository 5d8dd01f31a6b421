/**
 * Comparing two readings, at the speed of words, with an exact count. It runs where it is called: moving
 * two buffers to a worker costs more than comparing them. Between slices it lets the page breathe.
 */
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'

export interface Difference {
  /** How many bytes differ; exact. */
  readonly count: number
  /** The first of them, at most `mostDetails`. */
  readonly first: readonly { readonly offset: number; readonly a: number; readonly b: number }[]
  /** All of them as ranges (`address` is an offset); from `mostRanges` on, the last one covers all the rest. */
  readonly ranges: readonly Range[]
}

const mostDetails = 16
const mostRanges = 4096
const sliceBytes = 4 << 20

/** @throws `size-mismatch`, and the signal's reason. */
export async function compare(a: Uint8Array, b: Uint8Array, signal?: AbortSignal): Promise<Difference> {
  if (a.length !== b.length) throw new FlashError('size-mismatch', { expected: a.length, found: b.length })
  const difference = { count: 0, first: [], ranges: [] }
  for (let from = 0; from < a.length; from += sliceBytes) {
    if (from > 0) await breath()
    signal?.throwIfAborted()
    compareSlice(a, b, from, Math.min(from + sliceBytes, a.length), difference)
  }
  return difference
}

interface Growing {
  count: number
  first: { offset: number; a: number; b: number }[]
  ranges: { address: number; length: number }[]
}

function compareSlice(a: Uint8Array, b: Uint8Array, from: number, to: number, difference: Growing): void {
  const left = new DataView(a.buffer, a.byteOffset, a.byteLength)
  const right = new DataView(b.buffer, b.byteOffset, b.byteLength)
  const step = 32
  let at = from
  for (; at + step <= to; at += step) {
    const differs =
      (left.getInt32(at, true) ^ right.getInt32(at, true)) |
      (left.getInt32(at + 4, true) ^ right.getInt32(at + 4, true)) |
      (left.getInt32(at + 8, true) ^ right.getInt32(at + 8, true)) |
      (left.getInt32(at + 12, true) ^ right.getInt32(at + 12, true)) |
      (left.getInt32(at + 16, true) ^ right.getInt32(at + 16, true)) |
      (left.getInt32(at + 20, true) ^ right.getInt32(at + 20, true)) |
      (left.getInt32(at + 24, true) ^ right.getInt32(at + 24, true)) |
      (left.getInt32(at + 28, true) ^ right.getInt32(at + 28, true))
    if (differs !== 0) collect(a, b, at, at + step, difference)
  }
  collect(a, b, at, to, difference)
}

function collect(a: Uint8Array, b: Uint8Array, from: number, to: number, difference: Growing): void {
  for (let at = from; at < to; at++) {
    const [left = 0, right = 0] = [a[at], b[at]]
    if (left === right) continue
    difference.count++
    if (difference.first.length < mostDetails) difference.first.push({ offset: at, a: left, b: right })
    const last = difference.ranges.at(-1)
    if (last && (at === last.address + last.length || difference.ranges.length === mostRanges))
      last.length = at + 1 - last.address
    else difference.ranges.push({ address: at, length: 1 })
  }
}

/** One turn of the event loop; a message, because timers are slowed down in hidden tabs. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
