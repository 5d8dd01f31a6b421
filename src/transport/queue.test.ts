import { expect, test } from 'vitest'
import { Queue } from './queue.ts'

/** Work that ends when it is told to, and a diary of what began and ended. */
function works() {
  const diary: string[] = []
  const ends = new Map<string, () => void>()
  const work = (name: string) => () => {
    diary.push(`${name} begins`)
    return new Promise<void>((resolve) =>
      ends.set(name, () => {
        diary.push(`${name} ends`)
        resolve()
      }),
    )
  }
  const settled = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
  return { diary, work, settled, end: async (name: string) => (ends.get(name)?.(), settled()) }
}

test('what runs together begins at once, in order; what runs alone waits for it, and it for that', async () => {
  const { diary, work, settled, end } = works()
  const queue = new Queue()
  const all = [
    queue.together(work('a')),
    queue.together(work('b')),
    queue.run(work('alone')),
    queue.together(work('c')),
  ]
  await settled()
  expect(diary).toEqual(['a begins', 'b begins'])
  await end('b')
  expect(diary).toHaveLength(3)
  await end('a')
  expect(diary.slice(3)).toEqual(['a ends', 'alone begins'])
  await end('alone')
  await end('c')
  expect(diary.slice(5)).toEqual(['alone ends', 'c begins', 'c ends'])
  await Promise.all(all)
})

test('what failed holds up nothing', async () => {
  const queue = new Queue()
  const fails = () => Promise.reject(new Error('no'))
  const [first, second] = [queue.together(fails), queue.run(fails)]
  await expect(first).rejects.toThrow('no')
  await expect(second).rejects.toThrow('no')
  expect(await queue.run(() => Promise.resolve(1))).toBe(1)
  await queue.idle()
})
