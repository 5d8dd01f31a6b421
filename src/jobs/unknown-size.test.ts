/** A flash that does not say how large it is, protected or blank, and does once it is erased or written. */
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PracticeBench } from '#bench/bench.ts'
import { practiceImages } from '#bench/practice-images.ts'
import type { PluggedSerial } from '#bench/twin-serial.ts'
import type { SerialTwin, TwinSetup } from '#bench/twin.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { parse } from '#worker/client.ts'
import type { stm32 as Stm32 } from '../../protocols/stm32-uart/twin.ts'
import { wantedFromBackup, wantedFromFile } from './choose.ts'
import { Job, type JobServices, type Wanted } from './job.ts'
import { consents, TestHouse } from './test-job.ts'

let house: TestHouse
let services: JobServices
let bench: PracticeBench
beforeEach(async () => {
  house = await TestHouse.open()
  ;({ services, bench } = house)
})
afterEach(() => house[Symbol.asyncDispose]())

const theOne = () => house.theOne()

async function program(address: number, bytes: Uint8Array): Promise<Wanted> {
  const file = new Blob([formatIntelHex([{ address, bytes }])])
  return wantedFromFile({ kind: 'practice', file, name: 'program.hex' }, parse)
}

const fit = ({ view }: Job) => {
  const size = view.checks?.find(({ code }) => code === 'size-fits')
  return size && [size.result, size.values['why']]
}
const startOf = (bytes: Uint8Array, { length }: Uint8Array) => bytes.slice(0, length)

const f072 = {
  id: 0x448,
  version: 0xa1,
  ramKib: 16,
  erase: 0x44,
  times: { eraseMs: () => 30, programMsPerKib: 27.4 },
} as const
const f103 = {
  id: 0x410,
  version: 0x22,
  ramKib: 20,
  erase: 0x43,
  times: { eraseMs: () => 20, programMsPerKib: 27 },
} as const

describe('a protected STM32', () => {
  const flashStart = 0x0800_0000
  const fitting = practiceProgram(flashStart, 24_000, 2)
  const tooLong = practiceProgram(flashStart, 100_000, 2)
  let setup: TwinSetup
  let port: PluggedSerial

  async function plug(chip: typeof f072 | typeof f103, kib: number, locked: boolean): Promise<void> {
    const twins = import.meta.glob<typeof Stm32>('../../protocols/stm32-uart/twin.ts', { import: 'stm32' })
    const [load] = Object.values(twins)
    const stm32 = await load?.()
    if (!stm32) throw new Error('no twin')
    const usb = { vendorId: 0x1a86, productId: 0x7523 }
    setup = stm32({ name: 'of a test', bridge: 'ch340', usb, kib, ...chip }).make({ locked })
    port = bench.serial.plug(setup.twin as SerialTwin)
  }

  async function backedUp(): Promise<Job> {
    const job = new Job(services)
    await job.connect(await theOne(), { family: 'stm32-uart' })
    await job.backUp()
    await job.backUp({ acknowledged: job.view.unacknowledged })
    return job
  }

  async function locked(chip: typeof f072 | typeof f103, kib: number, image: Uint8Array): Promise<Job> {
    await plug(chip, kib, true)
    const job = await backedUp()
    await job.choose(await program(flashStart, image))
    return job
  }

  test.each([
    ['F072', f072, 64],
    ['F072', f072, 128],
    ['F103', f103, 64],
  ] as const)('%s (%#) is erased, found to have what it has, written, and proven', async (_, chip, kib) => {
    const job = await locked(chip, kib, fitting)
    expect(fit(job)).toEqual(['warning', 'size-protected'])
    await job.write(consents(job))
    expect(job.view).toMatchObject({ next: 'find', halfWritten: true, error: undefined })
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    await job.prove()
    expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'read-again' } })
    expect(startOf(setup.memory('flash'), fitting)).toEqual(fitting)
    const { patient, after } = await house.certificateOf(job)
    expect(patient.kind).toBe(job.view.backup?.origin.patient.kind)
    expect(after.memories).toMatchObject([{ id: 'flash', length: kib * 1024 }])
  })

  test('goes on after its plug was pulled, also for another page', async () => {
    let job = await locked(f072, 64, fitting)
    await job.write(consents(job))
    port.faults = { unplugAt: 150 }
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ halfWritten: true, next: 'replug' })
    await job.close()
    await port.replug()
    job = await house.reopened()
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(startOf(setup.memory('flash'), fitting)).toEqual(fitting)
  })

  test.each([f072, f103])('that turns out too small says so, and takes another file (%#)', async (chip) => {
    const job = await locked(chip, 64, tooLong)
    expect(fit(job)).toEqual(['warning', 'size-protected'])
    expect(consents(job)).toContain('warning-overridden')
    await job.write(consents(job))
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({
      error: undefined,
      halfWritten: true,
      plan: undefined,
      next: 'choose-again',
    })
    expect(fit(job)).toEqual(['refused', undefined])
    await job.choose(await program(flashStart, fitting))
    expect(job.view).toMatchObject({ error: undefined, next: 'write' })
    expect(fit(job)).toEqual(['passed', undefined])
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(startOf(setup.memory('flash'), fitting)).toEqual(fitting)
  })

  test('gets back what it held before it was protected', async () => {
    await plug(f072, 64, false)
    const { view } = await backedUp()
    const before = setup.memory('flash').slice()
    await port.unplug()
    if (!view.backup) throw new Error('no backup')
    await plug(f072, 64, true)
    const job = await backedUp()
    await job.choose(wantedFromBackup(view.backup))
    expect(job.view.checks?.filter(({ result }) => result === 'refused')).toEqual([])
    await job.write(consents(job))
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(setup.memory('flash')).toEqual(before)
  })

  test('that is another chip is not taken for it', async () => {
    const job = await locked(f072, 64, fitting)
    await job.write(consents(job))
    await port.unplug()
    await bench.plug('stm32-uart:stm32f103')
    await job.resumeAfterReplug(await theOne())
    expect(job.view.error?.code).toBe('target-changed')
  })
})

describe('a blank Pico', () => {
  const flashStart = 0x1000_0000
  /** Transfers; to find 16 MiB blank takes most of them. */
  const whileWriting = 3 * 256 + 35

  async function sdkProgram(): Promise<Uint8Array> {
    const images = await practiceImages('picoboot')
    const [segment] =
      images.find(({ name, chip }) => name === 'Program 2' && chip === 'RP2040')?.build() ?? []
    if (!segment) throw new Error('no image')
    return segment.bytes
  }

  async function chosen(image: Uint8Array) {
    const plugged = await bench.plug('picoboot:rp2040')
    plugged.memory('flash').fill(0xff)
    const job = new Job(services)
    await job.connect(await theOne())
    await job.backUp()
    await job.choose(await program(flashStart, image))
    return { job, plugged }
  }

  test('is written and proven by reading, though its size is known since', async () => {
    const image = await sdkProgram()
    const { job, plugged } = await chosen(image)
    expect(fit(job)).toEqual(['passed', 'size-smallest'])
    expect(consents(job)).toEqual([])
    await job.write([])
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
    if (job.view.hasLeft) await job.resumeAfterReplug(await theOne())
    await job.prove()
    expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'read-again' } })
    expect(startOf(plugged.memory('flash'), image)).toEqual(image)
  })

  test.each(['goes on', 'is reopened'])('goes on after its plug was pulled: %s', async (how) => {
    const image = await sdkProgram()
    const { job: first, plugged } = await chosen(image)
    plugged.faults = { unplugAt: whileWriting }
    await first.write([])
    expect(first.view).toMatchObject({ halfWritten: true, next: 'replug' })
    let job = first
    if (how === 'is reopened') {
      await job.close()
      job = await house.reopened()
    }
    await plugged.replug()
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    await plugged.unplug()
    await plugged.replug()
    await job.resumeAfterReplug(await theOne())
    await job.prove()
    expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'read-again' } })
    expect(startOf(plugged.memory('flash'), image)).toEqual(image)
  })

  test('half-written, it can be made blank again', async () => {
    const { job, plugged } = await chosen(await sdkProgram())
    plugged.faults = { unplugAt: whileWriting }
    await job.write([])
    expect(job.view).toMatchObject({ halfWritten: true, next: 'replug' })
    await plugged.replug()
    const { backup } = job.view
    if (!backup) throw new Error('no backup')
    await job.resumeAfterReplug(await theOne(), wantedFromBackup(backup))
    expect(job.view).toMatchObject({ error: undefined, next: 'write' })
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(plugged.memory('flash').every((byte) => byte === 0xff)).toBe(true)
  })

  test('that turns out too small was warned of, and takes another file', async () => {
    const image = await sdkProgram()
    const tooLong = new Uint8Array(600_000).fill(0xa5)
    tooLong.set(image)
    const { job, plugged } = await chosen(tooLong)
    expect(fit(job)).toEqual(['warning', 'size-blank'])
    await job.write(consents(job))
    expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'does-not-fit' } })
    await job.retry(await program(flashStart, image))
    expect(job.view).toMatchObject({ error: undefined, next: 'write' })
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(startOf(plugged.memory('flash'), image)).toEqual(image)
  })
})
