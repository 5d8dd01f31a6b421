/**
 * The application's own job while the worker for files dies at any of its calls, in any way: the error says so, what was
 * done stays done, the backup proves itself, and the same press again goes on to what was planned. The person reads a file,
 * looks at what it changes before the write, and saves the image before the proof: each asks the worker.
 */
import 'fake-indexeddb/auto'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { equal } from '#core/bytes.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { wantedFromFile } from '#jobs/choose.ts'
import type { Wanted } from '#jobs/job.ts'
import { deaths, DyingWorkers, type Death } from './dying-worker.ts'
import { JobRig, type Scene } from './job-rig.ts'
import { smallestOfEachKind } from './variants.ts'

const mostFlashBytes = 16_384
const scenes = (await smallestOfEachKind()).filter(({ flashBytes }) => flashBytes <= mostFlashBytes)
const counts = new Map<Death, number>()
afterEach(() => {
  vi.unstubAllGlobals()
})
afterAll(() =>
  console.log([...counts].map(([death, count]) => `worker ${death} ${String(count)}`).join(', ')),
)

/** A job whose person uses the worker; `at` 0: it does not die. */
async function jobWith(scene: Scene, death: Death, at: number) {
  const rig = await JobRig.setUp(scene)
  const workers = new DyingWorkers(death, at)
  const { client } = workers
  rig.read = ({ contents }: Wanted) => {
    const file = new File([formatIntelHex(contents.get('flash') ?? [])], 'a.hex')
    return wantedFromFile({ kind: 'file', file, name: file.name }, (...call) => client.parse(...call))
  }
  rig.beforePress = async ({ next, backup, wanted }) => {
    const [kept] = backup?.memories ?? []
    const [segment] = wanted?.contents.get('flash') ?? []
    if (next === 'write' && kept && segment) await client.compare(kept.bytes, segment.bytes)
    const segments = wanted?.contents.get('flash') ?? []
    if (next === 'prove') await client.write('intel-hex', { segments, claims: {} })
  }
  rig.plugged.onTransfer = () => rig.watch()
  expect(await rig.press(), String(rig.job.view.error)).toBe('nothing')
  await rig.evidence()
  await rig.certified()
  expect(rig.wrong).toEqual([])
  expect(await rig.page.services.backups.journal.list()).toEqual([])
  return { rig, workers }
}

describe.each(scenes)('$id', ({ id, dials }) => {
  test.each(deaths)('the worker that %s, at each of its calls', { timeout: 60_000 }, async (death) => {
    const scene = { id, dials }
    const undisturbed = await jobWith(scene, death, 0)
    const planned = undisturbed.rig.content()
    expect(undisturbed.rig.codes).toEqual([])
    expect(undisturbed.workers).toMatchObject({ calls: 3, started: 1 })
    for (let at = 1; at <= undisturbed.workers.calls; at++) {
      const { rig, workers } = await jobWith(scene, death, at)
      const isFelt = death !== 'afterwards' || at < undisturbed.workers.calls // nobody asked it again
      expect(rig.codes, `call ${String(at)}`).toEqual(isFelt ? ['worker-ended'] : [])
      expect(workers.started).toBe(isFelt ? 2 : 1)
      for (const [memory, bytes] of planned)
        expect(equal(bytes, rig.subject.memory(memory)), `${memory}, call ${String(at)}`).toBe(true)
      counts.set(death, (counts.get(death) ?? 0) + 1)
    }
  })
})
