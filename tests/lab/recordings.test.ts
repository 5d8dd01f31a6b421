/** Every recording of a reference tool, said again to the twin: it must answer as it did then. */
import { expect, test } from 'vitest'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { take } from '#bench/bench.ts'
import { replay, type Recording } from './recording.ts'

const recordings = import.meta.glob<Recording>('../../protocols/*/*.recording.json', {
  import: 'default',
  eager: true,
})

test.each(Object.entries(recordings))('%s', async (_, recording) => {
  const { setup } = await take(recording.twin)
  const { now, then } = await replay(recording, setup.twin, new VirtualClock())
  expect(then.length).toBeGreaterThan(0)
  expect(now).toBe(then)
})
