import { expect, test } from 'vitest'
import { Meter } from './meter.ts'

function metered() {
  let now = 0
  const meter = new Meter({ now: () => now })
  /** 100 bytes, `count` times, `ms` apart, of 100 altogether. */
  let done = 0
  const move = (count: number, ms: number) => {
    for (let i = 0; i < count; i++) {
      now += ms
      done++
      meter.hear({
        path: ['write'],
        done,
        total: 100,
        range: { address: done * 100, length: 100 },
        fraction: done / 100,
      })
    }
  }
  return { meter, move }
}

test('nothing is said before there is something to say', () => {
  const { meter, move } = metered()
  expect([meter.bytesPerSecond, meter.secondsLeft]).toEqual([undefined, undefined])
  move(1, 100)
  expect([meter.bytesPerSecond, meter.secondsLeft]).toEqual([undefined, undefined])
})

test('the rate is that of the last moments, not of the whole', () => {
  const { meter, move } = metered()
  move(20, 1000)
  expect(meter.bytesPerSecond).toBeCloseTo(100)
  move(20, 200)
  expect(meter.bytesPerSecond).toBeGreaterThan(400)
})

test('the time left is a range that holds what is right and narrows', () => {
  const { meter, move } = metered()
  move(10, 200)
  const [low = 0, high = 0] = meter.secondsLeft ?? []
  expect(low).toBeLessThan(18)
  expect(high).toBeGreaterThan(18)
  move(80, 200)
  const [low2 = 0, high2 = 0] = meter.secondsLeft ?? []
  expect(low2).toBeLessThanOrEqual(2)
  expect(high2).toBeGreaterThanOrEqual(2)
  expect(high2 - low2).toBeLessThan(high - low)
})
