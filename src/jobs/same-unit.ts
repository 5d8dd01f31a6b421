/**
 * Whether a half-written patient is the one that was being written: everything in it comes from its backup or
 * from what was being written, or is on the way to it. Then going on loses nothing. Pure.
 */
import { blank, equal, hex, hexBytes, lengthBeforeBlank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { MemoryId, Patient } from '#core/programmer.ts'
import type { Memories, PatientLayout } from './plan.ts'

/** Whether it is of that kind, or may be, where one of the two does not say how large it is. */
export const isOfKind = (
  { kind, mayBe = [] }: { kind: string; mayBe?: Patient['mayBe'] },
  other: string,
): boolean => kind === other || mayBe.includes(other)

/**
 * Memories of a flash that did not say how large it is, or does not now, for its layout: as much as it has. Behind its
 * end, nothing is there, which reads as blank.
 * @throws `target-changed` when it has less than there is in them
 */
export function fitted(memories: Memories, { memories: layout }: Pick<PatientLayout, 'memories'>): Memories {
  return new Map(
    [...memories].map(([id, bytes]): [MemoryId, Uint8Array] => {
      const length = layout.find((memory) => memory.id === id)?.length ?? bytes.length
      const sized = ofLength(bytes, length)
      if (sized) return [id, sized]
      const expected = `${id} ${String(lengthBeforeBlank(bytes))} B`
      throw new FlashError('target-changed', { expected, found: `${id} ${String(length)} B` })
    }),
  )
}

/** Filled up, or without what is blank at its end; undefined: there is more in it. */
export function ofLength(bytes: Uint8Array, length: number): Uint8Array | undefined {
  if (bytes.length === length) return bytes
  if (lengthBeforeBlank(bytes) > length) return undefined
  const sized = blank(length)
  sized.set(bytes.subarray(0, length))
  return sized
}

/** Whether its serial number proves it, whatever it holds. `serial`: undefined: none is known. */
export const hasSerial = ({ facts }: Pick<Patient, 'facts'>, serial: string | undefined): boolean =>
  serial !== undefined && facts.some(({ name, value }) => name === 'serial' && value === serial)

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
  config: exactly,
}

const bitsIn = (byte: number): number => byte.toString(2).replaceAll('0', '').length

/** Whether a chip is the one named, however large it is or found to be. */
export function isChip(chip: string, name: string): boolean {
  const [one, other] = [chip.toLowerCase(), name.toLowerCase()]
  return one === other || one.startsWith(`${other} (`)
}
