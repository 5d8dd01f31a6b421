/**
 * Every part of a job disturbed in every way, on the smallest twin of each kind: at all transfers of a short
 * job; of a longer one at its beginning and end, around every change of step, and in strides through the
 * loops, where one transfer is like the next.
 */
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase, type Database } from '#store/db.ts'
import { faults, recovers, snapshot, transfersOf, type Fault } from './faults.ts'
import { setUp, wholeJob } from './rig.ts'
import { smallest } from './variants.ts'

const shortJob = 160
const stride = 23

function worthTrying(total: number, steps: readonly number[]): number[] {
  const all = Array.from({ length: total }, (_, i) => i + 1)
  if (total <= shortJob) return all
  const isNear = (at: number) => steps.some((step) => at >= step && at <= step + 2)
  return all.filter((at) => at <= 10 || at > total - 5 || at % stride === 0 || isNear(at))
}

/** A long serial job takes so much longer to emulate that its places are shared: each fault takes every second one. */
const inTurns = (places: readonly number[], fault: Fault): number[] =>
  places.filter((_, i) => (i + faults.indexOf(fault)) % 2 === 0)

const timeoutMs = 300_000

export function sweep(some: readonly Fault[]): void {
  let db: Database
  const name = `contract ${some.join()}`
  beforeAll(async () => {
    db = await openDatabase(name)
  })
  afterAll(async () => {
    db.close()
    await deleteDB(name)
  })

  describe.each(smallest)('$id, smallest size', ({ id, dials }) => {
    /** What an undisturbed job leaves, and where its steps begin. */
    async function undisturbed() {
      const rig = await setUp(id, db, dials)
      const steps: number[] = []
      let step = ''
      const listen = ({ path }: { path: readonly string[] }) => {
        if (path.join('/') !== step) steps.push(transfersOf(rig))
        step = path.join('/')
      }
      await wholeJob(rig, { listen })
      const total = transfersOf(rig)
      const isLong = rig.plugged.link === 'serial' && total > shortJob
      return { planned: snapshot(rig), places: worthTrying(total, steps), isLong }
    }

    test.each(some)(
      '%s at each transfer has its code, and the job done again succeeds',
      { timeout: timeoutMs },
      async (fault) => {
        const { planned, places, isLong } = await undisturbed()
        const codes = new Set<string>()
        for (const at of isLong ? inTurns(places, fault) : places)
          codes.add((await recovers(await setUp(id, db, dials), fault, at, planned)).code)
        codes.delete('ok')
        expect(codes.size, 'the fault was never felt').toBeGreaterThan(0)
      },
    )
  })
}
