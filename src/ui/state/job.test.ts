import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { practiceImages } from '#bench/practice-images.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { browserSurroundings } from '#host/surroundings.ts'
import { Backups, type BackupDraft } from '#store/backups.ts'
import { Certificates } from '#store/certificates.ts'
import { Damage } from '#store/damage.ts'
import { openDatabase, type Database } from '#store/db.ts'
import type { JobView } from '#jobs/view.ts'
import type { JournalEntry, Wanted } from '#store/journal.ts'
import { Keys } from '#store/keys.ts'
import { Devices } from '#transport/devices.ts'
import type { BenchState, Present } from './bench.svelte.ts'
import { fromPractice } from './choosing.ts'
import { JobState } from './job.svelte.ts'
import { SessionLog } from './session-log.ts'

let db: Database
beforeEach(async () => {
  vi.spyOn(browserSurroundings, 'hold').mockResolvedValue({
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })
  db = await openDatabase('job-state-test')
})
afterEach(async () => {
  vi.restoreAllMocks()
  db.close()
  await deleteDB('job-state-test')
})

const stores = () => ({
  backups: new Backups(db),
  certificates: new Certificates(db),
  keys: new Keys(db),
  damage: new Damage(db),
})
const atDevices = { practice: undefined, log: new SessionLog() } as BenchState

const whole: Pick<BackupDraft, 'memories' | 'unreadable'> = {
  memories: [{ id: 'flash', address: 0, bytes: new Uint8Array(64) }],
  unreadable: [],
}

/** A write of the practice bench that was not seen to end. */
async function unfinished({
  holds = whole,
  way = { to: 'target', by: 'isp' },
}: {
  holds?: Pick<BackupDraft, 'memories' | 'unreadable'>
  way?: JournalEntry['way']
} = {}): Promise<JournalEntry> {
  const { backup } = await new Backups(db).add({
    origin: {
      practice: true,
      programmer: { model: 'USBasp', facts: [] },
      way,
      patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [], serial: undefined },
    },
    firmware: undefined,
    ...holds,
  })
  return {
    id: crypto.randomUUID(),
    startedAt: '2026-01-31T14:02:00.000Z',
    practice: true,
    programmer: 'USBasp',
    way,
    patient: { kind: 'avr:1e9307', chip: 'ATmega8' },
    backupId: backup.id,
    acknowledged: [],
    wanted: {
      contents: new Map(),
      firmware: undefined,
      source: { kind: 'practice', name: 'a', version: undefined, sha256: '', sizeBytes: 0 },
    },
    rule: { outside: 'keep', reserved: 'refuse' },
    consents: [],
  }
}

test('a write of the practice bench is never continued on a device', async () => {
  const reopening = JobState.reopen(atDevices, stores(), await unfinished())
  await expect(reopening).rejects.toMatchObject({ code: 'bug' })
})

test.each([
  ['is offered the way back to all that it held', whole, true],
  [
    'is offered none when nobody could save its program',
    {
      memories: [{ id: 'fuses', address: 0, bytes: new Uint8Array(2) }],
      unreadable: [{ memory: 'flash', reason: 'read-protected' }],
    },
    false,
  ],
  [
    'is offered none when only its EEPROM was hidden',
    {
      ...whole,
      unreadable: [{ memory: 'eeprom', reason: 'read-protected' }],
    },
    false,
  ],
  [
    'is offered one when its EEPROM is out of reach of both',
    {
      ...whole,
      unreadable: [{ memory: 'eeprom', reason: 'not-through-this-way' }],
    },
    true,
  ],
] as const)('a half-written chip %s', async (_, holds, isOffered) => {
  const atPractice = { practice: {}, log: new SessionLog() } as BenchState
  const entry = await unfinished({ holds })
  const job = await JobState.reopen(atPractice, stores(), entry)
  expect(job.wayBack?.id).toBe(isOffered ? entry.backupId : undefined)
})

test('a write that is continued knows its device again, and no other', async () => {
  const bench = new PracticeBench({ clock: new VirtualClock() })
  const devices = new Devices(bench, bench.clock)
  await bench.plug('usbasp:pair', { version: '1.10' })
  await bench.plug('usbasp:atmega8', { version: '1.04' })
  const [mine, other] = await devices.list()
  if (!mine || !other) throw new Error('two were plugged in')
  const atPractice = { practice: {}, log: new SessionLog() } as BenchState
  const job = await JobState.reopen(atPractice, stores(), { ...(await unfinished()), seen: mine.seen })
  expect(job.link).toBe('usb')
  expect([mine, other].map((one) => job.isSame(one))).toEqual([true, false])
})

/** A job of the practice bench on the first of these, with an image written. */
async function written(things: readonly (readonly [id: string, dials: Dials])[], imageId: string) {
  vi.stubGlobal('document', { hidden: true }) // painted at once
  vi.spyOn(browserSurroundings, 'guarded').mockImplementation((work) => work())
  vi.spyOn(browserSurroundings, 'battery').mockResolvedValue(undefined)
  vi.spyOn(browserSurroundings, 'storageRoom').mockResolvedValue(undefined)
  vi.spyOn(browserSurroundings, 'persist').mockResolvedValue(true)
  const lock = vi
    .spyOn(browserSurroundings, 'lock')
    .mockResolvedValue({ [Symbol.asyncDispose]: () => Promise.resolve() })
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  const bench = new PracticeBench({ clock: new VirtualClock() })
  const devices = new Devices(bench, bench.clock)
  const present = async () => (await devices.list()).map((attached) => ({ attached, candidates: [] }))
  const plugged = []
  for (const [id, dials] of things) plugged.push(await bench.plug(id, dials))
  const state = { log: new SessionLog(), clock: bench.clock, present: await present(), practice: {} }
  const job = new JobState(state as unknown as BenchState, stores())
  const [tool] = await devices.list()
  if (!tool) throw new Error('no tool')
  await job.connect(tool)
  expect(job.view.error).toBeUndefined()
  expect(lock).toHaveBeenCalledWith(expect.stringMatching(/^practice:/)) // no device's
  await job.backUp()
  const family = things[0]?.[0].split(':')[0] ?? ''
  const image = (await practiceImages(family)).find(({ id }) => id === imageId)
  if (!image) throw new Error('no image')
  await job.choose(await fromPractice(image))
  await job.write(job.view.plan?.consequences.map(({ id }) => id) ?? [])
  expect(job.view.error).toBeUndefined()
  return { job, plugged, bench, present, look: async () => void (state.present = await present()) }
}

test('only what was plugged in since the write is asked for the proof', async () => {
  const { job, plugged, present } = await written(
    [
      ['usbasp:pair', { version: '1.10' }],
      ['usbasp:atmega8', { version: '1.10' }],
    ],
    'usbasp-1.10-atmega8',
  )
  expect(job.prover(await present())).toBeUndefined()
  await plugged[0]?.plugInByItself()
  const seen = job.prover(await present())?.attached.seen
  expect(seen?.link === 'usb' && seen.deviceVersion).toEqual([1, 1, 0])
})

test('what wrote itself is asked for the proof as what it then appears as, however it came there', async () => {
  const { job, plugged, bench, present, look } = await written(
    [['dfu:atmega16u2', {}]],
    'practice-2-atmega16u2-flip',
  )
  const ids = { vendorId: 0x2341, productId: 0x0043 }
  const another = { usb: { ...ids, productId: 0x0042 }, bridge: 'cdc-acm' } as const
  const silent = { plugged: () => undefined, receive: () => undefined, signals: () => undefined }
  const prover = async () => {
    await look()
    return job.prover((await present()).filter(({ attached }) => attached.link === 'serial'))?.attached.seen
  }
  bench.serial.plug({ link: 'serial', ...another, ...silent })
  expect(job.view.hasLeft).toBe(true)
  expect(await prover()).toBeUndefined()
  await bench.clock.sleep(1000) // it was told to start
  expect(await prover()).toMatchObject(ids)
  await plugged[0]?.unplug()
  expect(await prover()).toBeUndefined()
  await plugged[0]?.plugInByItself()
  expect(await prover()).toMatchObject(ids)
})

test('of two alike none is taken by itself, nor a port without ids', async () => {
  const bench = new PracticeBench({ clock: new VirtualClock() })
  const devices = new Devices(bench, bench.clock)
  for (let i = 0; i < 2; i++) await bench.plug('usbasp:atmega8', { version: '1.04' })
  const present = (await devices.list()).map((attached) => ({ attached, candidates: [] }))
  const [first] = present
  if (!first) throw new Error('two were plugged in')
  const atPractice = { practice: {}, log: new SessionLog(), present } as unknown as BenchState
  const entry = await unfinished({ way: { to: 'itself', by: 'bootloader' } })
  const job = await JobState.reopen(atPractice, stores(), { ...entry, seen: first.attached.seen })
  expect(job.find(present)).toBeUndefined()
  expect(job.find([first])).toBe(first)
  expect(job.prover(present)).toBeUndefined()
  expect(job.prover([first])).toBe(first)
  const seen = { link: 'serial', vendorId: undefined, productId: undefined } as const
  const port = { attached: { ...first.attached, key: 'port', link: 'serial', seen }, candidates: [] }
  const onPort = await JobState.reopen(atPractice, stores(), { ...entry, seen })
  expect(onPort.find([port as Present])).toBeUndefined()
})

describe('what is chosen elsewhere', () => {
  const wanted = {} as Wanted
  const [backup, programmer, running, outcome] = [{}, {}, {}, {}] as never[]

  /** Whether a job in this state takes it: at once, later, or not at all. */
  function asked(view: Partial<JobView>): 'at once' | 'later' | 'too late' {
    const job = new JobState(atDevices, stores())
    const choose = vi.spyOn(job, 'choose').mockResolvedValue()
    job.view = { ...job.view, programmer, ...view }
    if (!job.take(wanted)) return 'too late'
    return choose.mock.calls.length > 0 ? 'at once' : 'later'
  }

  test.each<[ReturnType<typeof asked>, string, Partial<JobView>]>([
    ['later', 'before there is a backup', { next: 'wait', running }],
    ['later', 'while a loss is to be acknowledged', { backup, next: 'acknowledge' }],
    ['at once', 'when firmware is asked for', { backup, next: 'choose' }],
    ['at once', 'in place of what a check refused', { backup, next: 'choose-again' }],
    ['at once', 'in place of what is planned', { backup, next: 'write' }],
    ['at once', 'when a write was broken off', { backup, next: 'retry', halfWritten: true }],
    ['too late', 'while something runs', { backup, next: 'wait', running, halfWritten: true }],
    ['too late', 'once it is written', { backup, next: 'prove', outcome }],
    ['too late', 'without a programmer', { programmer: undefined, next: 'connect' }],
  ])('is taken %s %s', (expected, _when, view) => {
    expect(asked(view)).toBe(expected)
  })
})

test.each<[boolean, string, Partial<JobView>]>([
  [true, 'before anything is chosen', { next: 'choose' }],
  [true, 'once it is written', { next: 'prove' }],
  [false, 'after its end', { next: 'nothing' }],
])('its own backup is needed (%s) %s', (isNeeded, _when, view) => {
  const job = new JobState(atDevices, stores())
  job.view = { ...job.view, backup: { id: 'own' } as JobView['backup'], ...view }
  expect(job.needs('own')).toBe(isNeeded)
  expect(job.needs('other')).toBe(false)
})
