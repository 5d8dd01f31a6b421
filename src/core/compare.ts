/**
 * Where two contents differ and what that looks like: for reading back, for two readings of a backup, and for the
 * screen. At the speed of words where they are equal, with an exact count where they are not.
 */
import type { Range } from './programmer.ts'

export interface Differences {
  /** How many bytes differ; exact. */
  readonly count: number
  /** The first of those that both have, at most 16. */
  readonly first: readonly { readonly offset: number; readonly a: number; readonly b: number }[]
  readonly runs: readonly Difference[]
  /** There are more runs than these. */
  readonly cut: boolean
}

export interface Difference {
  /** Offset from the beginning of both. */
  readonly offset: number
  readonly length: Range['length']
}

/** As many as fit on a screen. */
const mostFirst = 16
const wordsBytes = 32

/**
 * Bytes that only one of them has differ. Equal stretches shorter than `join` do not split a run; at most `limit`
 * runs, but all differing bytes are counted.
 */
export function differences(
  a: Uint8Array,
  b: Uint8Array,
  { join = 4, limit = 10_000 }: { join?: number; limit?: number } = {},
): Differences {
  const first: { offset: number; a: number; b: number }[] = []
  const runs: { offset: number; length: number }[] = []
  let count = 0
  let cut = false
  const collect = (from: number, to: number) => {
    for (let offset = from; offset < to; offset++) {
      const [left, right] = [a[offset], b[offset]]
      if (left === right) continue
      count++
      if (first.length < mostFirst && left !== undefined && right !== undefined)
        first.push({ offset, a: left, b: right })
      const last = runs.at(-1)
      if (last && offset - (last.offset + last.length) < join) last.length = offset - last.offset + 1
      else if (runs.length < limit) runs.push({ offset, length: 1 })
      else cut = true
    }
  }
  const [left, right] = [a, b].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
  let at = 0
  for (; at + wordsBytes <= Math.min(a.length, b.length); at += wordsBytes)
    if (left && right && wordsDiffer(left, right, at)) collect(at, at + wordsBytes)
  collect(at, Math.max(a.length, b.length))
  return { count, first, runs, cut }
}

/** Written out: a loop here costs most of what the words gain. */
const wordsDiffer = (left: DataView, right: DataView, at: number): boolean =>
  ((left.getInt32(at, true) ^ right.getInt32(at, true)) |
    (left.getInt32(at + 4, true) ^ right.getInt32(at + 4, true)) |
    (left.getInt32(at + 8, true) ^ right.getInt32(at + 8, true)) |
    (left.getInt32(at + 12, true) ^ right.getInt32(at + 12, true)) |
    (left.getInt32(at + 16, true) ^ right.getInt32(at + 16, true)) |
    (left.getInt32(at + 20, true) ^ right.getInt32(at + 20, true)) |
    (left.getInt32(at + 24, true) ^ right.getInt32(at + 24, true)) |
    (left.getInt32(at + 28, true) ^ right.getInt32(at + 28, true))) !==
  0

export type Cause = 'equal' | 'length' | 'blank' | 'erased-bits' | 'shifted' | 'one-bit' | 'line' | 'other'

/**
 * What most likely made `b` out of `a`. Evidence is counted over the differing bytes that both have:
 * blank: `b` is FF there · erased-bits: `b` lacks ones of `a` (no erase before) · shifted: `b` is `a`
 * moved by up to four bytes · one-bit: a single bit in the whole · line: the same bit each time.
 */
export function likelyCause(a: Uint8Array, b: Uint8Array): Cause {
  const shared = Math.min(a.length, b.length)
  let count = 0
  let blank = 0
  let cleared = 0
  let bits = 0
  let ones = 0
  for (let at = 0; at < shared; at++) {
    const from = a[at] ?? 0
    const to = b[at] ?? 0
    if (from === to) continue
    count++
    if (to === 0xff) blank++
    if ((from & to) === to) cleared++
    bits |= from ^ to
    if (((from ^ to) & ((from ^ to) - 1)) === 0) ones++
  }
  if (count === 0) return a.length === b.length ? 'equal' : 'length'
  if (blank === count) return 'blank'
  if (count === 1 && ones === 1) return 'one-bit'
  if (ones === count && (bits & (bits - 1)) === 0) return 'line'
  if (count >= 16 && isShifted(a, b, shared)) return 'shifted'
  if (cleared === count) return 'erased-bits'
  return 'other'
}

function isShifted(a: Uint8Array, b: Uint8Array, length: number): boolean {
  return [-4, -3, -2, -1, 1, 2, 3, 4].some((by) => {
    let equal = 0
    let telling = 0
    for (let at = 4; at < length - 4; at++) {
      if (a[at] === a[at + by]) continue // says nothing about a shift
      telling++
      if (b[at] === a[at + by]) equal++
    }
    return telling >= 16 && equal > telling * 0.9
  })
}
