/** A board that runs its sketch, and whose boot loader waits for a few seconds only: an Arduino Leonardo. */
import 'fake-indexeddb/auto'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Plugged } from '#bench/bench.ts'
import { practiceImages } from '#bench/practice-images.ts'
import type { Attached } from '#transport/devices.ts'
import { knownOf, natureOf } from './choose.ts'
import { Job, type Wanted } from './job.ts'
import { consents, TestHouse, wantedImage } from './test-job.ts'

const [sketchId, loaderId] = [0x8036, 0x0036]
const minute = 60_000

let wanted: Wanted
let house: TestHouse
let plugged: Plugged
/** What a worker or a loader of modules does, the virtual clock does not wait for. */
beforeAll(async () => {
  wanted = await wantedImage((await practiceImages('avr109'))[0])
  await Promise.all([knownOf(wanted), natureOf(wanted)])
})
beforeEach(async () => {
  house = await TestHouse.open()
  plugged = await house.bench.plug('avr109:leonardo')
})
afterEach(() => house[Symbol.asyncDispose]())

/** As soon as it is there. */
async function seen(productId: number): Promise<Attached> {
  for (let tries = 0; tries < 100; tries++) {
    const found = (await house.devices.list()).find(({ seen }) => seen.productId === productId)
    if (found) return found
    await house.clock.sleep(100)
  }
  throw new Error(`${productId.toString(16)} does not appear`)
}

async function backedUp(): Promise<Job> {
  const job = new Job(house.services)
  await job.connect(await seen(sketchId))
  expect(job.view).toMatchObject({
    next: 'restart',
    restart: { link: 'serial', as: [{ vendorId: 0x2341, productId: loaderId }] },
  })
  await job.restart()
  expect(job.view).toMatchObject({ next: 'find', error: undefined })
  await job.resumeAfterReplug(await seen(loaderId))
  expect(job.view).toMatchObject({ next: 'back-up', patient: { chip: 'ATmega32U4' } })
  await job.backUp()
  expect(job.view).toMatchObject({ error: undefined, next: 'choose' })
  return job
}

test('is touched, read, thought about for minutes, written, started, and proven by what it shows itself as', async () => {
  const job = await backedUp()
  expect(job.view.firmware).toMatchObject({ name: 'Arduino Leonardo sketch', confidence: 'certain' })
  await house.clock.sleep(minute)
  await job.choose(wanted)
  expect(job.view.checks?.filter(({ result }) => result !== 'passed')).toEqual([])
  await house.clock.sleep(5 * minute)
  await job.write(consents(job))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove', hasLeft: true })
  await job.prove(await seen(sketchId))
  expect(job.view.proof).toMatchObject({ kind: 'running-version', distinct: 'no' })
  const [segment] = job.view.wanted?.contents.get('flash') ?? []
  expect(plugged.memory('flash').slice(0, segment?.bytes.length)).toEqual(segment?.bytes)
})

test('that nobody keeps awake starts its sketch after 8 s, and the job goes on after another touch', async () => {
  const job = await backedUp()
  await job.choose(wanted)
  await plugged.unplug() // as a computer that slept finds it
  await plugged.replug()
  await house.clock.sleep(1000)
  expect(job.view.next).toBe('replug')
  await job.resumeAfterReplug(await seen(sketchId))
  expect(job.view.next).toBe('restart')
  await job.restart()
  await job.resumeAfterReplug(await seen(loaderId))
  expect(job.view).toMatchObject({ error: undefined, next: 'write' })
  await job.write(consents(job))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
})

test('unplugged in mid-write it comes back as its boot loader, and waits there', async () => {
  const job = await backedUp()
  await job.choose(wanted)
  plugged.faults = { unplugAt: 120 }
  await job.write(consents(job))
  expect(job.view).toMatchObject({ halfWritten: true, next: 'replug' })
  await plugged.replug()
  await house.clock.sleep(minute)
  await job.resumeAfterReplug(await seen(loaderId))
  expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
  await job.prove(await seen(sketchId))
  expect(job.view.proof?.kind).toBe('running-version')
})

test('a job that ends without a proof lets it start its sketch by itself', async () => {
  const job = await backedUp()
  await job.close()
  const from = house.clock.now()
  await seen(sketchId)
  expect(house.clock.now() - from).toBeGreaterThan(7000)
})
