/**
 * Every transfer of a job disturbed in every way, on the smallest twin of each kind. On a serial line, where bytes come
 * one by one and a job takes a tenth of a second or more, only the places where jobs differ are tried, and each of
 * them in one way, in turn: else this alone would take six minutes. In a long job over USB, such as one behind debug wires,
 * those places are tried in every way, and its beginning, its end and some between in one way, in turn.
 */
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase, type Database } from '#store/db.ts'
import { faults, recovers, undisturbed, type Fault } from './faults.ts'
import { distinctPlaces, placesAlong } from './places.ts'
import { setUp } from './rig.ts'
import { smallestOfEachKind } from './variants.ts'

/** Of a USB device; a longer job is a long one. */
const mostTransfers = 600

const smallest = await smallestOfEachKind()

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
        const rig = await setUp(id, db, dials)
        const { planned, kinds } = await undisturbed(rig)
        const all = Array.from(kinds, (_, i) => i + 1)
        const isMine = (_: number, i: number) => i % faults.length === faults.indexOf(fault)
        const distinct = distinctPlaces(kinds)
        const places =
          rig.plugged.link === 'serial'
            ? distinct.filter(isMine)
            : all.length <= mostTransfers
              ? all
              : [...new Set([...distinct, ...placesAlong(all.length).filter(isMine)])]
        let felt = 0
        for (const at of places) {
          const ending = await recovers(await setUp(id, db, dials), fault, at, planned)
          if (ending.code !== 'ok' || ending.transfers !== kinds.length) felt++
        }
        expect(felt, 'the fault was never felt').toBeGreaterThan(0)
      },
    )
  })
}
