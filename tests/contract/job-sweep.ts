/**
 * The application's own job, disturbed in every way. On the smallest twin that is every transfer and every use of the
 * disk; on the smallest of each other kind, on a locked chip, and for a restore, the places where jobs differ, each in
 * one way, in turn. Boards with a large flash are left out: a job takes most of a second there, and differs in its length alone.
 */
import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import type { DiskFault } from './disk-faults.ts'
import { disturbedJob, isOfTheDisk, jobFaults, undisturbedJob, type JobFault } from './job-faults.ts'
import type { Scene } from './job-rig.ts'
import { distinctPlaces } from './places.ts'
import { smallestOfEachKind } from './variants.ts'

const mostFlashBytes = 16_384

/** In this order, so that the smallest job is the first. */
async function scenes(): Promise<{ name: string; restores: boolean; isLocked?: true; scene: Scene }[]> {
  const found = (await smallestOfEachKind()).filter(({ flashBytes }) => flashBytes <= mostFlashBytes)
  const each = await Promise.all(
    found.map(async ({ id, dials, has }) => ({
      scene: { id, dials },
      canBeLocked: has.includes('locked'),
      length: await lengthOf({ id, dials }),
    })),
  )
  const inOrder = each.sort((a, b) => a.length - b.length)
  const sorted = inOrder.map(({ scene }) => scene)
  const lockable = inOrder.filter(({ canBeLocked }) => canBeLocked).map(({ scene }) => scene)
  return [
    ...sorted.map((scene) => ({ name: scene.id, restores: false, scene })),
    ...sorted.slice(0, 2).map((scene) => ({ name: `${scene.id}, a restore`, restores: true, scene })),
    ...lockable.slice(0, 1).map(({ id, dials }) => {
      const scene = { id, dials: { ...dials, locked: true } }
      return { name: `${id}, locked`, restores: false, isLocked: true as const, scene }
    }),
  ]
}

const lengthOf = async (scene: Scene): Promise<number> => (await undisturbedJob(scene)).bytes

const all = await scenes()

export function sweepJobs(some: readonly (JobFault | DiskFault)[]): void {
  const counts = new Map<string, number>()
  describe.each(all)('$name', ({ scene: given, restores, isLocked }) => {
    const isSmallest = given === all[0]?.scene && !restores
    test.each(some)('%s, whenever it happens', { timeout: 600_000 }, async (fault) => {
      const scene = restores ? await changed(given) : given
      const { planned, kinds, diskUses } = await undisturbedJob(scene)
      const turns = jobFaults.length
      const isMine = (_: number, i: number) => i % turns === (jobFaults as readonly string[]).indexOf(fault)
      const places = isOfTheDisk(fault)
        ? upTo(isSmallest ? diskUses[fault] : 0) // the disk knows nothing of protocols
        : isSmallest || isLocked
          ? upTo(kinds.length)
          : distinctPlaces(kinds).filter(isMine)
      let felt = 0
      for (const [i, at] of places.entries()) {
        const ending = await disturbedJob(scene, fault, at, planned, !isLocked && i % 2 === 1)
        if (ending.codes.length > 0 || ending.transfers !== kinds.length) felt++
      }
      counts.set(fault, (counts.get(fault) ?? 0) + places.length)
      if (isSmallest) expect(felt, 'the fault was never felt').toBeGreaterThan(0)
    })
  })
  test('each was tried often', () => {
    console.log([...counts].map(([fault, count]) => `${fault} ${String(count)}`).join(', '))
    for (const [fault, count] of counts) expect(count, fault).toBeGreaterThan(9)
  })
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1)

/** After an update, whose backup is to be restored. */
async function changed(scene: Scene): Promise<Scene> {
  const { planned, backup } = await undisturbedJob(scene)
  return { ...scene, holds: planned, restores: backup }
}
