/**
 * The contract of all protocol folders: a byte of the EEPROM that went wrong on the wire is told by the read-back; and
 * when the page then goes, the next one knows the chip again by that byte and ends in what was planned.
 */
import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import { equal } from '#core/bytes.ts'
import type { Memories } from '#jobs/plan.ts'
import { JobRig, type Scene } from './job-rig.ts'
import { distinctPlaces } from './places.ts'
import { smallestOfEachKind } from './variants.ts'

const mostFlashBytes = 8192

interface Course {
  readonly scene: Scene
  readonly planned: Memories
  readonly writesEeprom: boolean
  /** Transfers of the write. */
  readonly places: readonly number[]
}

async function courseOf(scene: Scene): Promise<Course> {
  const rig = await JobRig.setUp(scene)
  const kinds: string[] = []
  let begin = Infinity
  rig.plugged.onTransfer = (count, kind) => {
    kinds.push(kind)
    if (rig.job.view.halfWritten) begin = Math.min(begin, count)
  }
  expect(await rig.press()).toBe('nothing')
  const planned = rig.content()
  const [before, after] = [rig.former, planned].map((memories) => memories.get('eeprom') ?? new Uint8Array())
  const writesEeprom = before !== undefined && after !== undefined && !equal(before, after)
  return { scene, planned, writesEeprom, places: distinctPlaces(kinds).filter((at) => at >= begin) }
}

const small = (await smallestOfEachKind()).filter(({ flashBytes }) => flashBytes <= mostFlashBytes)
const courses: Course[] = []
for (const { id, dials } of small) courses.push(await courseOf({ id, dials }))

describe.each(courses.filter(({ writesEeprom }) => writesEeprom))(
  '$scene.id',
  ({ scene, planned, places }) => {
    test(
      'a wrong byte of the EEPROM and then a reload end in what was planned',
      { timeout: 60_000 },
      async () => {
        let met = 0
        for (const at of places) {
          const rig = await JobRig.setUp(scene)
          rig.plugged.faults = { flipOutAt: at }
          await rig.press()
          const { error } = rig.job.view
          if (!error?.is('verify-mismatch') || error.detail.memory !== 'eeprom') continue
          met++
          rig.leave()
          await rig.open()
          expect(await rig.press(), `at ${String(at)}: ${String(rig.job.view.error)}`).toBe('nothing')
          for (const [id, bytes] of planned)
            expect(equal(bytes, rig.subject.memory(id)), `at ${String(at)}: ${id}`).toBe(true)
          await rig.evidence()
          await rig.certified()
          expect(rig.wrong).toEqual([])
        }
        expect(met, 'no byte of the EEPROM ever went wrong').toBeGreaterThan(0)
      },
    )
  },
)
