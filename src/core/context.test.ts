import { expect, test } from 'vitest'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { cancelSource, Context, type Phase } from './context.ts'
import { FlashError } from './errors.ts'

const cancelled = expect.objectContaining({ code: 'cancelled' }) as FlashError

test('a checkpoint throws once the user has cancelled', () => {
  const { signal, cancel } = cancelSource()
  const ctx = new Context({ signal })
  expect(() => ctx.checkpoint()).not.toThrow()
  cancel('reading')
  expect(() => ctx.checkpoint()).toThrow(cancelled)
})

test('critical work is not cancelled, but what follows it is', async () => {
  const { signal, cancel } = cancelSource()
  const ctx = new Context({ signal })
  let erased = false
  const work = ctx.critical(async (inside) => {
    cancel()
    await Promise.resolve()
    inside.checkpoint()
    erased = true
  })
  await expect(work).rejects.toEqual(cancelled)
  expect(erased).toBe(true)
})

test('an error of critical work is not hidden by a cancel', async () => {
  const { signal, cancel } = cancelSource()
  const ctx = new Context({ signal })
  const work = ctx.critical(() => {
    cancel()
    return Promise.reject(new FlashError('device-gone', {}))
  })
  await expect(work).rejects.toMatchObject({ code: 'device-gone' })
})

test('phases are told in order and return to what they were', async () => {
  const phases: Phase[] = []
  const ctx = new Context({ onPhase: (phase) => phases.push(phase) })
  await ctx.boundary(async (inside) => {
    await inside.critical(() => Promise.resolve())
  })
  expect(phases).toEqual(['boundary', 'critical', 'boundary', 'free'])
})

test('a sleep inside a boundary part is slept to its end, and the next checkpoint hears the cancel', async () => {
  const { signal, cancel } = cancelSource()
  const clock = new VirtualClock()
  const ctx = new Context({ signal, clock })
  cancel()
  await expect(ctx.sleep(5)).rejects.toMatchObject({ code: 'cancelled' })
  await ctx.boundary(async (page) => {
    await page.sleep(7)
    expect(() => {
      page.checkpoint()
    }).toThrow('cancelled')
  })
  expect(clock.now()).toBe(7)
})
