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

/**
 * What to look for, each of them: `de ad be` as bytes; anything else (or `"de ad"`) as text, also with two bytes a
 * letter, as USB has its strings.
 */
export function parseSearch(text: string): readonly Uint8Array[] {
  const quoted = /^"(.+)"$/.exec(text)?.[1]
  if (quoted === undefined && /^\s*(0x)?([0-9a-f]{2}\s*)+$/i.test(text))
    return [fromHex(text.trim().replace(/^0x/i, ''))]
  const wanted = quoted ?? text
  const wide = Uint8Array.from({ length: wanted.length * 2 }, (_, i) =>
    i % 2 ? wanted.charCodeAt(i >> 1) >> 8 : wanted.charCodeAt(i >> 1) & 0xff,
  )
  return wanted === '' ? [] : [new TextEncoder().encode(wanted), wide]
}

export interface Hit {
  readonly offset: number
  readonly length: number
}

/** The nearest occurrence of any of them, by the way that `find` goes. */
export function nearest(
  bytes: Uint8Array,
  wanted: readonly Uint8Array[],
  from: number,
  find: typeof findNext,
): Hit | undefined {
  const away = (offset: number) => {
    const steps = find === findPrevious ? from - offset : offset - from
    return steps > 0 ? steps : steps + bytes.length
  }
  return wanted
    .flatMap((one) => {
      const offset = find(bytes, one, from)
      return offset === undefined ? [] : [{ offset, length: one.length }]
    })
    .sort((a, b) => away(a.offset) - away(b.offset))[0]
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

/** A loop, because a long run of one byte asks it at every address of 16 MiB. */
function matches(bytes: Uint8Array, wanted: Uint8Array, at: number): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}

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
