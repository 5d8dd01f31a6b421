/** The driver over the real link; the contract has the rest. */
import { expect, onTestFinished, test } from 'vitest'
import { TwinUsb } from '#bench/twin-usb.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { readWord } from '#chips/target-memory.ts'
import { ByteWriter, equal, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Dials, TwinShelf } from '#bench/twin.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import type { UsbLink } from '#transport/links.ts'
import { abilitiesOf } from './packets.ts'
import { StLinkProbe } from './probe.ts'
import { StLinkSession } from './session.ts'
import type { StLinkTwin } from './twin-device.ts'
import shelf from './twin.ts'

const ram = 0x2000_0000
const nowhere = 0x6000_0000

type Variant = keyof typeof shelf | 'v2-own' | 'v2-1-own' | 'v3-own'

/** What it says to some frames, by their first two bytes, in place of what its twin does. */
type Answers = Readonly<Record<string, 'stall' | Uint8Array>>

/** Plugged in, with every frame that it gets. */
async function plug(variant: Variant, dials: Dials = {}, answers: Answers = {}) {
  const clock = new VirtualClock()
  const setup = (shelf as TwinShelf)[variant]?.make(dials)
  if (!setup) throw new Error('nothing of that name')
  const whole = setup.twin as StLinkTwin
  const twin = whole.powersUpAs() as StLinkTwin
  const target = setup.patient as TwinStm32f1
  const frames: string[] = []
  const bulkOut = twin.bulkOut.bind(twin)
  twin.bulkOut = (endpoint, bytes) => {
    if (bytes.length === 16) frames.push(Buffer.from(bytes.subarray(0, 2)).toString('hex'))
    return bulkOut(endpoint, bytes)
  }
  const usb = new TwinUsb({ clock, granted: true })
  usb.plug(twin)
  const { runs } = twin
  twin.runs = {
    follows: (frame) => runs.follows(frame),
    answer: (frame, ...rest) => {
      const answer = answers[hexBytes(frame.subarray(0, 2), '').toLowerCase()]
      return answer === undefined ? runs.answer(frame, ...rest) : Promise.resolve(answer)
    },
  }
  const devices = new Devices({ usb }, clock)
  const [attached] = await devices.list()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (attached?.link !== 'usb' || !candidate) throw new Error('not recognised')
  return { clock, ctx: new Context({ clock }), attached, candidate, target, frames }
}

async function open(variant: Variant, dials: Dials = {}, answers: Answers = {}) {
  const { attached, candidate, ctx, ...plugged } = await plug(variant, dials, answers)
  const programmer = await openProgrammer(attached, candidate, ctx)
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  const connect = async () => {
    const patient = await programmer.ways[0]?.connect(ctx)
    if (!patient) throw new Error('no way')
    return patient
  }
  return { ...plugged, ctx, programmer, connect }
}

/** The target's memory through the probe, without a chip's driver. */
async function reach(variant: keyof typeof shelf, dials: Dials = {}) {
  const { attached, ctx, ...plugged } = await plug(variant, dials)
  const link: UsbLink = await attached.open()
  onTestFinished(() => link[Symbol.asyncDispose]())
  const session = new StLinkSession(link)
  const { version } = await session.begin()
  const probe = new StLinkProbe(session, abilitiesOf(version), 'SWD', [1_800_000])
  return { ...plugged, ctx, probe, memory: await probe.enter(1_800_000, ctx) }
}

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

test('a V2 in its boot loader is asked for its mode, and left alone until its target is wanted', async () => {
  const { frames, connect } = await open('v2')
  expect(frames).toEqual(['f500', 'f100'])
  await using patient = await connect()
  expect(patient.chip).toBe('STM32F10x medium-density (64 KiB)')
  expect(frames.slice(2, 6)).toEqual(['f500', 'f100', 'f307', 'f500'])
})

test.each([
  ['v2', {}, 'V2J37S7'],
  ['v2-1', {}, 'V2J45M31'],
  ['v3', {}, 'V3J15M7B5S1'],
] as const)('%s says its version and the voltage at its target', async (variant, dials, version) => {
  const { programmer, connect } = await open(variant, dials)
  expect(programmer.facts).toContainEqual({ name: 'firmware', value: version, source: 'GET_VERSION' })
  await using patient = await connect()
  expect(patient.facts).toContainEqual({
    ...{ name: 'target-voltage', value: '3.25 V', source: 'GET_TARGET_VOLTAGE' },
  })
})

test('a firmware that is too old offers no way, and says which one does', async () => {
  const { programmer } = await open('v2', { version: 'V2J25S4' })
  expect(programmer.ways.filter(({ to }) => to === 'target')).toEqual([])
  expect(programmer.notices).toContainEqual({
    ...{ code: 'firmware-too-old', level: 'warning', values: { version: 'V2J25S4', needs: 'V2J26' } },
  })
})

test.each(['V2J26S6', 'V2J31S7', 'V2J37S7'])('%s writes a page, and other pages stay', async (version) => {
  const { target, ctx, connect } = await open('v2', { version })
  const before = target.memory('flash').slice()
  {
    await using patient = await connect()
    const flash = patient.memories.find(({ id }) => id === 'flash')
    await flash?.program?.(0x0800_0400, pattern(1024), ctx)
  }
  const now = target.memory('flash')
  expect(equal(now.subarray(1024, 2048), pattern(1024))).toBe(true)
  expect(equal(now.subarray(2048), before.subarray(2048))).toBe(true)
  expect(equal(now.subarray(0, 1024), before.subarray(0, 1024))).toBe(true)
})

test.each(['stall', Uint8Array.of(0x42, 0)] as const)(
  'a V2-1 that does not know the way to its boot loader is a probe all the same: %o',
  async (answer) => {
    const { programmer, frames, connect } = await open('v2-1', {}, { f900: answer })
    expect(programmer.restart).toBeUndefined()
    expect(frames).toEqual(['f500', 'f100', 'f900']) // and nothing once more
    await using patient = await connect()
    expect(patient.chip).toBe('STM32F10x medium-density (128 KiB)')
  },
)

test.each(['stall', Uint8Array.of(0x42, 0)] as const)(
  'a boot loader that does not tell its hardware and its settings takes firmware all the same: %o',
  async (answer) => {
    const { programmer, frames, ctx } = await open('v2-1-own', {}, { f30a: answer, f309: answer })
    await using patient = await programmer.ways.find(({ to }) => to === 'itself')?.connect(ctx)
    expect(patient?.memories.map(({ id }) => id)).toEqual(['flash', 'signature'])
    expect(frames.slice(-3)).toEqual(['f308', 'f30a', 'f309'])
  },
)

test.each([
  ['v2-own', 0],
  ['v2-own', 15],
  ['v2-1-own', 512],
  ['v3-own', 128],
  ['v3-own', 65_535],
] as const)('%s with a chip of %i KiB, which none has, is written by no guess', async (variant, kib) => {
  const identity = new ByteWriter().u16le(kib).u16le(0xffff).bytes(new Uint8Array(16)).done()
  const { programmer, ctx } = await open(variant, {}, { f308: identity })
  await expect(programmer.ways.find(({ to }) => to === 'itself')?.connect(ctx)).rejects.toMatchObject({
    ...{ code: 'unexpected-answer', detail: { found: `${String(kib)} KiB` } },
  })
})

test('one that names no boot loader is no signed one: it is a probe', async () => {
  const { programmer } = await open('v2', {}, { f500: new Uint8Array(2) })
  expect(programmer.ways.map(({ to, by }) => `${to} ${by}`)).toEqual(['target swd', 'target jtag'])
})

test('memory is read and written in pieces that the address counts on within', async () => {
  const { memory, ctx } = await reach('v2')
  await memory.write(ram + 0x3f0, pattern(0x820), ctx)
  expect(equal(await memory.read(ram + 0x3f0, 0x820, ctx), pattern(0x820))).toBe(true)
  await memory.write(ram + 1, Uint8Array.of(0xab), ctx, 1)
  expect([...(await memory.read(ram + 1, 1, ctx, 1))]).toEqual([0xab])
  await memory.write(ram + 0x400, pattern(200), ctx, 1)
  expect(equal(await memory.read(ram + 0x400, 200, ctx, 2), pattern(200))).toBe(true)
})

test('what the target refuses is told, by every command, and the next access is done', async () => {
  const { memory, ctx } = await reach('v2')
  const refused = { code: 'device-refused', detail: { status: 'ApFault' } }
  await expect(memory.read(nowhere, 64, ctx)).rejects.toMatchObject(refused)
  await expect(memory.write(nowhere, pattern(64), ctx)).rejects.toMatchObject(refused)
  await expect(readWord(memory, nowhere, ctx)).rejects.toMatchObject(refused)
  const row = [nowhere, ram, ram + 4].map((address) => [address, 1] as const)
  await expect(memory.writeWords(row, ctx)).rejects.toMatchObject(refused)
  await memory.writeWords([[ram, 0x1234_5678]], ctx)
  expect(await readWord(memory, ram, ctx)).toBe(0x1234_5678)
})

test('a storm of WAIT is waited for, and told when it does not end', async () => {
  const { memory, target, ctx } = await reach('v2')
  await memory.write(ram, pattern(64), ctx)
  target.swd.waits = 500
  expect(equal(await memory.read(ram, 64, ctx), pattern(64))).toBe(true)
  target.swd.waits = 1e9
  await expect(memory.read(ram, 64, ctx)).rejects.toMatchObject({
    ...{ code: 'target-busy', detail: { by: 'SWD' } },
  })
  target.swd.waits = 0
  expect(equal(await memory.read(ram, 64, ctx), pattern(64))).toBe(true)
})

test('a target that loses its power in between is missing, not wrong', async () => {
  const { memory, target, ctx } = await reach('v2')
  target.losePower()
  await expect(memory.read(ram, 64, ctx)).rejects.toMatchObject({ code: 'target-missing' })
})

test('held in reset it is met, and it stays held', async () => {
  const { probe, target, ctx } = await reach('v2')
  await probe.reset(true, ctx)
  await probe.enter(1_800_000, ctx)
  expect(target.bus.isHeld).toBe(true)
  await probe.reset(false, ctx)
  expect(target.bus.isHeld).toBe(false)
})

test('a V3 tells its speeds, and takes the one that is chosen', async () => {
  const { programmer, connect } = await open('v3')
  const [way] = programmer.ways
  expect(way?.speedsHz.slice(0, 3)).toEqual([24_000_000, 8_000_000, 3_300_000])
  await using patient = await connect()
  expect(patient.speedHz).toBe(3_300_000)
})

test('its program is what is read', async () => {
  const { memory, ctx } = await reach('v2-1')
  const program = practiceProgram(0x0800_0000, 20_000)
  expect(equal(await memory.read(0x0800_0000, 4096, ctx), program.slice(0, 4096))).toBe(true)
})
