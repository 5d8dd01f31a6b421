/** The driver over the real link against twins with real sector maps; the contract has the rest. */
import { expect, onTestFinished, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import type { MemoryId, Patient } from '#core/programmer.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import type { UsbLink } from '#transport/links.ts'
import { State } from './packets.ts'
import { DfuSession } from './session.ts'

async function plug(id: string, dials: Dials = {}) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id, dials)
  const devices = new Devices(bench, clock)
  const ctx = new Context({ clock })
  const open = async () => {
    const [attached] = await devices.list()
    const [candidate] = attached ? candidates(attached.seen) : []
    if (!attached || !candidate) throw new Error('not recognised')
    const programmer = await openProgrammer(attached, candidate, ctx)
    onTestFinished(() => programmer[Symbol.asyncDispose]())
    const [way] = programmer.ways
    if (!way) throw new Error('no way')
    return { programmer, connect: () => way.connect(ctx) }
  }
  return { clock, devices, plugged, ctx, open }
}

async function connect(id: string) {
  const { open, ...bench } = await plug(id)
  const { programmer, connect } = await open()
  return { ...bench, programmer, patient: await connect() }
}

const memoryOf = ({ memories }: Patient, id: MemoryId) => {
  const found = memories.find((memory) => memory.id === id)
  if (!found) throw new Error(`no ${id}`)
  return found
}
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

test('an STM32F405 is known by its sectors; option bytes and OTP are read and never written', async () => {
  const { patient, plugged, ctx } = await connect('dfu:stm32f405')
  expect(patient).toMatchObject({
    chip: 'STM32 (1024 KiB)',
    kind: expect.stringMatching(/^cortex-m:dfu:0483:df11:/) as string,
  })
  const flash = memoryOf(patient, 'flash')
  expect(flash.sectors?.map(({ length }) => length / 1024)).toEqual([
    16,
    16,
    16,
    16,
    64,
    ...Array<number>(7).fill(128),
  ])
  for (const [id, length] of [
    ['options', 16],
    ['otp', 528],
  ] as const) {
    const memory = memoryOf(patient, id)
    expect('program' in memory).toBe(false)
    expect(await memory.read?.({ address: memory.address, length }, ctx)).toEqual(plugged.memory(id))
  }
})

test('a GD32VF103 is known by its part number, and has the pages of that: no Arm, no vector table', async () => {
  const { patient, plugged, ctx } = await connect('dfu:gd32vf103')
  expect(patient).toMatchObject({ chip: 'GD32VF103 (128 KiB)', kind: 'risc-v:dfu:28e9:0189:128×1 KiB' })
  expect(patient.facts.map(({ name }) => name)).not.toContain('serial')
  const flash = memoryOf(patient, 'flash')
  const jump = Uint8Array.from(
    { length: 2048 },
    (_, i) => (i < 4 ? [0x6f, 0, 0, 0x0a] : [0x13, 0, 0, 0])[i % 4] ?? 0,
  )
  const contents = new Map([['flash', [{ address: flash.address, bytes: jump }]]] as const)
  expect(patient.check(contents, new Map())).toEqual([
    expect.objectContaining({ code: 'size-fits', result: 'passed' }),
  ])
  await flash.program?.(flash.address, jump, ctx)
  expect(plugged.memory('flash').slice(0, jump.length)).toEqual(jump)
})

test('a sector is erased and written by itself, in no more time than the chip takes', async () => {
  const { patient, plugged, ctx, clock } = await connect('dfu:stm32f405')
  const before = plugged.memory('flash').slice()
  const flash = memoryOf(patient, 'flash')
  const sector = { address: 0x0802_0000, length: 128 * 1024 }
  const bytes = pattern(sector.length)
  const from = clock.now()
  await flash.program?.(sector.address, bytes, ctx)
  // 1 s for the erase and 0.52 s for the words; the device tells 2 s and 3.1 s
  expect(clock.now() - from).toBeLessThan(2200)
  const after = plugged.memory('flash')
  expect(after.subarray(0x2_0000, 0x4_0000)).toEqual(bytes)
  expect(after.subarray(0, 0x2_0000)).toEqual(before.subarray(0, 0x2_0000))
  expect(after.subarray(0x4_0000)).toEqual(before.subarray(0x4_0000))
  expect(await flash.read?.(sector, ctx)).toEqual(bytes)
})

test('what is blank is erased and not written', async () => {
  const { patient, plugged, ctx } = await connect('dfu:stm32f072')
  const bytes = new Uint8Array(2048).fill(0xff)
  const before = plugged.transfers.bytesOut
  await memoryOf(patient, 'flash').program?.(0x0800_0000, bytes, ctx)
  expect(plugged.memory('flash').subarray(0, 2048)).toEqual(bytes)
  expect(plugged.transfers.bytesOut - before).toBe(5) // the erase
})

test('the boot loader of a Black Magic Probe stays hidden; what it looks at is blanked first and written last', async () => {
  const { patient } = await connect('dfu:black-magic')
  expect(memoryOf(patient, 'flash')).toMatchObject({
    address: 0x0800_2000,
    length: 120 * 1024,
    reserved: [],
    guard: { address: 0x0800_2000, length: 1024 },
  })
})

/** Running its application. */
async function running(id: string) {
  const { devices, ctx, clock } = await plug(id)
  const [attached] = await devices.list()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error('not recognised')
  const programmer = await openProgrammer(attached, candidate, ctx)
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  return { devices, ctx, clock, candidate, programmer }
}

test.each([
  ['dfu:black-magic-probe', 0x1d50, 0x6017],
  ['dfu:plain-running', 0x1209, 0x0001],
])('%s is asked to start its boot loader, and comes back as that', async (id, vendorId, productId) => {
  const { devices, ctx, clock, candidate, programmer } = await running(id)
  expect(candidate.recognition).toMatchObject({ mode: 'application', usable: true })
  expect(programmer.ways).toEqual([])
  await programmer.restart?.run(ctx)
  await clock.sleep(1000)
  const [back] = await devices.list()
  expect(back?.seen).toMatchObject({ vendorId, productId })
})

test('one that does not go is told of, in time', async () => {
  const { devices, ctx, clock, programmer } = await running('dfu:black-magic-probe')
  const [attached] = await devices.list()
  const link = await (attached?.link === 'usb' ? attached.open() : Promise.reject(new Error('no USB')))
  onTestFinished(() => link[Symbol.asyncDispose]())
  await programmer[Symbol.asyncDispose]()
  const deaf: UsbLink = { ...link, gone: link.gone, controlOut: () => Promise.resolve() }
  const from = clock.now()
  await expect(
    new DfuSession(deaf, { number: 4, transferBytes: 64 }).detach(true, ctx),
  ).rejects.toMatchObject({
    code: 'device-refused',
  })
  expect(clock.now() - from).toBeLessThan(10_000)
})

async function talk(devices: Devices, ctx: Context) {
  const [attached] = await devices.list()
  if (attached?.link !== 'usb') throw new Error('not listed')
  const link = await attached.open()
  onTestFinished(() => link[Symbol.asyncDispose]())
  const session = new DfuSession(link, { number: 0, transferBytes: 2048 })
  await session.toIdle(ctx)
  return { session, link }
}

test('told to leave, a twin says that it does, and goes', async () => {
  const { devices, ctx, clock } = await plug('dfu:stm32f072')
  const { session, link } = await talk(devices, ctx)
  await session.end(0)
  expect(await session.status()).toMatchObject({ status: 'OK', state: State.Manifest })
  await clock.sleep(100)
  expect(link.gone.aborted).toBe(true)
  expect(await devices.list()).toEqual([])
})

test('a read-protected STM32 says so; lifting that erases it, and it starts anew', async () => {
  const { plugged, open, clock, ctx } = await plug('dfu:stm32f072', { locked: true })
  const { connect, programmer } = await open()
  const before = plugged.memory('flash').slice()
  const { memories, unreadable, eraseChip } = await connect()
  expect(memories.map((memory) => [memory.id, 'read' in memory])).toEqual([['flash', false]])
  expect(unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
  expect(plugged.memory('flash')).toEqual(before)

  await eraseChip?.run(ctx)
  await programmer[Symbol.asyncDispose]()
  await clock.sleep(1000)
  expect(plugged.memory('flash').every((byte) => byte === 0xff)).toBe(true)
  const patient = await (await open()).connect()
  expect(patient.unreadable).toEqual([])
  expect(patient.eraseChip).toBeUndefined()
})
