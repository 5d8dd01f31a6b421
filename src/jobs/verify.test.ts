import { expect, test, vi } from 'vitest'
import { Context } from '#core/context.ts'
import type { Memory } from '#core/programmer.ts'
import { refuseSilence } from './backup.ts'
import { verifyMemory, verifyRead } from './verify.ts'

/** Gives these readings, one after another. */
function memory(id: Memory['id'], ...readings: number[][]): Memory {
  const length = readings[0]?.length ?? 0
  return {
    ...{ id, address: 0, length, pageBytes: 1, pageMs: 0, write: 'overwrite', reserved: [] },
    read: () => Promise.resolve(Uint8Array.from(readings.shift() ?? [])),
  }
}
const expected = Uint8Array.of(1, 2)

test('what is wrong twice in the same way is told, a bad contact is not', async () => {
  const onWrong = vi.fn()
  const verify = (one: Memory) => verifyMemory(one, expected, new Context(), onWrong)
  await expect(verify(memory('eeprom', [1, 0], [0, 0]))).rejects.toMatchObject({
    code: 'verify-mismatch',
    detail: { likely: 'bad-contact' },
  })
  expect(onWrong).not.toHaveBeenCalled()
  await expect(verify(memory('eeprom', [1, 0], [1, 0]))).rejects.toMatchObject({ code: 'verify-mismatch' })
  expect(onWrong).toHaveBeenCalledWith(Uint8Array.of(1, 0))
})

test('what was read already is read once more where it is wrong, and must have been read', async () => {
  const onWrong = vi.fn()
  const found = (...bytes: number[]) => new Map([['flash' as const, Uint8Array.from(bytes)]])
  const verify = (present: ReturnType<typeof found>, ...again: number[][]) =>
    verifyRead({ memories: [memory('flash', ...again)] }, found(1, 2), present, new Context(), onWrong)
  await expect(verify(found(1, 2))).resolves.toBeUndefined()
  await expect(verify(new Map())).rejects.toMatchObject({ code: 'read-protected' })
  await expect(verify(found(1, 0), [1, 2])).rejects.toMatchObject({
    code: 'verify-mismatch',
    detail: { likely: 'bad-contact' },
  })
  expect(onWrong).not.toHaveBeenCalled()
  await expect(verify(found(1, 0), [1, 0])).rejects.toMatchObject({ code: 'verify-mismatch' })
  expect(onWrong).toHaveBeenCalledWith('flash', Uint8Array.of(1, 0))
})

test('a chip that has fallen silent is told by its signature', async () => {
  const signature = Uint8Array.of(0x1e, 0x93)
  const backup = {
    memories: [{ id: 'signature' as const, address: 0, length: 2, sha256: '', bytes: signature }],
  }
  const silence = (...read: number[]) =>
    refuseSilence({ memories: [memory('signature', read)] } as never, backup, new Context())
  await expect(silence(0x1e, 0x93)).resolves.toBeUndefined()
  await expect(silence(0xff, 0xff)).rejects.toMatchObject({ code: 'backup-mismatch' })
})
