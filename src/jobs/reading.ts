/** Reading a memory whole, and where two readings differ. */
import type { Context } from '#core/context.ts'
import { FlashError, type MismatchDetail } from '#core/errors.ts'
import type { Memory, MemoryId } from '#core/programmer.ts'

export type Readable = Memory & Required<Pick<Memory, 'read'>>
export const isReadable = (memory: Memory): memory is Readable => memory.read !== undefined

/** @throws `short-transfer` when a driver gives another length than was asked for */
export async function readWhole(memory: Readable, ctx: Context): Promise<Uint8Array> {
  const { id, address, length } = memory
  const bytes = await memory.read({ address, length }, ctx)
  if (bytes.length === length) return bytes
  throw new FlashError('short-transfer', { during: `reading ${id}`, expected: length, found: bytes.length })
}

/** As many as fit on a screen; `count` is exact. */
const shown = 16

/** Undefined: equal. */
export function differences(
  memory: MemoryId,
  base: number,
  expected: Uint8Array,
  found: Uint8Array,
): (MismatchDetail & Required<Pick<MismatchDetail, 'first'>>) | undefined {
  const first: { address: number; expected: number; found: number }[] = []
  let count = Math.abs(expected.length - found.length)
  for (let i = 0; i < Math.min(expected.length, found.length); i++) {
    const [a = 0, b = 0] = [expected[i], found[i]]
    if (a === b) continue
    count++
    if (first.length < shown) first.push({ address: base + i, expected: a, found: b })
  }
  const [one] = first
  return one && { memory, ...one, count, first }
}
