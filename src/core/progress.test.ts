import { expect, test } from 'vitest'
import { Progress, type ProgressEvent } from './progress.ts'

function watched() {
  const events: ProgressEvent[] = []
  const root = Progress.root((event) => events.push(event))
  const last = () => events.at(-1)
  return { root, events, last }
}

test('weights share the whole out', () => {
  const { root, last } = watched()
  const { read, write } = root.steps({ read: 1, write: 3 })
  read.expect(10).advance(10)
  expect(last()?.fraction).toBeCloseTo(0.25)
  write.expect(100).advance(50)
  expect(last()?.fraction).toBeCloseTo(0.625)
})

test('an event names its place, its bytes and its range', () => {
  const { root, last } = watched()
  const { flash } = root.steps({ read: 1 }).read.steps({ flash: 1 })
  flash.expect(256).advance(64, 0x40)
  expect(last()).toEqual({
    path: ['read', 'flash'],
    done: 64,
    total: 256,
    range: { address: 0x40, length: 64 },
    fraction: 0.25,
  })
})

test('the fraction never goes backwards, even when a step turns out longer', () => {
  const { root, events } = watched()
  const { a } = root.steps({ a: 1, b: 1 })
  a.expect(10).advance(10)
  a.expect(100)
  a.advance(20)
  const fractions = events.map(({ fraction }) => fraction)
  expect(fractions).toEqual([...fractions].sort((x, y) => x - y))
})

test('an unknown total counts as nothing done, and finishing ends at one', () => {
  const { root, last } = watched()
  const { a, b } = root.steps({ a: 1, b: 1 })
  a.advance(5)
  expect(last()?.total).toBeUndefined()
  expect(last()?.fraction).toBe(0)
  b.expect(0)
  root.finish()
  expect(last()?.fraction).toBe(1)
})

test('a step with nothing to do still finishes', () => {
  const { root, last } = watched()
  const { a } = root.steps({ a: 1 })
  a.expect(0).finish()
  expect(last()?.fraction).toBe(1)
})
