/** An Arm chip as a patient, against the emulated ones: met, let go, and what is kept of it. */
import { expect, test } from 'vitest'
import type { ArmBus } from '#bench/twin-arm-bus.ts'
import type { Ap } from '#bench/twin-mem-ap.ts'
import { SwdPort } from '#bench/twin-swd.ts'
import { TwinStm32f1, type TwinStm32f1Options } from '#bench/twin-stm32f1.ts'
import type { TwinSwd } from '#bench/twin-swd.ts'
import { TwinRp2040 } from '#bench/twin-rp2040.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { MemoryId, Patient } from '#core/programmer.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import type { Access } from './debug-port.ts'
import { directly } from './test-debug-port.ts'

const flashStart = 0x0800_0000

function wired<Chip extends { readonly swd: TwinSwd }>(make: (clock: VirtualClock) => Chip) {
  const clock = new VirtualClock()
  const chip = make(clock)
  const port = directly(chip.swd)
  const ctx = new Context({ clock })
  return { chip, port, ctx, connect: () => connectArm(viaDebugPort(port), ctx) }
}
const f103 = (options: TwinStm32f1Options = {}) =>
  wired(
    (clock) => new TwinStm32f1({ clock, kib: 64, flash: practiceProgram(flashStart, 20_000), ...options }),
  )

const memoryOf = ({ memories }: Patient, id: MemoryId) => memories.find((memory) => memory.id === id)
/** Each byte of the option bytes, with its complement. */
const options = (...bytes: readonly number[]) => Uint8Array.from(bytes.flatMap((byte) => [byte, ~byte]))

test('it stands still while it is met, and goes on afterwards; changed, it begins anew', async () => {
  const { chip, connect, ctx } = f103()
  const isHalted = () => chip.cortex.isHalted
  const patient = await connect()
  expect(patient).toMatchObject({
    ...{ kind: 'cortex-m:stm32:410', chip: 'STM32F10x medium-density (64 KiB)', speedHz: 1_000_000 },
  })
  expect(isHalted()).toBe(true)
  await patient[Symbol.asyncDispose]()
  expect(isHalted()).toBe(false)

  const again = await connect()
  const page = Uint8Array.from({ length: 1024 }, (_, i) => i * 3)
  await memoryOf(again, 'flash')?.program?.(flashStart + 0x8000, page, ctx)
  expect(chip.memory('flash').slice(0x8000, 0x8400)).toEqual(page)
  await again[Symbol.asyncDispose]()
  expect(isHalted()).toBe(false)
})

const resetRequest = 0x05fa_0004
const resets = (row: readonly Access[]) =>
  row.some((access) => 'write' in access && access.write === resetRequest)

test('let go after a write, it stands until its reset', async () => {
  const { chip, port, connect, ctx } = f103()
  const patient = await connect()
  await memoryOf(patient, 'flash')?.program?.(flashStart + 0x8000, new Uint8Array(1024), ctx)
  const transfer = port.transfer.bind(port)
  let isReset = false
  port.transfer = async (row, within) => {
    for (const access of row) {
      expect(chip.cortex.isHalted || isReset).toBe(true)
      isReset ||= resets([access])
      await transfer([access], within)
    }
    return { ack: 'ok', words: new Uint32Array() }
  }
  await patient[Symbol.asyncDispose]()
  expect(isReset).toBe(true)
  expect(chip.cortex.isHalted).toBe(false)
})

test('what runs routines to be known begins anew, too, when something fails behind that', async () => {
  const rp2040 = () => wired((clock) => new TwinRp2040({ clock, flashBytes: 256 * 1024 }))
  const { port: whole, connect: connectWhole } = rp2040()
  await connectWhole()
  const { chip, port, connect } = rp2040()
  const transfer = port.transfer.bind(port)
  port.transfer = async (row, within) => {
    if (port.rows.length !== whole.rows.length - 2) return transfer(row, within)
    port.rows.push(row)
    return { ack: 'wait', words: new Uint32Array() } // to what stops it
  }
  await expect(connect()).rejects.toMatchObject({ code: 'target-busy' })
  expect(port.rows.slice(whole.rows.length - 2).some(resets)).toBe(true)
  expect(chip.cores[0].isHalted).toBe(false)
})

test('a chip that nobody can write here is named, and was never stopped', async () => {
  const { chip, connect } = f103()
  chip.bus.read = refusing(chip.bus.read.bind(chip.bus), 0xe004_2000)
  await expect(connect()).rejects.toMatchObject({
    code: 'target-unknown',
    detail: { signature: '0x1ba0_1477, 0x411f_c231, JEP106 0:0x20, 0x410' },
  })
  expect(chip.cortex.isHalted).toBe(false)
})

/** Nothing is at this address. */
const refusing =
  (read: ArmBus['read'], missing: number): ArmBus['read'] =>
  (address, width, master) =>
    address === missing ? undefined : read(address, width, master)

test('lifting the read protection erases the flash and its write protection, and keeps the other option bytes', async () => {
  const optionBytes = options(0x00, 0xfe, 0x12, 0x34, 0xff, 0xf0, 0xff, 0xff)
  const { chip, connect, ctx } = f103({ optionBytes })
  const patient = await connect()
  expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
  expect(memoryOf(patient, 'flash')).toMatchObject({ locked: true })
  await patient.eraseChip?.run(ctx)
  await patient[Symbol.asyncDispose]()
  expect(isBlank(chip.memory('flash'))).toBe(true)
  expect(chip.memory('options').slice(0, 8)).toEqual(options(0xa5, 0xfe, 0x12, 0x34))
  expect((await connect()).unreadable).toEqual([])
})

test('errors that are left in the controller, of its program or of an earlier try, do not stop the lifting half-way', async () => {
  const optionBytes = options(0x00, 0xfe, 0x12, 0x34, 0xff, 0xff, 0xff, 0xff)
  const { chip, connect, ctx } = f103({ optionBytes })
  const patient = await connect()
  const words = [
    [0x4002_2004, 0x4567_0123],
    [0x4002_2004, 0xcdef_89ab],
    [0x4002_2010, 1],
  ] as const
  const fail = () => {
    for (const [address, value] of words) chip.bus.write(address, 4, value)
    chip.bus.write(flashStart, 2, 0x1234)
    expect(chip.bus.read(0x4002_200c, 4)).toBe(0x10) // WRPRTERR
  }
  fail()
  const page = new Uint8Array(1024)
  await expect(memoryOf(patient, 'flash')?.program?.(flashStart, page, ctx)).rejects.toMatchObject({
    code: 'write-protected',
  })
  await patient.eraseChip?.run(ctx)
  await patient[Symbol.asyncDispose]()
  expect(isBlank(chip.memory('flash'))).toBe(true)
  expect(chip.memory('options').slice(0, 8)).toEqual(options(0xa5, 0xfe, 0x12, 0x34))
})

test('pages that option bytes protect are refused before anything is changed, unless they hold it already', async () => {
  // the second and the third 4 KiB
  const { connect } = f103({ optionBytes: options(0xa5, 0xff, 0xff, 0xff, 0xf9, 0xff, 0xff, 0xff) })
  const patient = await connect()
  const at = (address: number) =>
    new Map([['flash', [{ address, bytes: Uint8Array.of(1, 2, 3, 4) }]]] as const)
  const results = (wanted: number, present: ReadonlyMap<'flash', never[]> | ReturnType<typeof at>) =>
    patient.check(at(wanted), present).find(({ code }) => code === 'write-protection')
  expect(results(flashStart + 0x2fff, new Map())).toMatchObject({
    result: 'refused',
    values: { from: '0x0800_2000', to: '0x0800_2fff' },
  })
  expect(results(flashStart + 0x3000, new Map())).toBeUndefined()
  expect(results(flashStart + 0x2000, at(flashStart + 0x2000))).toBeUndefined()
})

test('what was refused on the way to a routine never runs', async () => {
  const { chip, port, connect, ctx } = f103()
  const patient = await connect()
  const flash = memoryOf(patient, 'flash')
  const page = new Uint8Array(1024).fill(0x5a)
  await flash?.program?.(flashStart + 0x8000, page, ctx)
  const transfer = port.transfer.bind(port)
  // the first row that sets registers of the core
  port.transfer = (row, within) => {
    const sets = row.some((access) => 'write' in access && access.write === 0xe000_edf8)
    if (sets) chip.swd.waits = 1
    return transfer(row, within)
  }
  await expect(flash?.program?.(flashStart + 0x8400, page, ctx)).rejects.toMatchObject({
    code: 'target-busy',
  })
  expect(chip.cortex.isHalted).toBe(true)
  port.transfer = transfer
  await flash?.program?.(flashStart + 0x8400, page, ctx)
  expect(chip.memory('flash').slice(0x8400, 0x8800)).toEqual(page)
})

test('slower and slower until it answers, then in reset, where its program has turned the wires off', async () => {
  const { chip, port, connect } = f103()
  const tried: number[] = []
  let isInReset = false
  const [sequence, reset] = [port.sequence.bind(port), port.reset.bind(port)]
  port.attach = (speedHz) => Promise.resolve(void tried.push(speedHz))
  port.sequence = (bits, count, ctx) => (isInReset ? sequence(bits, count, ctx) : Promise.resolve())
  port.reset = (asserted, ctx) => ((isInReset = asserted), reset(asserted, ctx))
  Object.assign(port, { ownChoicesHz: [4e6, 1e6] })
  const patient = await connect()
  expect(tried).toEqual([4e6, 1e6, 1e6])
  expect(patient.speedHz).toBe(1e6)
  expect(chip.cortex.isHalted).toBe(true)
})

/** Of a vendor's own: it is there, and no memory is behind it. */
const controlPort: Ap = {
  isBusy: false,
  abort: () => undefined,
  reset: () => undefined,
  read: (address) => (address === 0xfc ? 0x0288_0000 : 0),
  write: () => true,
}

test.each([
  ['no access port at all', []],
  ['another kind of access port first', [controlPort]],
])('a debug port with %s is named, and nothing behind it is believed', async (_, aps) => {
  const port = directly(new SwdPort({ dpidr: 0x2ba0_1477, aps }))
  const connecting = connectArm(viaDebugPort(port), new Context({ clock: new VirtualClock() }))
  await expect(connecting).rejects.toMatchObject({
    ...{ code: 'target-unknown', detail: { signature: expect.stringContaining('0x2ba0_1477') as string } },
  })
})
