/** The boot loader and its driver where things are not as they should be. */
import { describe, expect, test } from 'vitest'
import { PracticeBench, take } from '#bench/bench.ts'
import type { Dials, SerialTwin, TwinSetup } from '#bench/twin.ts'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { equal, isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Patient } from '#core/programmer.ts'
import { candidateFor, candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import { Command, command, pages } from './packets.ts'
import { connectRom } from './rom-patient.ts'
import { RomSession } from './session.ts'
import { stm32 } from './twin.ts'
import type { RomTwin } from './twin-rom.ts'

const f072 = {
  name: 'STM32F072xB, busy aloud',
  usb: { vendorId: 0x1a86, productId: 0x7523 },
  bridge: 'ch340',
  ...{ id: 0x448, version: 0xa1, erase: Command.ExtendedErase, kib: 128, ramKib: 16 },
  times: { eraseMs: () => 30, programMsPerKib: 27.4 },
  saysBusyEachMs: 4,
} as const

async function onTheLine(setup: TwinSetup) {
  const clock = new VirtualClock()
  const serial = new TwinSerialBus({ clock, granted: true })
  serial.plug(setup.twin as SerialTwin)
  const devices = new Devices({ serial }, clock)
  const [port] = await devices.list()
  const candidate = port && candidateFor(port.seen, 'stm32-uart')
  if (port?.link !== 'serial' || !candidate) throw new Error('not listed')
  const ctx = new Context({ clock })
  const withPatient = async <T>(work: (patient: Patient) => Promise<T>): Promise<T> => {
    await using programmer = await openProgrammer(port, candidate, ctx)
    await using patient = (await programmer.ways[0]?.connect(ctx)) as Patient
    return await work(patient)
  }
  return { setup, clock, port, ctx, withPatient, rom: setup.twin as RomTwin }
}

const shelved = async (id: string, dials = {}) => onTheLine((await take(id, dials)).setup)
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => error,
  )
const flashOf = ({ memories }: Patient) => memories.find(({ id }) => id === 'flash')

test('what is behind an adapter its user has to say', async () => {
  const { port } = await shelved('stk500:nano-old')
  expect(candidates(port.seen).map(({ identity }) => identity.id)).toEqual(['stk500', 'stm32-uart'])
})

describe('what was broken off in the middle of an erase', () => {
  const chips = [
    ['stm32-uart:stm32f103', false],
    ['stm32-uart:stm32f030', true],
  ] as const
  const places = chips.flatMap(([id, isExtended]) =>
    Array.from(
      { length: pages([0], isExtended).length },
      (_, received) => [id, isExtended, received] as const,
    ),
  )
  test.each(places)(
    'of %s (extended: %s), after %i bytes, erases nothing',
    async (id, isExtended, received) => {
      const { setup, port, clock, withPatient } = await shelved(id)
      const before = setup.memory('flash').slice()
      const link = await port.open(115_200, { parity: 'even' })
      await clock.sleep(20)
      await link.write(Uint8Array.of(0x7f))
      await link.read(1)
      await link.write(command(isExtended ? Command.ExtendedErase : Command.Erase))
      await link.read(1)
      await link.write(pages([0], isExtended).subarray(0, received))
      await clock.sleep(20)
      await codeOf(withPatient(() => Promise.resolve())) // where it waits for very much, it stays silent
      expect(equal(setup.memory('flash'), before)).toBe(true)
    },
  )
})

test('a first byte of another program makes it deaf, which is told, until it is reset', async () => {
  const { port, clock, withPatient, rom } = await shelved('stm32-uart:stm32f103')
  await clock.sleep(20)
  const link = await port.open(115_200)
  await link.write(Uint8Array.of(0x30, 0x20))
  await clock.sleep(20)
  const error = await codeOf(withPatient(() => Promise.resolve()))
  expect(error).toMatchObject({ code: 'device-silent', detail: { by: 'boot-pins' } })
  rom.pressReset()
  expect(await withPatient(({ chip }) => Promise.resolve(chip))).toBe('STM32F10x medium-density (64 KiB)')
})

test('one that another program has spoken to at 57600 baud is found there', async () => {
  const { port, clock, withPatient } = await shelved('stm32-uart:stm32f103')
  const link = await port.open(57_600, { parity: 'even' })
  await clock.sleep(20)
  await link.write(Uint8Array.of(0x7f))
  await link.read(1)
  expect(await withPatient(({ chip }) => Promise.resolve(chip))).toContain('64 KiB')
})

test('without parity it refuses what it takes for broken bytes', async () => {
  const { port, clock } = await shelved('stm32-uart:stm32f103')
  const link = await port.open(115_200)
  await clock.sleep(20)
  await link.write(Uint8Array.of(0x7f)) // an odd number of ones: the stop bit is the parity
  expect([...(await link.read(1))]).toEqual([0x79])
  await link.write(command(Command.Get))
  expect([...(await link.read(1))]).toEqual([0x1f])
})

test('an erase that says again and again that it is busy is waited for', async () => {
  const { setup, ctx, withPatient } = await onTheLine(stm32(f072).make())
  const page = Uint8Array.from({ length: 2048 }, (_, i) => i * 7)
  await withPatient(async (patient) => flashOf(patient)?.program?.(0x0800_0800, page, ctx))
  expect(equal(setup.memory('flash').slice(2048, 4096), page)).toBe(true)
})

test('a chip with USB is the same patient by DfuSe', async () => {
  const { withPatient } = await onTheLine(stm32(f072).make())
  const kind = await withPatient((patient) => Promise.resolve(patient.kind))
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  await bench.plug('dfu:stm32f072')
  const [device] = await new Devices(bench, clock).list()
  const [candidate] = device ? candidates(device.seen) : []
  if (!device || !candidate) throw new Error('not listed')
  const ctx = new Context({ clock })
  await using programmer = await openProgrammer(device, candidate, ctx)
  await using patient = (await programmer.ways[0]?.connect(ctx)) as Patient
  expect(patient.kind).toBe(kind)
})

test('a protected chip is erased by lifting that, starts anew, and is open then', async () => {
  const { setup, ctx, withPatient } = await shelved('stm32-uart:stm32f103', { locked: true })
  await withPatient(async (patient) => {
    expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
    expect(flashOf(patient)).toMatchObject({ locked: true })
    expect(flashOf(patient)).not.toHaveProperty('read')
    expect(patient.eraseChip?.restarts).toMatchObject({ stays: true })
    await patient.eraseChip?.run(ctx)
  })
  expect(isBlank(setup.memory('flash'))).toBe(true)
  const ids = await withPatient(({ memories }) => Promise.resolve(memories.map(({ id }) => id)))
  expect(ids).toEqual(['flash', 'options'])
})

test('a protected chip is met no later than an open one', async () => {
  const timeFor = async (dials: Dials) => {
    const { clock, withPatient } = await shelved('stm32-uart:stm32f103', dials)
    const from = clock.now()
    await withPatient(() => Promise.resolve())
    return clock.now() - from
  }
  expect(await timeFor({ locked: true })).toBeLessThanOrEqual(await timeFor({}))
})

test('a chip that is open, but was refused once, is not called protected', async () => {
  const { clock, port, setup } = await shelved('stm32-uart:stm32f103')
  await clock.sleep(20)
  const session = new RomSession(await port.open(115_200, { parity: 'even' }))
  const ctx = new Context({ clock })
  await session.synchronise(ctx)
  await session.look(ctx)
  const read = session.read.bind(session)
  let isFirst = true
  session.read = async (...of) => {
    if (!isFirst) return read(...of)
    isFirst = false
    throw new FlashError('device-refused', { during: 'Read Memory', status: 'NACK' })
  }
  const patient = await connectRom(session, ctx)
  expect(patient.unreadable).toEqual([])
  expect(setup.memory('flash').length).toBe(flashOf(patient)?.length)
  await session.link[Symbol.asyncDispose]()
})

test('what it has started does not answer any more', async () => {
  const { ctx, withPatient } = await shelved('stm32-uart:stm32f410')
  await withPatient(async (patient) => patient.leave?.(ctx))
  expect(await codeOf(withPatient(() => Promise.resolve()))).toMatchObject({ code: 'device-silent' })
})
