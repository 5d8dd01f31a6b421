/** What the tests of formats share: images of any shape, refusals, and hostile input. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { isFlashError, type BadFileDetail } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'

/** A character a byte. */
export const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
export const textOf = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes)
export const segment = (address: number, ...bytes: number[]): Segment => ({
  address,
  bytes: Uint8Array.from(bytes),
})

export function refusal(read: () => unknown): BadFileDetail {
  try {
    read()
  } catch (error) {
    if (isFlashError(error, 'bad-file')) return error.detail
    throw error
  }
  throw new Error('it was accepted')
}

/** The same of what is read with `await`. */
export async function refused(reading: Promise<unknown>): Promise<BadFileDetail> {
  try {
    await reading
  } catch (error) {
    return refusal(() => {
      throw error
    })
  }
  throw new Error('it was accepted')
}

/** Sorted and apart, up to `end`. */
export const imagesUpTo = (end: number, mostSegments = 6): fc.Arbitrary<Segment[]> =>
  fc
    .array(
      fc.record({
        gap: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: Math.floor(end / 8) })),
        bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
      }),
      { minLength: 1, maxLength: mostSegments, ...(mostSegments > 6 && { size: 'max' as const }) },
    )
    .map((pieces) => {
      let address = -1
      return pieces.map(({ gap, bytes }): Segment => {
        const here = address + gap
        address = here + bytes.length
        return { address: here, bytes: Uint8Array.from(bytes) }
      })
    })

/**
 * Whatever is done to good files, and any bytes at all, give an image or `bad-file`. Mutations put bytes that
 * mean something to most formats into places that do.
 */
export function survives(
  read: (bytes: Uint8Array) => unknown,
  good: readonly Uint8Array[],
  numRuns = 2000,
): void {
  fc.assert(
    fc.property(hostile(good), (bytes) => {
      try {
        read(bytes)
      } catch (error) {
        isBadFile(error)
      }
    }),
    { numRuns },
  )
}

/** The same of what is read with `await`. */
export const survivesReading = (
  read: (bytes: Uint8Array) => Promise<unknown>,
  good: readonly Uint8Array[],
  numRuns = 2000,
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(hostile(good), async (bytes) => {
      await read(bytes).catch(isBadFile)
    }),
    { numRuns },
  )

function isBadFile(error: unknown): void {
  if (!isFlashError(error, 'bad-file')) throw error
  expect(error.detail.format).toBeTypeOf('string')
}

function hostile(good: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const value = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 }))
  const change = fc.record({ at: fc.nat(), value, width: fc.constantFrom(1, 1, 4) })
  const mutated = fc
    .record({
      file: fc.constantFrom(...good),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
      cut: fc.nat(),
    })
    .map(({ file, changes, cut }) => {
      const bytes = Uint8Array.from(file)
      for (const { at, value: put, width } of changes)
        bytes.fill(put, at % bytes.length, (at % bytes.length) + width)
      return cut % 4 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes
    })
  return fc.oneof(mutated, fc.uint8Array({ maxLength: 600 }))
}
