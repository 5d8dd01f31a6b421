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

/** Compares two contents of one length, block by block; `kernels` have a faster one. */
export interface Blocks {
  /** At a time. */
  readonly mostBytes: number
  readonly blockBytes: number
  /** How many bytes differ, and by block whether one does (not 0), until the next call. */
  compare(a: Uint8Array, b: Uint8Array): { readonly count: number; readonly marks: Uint8Array }
}

/** As many as fit on a screen. */
const mostFirst = 16

/**
 * Bytes that only one of them has differ. Equal stretches shorter than `join` do not split a run; at most `limit`
 * runs, but all differing bytes are counted.
 */
export function differences(
  a: Uint8Array,
  b: Uint8Array,
  { join = 4, limit = 10_000, blocks = words }: { join?: number; limit?: number; blocks?: Blocks } = {},
): Differences {
  const first: { offset: number; a: number; b: number }[] = []
  const runs: { offset: number; length: number }[] = []
  let cut = false
  const list = (from: number, to: number) => {
    for (let offset = from; offset < to; offset++) {
      const [left, right] = [a[offset], b[offset]]
      if (left === right) continue
      if (first.length < mostFirst && left !== undefined && right !== undefined)
        first.push({ offset, a: left, b: right })
      const last = runs.at(-1)
      if (last && offset - (last.offset + last.length) < join) last.length = offset - last.offset + 1
      else if (runs.length < limit) runs.push({ offset, length: 1 })
      else cut = true
    }
  }
  const isListed = () => cut && first.length === mostFirst
  const shared = Math.min(a.length, b.length)
  const longer = Math.max(a.length, b.length)
  let count = longer - shared
  for (let at = 0; at < shared; at += blocks.mostBytes) {
    const end = Math.min(at + blocks.mostBytes, shared)
    const found = blocks.compare(a.subarray(at, end), b.subarray(at, end))
    count += found.count
    if (found.count === 0 || isListed()) continue
    const { blockBytes } = blocks
    found.marks.forEach((mark, i) => {
      if (mark) list(at + i * blockBytes, Math.min(at + (i + 1) * blockBytes, end))
    })
  }
  list(shared, longer)
  return { count, first, runs, cut }
}

/** In plain TypeScript. */
export const words: Blocks = {
  mostBytes: 1 << 15,
  blockBytes: 32,
  compare(a, b) {
    const [left, right] = [viewOf(a), viewOf(b)]
    const marks = new Uint8Array(Math.ceil(a.length / 32))
    let count = 0
    for (let at = 0; at < a.length; at += 32) {
      if (at + 32 <= a.length && !wordsDiffer(left, right, at)) continue
      const before = count
      for (let i = at; i < Math.min(at + 32, a.length); i++) if (a[i] !== b[i]) count++
      if (count > before) marks[at / 32] = 1
    }
    return { count, marks }
  },
}

const viewOf = ({ buffer, byteOffset, length }: Uint8Array) => new DataView(buffer, byteOffset, length)

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

export type Cause =
  'equal' | 'length' | 'blank' | 'was-blank' | 'erased-bits' | 'shifted' | 'one-bit' | 'line' | 'other'

/**
 * What most likely made `b` out of `a`. Evidence is counted over the differing bytes that both have:
 * blank: `b` is FF there · was-blank: `a` is · erased-bits: `b` lacks ones of `a` (no erase before) · shifted: `b` is `a`
 * moved by up to four bytes · one-bit: a single bit in the whole · line: the same bit each time.
 */
export function likelyCause(a: Uint8Array, b: Uint8Array): Cause {
  const shared = Math.min(a.length, b.length)
  let count = 0
  let blank = 0
  let wasBlank = 0
  let cleared = 0
  let bits = 0
  let ones = 0
  for (let at = 0; at < shared; at++) {
    const from = a[at] ?? 0
    const to = b[at] ?? 0
    if (from === to) continue
    count++
    if (to === 0xff) blank++
    if (from === 0xff) wasBlank++
    if ((from & to) === to) cleared++
    bits |= from ^ to
    if (((from ^ to) & ((from ^ to) - 1)) === 0) ones++
  }
  if (count === 0) return a.length === b.length ? 'equal' : 'length'
  if (blank === count) return 'blank'
  if (wasBlank === count && count > 1) return 'was-blank'
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
