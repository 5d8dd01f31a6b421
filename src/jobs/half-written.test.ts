/** Whether what a half-written patient holds is wrong, or that of another one. */
import { expect, test } from 'vitest'
import { Context } from '#core/context.ts'
import type { Memory, Patient } from '#core/programmer.ts'
import { readHalfWritten, type Known } from './resume.ts'

const serial = 'A1'
const bytes = (...given: number[]) => new Map([['flash' as const, Uint8Array.from(given)]])
const segments = new Map([['flash' as const, [{ address: 0, bytes: Uint8Array.of(0x0f, 0xff) }]]])
const none = new Map()

/** It left with `0f ff`. */
const known = {
  ...{ kept: bytes(0xff, 0xff), written: bytes(0x0f, 0xff), serial },
  unfinished: {
    ...{ wanted: { contents: segments }, rule: { outside: 'keep', reserved: 'refuse' } },
    ...{ before: none, wrong: none },
  },
} as unknown as Known

/** Gives these readings, one after another. */
function read(found: string, ...readings: number[][]) {
  const flash: Memory = {
    ...{ id: 'flash', address: 0, length: 2, pageBytes: 1, pageMs: 0, write: 'overwrite', reserved: [] },
    read: () => Promise.resolve(Uint8Array.from(readings.shift() ?? [])),
    program: () => Promise.resolve(),
  }
  const facts = [{ name: 'serial', value: found }]
  const patient = { kind: 'x', facts, memories: [flash], unreadable: [] } as unknown as Patient
  return readHalfWritten(patient, known, new Context())
}

test('of a proven one anything is wrong on which two readings agree', async () => {
  expect(await read(serial, [0x0f, 0xff])).toMatchObject({ mismatch: undefined, wrong: none })
  const { mismatch, wrong } = await read(serial, [0x0f, 0x21], [0x0f, 0x21])
  expect(mismatch).toMatchObject({ code: 'verify-mismatch', detail: { address: 1, found: 0x21 } })
  expect(wrong).toEqual(bytes(0x0f, 0x21))
})

test('where two readings do not agree that is told, not another unit', async () => {
  await expect(read(serial, [0x0f, 0x21], [0x0f, 0x12])).rejects.toMatchObject({
    code: 'verify-mismatch',
    detail: { likely: 'bad-contact' },
  })
})

test('of one that nothing proves it is another unit', async () => {
  await expect(read('B2', [0x0f, 0x21], [0x0f, 0x21])).rejects.toMatchObject({ code: 'target-changed' })
  await expect(read('B2', [0x0f, 0x21], [0x0f, 0x12])).rejects.toMatchObject({ code: 'target-changed' })
})
