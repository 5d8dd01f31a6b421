/** Reading a memory whole, and where two readings differ. */
import { differences } from '#core/compare.ts'
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

/** Undefined: equal. */
export function mismatch(
  memory: MemoryId,
  base: number,
  expected: Uint8Array,
  found: Uint8Array,
): (MismatchDetail & Required<Pick<MismatchDetail, 'first'>>) | undefined {
  const { count, first: places } = differences(expected, found)
  const first = places.map(({ offset, a, b }) => ({ address: base + offset, expected: a, found: b }))
  const [one] = first
  return one && { memory, ...one, count, first }
}
