/** Every transfer of a job disturbed in every way, on the smallest twin of each kind. */
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase, type Database } from '#store/db.ts'
import { recovers, snapshot, transfersOf, type Fault } from './faults.ts'
import { setUp, wholeJob } from './rig.ts'
import { smallest } from './variants.ts'

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
    test.each(some)(
      '%s at each transfer has its code, and the job done again succeeds',
      { timeout: 600_000 },
      async (fault) => {
        const undisturbed = await setUp(id, db, dials)
        await wholeJob(undisturbed)
        const [planned, total] = [snapshot(undisturbed), transfersOf(undisturbed)]
        const codes = new Set<string>()
        for (let at = 1; at <= total; at++)
          codes.add((await recovers(await setUp(id, db, dials), fault, at, planned)).code)
        codes.delete('ok')
        expect(codes.size, 'the fault was never felt').toBeGreaterThan(0)
      },
    )
  })
}
