import { describe, expect, test } from 'vitest'
import { within } from '#core/time.ts'
import { VirtualClock } from './virtual-clock.ts'

describe('without a speed', () => {
  test('an hour passes at once', async () => {
    const clock = new VirtualClock()
    const started = performance.now()
    await clock.sleep(3_600_000)
    expect(clock.now()).toBe(3_600_000)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('sleepers wake by time, and in order of arrival at equal times', async () => {
    const clock = new VirtualClock()
    const woken: string[] = []
    const sleep = async (name: string, ms: number) => {
      await clock.sleep(ms)
      woken.push(`${name}@${String(clock.now())}`)
    }
    await Promise.all([sleep('c', 30), sleep('a', 10), sleep('b', 20), sleep('b2', 20)])
    expect(woken).toEqual(['a@10', 'b@20', 'b2@20', 'c@30'])
  })

  test('what a woken sleeper does next comes before a later sleeper', async () => {
    const clock = new VirtualClock()
    const order: string[] = []
    const chain = async () => {
      await clock.sleep(10)
      await clock.sleep(5)
      order.push('chain')
    }
    const later = clock.sleep(16).then(() => order.push('later'))
    await Promise.all([chain(), later])
    expect(order).toEqual(['chain', 'later'])
  })

  test('a cancelled sleep rejects with the reason and costs no time', async () => {
    const clock = new VirtualClock()
    const controller = new AbortController()
    const slept = clock.sleep(1000, controller.signal)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(slept).rejects.toBe(reason)
    await expect(clock.sleep(1, controller.signal)).rejects.toBe(reason)
    await clock.sleep(5)
    expect(clock.now()).toBe(5)
  })

  test('a time limit does not strike while the work gets on', async () => {
    const clock = new VirtualClock()
    const work = async () => {
      for (let i = 0; i < 100; i++) await clock.sleep(1)
      return 'done'
    }
    await expect(within(work(), clock, 'working', 1000)).resolves.toBe('done')
    expect(clock.now()).toBe(100)
    await expect(within(new Promise(() => undefined), clock, 'waiting', 1000)).rejects.toMatchObject({
      code: 'timeout',
    })
    expect(clock.now()).toBe(1100)
  })
})

describe('with a speed', () => {
  test('many short sleeps take as long as they are together', async () => {
    const clock = new VirtualClock({ speed: 10 })
    const started = performance.now()
    for (let i = 0; i < 500; i++) await clock.sleep(1)
    expect(clock.now()).toBeGreaterThanOrEqual(500)
    expect(performance.now() - started).toBeGreaterThanOrEqual(45)
  })

  test('a page that stands still for a moment does not make a time limit strike', async () => {
    const clock = new VirtualClock({ speed: 1000 })
    const work = async () => {
      for (let i = 0; i < 100; i++) {
        const busyUntil = performance.now() + (i === 50 ? 20 : 0)
        while (performance.now() < busyUntil);
        await clock.sleep(1)
      }
      return 'done'
    }
    await expect(within(work(), clock, 'working', 5000)).resolves.toBe('done')
  })

  test('time flows while nobody sleeps, but not past a sleeper who is not awake yet', async () => {
    const clock = new VirtualClock({ speed: 1000 })
    const busyUntil = performance.now() + 20
    const before = clock.now()
    while (performance.now() < busyUntil);
    expect(clock.now() - before).toBeGreaterThanOrEqual(20_000)
    const due = clock.now() + 1000
    let wokenAt = 0
    const slept = clock.sleep(1000).then(() => (wokenAt = clock.now()))
    const busyAgainUntil = performance.now() + 20
    while (performance.now() < busyAgainUntil);
    expect(clock.now()).toBeLessThanOrEqual(due + 1000)
    await slept
    expect(wokenAt).toBeGreaterThanOrEqual(due)
  })
})

test('a speed that changes goes on from where time had come', async () => {
  const clock = new VirtualClock({ speed: 0.001 })
  const slept = clock.sleep(5000)
  expect(clock.now()).toBeLessThan(100)
  clock.speed = 1000
  await slept
  const now = clock.now()
  expect(now).toBeGreaterThanOrEqual(5000)
  clock.speed = 0.001
  expect(clock.now()).toBeLessThan(now + 100_000)
  expect(clock.now()).toBeGreaterThanOrEqual(now)
})
