import { describe, expect, test } from 'vitest'
import { putNumber } from './twin-arm-bus.ts'
import { TestDebugger } from './test-swd.ts'
import { TwinLpc11u35, type TwinLpc11u35Options } from './twin-lpc11u35.ts'
import { VirtualClock } from './virtual-clock.ts'

const ramAt = 0x1000_0000
const tableAt = ramAt + 0x200
const resultAt = ramAt + 0x240
const dataAt = ramAt + 0x400
const stack = ramAt + 0x1800
const remap = 0x4004_8000

function onWires(options: TwinLpc11u35Options = {}) {
  const clock = new VirtualClock()
  const chip = new TwinLpc11u35({ clock, ...options })
  const debug = new TestDebugger(chip.swd)
  debug.connect()
  debug.halt()
  debug.write(ramAt, 0xbe00, 2)
  /** As any program calls the ROM: it comes back to a breakpoint. */
  const iap = async (...command: number[]) => {
    for (const [i, word] of command.entries()) debug.write(tableAt + i * 4, word)
    for (const [index, value] of [
      [0, tableAt],
      [1, resultAt],
      [4, 0x4444],
      [5, 0x5555],
      [13, stack],
      [14, ramAt | 1],
      [15, 0x1fff_1ff0],
      [16, 0x0100_0000],
    ] as const)
      debug.writeRegister(index, value)
    const from = clock.now()
    debug.run()
    while (!debug.isHalted) await clock.sleep(0.1)
    return { status: debug.read(resultAt), result: debug.read(resultAt + 4), ms: clock.now() - from }
  }
  return { chip, clock, debug, iap }
}

const someFlash = Uint8Array.from({ length: 0x4000 }, (_, i) => (i * 11) & 0xff)
const startable = someFlash.slice()
putNumber(startable, 0, 4, 0x1000_1000)
putNumber(startable, 4, 4, 0x101)
for (let at = 8; at < 28; at += 4) putNumber(startable, at, 4, 0)
putNumber(startable, 28, 4, -(0x1000_1000 + 0x101))
startable.set([0xfe, 0xe7], 0x100)

test('its ROM starts what comes to zero, and shows the flash', async () => {
  const { clock, debug } = onWires({ flash: startable })
  debug.run()
  await clock.sleep(1)
  debug.halt()
  expect(debug.readRegister(15)).toBe(0x100)
  expect(debug.read(remap)).toBe(2)
  expect(debug.read(0)).toBe(0x1000_1000)
})

test('anything else stays in the ROM, which hides the first 512 bytes until somebody says otherwise', async () => {
  const { clock, debug } = onWires({ flash: someFlash })
  debug.run()
  await clock.sleep(1)
  debug.halt()
  expect(debug.readRegister(15)).toBe(0x1fff_0140)
  expect(debug.read(4)).toBe(0x1fff_0101)
  expect(debug.read(0x200, 1)).toBe(someFlash[0x200])
  debug.write(remap, 2)
  expect(debug.read(4, 1)).toBe(someFlash[4])
  debug.write(ramAt + 8, 0x1234_5678)
  debug.write(remap, 1)
  expect(debug.read(8)).toBe(0x1234_5678)
})

describe('IAP', () => {
  test('says what it is, and leaves registers and stack as a function does', async () => {
    const { debug, iap } = onWires()
    expect(await iap(54)).toMatchObject({ status: 0, result: 0x1_bc40 })
    expect([4, 5, 13].map((index) => debug.readRegister(index))).toEqual([0x4444, 0x5555, stack])
    expect(await iap(49)).toMatchObject({ status: 1 })
  })

  test('erases in its time what was prepared, once', async () => {
    const { chip, iap } = onWires({ flash: someFlash })
    expect(await iap(52, 1, 2, 12_000)).toMatchObject({ status: 9 })
    expect(await iap(50, 1, 2)).toMatchObject({ status: 0 })
    const erased = await iap(52, 1, 2, 12_000)
    expect(erased.status).toBe(0)
    expect(erased.ms).toBeGreaterThan(99)
    expect(erased.ms).toBeLessThan(101)
    expect(await iap(52, 1, 2, 12_000)).toMatchObject({ status: 9 })
    expect(await iap(53, 1, 2)).toMatchObject({ status: 0 })
    expect(await iap(53, 0, 2)).toMatchObject({ status: 8, result: 0 })
    expect(chip.memory('flash').slice(0, 0x1000)).toEqual(someFlash.slice(0, 0x1000))
    expect(await iap(50, 2, 1)).toMatchObject({ status: 7 })
    expect(await iap(50, 16, 16)).toMatchObject({ status: 7 })
  })

  test('copies from RAM, and only clears bits', async () => {
    const { chip, debug, iap } = onWires({ flash: someFlash })
    const content = Uint8Array.from({ length: 512 }, (_, i) => (i * 17 + 3) & 0xff)
    debug.writeBytes(dataAt, content)
    expect(await iap(51, 0x8000, dataAt, 512, 12_000)).toMatchObject({ status: 9 })
    await iap(50, 8, 8)
    const copied = await iap(51, 0x8000, dataAt, 512, 12_000)
    expect(copied.status).toBe(0)
    expect(copied.ms).toBeGreaterThan(1.9)
    expect(chip.memory('flash').slice(0x8000, 0x8200)).toEqual(content)
    await iap(50, 1, 1)
    await iap(51, 0x1000, dataAt, 256, 12_000)
    const both = content.slice(0, 256).map((byte, i) => byte & (someFlash[0x1000 + i] ?? 0))
    expect(chip.memory('flash').slice(0x1000, 0x1100)).toEqual(both)
  })

  test.each([
    [3, [0x8080, dataAt, 256]],
    [2, [0x8000, dataAt + 2, 256]],
    [4, [0x8000, 0x1000_1f80, 256]],
    [5, [0x1_0000, dataAt, 256]],
    [6, [0x8000, dataAt, 128]],
  ])('refuses with %i what it cannot copy', async (status, parameters) => {
    const { iap } = onWires()
    await iap(50, 0, 15)
    expect(await iap(51, ...parameters, 12_000)).toMatchObject({ status })
  })

  test('told of a slower clock than it has, it does not get done', async () => {
    const { chip, iap } = onWires({ flash: new Uint8Array(0x1000) })
    await iap(50, 0, 0)
    await iap(52, 0, 0, 6000)
    const flash = chip.memory('flash')
    expect([flash[0], flash[0x7ff], flash[0x801], flash[0xfff]]).toEqual([0xff, 0xff, 0, 0])
  })

  test('takes the end of the RAM, and 128 bytes of stack', async () => {
    const { debug, iap } = onWires()
    debug.writeBytes(ramAt + 0x1fe0, new Uint8Array(32))
    debug.writeBytes(stack - 160, new Uint8Array(160))
    await iap(50, 0, 0)
    expect(debug.read(ramAt + 0x1fe0)).toBe(0)
    await iap(52, 0, 0, 12_000)
    expect(debug.read(ramAt + 0x1fe0)).not.toBe(0)
    expect(debug.read(stack - 128)).not.toBe(0)
    expect(debug.read(stack - 132)).toBe(0)
  })

  test('reads and writes the EEPROM, but for its last 64 bytes', async () => {
    const { chip, debug, iap } = onWires()
    debug.writeBytes(dataAt, Uint8Array.of(1, 2, 3, 4, 5, 6, 7))
    expect(await iap(61, 62, dataAt, 7, 12_000)).toMatchObject({ status: 0 })
    expect([...chip.memory('eeprom').slice(61, 70)]).toEqual([0xff, 1, 2, 3, 4, 5, 6, 7, 0xff])
    expect(await iap(61, 4030, dataAt, 3, 12_000)).toMatchObject({ status: 5 })
    await iap(62, 63, dataAt + 0x100, 3, 12_000)
    expect(debug.read(dataAt + 0x100) & 0xff_ffff).toBe(0x04_0302)
  })

  test('power that fails leaves a sector half erased', async () => {
    const { chip, clock, debug, iap } = onWires({ flash: new Uint8Array(0x1000) })
    await iap(50, 0, 0)
    const erasing = iap(52, 0, 0, 12_000).catch(() => undefined)
    await clock.sleep(50)
    debug.read(remap)
    chip.brownOut()
    await erasing
    const flash = chip.memory('flash')
    expect([flash[0], flash[0xfff]]).toEqual([0xff, 0])
  })
})

test('protected, its wires are dead, whatever is tried', () => {
  const clock = new VirtualClock()
  const chip = new TwinLpc11u35({ clock, flash: startable, dials: { locked: true } })
  const debug = new TestDebugger(chip.swd)
  expect(() => debug.connect()).toThrow()
  chip.swd.reset(true)
  expect(() => debug.connect()).toThrow()
  chip.swd.reset(false)
  expect(() => debug.connect()).toThrow()
})
