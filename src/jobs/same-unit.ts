/**
 * Whether a half-written patient is the one that was being written: everything in it comes from its backup or
 * from what was being written, or is on the way to it. Then going on loses nothing. Pure.
 */
import { equal, hex, hexBytes } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Memories } from './plan.ts'

/** Bits that never came up again: a worn cell, which the verify tells. Another unit differs in more. */
const stuckBits = 2

/**
 * @param sources what each memory may hold: as kept, as expected, as it was before
 * @param wrong what was found instead of what was written; only just that counts
 * @param written what the flash is to hold: once it does, its program runs, and may write its EEPROM
 * @returns whether the EEPROM holds what nobody knows, and the flash all that was written
 * @throws `target-changed` with the first place that none of them explains
 */
export function refuseStranger(
  present: Memories,
  sources: readonly Memories[],
  wrong: Memories = new Map(),
  written?: Uint8Array,
): boolean {
  const flash = present.get('flash')
  const mayRun = written !== undefined && flash !== undefined && equal(flash, written)
  let hasNewEeprom = false
  for (const [id, bytes] of present) {
    const known = sources.flatMap((source) => source.get(id) ?? [])
    const [kept] = known
    if (!kept) continue
    const explains = explanationOf[id] ?? onTheWay
    const found = wrong.get(id)
    let unexplained = 0
    for (const [i, byte] of bytes.entries()) {
      if (byte === found?.[i]) continue
      const missing = Math.min(...known.map((source) => bitsIn(explains(byte, source[i] ?? 0xff))))
      unexplained += missing
      if (missing === 0 || (id === 'flash' && unexplained <= stuckBits)) continue
      if (id === 'eeprom' && mayRun) {
        hasNewEeprom = true
        break
      }
      const place = (of: Uint8Array) => `${id} ${hex(i, 4)} ${hexBytes(of.subarray(i, i + 8))}`
      throw new FlashError('target-changed', { expected: place(kept), found: place(bytes) })
    }
  }
  return hasNewEeprom
}

/** The bits of a byte that a source does not explain. */
type Unexplained = (byte: number, source: number) => number

/** Erasing sets bits and writing clears them: cleared is only what the source has cleared, or has it so far. */
const onTheWay: Unexplained = (byte, source) => ~byte & source & 0xff
const exactly: Unexplained = (byte, source) => byte ^ source
const orErased: Unexplained = (byte, source) => (byte === 0xff ? 0 : byte ^ source)

const explanationOf: Partial<Record<MemoryId, Unexplained>> = {
  fuses: exactly,
  lock: orErased,
  calibration: exactly,
  signature: exactly,
  options: exactly,
  otp: exactly,
}

const bitsIn = (byte: number): number => byte.toString(2).replaceAll('0', '').length
