/** AVRs in Atmel's DFU boot loader over the real link: what three makes of it do differently; the contract has the rest. */
import { expect, onTestFinished, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import type { Dials, UsbTwin } from '#bench/twin.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { MemoryId, Patient } from '#core/programmer.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { avrPartByName } from '#chips/avr-parts.ts'
import { Devices } from '#transport/devices.ts'
import * as flip from './flip-packets.ts'
import { FlipPatient } from './flip-patient.ts'
import { parseStatus, Request, State } from './packets.ts'
import { DfuSession } from './session.ts'
import { FlipTwin, type FlipTwinOptions } from './twin-flip.ts'

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

function bench(twin: UsbTwin) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  usb.plug(twin)
  const devices = new Devices({ usb }, clock)
  return { clock, ctx: new Context({ clock }), devices, open: () => open(devices, clock) }
}

async function open(devices: Devices, clock: VirtualClock) {
  const ctx = new Context({ clock })
  const [attached] = await devices.list()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error('not recognised')
  const programmer = await openProgrammer(attached, candidate, ctx)
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  const connect = async () => {
    const patient = await programmer.ways[0]?.connect(ctx)
    if (!(patient instanceof FlipPatient)) throw new Error('not a FLIP patient')
    return patient
  }
  return { programmer, attached, connect }
}

async function fromShelf(id: string, dials: Dials = {}) {
  const clock = new VirtualClock()
  const practice = new PracticeBench({ clock })
  const plugged = await practice.plug(id, dials)
  const devices = new Devices(practice, clock)
  return { clock, ctx: new Context({ clock }), plugged, devices, ...(await open(devices, clock)) }
}

function made(options: Partial<FlipTwinOptions> & { chip?: string; dials?: Dials } = {}) {
  const { chip = 'ATmega16U2', dials = {}, ...rest } = options
  const part = avrPartByName(chip)
  if (!part) throw new Error(`no ${chip}`)
  return new FlipTwin(
    {
      ...{ part, productId: 0x2fef, build: 'arduino', bootBytes: 4096 },
      ...{ flash: pattern(part.flash.bytes), eeprom: pattern(part.eeprom.bytes), ...rest },
    },
    dials,
  )
}

const memoryOf = ({ memories }: Patient, id: MemoryId) => {
  const found = memories.find((memory) => memory.id === id)
  if (!found) throw new Error(`no ${id}`)
  return found
}

/** The raw requests, as another program sends them. */
async function talk(twin: UsbTwin) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  usb.plug(twin)
  const [attached] = await new Devices({ usb }, clock).list()
  if (attached?.link !== 'usb') throw new Error('not listed')
  const link = await attached.open()
  onTestFinished(() => link[Symbol.asyncDispose]())
  const setup = (request: number) =>
    ({ requestType: 'class', recipient: 'interface', request, value: 0, index: 0 }) as const
  const download = (bytes: Uint8Array) => link.controlOut(setup(Request.Download), bytes)
  const upload = (length: number) => link.controlIn(setup(Request.Upload), length)
  const status = async () => parseStatus(await link.controlIn(setup(Request.GetStatus), 6))
  const send = (request: number) => link.controlOut(setup(request))
  return { clock, link, download, upload, status, send }
}

// ---- the bytes -------------------------------------------------------------------------------------

test('a block of data begins with a packet of its own, and ends with a suffix', () => {
  const block = flip.program(
    'flash',
    0x0380,
    Uint8Array.from({ length: 128 }, (_, i) => i),
  )
  expect([...block.subarray(0, 8)]).toEqual([0x01, 0x00, 0x03, 0x80, 0x03, 0xff, 0, 0])
  expect([...block.subarray(32, 36)]).toEqual([0, 1, 2, 3])
  expect(block).toHaveLength(32 + 128 + 16)
  expect([...block.subarray(-12, -6)]).toEqual([16, 0x44, 0x46, 0x55, 0x01, 0x10])
  expect([...flip.read('eeprom', 0x1f0, 16)]).toEqual([0x03, 0x02, 0x01, 0xf0, 0x01, 0xff])
  expect([...flip.read('flash', 0x1_0400, 1024)]).toEqual([0x03, 0x00, 0x04, 0x00, 0x07, 0xff])
})

// ---- the twin is true ------------------------------------------------------------------------------

test("Arduino's build: clearing the status leaves the state, and garbage lies behind the signature", async () => {
  const twin = made()
  twin.flash.bytes.fill(0xff, 0, 0x0102)
  const { download, upload, status, send } = await talk(twin)
  await download(flip.blankCheck(0x2000, 0x100)) // whatever is asked for, it checks all
  expect(await status()).toEqual({ status: 'CHECK_ERASED', pollMs: 0, state: State.Error })
  expect([...(await upload(2))]).toEqual([0x02, 0x01]) // little-endian
  await send(Request.ClearStatus)
  expect(await status()).toEqual({ status: 'OK', pollMs: 0, state: State.Error })
  await send(Request.Abort)
  expect(await status()).toEqual({ status: 'OK', pollMs: 0, state: State.Idle })
  const bytes: number[] = []
  for (const index of [0x30, 0x31, 0x32, 0x60]) {
    await download(Uint8Array.of(0x05, 0x01, index))
    bytes.push(...(await upload(1)))
  }
  expect(bytes.slice(0, 3)).toEqual([0x1e, 0x94, 0x89])
  expect(avrPartByName('ATmega16U2')?.signature).not.toContain(bytes[3])
})

test('a program that begins within a packet has that much more before its data', async () => {
  const twin = made({ flash: new Uint8Array(0) })
  const { download, status } = await talk(twin)
  const bytes = pattern(128 - 8)
  const block = new Uint8Array(32 + 8 + bytes.length + 16)
  block.set([0x01, 0x00, 0x01, 0x08, 0x01, 0x7f])
  block.set(bytes, 40)
  await download(block)
  expect(await status()).toMatchObject({ status: 'OK', state: State.DownloadIdle })
  expect(twin.flash.bytes.subarray(0x108, 0x180)).toEqual(bytes)
})

// ---- the driver ------------------------------------------------------------------------------------

test("an Uno R3's USB chip is read whole and written page by page; its boot section stays", async () => {
  const { connect, plugged, ctx } = await fromShelf('dfu:atmega16u2')
  const before = plugged.memory('flash').slice()
  const patient = await connect()
  expect(patient).toMatchObject({ chip: 'ATmega16U2', kind: 'avr:1e9489', eraseChip: undefined })
  expect(patient.facts).toContainEqual({
    name: 'signature',
    value: '1e 94 89',
    source: 'read 30, 31, 32',
  })
  const flash = memoryOf(patient, 'flash')
  expect([flash.length, flash.write]).toEqual([16_384, 'overwrite'])
  expect(flash.reserved).toEqual([{ address: 0x3000, length: 4096, why: 'bootloader' }])
  expect(await flash.read?.(flash, ctx)).toEqual(before)
  expect(await flash.read?.({ address: 0x0101, length: 3 }, ctx)).toEqual(before.slice(0x101, 0x104))
  const bytes = pattern(1536)
  await flash.program?.(0x80, bytes, ctx)
  before.set(bytes, 0x80)
  expect(plugged.memory('flash')).toEqual(before)
  await expect(flash.program?.(0x3000, pattern(128), ctx)).rejects.toMatchObject({ code: 'write-protected' })
  const eeprom = memoryOf(patient, 'eeprom')
  await eeprom.program?.(32, bytes.subarray(0, 64), ctx)
  expect(await eeprom.read?.({ address: 32, length: 64 }, ctx)).toEqual(bytes.subarray(0, 64))
  expect(plugged.memory('eeprom').subarray(32, 96)).toEqual(bytes.subarray(0, 64))
})

test("an Uno R1's says that it is an AT90USB82, whatever its id is", async () => {
  for (const productId of [0x2ff7, 0x2fee]) {
    const { open } = bench(made({ chip: 'AT90USB82', productId }))
    const patient = await (await open()).connect()
    expect(patient).toMatchObject({ chip: 'AT90USB82', kind: 'avr:1e9382' })
    expect(memoryOf(patient, 'flash').reserved).toEqual([
      { address: 0x1000, length: 4096, why: 'bootloader' },
    ])
  }
})

test('memory beyond 64 KiB is read, written and found again', async () => {
  const { connect, plugged, ctx } = await fromShelf('dfu:at90usb1286')
  const flash = memoryOf(await connect(), 'flash')
  const bytes = pattern(2048)
  await flash.program?.(0xfc00, bytes, ctx)
  await flash.program?.(0x1_8000, bytes.subarray(0, 256), ctx)
  await flash.program?.(0, bytes.subarray(0, 256), ctx)
  const held = plugged.memory('flash')
  expect(held.subarray(0xfc00, 0x1_0400)).toEqual(bytes)
  expect(held.subarray(0x1_8000, 0x1_8100)).toEqual(bytes.subarray(0, 256))
  expect(held.subarray(0, 256)).toEqual(bytes.subarray(0, 256))
  expect(await flash.read?.({ address: 0xfe00, length: 1024 }, ctx)).toEqual(held.subarray(0xfe00, 0x1_0200))
})

test("Atmel's own gives nothing until everything was erased, and then all of it", async () => {
  const { connect, plugged, ctx } = await fromShelf('dfu:atmega32u4', { locked: true })
  const locked = await connect()
  const ofReading = ({ unreadable }: Patient) =>
    unreadable.filter(({ reason }) => reason === 'read-protected').map(({ memory }) => memory)
  expect(ofReading(locked)).toEqual(['flash', 'eeprom'])
  expect(locked.notices).toEqual([{ code: 'bootloader-locked', level: 'warning' }])
  const [flash] = locked.memories
  expect(flash).toMatchObject({ length: 0x7000 })
  expect(flash && 'read' in flash).toBe(false)
  await expect(flash?.program?.(0, pattern(128), ctx)).rejects.toMatchObject({ code: 'write-protected' })
  const eeprom = plugged.memory('eeprom').slice()

  await locked.eraseChip?.run(ctx)
  expect(isBlank(plugged.memory('flash'))).toBe(true)
  const opened = await connect()
  expect(ofReading(opened)).toEqual([])
  expect(opened.memories[0]).toMatchObject({ length: 0x7000, write: 'and' })
  await memoryOf(opened, 'flash').program?.(0, pattern(1024), ctx)
  expect(plugged.memory('flash').subarray(0, 1024)).toEqual(pattern(1024))
  expect(await memoryOf(opened, 'eeprom').read?.({ address: 0, length: 1024 }, ctx)).toEqual(eeprom)
})

test('one that was built to be secure is erased first, too, and keeps its shape', async () => {
  const { connect, ctx, plugged } = await fromShelf('dfu:at90usb1286', { locked: true })
  const [locked, loader] = [await connect(), plugged.memory('flash').slice(0x1_e000)]
  await locked.eraseChip?.run(ctx)
  expect(isBlank(plugged.memory('flash').subarray(0, 0x1_e000))).toBe(true)
  expect(plugged.memory('flash').subarray(0x1_e000)).toEqual(loader)
  const opened = await connect()
  expect(opened.memories[0]?.length).toBe(locked.memories[0]?.length)
  expect(opened.memories[0]).toHaveProperty('read')
})

test('left in an error, with its status cleared or not, it is brought back', async () => {
  for (const isCleared of [false, true]) {
    const twin = made()
    const { open, devices, ctx } = bench(twin)
    const [attached] = await devices.list()
    if (attached?.link !== 'usb') throw new Error('not listed')
    const link = await attached.open()
    const session = new DfuSession(link, { number: 0, transferBytes: 1024, saysNothing: true })
    await session.hand(0, flip.blankCheck(0, 0x3000))
    if (isCleared)
      await link.controlOut({
        ...{ requestType: 'class', recipient: 'interface', request: Request.ClearStatus },
        ...{ value: 0, index: 0 },
      })
    await link[Symbol.asyncDispose]()
    const { connect } = await open()
    const flash = memoryOf(await connect(), 'flash')
    expect(await flash.read?.({ address: 0, length: 64 }, ctx)).toEqual(twin.flash.bytes.subarray(0, 64))
  }
})

test('a signature that is not of the chip of its id is refused, and an unknown one too', async () => {
  const connected = async (twin: FlipTwin) => (await bench(twin).open()).connect()
  await expect(connected(made({ chip: 'ATmega32U2' }))).rejects.toMatchObject({
    code: 'wrong-device',
    detail: { expected: 'ATmega16U2', found: 'ATmega32U2' },
  })
  const part = avrPartByName('ATmega16U2')
  if (!part) throw new Error('no part')
  const strange = made({ part: { ...part, signature: [0x1e, 0x94, 0x11] } })
  await expect(connected(strange)).rejects.toMatchObject({
    code: 'target-unknown',
    detail: { signature: '1e 94 11' },
  })
  const other = made({ part: { ...part, signature: [0x51, 0x94, 0x89] } })
  await expect(connected(other)).rejects.toMatchObject({ code: 'unexpected-answer' })
})

test('started, it goes, and comes back as what is in its flash', async () => {
  const { connect, devices, clock, ctx } = await fromShelf('dfu:atmega16u2')
  await (await connect()).leave(ctx)
  await clock.sleep(1000)
  const [attached] = await devices.list()
  expect(attached?.seen).toEqual({ link: 'serial', vendorId: 0x2341, productId: 0x0043 })
})

test('plugged in by itself it is the port that its firmware makes of it, and nothing when that is gone', async () => {
  const { plugged, devices } = await fromShelf('dfu:atmega16u2')
  expect(await plugged.plugInByItself()).toBe(true)
  expect((await devices.list()).map(({ seen }) => seen)).toEqual([
    { link: 'serial', vendorId: 0x2341, productId: 0x0043 },
  ])
  plugged.memory('flash').fill(0xff, 0, 0x3000)
  expect(await plugged.plugInByItself()).toBe(false)
})
