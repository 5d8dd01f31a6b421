/** What a waiting build may do, on a worker that is played; the real one is in tests/e2e/offline.spec.ts. */
import { expect, test } from 'vitest'
import type { OfflineCopy, OfflineCopyEvents } from '#host/offline-copy.ts'
import { Update } from './update.svelte.ts'

class PlayedCopy implements OfflineCopy {
  hear: OfflineCopyEvents | undefined
  tellKept: (kept: boolean) => void = () => undefined
  replacing = Promise.resolve(true)
  replacements = 0
  reloads = 0

  keep(hear: OfflineCopyEvents): Promise<boolean> {
    this.hear = hear
    return new Promise((resolve) => (this.tellKept = resolve))
  }
  replace(): Promise<boolean> {
    this.replacements++
    return this.replacing
  }
  reload(): void {
    this.reloads++
  }
}

function setUp() {
  const copy = new PlayedCopy()
  const job = { on: false }
  return { copy, job, update: new Update(() => !job.on, copy) }
}

test.each([
  [true, 'ready'],
  [false, 'unavailable'],
])('the app is said to work offline only once every file is kept (%s)', async (kept, expected) => {
  const { copy, update } = setUp()
  expect(update.offline).toBe('preparing')
  copy.tellKept(kept)
  await Promise.resolve()
  expect(update.offline).toBe(expected)
})

test('a newer app waits until it is asked for', () => {
  const { copy, update } = setUp()
  copy.hear?.waiting()
  expect(update.waiting).toBe(true)
  expect(copy.replacements).toBe(0)
  expect(copy.reloads).toBe(0)
})

test('a job here keeps the newer app waiting, even when it is asked for', async () => {
  const { copy, job, update } = setUp()
  copy.hear?.waiting()
  job.on = true
  await update.apply()
  expect(copy.replacements).toBe(0)
  expect(update).toMatchObject({ waiting: true, hindrance: 'job' })
  job.on = false
  await update.apply()
  expect(copy.replacements).toBe(1)
  expect(update).toMatchObject({ waiting: false, hindrance: undefined })
})

test('a job in another tab keeps the newer app waiting', async () => {
  const { copy, update } = setUp()
  copy.hear?.waiting()
  copy.replacing = Promise.resolve(false)
  await update.apply()
  expect(update).toMatchObject({ waiting: true, hindrance: 'job' })
})

test('a newer app that does not come is said so, and can be asked again', async () => {
  const { copy, update } = setUp()
  copy.hear?.waiting()
  copy.replacing = Promise.reject(new Error('no controllerchange'))
  await update.apply()
  expect(update).toMatchObject({ waiting: true, hindrance: 'no-answer' })
})

test('when another tab has changed to the newer app, an idle page loads anew at once', () => {
  const { copy } = setUp()
  copy.hear?.replaced()
  expect(copy.reloads).toBe(1)
})

test('a page with a job is never loaded anew by another tab, but by its user afterwards', async () => {
  const { copy, job, update } = setUp()
  job.on = true
  copy.hear?.replaced()
  await update.apply()
  expect(copy.reloads).toBe(0)
  expect(update.waiting).toBe(true)
  job.on = false
  await update.apply()
  expect(copy.reloads).toBe(1)
})
