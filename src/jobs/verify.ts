/** Reading back what was written: all of it, and what it looks like when it is wrong. */
import type { Context } from '#core/context.ts'
import { FlashError, type LikelyCause } from '#core/errors.ts'
import type { Memory } from '#core/programmer.ts'
import { differences, isReadable, readWhole } from './reading.ts'

/**
 * Reads the whole memory back and compares all of it. What differs is read once more, to tell a bad
 * contact from bytes that really are wrong; a second reading that is right does not undo the first.
 * @throws `verify-mismatch` · `read-protected` when it cannot be read
 */
export async function verifyMemory(memory: Memory, expected: Uint8Array, ctx: Context): Promise<void> {
  const { id, address } = memory
  if (!isReadable(memory)) throw new FlashError('read-protected', { memory: id })
  const found = await readWhole(memory, ctx)
  const wrong = differences(id, address, expected, found)
  if (!wrong) return
  const again = await readWhole(memory, ctx)
  const isStable = differences(id, address, found, again) === undefined
  const likely = isStable ? likelyCause(expected, found) : 'bad-contact'
  throw new FlashError('verify-mismatch', { ...wrong, ...(likely && { likely }) })
}

/** What stable wrong bytes look like; undefined: like nothing in particular. */
export function likelyCause(expected: Uint8Array, found: Uint8Array): LikelyCause | undefined {
  let [bits, isBlank, isCleared] = [0, true, true]
  for (let i = 0; i < expected.length; i++) {
    const [there = 0xff, byte = 0xff] = [found[i], expected[i]]
    if (there === byte) continue
    bits |= there ^ byte
    if (there !== 0xff) isBlank = false
    if ((there & ~byte) !== 0) isCleared = false // a bit is set that should not be
  }
  if (bits === 0) return undefined
  if (isBlank) return 'not-written'
  if ((bits & (bits - 1)) === 0) return 'stuck-bit'
  return isCleared ? 'not-erased' : undefined
}
