/** A programmer whose firmware is written and never read back: an ST-Link, by what it becomes. */
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { practiceImages } from '#bench/practice-images.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import type { Attached } from '#transport/devices.ts'
import { resultOf } from './certificate.ts'
import { recogniseFirmware } from './identify.ts'
import { Job, type JobServices, type Wanted } from './job.ts'
import { consents, TestHouse, wanted, wantedImage } from './test-job.ts'

let house: TestHouse
let services: JobServices
beforeEach(async () => {
  house = await TestHouse.open()
  ;({ services } = house)
})
afterEach(() => house[Symbol.asyncDispose]())

const theOne = () => house.theOne()
const idOf = ({ seen }: Attached): string =>
  `${(seen.vendorId ?? 0).toString(16)}:${(seen.productId ?? 0).toString(16)}`
const practice = async (chip: string, name: RegExp): Promise<Wanted> =>
  wantedImage((await practiceImages(undefined)).find((one) => one.chip === chip && name.test(one.name)))

/** ST's own firmware for a V2 as the real one: its version is nowhere in it that could be found. */
async function vendors(): Promise<Wanted> {
  const image = await practice('ST-Link V2 (64 KiB)', /V2J37/)
  const [{ address, bytes } = { address: 0, bytes: new Uint8Array() }] = image.contents.get('flash') ?? []
  const text = Buffer.from(bytes).toString('latin1').replaceAll(' (practice)', '\0'.repeat(11))
  const segments = [{ address, bytes: Uint8Array.from(Buffer.from(text, 'latin1')) }]
  const firmware = await recogniseFirmware(segments, undefined, () => undefined)
  expect(firmware).toMatchObject({ family: 'stlink', version: undefined })
  return { ...image, contents: new Map([['flash', segments]]), firmware }
}

/** Told to start its boot loader where it can be, backed up as far as it gives anything, and its loss agreed to. */
async function readyToChoose(job: Job): Promise<void> {
  await job.connect(await theOne())
  if (job.view.next === 'restart') {
    await job.restart()
    await job.resumeAfterReplug(await theOne())
  }
  await job.backUp()
  expect(job.view).toMatchObject({
    next: 'acknowledge',
    unacknowledged: [{ memory: 'flash', reason: 'write-only' }],
  })
  await job.backUp({ acknowledged: job.view.unacknowledged })
  expect(job.view).toMatchObject({ error: undefined, next: 'choose' })
}

async function written(job: Job, what: Wanted): Promise<void> {
  await job.choose(what)
  expect(job.view.checks?.filter(({ result }) => result === 'refused')).toEqual([])
  expect(job.view.plan?.consequences).toContainEqual({
    ...{ id: 'no-backup:flash', code: 'no-backup', typed: true, values: { memory: 'flash' } },
  })
  await job.write(consents(job))
}

test('a V2-1 in use becomes a Black Magic Probe, proven by what comes back, and an ST-Link again', async () => {
  const plugged = await house.bench.plug('stlink:v2-1-old')
  const there = new Job(services)
  await readyToChoose(there)
  expect(idOf(await theOne())).toBe('483:3748')
  expect(there.view.backup?.memories.map(({ id, length }) => [id, length])).toEqual([
    ['signature', 20],
    ['config', 64],
  ])
  const blackMagic = await practice('ST-Link V2-1 (128 KiB)', /Black Magic/)
  await written(there, blackMagic)
  expect(there.view).toMatchObject({ error: undefined, next: 'prove', hasLeft: true, halfWritten: false })
  const [segment] = blackMagic.contents.get('flash') ?? []
  expect(plugged.memory('flash').subarray(0, segment?.bytes.length)).toEqual(segment?.bytes)
  expect(idOf(await theOne())).toBe('1d50:6018')
  await there.prove(await theOne())
  expect(there.view).toMatchObject({ error: undefined, proof: { kind: 'running-version', distinct: 'yes' } })
  const certificate = await house.certificateOf(there)
  expect(resultOf(certificate)).toEqual({ code: 'runs', isProven: true })
  expect(certificate.written).toMatchObject({ verifiedBytes: 0 })
  expect(certificate.after.memories).toMatchObject([{ id: 'flash', length: 40 * 1024 }])
  await there.close()

  const back = new Job(services)
  await back.connect(await theOne())
  expect(back.view).toMatchObject({ next: 'restart', programmer: { model: 'Black Magic Probe' } })
  await readyToChoose(back)
  await written(back, await practice('ST-Link V2-1 (128 KiB)', /V2J45/))
  expect(idOf(await theOne())).toBe('483:374b')
  await back.prove(await theOne())
  expect(back.view).toMatchObject({
    error: undefined,
    proof: { kind: 'running-version', distinct: 'yes', found: expect.stringContaining('V2J45M31') as string },
  })
})

test.each([
  ['stlink:v2-own', 'ST-Link V2 (64 KiB)'],
  ['stlink:v3-own', 'ST-Link V3 (512 KiB)'],
])('%s takes open firmware and is proven by it', async (id, chip) => {
  await house.bench.plug(id)
  const job = new Job(services)
  await readyToChoose(job)
  await written(job, await practice(chip, /Black Magic/))
  await job.prove(await theOne())
  // what ran in it before, nobody saw
  expect(job.view).toMatchObject({
    error: undefined,
    proof: { kind: 'running-version', distinct: 'unknown' },
  })
  expect(resultOf(await house.certificateOf(job))).toEqual({ code: 'runs-unread', isProven: false })
})

test('a V2 that goes over to ST’s firmware where it is says so itself, without its plug', async () => {
  await house.bench.plug('stlink:v2-own')
  const job = new Job(services)
  await readyToChoose(job)
  await written(job, await vendors())
  expect(job.view).toMatchObject({ error: undefined, next: 'nothing', proof: { kind: 'running-version' } })
  expect(job.view.proof?.facts).toContainEqual({
    ...{ name: 'mode', value: 'application', source: 'GET_CURRENT_MODE' },
  })
  expect(resultOf(await house.certificateOf(job))).toEqual({ code: 'runs-unread', isProven: false })
})

describe('a V2 that does not start what was written', () => {
  /** Its flash has gone blank by then: it stays in its boot loader, which has the ids of its firmware. */
  const stayed = async () => {
    const plugged = await house.bench.plug('stlink:v2-own')
    const onChange: JobServices['onChange'] = ({ outcome }) => {
      if (outcome) plugged.memory('flash').fill(0xff)
    }
    const job = new Job({ ...services, onChange })
    await readyToChoose(job)
    await written(job, await vendors())
    expect(job.view).toMatchObject({
      ...{ next: 'prove', hasLeft: false },
      error: { code: 'device-refused', detail: { status: 'it stays in its boot loader' } },
    })
    return { job, plugged }
  }

  test('is not proven by its boot loader when that is plugged in anew', async () => {
    const { job, plugged } = await stayed()
    await plugged.replug()
    await job.prove(await theOne())
    expect(job.view).toMatchObject({ error: { code: 'not-proven' }, proof: undefined })
  })

  test.each(['prove', 'finishUnproven'] as const)('ends with that as the reason, by %s', async (ends) => {
    const { job } = await stayed()
    await job[ends]()
    expect(resultOf(await house.certificateOf(job))).toEqual({
      ...{ code: 'failed', isProven: false, why: 'device-refused' },
    })
  })
})

test('one that is unplugged in the middle waits in its boot loader, and all of it is written again', async () => {
  const plugged = await house.bench.plug('stlink:v2-1-old')
  const job = new Job(services)
  await readyToChoose(job)
  plugged.faults = { unplugAt: 300 }
  await written(job, await practice('ST-Link V2-1 (128 KiB)', /Black Magic/))
  expect(job.view).toMatchObject({ halfWritten: true, next: 'replug' })
  await plugged.replug()
  expect(idOf(await theOne())).toBe('483:3748') // the page that it would start was blanked first
  await job.resumeAfterReplug(await theOne())
  expect(job.view).toMatchObject({ error: undefined, next: 'prove', hasLeft: true })
  await job.prove(await theOne())
  expect(job.view.proof?.kind).toBe('running-version')
})

test('firmware that nobody knows ends without a proof, and the certificate says so', async () => {
  await house.bench.plug('stlink:v2-1-own')
  const job = new Job(services)
  await readyToChoose(job)
  const bytes = practiceProgram(0x0800_4000, 4096)
  await written(job, wanted({ flash: [{ address: 0x0800_4000, bytes }] }))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove', hasLeft: false })
  await job.prove()
  expect(resultOf(await house.certificateOf(job))).toEqual({ code: 'none', isProven: false })
})

test('another one of its kind is not taken for it, by the number of its chip', async () => {
  const plugged = await house.bench.plug('stlink:v2-1-own')
  const job = new Job(services)
  await readyToChoose(job)
  await plugged.unplug()
  await house.bench.plug('stlink:v2-own')
  await job.resumeAfterReplug(await theOne())
  expect(job.view.error).toMatchObject({ code: 'target-changed' })
})
