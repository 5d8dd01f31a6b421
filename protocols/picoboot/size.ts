/**
 * How large the flash is. Nothing says it: behind its end a chip shows its beginning again, as it does not look at higher
 * address bits. So the size is the smallest power of two at which what is there comes again. A flash that is blank
 * shows nothing, and then it is as large as can be. Source: picotool, `main.cpp`, `guess_flash_size`, which looks at the first
 * two pages only.
 */
import { isBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { pageBytes, sectorBytes } from '#chips/rp2-chips.ts'

/** Reads from an offset in the flash, of a page. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>

/** Flash chips have no less. */
const leastBytes = 64 * 1024
/** Of what boards are made with: those of pico-sdk, `boards`, have 1 MiB at least, some own designs half of that. */
export const leastOnBoards = 512 * 1024
/** Of a page; so few that a report without contents keeps them. */
const glimpseBytes = 8
const pieceBytes = 64 * 1024
const stepBytes = 16 * 1024

/** Somewhere that is not blank, to look for again. */
interface Mark {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** All that it can be, in KiB. */
export function sizesKib(limit: number): readonly number[] {
  const sizes: number[] = []
  for (let size = leastBytes; size < limit; size *= 2) sizes.push(size / 1024)
  return [...sizes, limit / 1024]
}

/** Undefined: it is blank all over. `limit`: what can be addressed. */
export async function flashSize(read: ReadAt, limit: number, ctx: Context): Promise<number | undefined> {
  const mark = await firstMark(read, limit, ctx)
  return mark && sizeBy(mark, read, limit, ctx)
}

export async function sizeBy(mark: Mark, read: ReadAt, limit: number, ctx: Context): Promise<number> {
  let size = leastBytes
  while (size <= mark.offset) size *= 2
  for (; size < limit; size *= 2) {
    ctx.checkpoint()
    const comesAgain = await isThere(mark.bytes, mark.offset + size, read)
    if (comesAgain && (await isMirrored(size, read, limit, ctx))) return size
  }
  return limit
}

async function firstMark(read: ReadAt, limit: number, ctx: Context): Promise<Mark | undefined> {
  const start = await read(0, glimpseBytes)
  if (!isBlank(start)) return { offset: 0, bytes: start }
  for (let offset = 0; offset < limit; offset += pieceBytes) {
    ctx.checkpoint()
    const found = markIn(await read(offset, pieceBytes), offset)
    if (found) return found
  }
  return undefined
}

/** `offset`: of the bytes, in the flash. */
export function markIn(bytes: Uint8Array, offset: number): Mark | undefined {
  const first = bytes.findIndex((byte) => byte !== 0xff)
  if (first < 0) return undefined
  const from = first - (first % pageBytes)
  return { offset: offset + from, bytes: bytes.slice(from, from + pageBytes) }
}

/**
 * Whether all up to `limit` shows what is before `size` again. An image can be there twice, and then only what is behind
 * it tells that the flash is larger: a file system, and settings, which are near its end. So it is looked at most closely
 * there and at the beginning, closely in all that a flash of twice the size has more, and now and then behind that. Of
 * 2 MiB that takes a second or two.
 */
async function isMirrored(size: number, read: ReadAt, limit: number, ctx: Context): Promise<boolean> {
  for (const place of placesIn(size)) {
    const bytes = await read(place, glimpseBytes)
    const end = place % leastBytes === 0 || place === size - pageBytes ? limit : 2 * size
    for (let at = place + size; at < end; at += size) {
      ctx.checkpoint()
      const isSame =
        (await isThere(bytes, at, read)) || (await isThere(await read(place, glimpseBytes), at, read))
      if (!isSame) return false
    }
  }
  return true
}

function* placesIn(size: number): Generator<number> {
  const isClose = (at: number) => at < leastBytes || at >= size - leastBytes
  for (let at = 0; at < size; at += isClose(at) ? sectorBytes : stepBytes) yield at
  yield size - pageBytes
}

const mostReadings = 3

/** What differs in next to nothing is read again: a bit that flickers must not make a flash look larger. */
async function isThere(bytes: Uint8Array, offset: number, read: ReadAt): Promise<boolean> {
  for (let readings = 0; readings < mostReadings; readings++) {
    const found = await read(offset, bytes.length)
    const others = found.filter((byte, i) => byte !== bytes[i]).length
    if (others === 0 || others * glimpseBytes > bytes.length) return others === 0
  }
  return false
}
