/**
 * The contract of all protocol folders, found by glob: whoever is on the shelf can be identified, backed up,
 * written and read back through the real driver, and copes with a disturbance of every sort.
 */
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Dials } from '#bench/twin.ts'
import { blank, equal, isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { toFlashError, type ErrorCode } from '#core/errors.ts'
import type { Fact, Programmer } from '#core/programmer.ts'
import type { ProgressEvent } from '#core/progress.ts'
import { readContents } from '#jobs/backup.ts'
import { candidateFor, identities, openProgrammer, ownWords } from '#jobs/identify.ts'
import { openDatabase, type Database } from '#store/db.ts'
import { replayed } from '#transport/replay.ts'
import { parseReport } from '#transport/report-file.ts'
import { disturbed, expectMemories, faults, snapshot, transfersOf } from './faults.ts'
import { contentsOf, openFirst, setUp, wayOf, wholeJob, type Rig, type Saved } from './rig.ts'
import { Rising } from './rising.ts'
import { impostors, otherWires, patients } from './variants.ts'

let db: Database
beforeAll(async () => {
  db = await openDatabase('contract-protocols')
})
afterAll(async () => {
  db.close()
  await deleteDB('contract-protocols')
})

test('every protocol folder has a twin with a patient', () => {
  const practised = new Set(patients.map(({ id }) => id.split(':')[0]))
  expect(identities.map(({ id }) => id).filter((id) => !practised.has(id))).toEqual([])
})

describe.each([...patients, ...otherWires])('$id, $name', { timeout: 60_000 }, ({ id, has, by }) => {
  /** One undisturbed job, which several tests look at. */
  let job: Awaited<ReturnType<typeof undisturbed>>
  beforeAll(async () => {
    job = await undisturbed()
  }, 60_000)

  async function undisturbed() {
    const rig = await setUp(id, db, {}, by)
    const events: ProgressEvent[] = []
    const before = { facts: await factsOf(rig), memories: snapshot(rig) }
    const transfers = -transfersOf(rig)
    const plan = await wholeJob(rig, { listen: (event) => events.push(event) })
    return { rig, events, before, plan, transfers: transfers + transfersOf(rig) }
  }

  test('a job leaves exactly the planned bytes, and the programmer as it was', async () => {
    const { rig, plan, before } = job
    expect(plan.programBytes).toBeGreaterThan(0)
    const planned = [...before.memories].map(
      ([id, bytes]) => [id, over(bytes, plan.expected.get(id))] as const,
    )
    expectMemories(rig, new Map(planned), 'after the job')
    expect(await factsOf(rig)).toEqual(before.facts)
  })

  test('progress only rises, never says more than there is, and ends at 1', () => {
    const rising = new Rising()
    for (const event of job.events) rising.hear(event)
    expect(rising.wrong).toEqual([])
    expect(rising.fraction).toBe(1)
  })

  test('two backups are equal and change nothing', async () => {
    const rig = await setUp(id, db, {}, by)
    const before = snapshot(rig)
    const ctx = new Context({ clock: rig.clock })
    const programmer = await openFirst(rig, ctx)
    const [way] = programmer.ways
    const flash = { isWriteOnly: false }
    const read = async () => {
      const patient = await way?.connect(ctx)
      if (!patient) throw new Error('no way')
      flash.isWriteOnly = patient.memories.some((memory) => memory.id === 'flash' && memory.writeOnly)
      const contents = await readContents(patient, ctx)
      await patient[Symbol.asyncDispose]()
      return contentsOf(contents)
    }
    const first = await read()
    const isSame = (bytes: Uint8Array | undefined, other: Uint8Array | undefined) =>
      bytes && other ? equal(bytes, other) : bytes === other
    expect(isSame(first.get('flash'), flash.isWriteOnly ? undefined : before.get('flash'))).toBe(true)
    const second = await read()
    expect([...second.keys()]).toEqual([...first.keys()])
    expect([...second].filter(([id, bytes]) => !isSame(bytes, first.get(id)))).toEqual([])
    await programmer[Symbol.asyncDispose]()
    expectMemories(rig, before, 'after reading')
  })

  test.each([
    ['whole', true],
    ['without contents', false],
  ])('the report of a session, %s, plays it again without the device', async (_, contents) => {
    const rig = await setUp(id, db, {}, by)
    const ctx = new Context({ clock: rig.clock })
    // where a boot loader begins is in its code
    const isShared = ({ name }: Fact) => contents || (name !== 'serial' && name !== 'bootloader')
    const look = async (programmer: Programmer) => {
      await using patient = await wayOf(rig, programmer)?.connect(ctx)
      const read = patient ? await readContents(patient, ctx) : undefined
      return {
        facts: [...programmer.facts, ...(patient?.facts ?? [])].filter(isShared),
        unreadable: read?.unreadable,
        memories: read ? [...contentsOf(read)] : [],
      }
    }
    const then = await using(openFirst(rig, ctx), look)
    const around = { build: 'test', browser: 'test', contents, log: [] }
    const json = JSON.stringify(rig.devices.recording?.report(around, ownWords))
    await rig.plugged.unplug()

    const attached = replayed(parseReport(new TextEncoder().encode(json)), rig.clock).at(-1)
    const candidate = attached && candidateFor(attached.seen, rig.plugged.entry.protocol)
    if (!attached || !candidate) throw new Error('the report has no device that anybody recognises')
    const now = await using(openProgrammer(attached, candidate, ctx), look)
    expect(now.facts).toEqual(then.facts)
    expect(now.unreadable).toEqual(then.unreadable)
    const sizes = ({ memories }: typeof now) => memories.map(([memory, { length }]) => [memory, length])
    expect(sizes(now)).toEqual(sizes(then))
    const [flash, read] = [now, then].map(({ memories }) => new Map(memories).get('flash') ?? blank(0))
    if (!flash || !read) throw new Error('no flash')
    expect(equal(flash, read)).toBe(contents || isBlank(read))
  })

  const failing = async (dials: Dials): Promise<ErrorCode | 'ok'> =>
    wholeJob(await setUp(id, db, dials, by)).then(
      () => 'ok',
      (error: unknown) => toFlashError(error).code,
    )

  if (has.includes('noTarget'))
    test('without a target it says so', async () => {
      expect(await failing({ noTarget: true })).toBe('target-missing')
    })

  if (has.includes('flickerBit'))
    test('a bit that flickers is never a backup', async () => {
      expect(await failing({ flickerBit: 0 })).toBe('backup-mismatch')
    })

  if (has.includes('stuckBit'))
    test('a bit that stays 0 is found by the read-back', async () => {
      const [before, after] = [job.before.memories.get('flash'), snapshot(job.rig).get('flash')]
      const address = after?.findIndex((byte, i) => byte !== before?.[i] && (byte & 1) === 1) ?? 0
      expect(await failing({ stuckBit: address * 8 })).toBe('verify-mismatch')
    })

  test('after one disturbance upon the other the job succeeds', async () => {
    const rig = await setUp(id, db, {}, by)
    let saved: Saved | undefined
    for (const [i, fault] of faults.entries()) {
      const at = Math.ceil(((i + 0.5) / faults.length) * job.transfers)
      saved = (await disturbed(rig, fault, at, { saved })).saved
    }
    await wholeJob(rig, { saved })
    expectMemories(rig, snapshot(job.rig), 'at the end')
  })
})

/** Of what is write-only, a plan knows no more than the image. */
function over(bytes: Uint8Array, expected: Uint8Array | undefined): Uint8Array {
  const whole = bytes.slice()
  whole.set(expected ?? [])
  return whole
}

async function using<T>(
  opening: Promise<Programmer>,
  work: (programmer: Programmer) => Promise<T>,
): Promise<T> {
  await using programmer = await opening
  return await work(programmer)
}

/** But for the mode of an ST-Link: a V2 leaves its boot loader for its target, and only its plug brings it back. */
async function factsOf(rig: Rig): Promise<readonly Fact[]> {
  const programmer = await openFirst(rig, new Context({ clock: rig.clock }))
  await programmer[Symbol.asyncDispose]()
  return programmer.facts.filter(({ name, source }) => name !== 'mode' || source !== 'GET_CURRENT_MODE')
}

/** A few short questions. */
const mostAsked = 64

describe.each(impostors)('$id, $name', ({ id }) => {
  test('is refused for a reason, and no byte of it is changed', async () => {
    const rig = await setUp(id, db)
    const code: ErrorCode | 'opened' = await openFirst(rig, new Context({ clock: rig.clock })).then(
      () => 'opened',
      (error: unknown) => toFlashError(error).code,
    )
    expect(['device-refused', 'wrong-device']).toContain(code)
    expect(rig.plugged.transfers.bytesOut).toBeLessThanOrEqual(mostAsked)
  })
})
