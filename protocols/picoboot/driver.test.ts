/** The driver over the real link against twins; the contract has the rest. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { TwinFlash } from '#bench/twin-flash.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import type { Twin } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank, equal } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Memory, Patient } from '#core/programmer.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import { flashAddress, sectorBytes } from '#chips/rp2-chips.ts'
import { Play, practiceProgram } from './images.ts'
import { BootselTwin, type BootselOptions } from './twin-bootsel.ts'

const strings = { manufacturer: 'Raspberry Pi', product: 'RP2 Boot', serial: '0123456789AB' }

function makeTwin(
  content: Uint8Array,
  options: Partial<BootselOptions> = {},
): { twin: BootselTwin; flash: TwinFlash } {
  const sectors = Array.from({ length: content.length / sectorBytes }, (_, i) => ({
    address: flashAddress + i * sectorBytes,
    length: sectorBytes,
  }))
  const flash = new TwinFlash(sectors, { eraseMs: () => 45, programMsPerKib: 1.6 }, content)
  return { flash, twin: new BootselTwin({ chip: 'RP2040', romVersion: 2, strings, flash, ...options }) }
}

async function open(twin: Twin) {
  if (twin.link !== 'usb') throw new Error('not on USB')
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const port = usb.plug(twin)
  const devices = new Devices({ usb }, clock)
  const [attached] = await devices.list()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error('not recognised')
  const ctx = new Context({ clock })
  const programmer = await openProgrammer(attached, candidate, ctx)
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  const connect = () => programmer.ways[0]?.connect(ctx) ?? Promise.reject(new Error('no way'))
  return { clock, port, ctx, devices, programmer, connect }
}

const flashOf = ({ memories: [flash] }: Patient) => {
  if (!isWhole(flash)) throw new Error('no flash')
  return flash
}
const isWhole = (memory: Memory | undefined): memory is Required<Pick<Memory, 'read' | 'program'>> & Memory =>
  memory?.read !== undefined && memory.program !== undefined
const image = practiceProgram({ chip: 'RP2040', plays: Play.stdio, version: 0x0100, length: 20_000 })
const holding = (length: number, bytes: Uint8Array = image) => {
  const content = blank(length)
  content.set(bytes)
  return content
}
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

test('a Pico is known by its flash, and its serial number is no number of its own', async () => {
  const { programmer, connect } = await open(makeTwin(holding(2 << 20)).twin)
  const patient = await connect()
  expect(patient).toMatchObject({ chip: 'RP2040', kind: 'cortex-m:rp2040:2048', notices: [] })
  expect(flashOf(patient)).toMatchObject({ address: 0x1000_0000, length: 2 << 20 })
  expect([...programmer.facts, ...patient.facts].some(({ name }) => name === 'serial')).toBe(false)
  expect(programmer.facts).toContainEqual(
    expect.objectContaining({ name: 'bootloader', value: 'ROM 2 (RP2040 B1)' }),
  )
})

test('reading a whole Pico takes three transfers for 64 KiB, and the time of the bus', async () => {
  const { port, clock, ctx, connect } = await open(makeTwin(holding(2 << 20)).twin)
  const flash = flashOf(await connect())
  const [transfers, from] = [port.transfers.count, clock.now()]
  expect(equal(await flash.read(flash, ctx), holding(2 << 20))).toBe(true)
  expect(port.transfers.count - transfers).toBe(3 * 32)
  expect(clock.now() - from).toBeLessThan(1900) // 32768 packets of 64 bytes, 19 in a millisecond
})

test('a sector is erased and written up to what is blank in it', async () => {
  const { twin, flash: chip } = makeTwin(holding(256 * 1024))
  const { port, ctx, connect } = await open(twin)
  const flash = flashOf(await connect())
  const before = port.transfers.bytesOut
  await flash.program(flashAddress + sectorBytes, holding(sectorBytes, pattern(300)), ctx)
  expect(port.transfers.bytesOut - before).toBe(32 + 32 + 512)
  await flash.program(flashAddress + 2 * sectorBytes, blank(sectorBytes), ctx)
  expect(chip.bytes.subarray(4096, 4396)).toEqual(pattern(300))
  expect(chip.bytes.subarray(4396, 3 * 4096)).toEqual(blank(3 * 4096 - 4396))
  expect(chip.bytes.subarray(0, 4096)).toEqual(image.subarray(0, 4096))
  await expect(flash.program(flashAddress + 256, blank(sectorBytes), ctx)).rejects.toThrow('part of a sector')
})

describe('a blank flash', () => {
  test('is taken for the largest, with a notice, until something in it shows its size', async () => {
    const { twin, flash: chip } = makeTwin(blank(1 << 20))
    const { ctx, connect } = await open(twin)
    const patient = await connect()
    expect(patient.notices).toEqual([{ code: 'flash-size-unknown', level: 'info' }])
    const flash = flashOf(patient)
    expect(flash.length).toBe(16 << 20)
    await flash.program(flashAddress, blank(sectorBytes), ctx)
    await flash.program(flashAddress + sectorBytes, pattern(sectorBytes), ctx)
    await flash.program(flashAddress, image.slice(0, sectorBytes), ctx)
    // what was written is there once, and nothing of it again behind the end
    const behind = await flash.read({ address: flashAddress + (1 << 20), length: 8192 }, ctx)
    expect(behind).toEqual(blank(8192))
    await expect(flash.program(flashAddress + (1 << 20), pattern(sectorBytes), ctx)).rejects.toMatchObject({
      code: 'does-not-fit',
      detail: { available: 1 << 20 },
    })
    expect(chip.bytes.subarray(0, sectorBytes)).toEqual(image.subarray(0, sectorBytes))
    expect((await connect()).kind).toBe('cortex-m:rp2040:1024')
  })
})

describe('what a chip refuses', () => {
  const forbids = (address: number) => address >= flashAddress + 0x1_0000
  const rp2350 = { chip: 'RP2350', forbids } as const

  test('is told with its reason, and it takes commands again', async () => {
    const program = practiceProgram({
      chip: 'RP2350',
      plays: Play.stdio2350,
      version: 0x0100,
      length: 20_000,
    })
    const { twin } = makeTwin(holding(64 * 1024, program), { ...rp2350, forbids: () => false })
    const { ctx, connect } = await open(twin)
    const flash = flashOf(await connect())
    await expect(flash.read({ address: flashAddress + 16, length: 16 }, ctx)).rejects.toMatchObject({
      code: 'device-refused',
      detail: { during: 'reading', status: 'BAD_ALIGNMENT' },
    })
    expect(await flash.read({ address: flashAddress, length: 16 }, ctx)).toEqual(program.slice(0, 16))
  })

  test('for its partition table is called protected', async () => {
    const program = practiceProgram({
      chip: 'RP2350',
      plays: Play.stdio2350,
      version: 0x0100,
      length: 20_000,
    })
    const { twin } = makeTwin(holding(256 * 1024, program), rp2350)
    const { connect } = await open(twin)
    await expect(connect()).rejects.toMatchObject({
      code: 'read-protected',
      detail: { memory: 'flash', by: 'partition-table' },
    })
  })
})

test('an RP2350 says whether a partition table divides its flash', async () => {
  const program = practiceProgram({ chip: 'RP2350', plays: Play.stdio2350, version: 0x0100, length: 20_000 })
  for (const hasTable of [true, false]) {
    const { connect } = await open(makeTwin(holding(64 * 1024, program), { chip: 'RP2350', hasTable }).twin)
    const wanted = new Map([['flash', [{ address: flashAddress, bytes: program }]]] as const)
    const told = (await connect()).check(wanted, new Map()).map(({ values }) => values['why'])
    expect(told.includes('partitioned')).toBe(hasTable)
  }
})

test('started, it comes back as what its flash holds; half a program is not started', async () => {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug('picoboot:pico')
  const devices = new Devices(bench, clock)
  const ctx = new Context({ clock })
  const met = async () => {
    const [attached] = await devices.list()
    if (attached?.seen.link !== 'usb') throw new Error('nothing is there')
    return { attached, id: attached.seen.productId }
  }
  const start = async () => {
    const { attached } = await met()
    const [candidate] = candidates(attached.seen)
    if (!candidate) throw new Error('not recognised')
    const programmer = await openProgrammer(attached, candidate, ctx)
    const patient = await programmer.ways[0]?.connect(ctx)
    await patient?.leave?.(ctx)
    await patient?.[Symbol.asyncDispose]()
    await programmer[Symbol.asyncDispose]()
    await clock.sleep(1000)
    return (await met()).id
  }
  plugged.memory('flash').fill(0xff, 0, 256)
  expect(await start()).toBe(0x0003)
  const program = { chip: 'RP2040', plays: Play.probe, version: 0x0231, length: 62_000 } as const
  plugged.memory('flash').set(practiceProgram(program))
  expect(await start()).toBe(0x000c)
})

test('a program of the SDK is told to start BOOTSEL mode, and goes in the middle of the request', async () => {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  await bench.plug('picoboot:pico-running')
  const devices = new Devices(bench, clock)
  const seen = async () => (await devices.list())[0]
  const attached = await seen()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error('not recognised')
  expect(candidate.recognition).toMatchObject({ mode: 'application', usable: true })
  const ctx = new Context({ clock })
  const programmer = await openProgrammer(attached, candidate, ctx)
  expect(programmer.ways).toEqual([])
  expect(programmer.restart?.as).toEqual([
    { vendorId: 0x2e8a, productId: 0x0003 },
    { vendorId: 0x2e8a, productId: 0x000f },
  ])
  await programmer.restart?.run(ctx)
  await programmer[Symbol.asyncDispose]()
  await clock.sleep(1000)
  expect((await seen())?.seen).toMatchObject({ vendorId: 0x2e8a, productId: 0x0003, product: 'RP2 Boot' })
})
