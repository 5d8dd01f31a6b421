/** Reading back what was written: all of it, and what it looks like when it is wrong. */
import { likelyCause as looksLike, type Cause } from '#core/compare.ts'
import type { Context } from '#core/context.ts'
import { FlashError, type LikelyCause } from '#core/errors.ts'
import type { Memory, MemoryId, Patient } from '#core/programmer.ts'
import { Progress } from '#core/progress.ts'
import type { Memories } from './plan.ts'
import { isReadable, mismatch, readWhole, type Readable } from './reading.ts'

/**
 * Reads the whole memory back and compares all of it. What differs is read once more, to tell a bad
 * contact from bytes that really are wrong; a second reading that is right does not undo the first.
 * @param onWrong hears what is there instead, if two readings agree on it
 * @throws `verify-mismatch` · `read-protected` when it cannot be read
 */
export async function verifyMemory(
  memory: Memory,
  expected: Uint8Array,
  ctx: Context,
  onWrong: (found: Uint8Array) => Promise<void> | void = () => undefined,
): Promise<void> {
  if (!isReadable(memory)) throw new FlashError('read-protected', { memory: memory.id })
  await verifyReading(memory, expected, await readWhole(memory, ctx), ctx, onWrong)
}

/**
 * The same of what was read already, in the order in which it was written.
 * @throws `verify-mismatch` · `read-protected` when it was not read
 */
export async function verifyRead(
  { memories }: Pick<Patient, 'memories'>,
  written: Memories,
  present: Memories,
  ctx: Context,
  onWrong: (id: MemoryId, found: Uint8Array) => Promise<void> | void,
): Promise<void> {
  for (const [id, expected] of written) {
    const found = present.get(id)
    const memory = memories.filter(isReadable).find((one) => one.id === id)
    if (!found || !memory) throw new FlashError('read-protected', { memory: id })
    await verifyReading(memory, expected, found, ctx, (stable) => onWrong(id, stable))
  }
}

async function verifyReading(
  memory: Readable,
  expected: Uint8Array,
  found: Uint8Array,
  ctx: Context,
  onWrong: (found: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const { id, address } = memory
  const wrong = mismatch(id, address, expected, found)
  if (!wrong) return
  const again = await readWhole(memory, ctx.under(Progress.silent()))
  const isStable = mismatch(id, address, found, again) === undefined
  if (isStable) await onWrong(found)
  const likely = isStable ? likelyCause(expected, found) : 'bad-contact'
  throw new FlashError('verify-mismatch', { ...wrong, ...(likely && { likely }) })
}

/** What stable wrong bytes look like; undefined: like nothing in particular. */
export const likelyCause = (expected: Uint8Array, found: Uint8Array): LikelyCause | undefined =>
  causes[looksLike(expected, found)]

const causes: Partial<Record<Cause, LikelyCause>> = {
  blank: 'not-written',
  'erased-bits': 'not-erased',
  'was-blank': 'not-erased',
  'one-bit': 'stuck-bit',
  line: 'stuck-bit',
}
