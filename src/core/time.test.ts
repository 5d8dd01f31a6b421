import { expect, test } from 'vitest'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { isAbortedWithin, systemClock, within } from './time.ts'

test('an answer that came while the page stood still is not a timeout', async () => {
  const { port1, port2 } = new MessageChannel()
  const answer = new Promise((resolve) => {
    port1.onmessage = ({ data }) => {
      resolve(data)
    }
  })
  const waiting = within(answer, systemClock, 'asking', 20)
  port2.postMessage('here')
  const from = performance.now()
  while (performance.now() - from < 60); // the page stands still until both are due
  expect(await waiting).toBe('here')
  port1.close()
})

test('no answer is a timeout that names what was under way', async () => {
  const silence = new Promise<never>(() => undefined)
  await expect(within(silence, systemClock, 'asking', 5)).rejects.toMatchObject({
    code: 'timeout',
    detail: { during: 'asking', timeoutMs: 5 },
  })
})

test('what is aborted is heard of at once, what is not when the time is over', async () => {
  const clock = new VirtualClock()
  const is = async (signal: AbortSignal) => {
    const from = clock.now()
    return [await isAbortedWithin(signal, 100, clock), clock.now() - from]
  }
  const soon = new AbortController()
  clock.after(40, () => {
    soon.abort()
  })
  expect(await is(soon.signal)).toEqual([true, 40])
  expect(await is(soon.signal)).toEqual([true, 0])
  expect(await is(new AbortController().signal)).toEqual([false, 100])
})
