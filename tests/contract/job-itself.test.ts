/**
 * The application's own job on a programmer's own chip while a target is behind it: an Arduino with ArduinoISP, flashed by
 * its boot loader. What its loader does is swept on the boards, so every sixth place where jobs differ is enough here:
 * a job on 32 KiB takes a second.
 */
import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import { PracticeBench, shelf } from '#bench/bench.ts'
import { disturbedJob, jobFaults, undisturbedJob } from './job-faults.ts'
import type { Scene } from './job-rig.ts'
import { distinctPlaces } from './places.ts'

const scenes: Scene[] = []
for (const { id } of await shelf())
  if ((await new PracticeBench().plug(id)).itself) scenes.push({ id, dials: {}, itself: true })

test('one is on the shelf', () => {
  expect(scenes.map(({ id }) => id.split(':')[0])).toContain('stk500')
})

test.each(scenes.filter(({ id }) => id.startsWith('stk500')).slice(0, 1))(
  '$id, itself',
  { timeout: 120_000 },
  async (scene) => {
    const { planned, kinds } = await undisturbedJob(scene)
    let felt = 0
    const places = distinctPlaces(kinds).filter((_, i) => i % 6 === 0)
    for (const [i, at] of places.entries()) {
      const fault = jobFaults[i % jobFaults.length] ?? 'unplug'
      const ending = await disturbedJob(scene, fault, at, planned, i % 2 === 1)
      if (ending.codes.length > 0 || ending.transfers !== kinds.length) felt++
    }
    expect(felt, 'no fault was felt').toBeGreaterThan(0)
  },
)
