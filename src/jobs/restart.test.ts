/** A programmer that runs its own firmware, and has the way to it only as another device: a Black Magic Probe. */
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { take, type PracticeBench, type Plugged } from '#bench/bench.ts'
import { practiceImages, type PracticeImage } from '#bench/practice-images.ts'
import type { Dials, UsbTwin } from '#bench/twin.ts'
import type { Attached } from '#transport/devices.ts'
import { verifyCertificate } from './certificate.ts'
import { Job, type JobServices, type Wanted } from './job.ts'
import { consents, TestHouse, wantedImage } from './test-job.ts'

let house: TestHouse
let services: JobServices
let bench: PracticeBench
let plugged: Plugged
beforeEach(async () => {
  house = await TestHouse.open()
  ;({ services, bench } = house)
})
const plugProbe = async () => (plugged = await bench.plug('dfu:black-magic-probe'))
afterEach(() => house[Symbol.asyncDispose]())

const theOne = () => house.theOne()
const idOf = ({ seen }: Attached): string =>
  `${(seen.vendorId ?? 0).toString(16)}:${(seen.productId ?? 0).toString(16)}`

const version = (number: string): Promise<Wanted> => wantedOf(({ version }) => version === number)
const programOf = (kind: string): Promise<Wanted> => wantedOf(({ chip }) => chip === kind)

const wantedOf = async (isIt: (image: PracticeImage) => boolean): Promise<Wanted> =>
  wantedImage((await practiceImages(undefined)).find(isIt))

/** Told to start its boot loader, found again, and backed up. */
async function backedUp(job = new Job(services)): Promise<Job> {
  await plugProbe()
  await job.connect(await theOne())
  await job.restart()
  await job.resumeAfterReplug(await theOne())
  await job.backUp()
  expect(job.view).toMatchObject({ error: undefined, next: 'choose' })
  return job
}

test('is announced, found again, updated, started, and proven by its own version', async () => {
  await plugProbe()
  const job = new Job(services)
  await job.connect(await theOne())
  expect(job.view).toMatchObject({
    next: 'restart',
    step: 'connect',
    patient: undefined,
    programmer: { model: 'Black Magic Probe', ways: [{ to: 'itself', by: 'bootloader' }] },
    restart: { isUnderWay: false, link: 'usb', as: [{ vendorId: 0x1d50, productId: 0x6017 }] },
  })
  expect(idOf(await theOne())).toBe('1d50:6018') // announced, no more

  await job.restart()
  expect(job.view).toMatchObject({ next: 'find', error: undefined, restart: { isUnderWay: true } })
  expect(idOf(await theOne())).toBe('1d50:6017')
  await job.resumeAfterReplug(await theOne())
  expect(job.view).toMatchObject({ next: 'back-up', done: ['connect'], restart: undefined })
  expect(job.view.seen.map((seen) => seen.productId)).toEqual([0x6017, 0x6018])

  await job.backUp()
  expect(job.view.firmware).toMatchObject({ family: 'dfu', version: '1.9.1', confidence: 'certain' })
  await job.choose(await version('2.0.0'))
  expect(job.view.checks?.filter(({ result }) => result !== 'passed')).toEqual([])
  await job.write(consents(job))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove', hasLeft: true })
  expect(idOf(await theOne())).toBe('1d50:6018')

  await job.prove(await theOne())
  expect(job.view.proof).toMatchObject({ kind: 'running-version', distinct: 'yes' })
  const stored = await services.certificates.get(job.view.certificateId ?? '')
  const { certificate } = await verifyCertificate(stored?.json ?? '')
  expect(certificate.steps.map(({ name }) => name)).toEqual(['connect', 'back-up', 'check', 'write', 'prove'])
})

test('that keeps running says so, and can be asked again', async () => {
  await plugProbe()
  const job = new Job(services)
  await job.connect(await theOne())
  plugged.faults = { stallAt: 1 }
  await job.restart()
  expect(job.view).toMatchObject({ next: 'retry', error: { code: 'stalled' } })
  await job.retry()
  expect(job.view).toMatchObject({ next: 'restart', error: undefined })
  await job.restart()
  await job.resumeAfterReplug(await theOne())
  expect(job.view.next).toBe('back-up')
})

test('that was unplugged meanwhile is started anew again', async () => {
  await plugProbe()
  const job = new Job(services)
  await job.connect(await theOne())
  await job.restart()
  await plugged.unplug()
  await plugged.replug()
  await job.resumeAfterReplug(await theOne())
  expect(job.view.next).toBe('restart')
  await job.restart()
  await job.resumeAfterReplug(await theOne())
  expect(job.view).toMatchObject({ next: 'back-up', done: ['connect'] })
})

test('half-written it comes back as its boot loader, also for another page, and the rest is written', async () => {
  const first = await backedUp()
  await first.choose(await version('2.0.0'))
  plugged.faults = { unplugAt: 250 }
  await first.write(consents(first))
  expect(first.view).toMatchObject({ halfWritten: true, next: 'replug' })
  await first.close()
  await plugged.replug()
  expect(idOf(await theOne())).toBe('1d50:6017')

  const [entry] = await services.backups.journal.list()
  if (!entry) throw new Error('not in the journal')
  expect([entry.seen?.productId, entry.seenAlso?.[0]?.productId]).toEqual([0x6017, 0x6018])
  const job = await Job.reopen(services, entry)
  await job.resumeAfterReplug(await theOne())
  expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove', hasLeft: true })
  await job.prove(await theOne())
  expect(job.view.proof?.kind).toBe('running-version')
})

test('instead of its version it can be read again, as its boot loader', async () => {
  const job = await backedUp()
  await job.choose(await version('1.10.2'))
  await job.write(consents(job))
  await job.prove()
  expect(job.view.next).toBe('replug')
  await job.resumeAfterReplug(await theOne())
  expect(job.view.next).toBe('restart')
  await job.restart()
  await job.resumeAfterReplug(await theOne())
  expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'read-again' } })
})

test('another one of the same version is no proof: its serial number tells them apart', async () => {
  const job = await backedUp()
  await job.choose(await version('2.0.0'))
  await job.write(consents(job))
  const mine = await theOne()
  const other = { ...mine, seen: { ...mine.seen, serial: 'ANOTHER' } } as Attached
  await job.prove(other)
  expect(job.view).toMatchObject({
    proof: undefined,
    error: { code: 'not-proven', detail: { why: 'another' } },
  })
  await job.prove(mine)
  expect(job.view.proof?.kind).toBe('running-version')
})

/** One that starts what it was given as soon as it has all of it. */
async function handedOver(dials: Dials = {}, prepare: () => void = () => undefined): Promise<Job> {
  plugged = await bench.plug('dfu:plain-running', dials)
  prepare()
  const job = new Job(services)
  await job.connect(await theOne())
  await job.restart()
  await job.resumeAfterReplug(await theOne())
  await job.backUp()
  await job.choose(await programOf('DFU (8 KiB)'))
  await job.write(consents(job))
  expect(job.view).toMatchObject({
    error: undefined,
    next: 'find',
    halfWritten: true,
    outcome: undefined,
    isUnread: true,
  })
  return job
}

test.each(['goes on', 'is reopened'])(
  'one that starts what was written by itself is read back as its boot loader: %s',
  async (how) => {
    let job = await handedOver()
    if (how === 'is reopened') {
      const device = await theOne()
      await job.close()
      job = await house.reopened()
      await job.resumeAfterReplug(device)
    } else await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ next: 'restart', halfWritten: true })
    await job.restart()
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(job.view.outcome?.programmedBytes).toBeGreaterThan(0)
    await job.prove()
    expect(job.view.proof?.kind).toBe('read-again')
    const [segment] = job.view.wanted?.contents.get('flash') ?? []
    expect(plugged.memory('flash').slice(0, segment?.bytes.length)).toEqual(segment?.bytes)
  },
)

test('what it did not keep is told when it is read back, and not before', async () => {
  const [segment] = (await programOf('DFU (8 KiB)')).contents.get('flash') ?? []
  const address = segment?.bytes.findIndex((byte) => (byte & 1) === 1) ?? 0
  const job = await handedOver({ stuckBit: address * 8 })
  await job.resumeAfterReplug(await theOne())
  if (job.view.next === 'restart') {
    await job.restart()
    await job.resumeAfterReplug(await theOne())
  }
  expect(job.view).toMatchObject({
    halfWritten: true,
    next: 'retry',
    outcome: undefined,
    error: { code: 'verify-mismatch', detail: { memory: 'flash', address } },
  })
})

/** As it is found again, in its boot loader. */
async function readBack(job: Job): Promise<void> {
  await job.resumeAfterReplug(await theOne())
  if (job.view.next !== 'restart') return
  await job.restart()
  await job.resumeAfterReplug(await theOne())
}

/** A block that holds what another one is to hold: not on the way to anything. */
const mixUpBlocks = () => plugged.memory('flash').copyWithin(0xc00, 0x800, 0xc00)

test('a block with what another one is to hold is told as wrong, and written again', async () => {
  const job = await handedOver()
  mixUpBlocks()
  await readBack(job)
  const expected = job.view.wanted?.contents.get('flash')?.[0]?.bytes ?? new Uint8Array()
  expect(job.view).toMatchObject({
    halfWritten: true,
    next: 'retry',
    outcome: undefined,
    error: { code: 'verify-mismatch', detail: { memory: 'flash' } },
  })
  await job.retry()
  expect(job.view).toMatchObject({ error: undefined, next: 'find', isUnread: true })
  await readBack(job)
  expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
  expect(plugged.memory('flash').slice(0, expected.length)).toEqual(expected)
})

/** Of the boot loader. */
function hideSerial(): void {
  const { patient } = plugged
  if (!patient || !('descriptors' in patient)) throw new Error('not on USB')
  Object.assign((patient as unknown as UsbTwin).descriptors.strings, { 3: undefined })
}

test('where no serial number tells that it is the same one, that is another one', async () => {
  const job = await handedOver({}, hideSerial)
  mixUpBlocks()
  await readBack(job)
  expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'target-changed' } })
  await job.retry()
  expect(job.view.error?.code).toBe('target-changed')
})

test.each(['goes on', 'is reopened'])(
  'a read-protected chip is erased with a typed consent, found again, and written: %s',
  async (how) => {
    plugged = await bench.plug('dfu:stm32f072', { locked: true })
    let job = new Job(services)
    await job.connect(await theOne())
    await job.backUp()
    expect(job.view).toMatchObject({ next: 'acknowledge', unacknowledged: [{ memory: 'flash' }] })
    await job.backUp({ acknowledged: job.view.unacknowledged })
    await job.choose(await programOf('STM32 (128 KiB)'))
    expect(job.view.plan).toMatchObject({
      erase: 'chip',
      consequences: [{ id: 'no-backup:flash', typed: true }, { id: 'protection-lifted' }],
    })
    const written = job.view.plan?.programBytes
    await job.write(consents(job))
    expect(job.view).toMatchObject({ next: 'find', halfWritten: true, error: undefined })
    if (how === 'is reopened') {
      const chip = await theOne()
      await job.close()
      job = await house.reopened()
      await job.resumeAfterReplug(chip)
    } else await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(job.view.outcome).toMatchObject({ erase: 'chip', programmedBytes: written })
    await job.prove()
    expect(job.view.proof?.kind).toBe('read-again')
    const [segment] = job.view.wanted?.contents.get('flash') ?? []
    expect(plugged.memory('flash').slice(0, segment?.bytes.length)).toEqual(segment?.bytes)
  },
)

test('another protected one that nothing tells from it is asked about, not erased by the same consent', async () => {
  plugged = await bench.plug('dfu:stm32f072', { locked: true })
  const job = new Job(services)
  await job.connect(await theOne())
  await job.backUp()
  await job.backUp({ acknowledged: job.view.unacknowledged })
  await job.choose(await programOf('STM32 (128 KiB)'))
  await job.write(consents(job))
  expect(job.view.next).toBe('find')
  await plugged.unplug()

  const other = await bench.plug('dfu:stm32f072', { locked: true })
  const before = other.memory('flash').slice()
  await job.resumeAfterReplug(await theOne())
  expect(other.memory('flash')).toEqual(before)
  expect(job.view).toMatchObject({
    next: 'write',
    error: undefined,
    plan: {
      erase: 'chip',
      consequences: [{ id: 'no-backup:flash', typed: true }, { id: 'protection-lifted' }],
    },
  })
})

test('another protected one of the same kind is not erased in its place: its serial number tells them apart', async () => {
  plugged = await bench.plug('dfu:stm32f072', { locked: true })
  const job = new Job(services)
  await job.connect(await theOne())
  await job.backUp()
  await job.backUp({ acknowledged: job.view.unacknowledged })
  await job.choose(await programOf('STM32 (128 KiB)'))
  await plugged.unplug()

  const { setup } = await take('dfu:stm32f072', { locked: true })
  if (setup.twin.link !== 'usb') throw new Error('not on USB')
  Object.assign(setup.twin.descriptors.strings, { 3: 'ANOTHER' })
  const other = bench.usb.plug(setup.twin)
  const before = setup.memory('flash').slice()
  await job.resumeAfterReplug(await theOne())
  expect(job.view.error).toMatchObject({ code: 'target-changed', detail: { found: 'ANOTHER' } })
  expect(job.view.seen).toMatchObject([{ serial: 'FFFFFFFEFFFF' }]) // still the only one that is looked for
  await job.write(consents(job))
  expect(job.view.error?.code).toBe('target-changed')
  expect(setup.memory('flash')).toEqual(before)
  await other.unplug()
})

test('another unit that only its content tells is not looked for afterwards', async () => {
  const job = await backedUp()
  await job.choose(await version('2.0.0'))
  plugged.faults = { unplugAt: 250 }
  await job.write(consents(job))
  await plugged.replug()
  const { seen } = job.view
  plugged.memory('flash').fill(0, 0x4000, 0x5000) // what nobody wrote
  const back = await theOne()
  const other = { ...back, seen: { ...back.seen, serial: 'ANOTHER' } } as Attached
  await job.resumeAfterReplug(other)
  expect(job.view.error?.code).toBe('target-changed')
  expect(job.view.seen).toEqual(seen)
})

test('a boot loader whose serial number is that of all its kind says nothing against what it starts', async () => {
  plugged = await bench.plug('picoboot:pico')
  const job = new Job(services)
  await job.connect(await theOne())
  await job.backUp()
  expect(job.view.firmware).toMatchObject({ family: 'picoboot', version: '2.2.3' })
  await job.choose(await wantedOf(({ family, version }) => family === 'picoboot' && version === '2.3.1'))
  expect(job.view.checks?.filter(({ result }) => result !== 'passed')).toEqual([])
  await job.write(consents(job))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove', hasLeft: true })
  expect(idOf(await theOne())).toBe('2e8a:c')
  await job.prove(await theOne())
  expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'running-version', distinct: 'yes' } })
})

test('of half a program nothing is started: it comes back in BOOTSEL mode, as large as it was, and the rest is written', async () => {
  plugged = await bench.plug('picoboot:pico-running')
  const first = new Job(services)
  await first.connect(await theOne())
  await first.restart()
  await first.resumeAfterReplug(await theOne())
  await first.backUp()
  const program = ({ family, chip, name }: PracticeImage) =>
    family === 'picoboot' && chip === 'RP2040' && name.startsWith('Program')
  await first.choose(await wantedOf(program))
  plugged.faults = { unplugAt: 45 }
  await first.write(consents(first))
  expect(first.view).toMatchObject({ halfWritten: true, next: 'replug' })
  await first.close()
  plugged.faults = {}
  await plugged.replug()
  expect(idOf(await theOne())).toBe('2e8a:3')

  const [entry] = await services.backups.journal.list()
  if (!entry) throw new Error('not in the journal')
  const job = await Job.reopen(services, entry)
  await job.resumeAfterReplug(await theOne())
  expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
  const [image] = (await practiceImages('picoboot')).filter(program)
  const [{ bytes } = { bytes: new Uint8Array() }] = image?.build() ?? []
  expect(plugged.memory('flash').slice(0, bytes.length)).toEqual(bytes)
  await plugged.unplug()
  await plugged.replug()
  expect(idOf(await theOne())).toBe('2e8a:a')
})
