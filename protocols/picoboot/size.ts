/**
 * How large the flash is. Nothing says it: behind its end a chip shows its beginning again, as it does not look at higher
 * address bits. So the size is the smallest power of two at which what is there comes again. A flash that is blank
 * shows nothing, and then it is as large as can be. Source: picotool, `main.cpp`, `guess_flash_size`, which looks at the first
 * two pages only.
 */
import { isBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { pageBytes, sectorBytes } from './chips.ts'

/** Reads from an offset in the flash, of a page. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>

const leastBytes = 64 * 1024
/** Of what boards are made with: those of pico-sdk, `boards`, have 1 MiB at least, some own designs half of that. */
export const leastOnBoards = 512 * 1024
/** Of a page; so few that a report without contents keeps them. */
const glimpseBytes = 8
const pieceBytes = 64 * 1024

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
    if (await comesAgain(mark, size, read)) return size
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

/** Two images can begin alike; so it is looked at further on, and at the end, where file systems are, too. */
async function comesAgain({ offset, bytes }: Mark, size: number, read: ReadAt): Promise<boolean> {
  if (!(await isThere(bytes, offset + size, read))) return false
  for (const at of [sectorBytes, size / 2, size - sectorBytes])
    if (!(await isThere(await read(at, glimpseBytes), at + size, read))) return false
  return true
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
