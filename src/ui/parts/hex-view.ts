/**
 * The arithmetic of a hex view: which rows are on the screen, what a search means, what a range holds. No
 * markup and no state; works the same for 16 bytes and for 16 MiB, because nothing is made per row.
 */
import { fromHex, hexBytes } from '#core/bytes.ts'

export interface Mark {
  /** Absolute, in bytes. */
  readonly address: number
  readonly length: number
  readonly kind: 'differs' | 'found' | 'changed' | 'kept'
}

/** Taller than this a browser clips an element; then the scroll bar is mapped onto the rows. */
export const tallestPx = 8_000_000

export interface Extent {
  readonly rows: number
  readonly rowPx: number
  /** Height of the window that shows rows. */
  readonly viewPx: number
}

/** Height that the scroll bar stands for. */
export const contentPx = ({ rows, rowPx }: Extent): number => Math.min(rows * rowPx, tallestPx)

const lastTop = ({ rows, rowPx, viewPx }: Extent): number => Math.max(0, rows - Math.floor(viewPx / rowPx))

const scrollable = (extent: Extent): number => Math.max(0, contentPx(extent) - extent.viewPx)

/** First visible row for a scroll position. */
export function rowAt(scrollPx: number, extent: Extent): number {
  const room = scrollable(extent)
  if (room === 0) return 0
  return Math.min(lastTop(extent), Math.round((scrollPx / room) * lastTop(extent)))
}

/** The scroll position that shows `row` first; `rowAt` gives the row back. */
export function scrollFor(row: number, extent: Extent): number {
  const last = lastTop(extent)
  return last === 0 ? 0 : (Math.min(Math.max(row, 0), last) / last) * scrollable(extent)
}

/** The first row to show so that `row` is visible, moving as little as possible. */
export function reveal(row: number, top: number, extent: Extent): number {
  const visible = Math.max(1, Math.floor(extent.viewPx / extent.rowPx))
  if (row < top) return row
  return row >= top + visible ? row - visible + 1 : top
}

/** An address as people type it: `0x1f40`, `1f40`, `0x0800_0000`. Undefined: not an address. */
export function parseAddress(text: string): number | undefined {
  const digits = text.trim().replace(/^0x/i, '').replace(/[_\s]/g, '')
  return /^[0-9a-f]{1,8}$/i.test(digits) ? parseInt(digits, 16) : undefined
}

/** What to look for: `de ad be` as bytes, anything else (or `"de ad"`) as text. Undefined: nothing. */
export function parseSearch(text: string): Uint8Array | undefined {
  const quoted = /^"(.+)"$/.exec(text)?.[1]
  if (quoted === undefined && /^\s*(0x)?([0-9a-f]{2}\s*)+$/i.test(text))
    return fromHex(text.trim().replace(/^0x/i, ''))
  const wanted = quoted ?? text
  return wanted === '' ? undefined : new TextEncoder().encode(wanted)
}

/** Offset of the next occurrence after `from`, going round at the end; undefined: there is none. */
export function findNext(bytes: Uint8Array, wanted: Uint8Array, from: number): number | undefined {
  return search(bytes, wanted, from + 1, bytes.length) ?? search(bytes, wanted, 0, from + 1)
}

export function findPrevious(bytes: Uint8Array, wanted: Uint8Array, from: number): number | undefined {
  const first = wanted[0]
  if (first === undefined) return undefined
  for (let step = 1; step <= bytes.length; step++) {
    const at = (from - step + bytes.length * 2) % bytes.length
    if (bytes[at] === first && matches(bytes, wanted, at)) return at
  }
  return undefined
}

function search(bytes: Uint8Array, wanted: Uint8Array, from: number, to: number): number | undefined {
  const first = wanted[0]
  if (first === undefined) return undefined
  for (let at = bytes.indexOf(first, from); at >= 0 && at < to; at = bytes.indexOf(first, at + 1))
    if (matches(bytes, wanted, at)) return at
  return undefined
}

const matches = (bytes: Uint8Array, wanted: Uint8Array, at: number): boolean =>
  at + wanted.length <= bytes.length && wanted.every((byte, i) => bytes[at + i] === byte)

/** Sorted marks, so that the one at an address is found by halving; the later of two overlapping ones wins. */
export function markFinder(marks: readonly Mark[]): (address: number) => Mark['kind'] | undefined {
  const sorted = marks.toSorted((a, b) => a.address - b.address)
  return (address) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sorted[middle]?.address ?? 0) <= address) low = middle + 1
      else high = middle
    }
    const mark = sorted[low - 1]
    return mark && address < mark.address + mark.length ? mark.kind : undefined
  }
}

/** As much of a selection as a clipboard should hold. */
export const mostCopied = 65_536

export const copyText = (bytes: Uint8Array): string => hexBytes(bytes.subarray(0, mostCopied))

/** One byte as a character, or a dot that shows there is none. */
export const character = (byte: number): string =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·'

export interface Difference {
  /** Offset from the beginning of both. */
  readonly offset: number
  readonly length: number
}

/**
 * Where two contents differ, as runs; bytes that only one of them has differ. Equal stretches shorter than
 * `join` do not split a run. At most `limit` runs, but all differing bytes are counted.
 */
export function differences(
  a: Uint8Array,
  b: Uint8Array,
  { join = 4, limit = 10_000 }: { join?: number; limit?: number } = {},
): { readonly runs: readonly Difference[]; readonly count: number; readonly cut: boolean } {
  const runs: { offset: number; length: number }[] = []
  let count = 0
  let cut = false
  const length = Math.max(a.length, b.length)
  for (let at = 0; at < length; at++) {
    if (a[at] === b[at]) continue
    count++
    const last = runs.at(-1)
    if (last && at - (last.offset + last.length) < join) last.length = at - last.offset + 1
    else if (runs.length < limit) runs.push({ offset: at, length: 1 })
    else cut = true
  }
  return { runs, count, cut }
}

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
