import { describe, expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { SwdError, TestDebugger } from './test-swd.ts'
import { TwinStm32f4, type TwinStm32f4Options } from './twin-stm32f4.ts'
import { VirtualClock } from './virtual-clock.ts'

const keyr = 0x4002_3c04
const optkeyr = 0x4002_3c08
const sr = 0x4002_3c0c
const cr = 0x4002_3c10
const optcr = 0x4002_3c14
const flashAt = 0x0800_0000
const ramAt = 0x2000_0000

function onWires(options: TwinStm32f4Options = {}) {
  const clock = new VirtualClock()
  const chip = new TwinStm32f4({ clock, ...options })
  const debug = new TestDebugger(chip.swd)
  debug.connect()
  debug.halt()
  const unlock = () => {
    debug.write(keyr, 0x4567_0123)
    debug.write(keyr, 0xcdef_89ab)
  }
  const unlockOptions = () => {
    debug.write(optkeyr, 0x0819_2a3b)
    debug.write(optkeyr, 0x4c5d_6e7f)
  }
  const eraseSector = async (index: number, ms: number) => {
    debug.write(cr, 0x202 | (index << 3))
    debug.write(cr, 0x1_0202 | (index << 3))
    await clock.sleep(ms)
  }
  const isRefused = (access: () => unknown): boolean => {
    try {
      access()
      return false
    } catch (error) {
      if (!(error instanceof SwdError)) throw error
      debug.writeDp(0, 0x1e)
      return true
    }
  }
  return { chip, clock, debug, unlock, unlockOptions, eraseSector, isRefused }
}

const someFlash = Uint8Array.from({ length: 0x8000 }, (_, i) => (i * 11) & 0xff)

test('ids, flash size and option bytes are where the manual says', () => {
  const { debug } = onWires()
  expect(debug.readDp(0)).toBe(0x2ba0_1477)
  expect(debug.read(0xe000_ed00)).toBe(0x410f_c241)
  expect(debug.read(0xe004_2000) & 0xfff).toBe(0x413)
  expect(debug.read(0x1fff_7a22, 2)).toBe(1024)
  expect(debug.read(optcr)).toBe(0x0fff_aaed)
  expect(debug.read(cr)).toBe(0x8000_0000)
})

describe('erase and program', () => {
  test('a sector is erased in its time, and its neighbours are not', async () => {
    const { chip, clock, debug, unlock, eraseSector } = onWires({ flash: someFlash })
    unlock()
    await eraseSector(1, 240)
    expect(debug.read(sr)).toBe(0x1_0000)
    await clock.sleep(20)
    expect(debug.read(sr)).toBe(0)
    expect(chip.memory('flash').subarray(0, 0x4000)).toEqual(someFlash.subarray(0, 0x4000))
    expect(
      chip
        .memory('flash')
        .subarray(0x4000, 0x8000)
        .every((byte) => byte === 0xff),
    ).toBe(true)
  })

  test('locked it does nothing, and a wrong key keeps it so', async () => {
    const { chip, debug, unlock, eraseSector, isRefused } = onWires({ flash: someFlash })
    await eraseSector(0, 300)
    debug.write(keyr, 0x4567_0123)
    expect(isRefused(() => debug.write(keyr, 0))).toBe(true)
    expect(isRefused(unlock)).toBe(true)
    await eraseSector(0, 300)
    expect(chip.memory('flash').subarray(0, 0x8000)).toEqual(someFlash)
  })

  test('the width is what PSIZE says, and PG has to be set', async () => {
    const { clock, debug, unlock } = onWires()
    unlock()
    debug.write(flashAt, 0)
    expect(debug.read(sr)).toBe(0x80)
    debug.write(sr, 0xf3)
    debug.write(cr, 0x201)
    debug.write(flashAt, 0x1234, 2)
    expect(debug.read(sr)).toBe(0x40)
    debug.write(sr, 0xf3)
    debug.write(flashAt, 0x1234_5678)
    await clock.sleep(0.02)
    expect(debug.read(sr)).toBe(0)
    expect(debug.read(flashAt)).toBe(0x1234_5678)
    debug.write(flashAt, 0x00ff_00ff)
    await clock.sleep(0.02)
    expect(debug.read(flashAt)).toBe(0x0034_0078)
  })

  test('a loader in RAM fills it', async () => {
    const { chip, clock, debug, unlock } = onWires()
    const loader = fromHex('0468 0c60 bff34f8f 0430 0431 dc68 e503 fcd4 f025 2c42 01d1 013a f1d1 00be')
    const content = Uint8Array.from({ length: 2048 }, (_, i) => (i * 17 + 3) & 0xff)
    unlock()
    debug.write(cr, 0x201)
    debug.writeBytes(ramAt, loader)
    debug.writeBytes(ramAt + 0x400, content)
    for (const [i, value] of [ramAt + 0x400, flashAt + 0x1000, 512, 0x4002_3c00].entries())
      debug.writeRegister(i, value)
    debug.writeRegister(13, ramAt + 0x5000)
    debug.writeRegister(15, ramAt)
    debug.writeRegister(16, 0x0100_0000)
    debug.run()
    const started = clock.now()
    while (!debug.isHalted) await clock.sleep(1)
    expect(clock.now() - started).toBeLessThan(12)
    expect(debug.readRegister(2)).toBe(0)
    expect(chip.memory('flash').subarray(0x1000, 0x1800)).toEqual(content)
  })

  test('power that fails leaves a sector half erased', async () => {
    const { chip, unlock, eraseSector } = onWires({ flash: new Uint8Array(0x4000) })
    unlock()
    await eraseSector(0, 125)
    chip.brownOut()
    const flash = chip.memory('flash')
    expect(flash[0]).toBe(0xff)
    expect(flash[0x3fff]).toBe(0)
  })
})

describe('option bytes', () => {
  test('write protection counts at once', async () => {
    const { clock, debug, unlock, unlockOptions, eraseSector } = onWires({ flash: someFlash })
    unlockOptions()
    debug.write(optcr, 0x0ffe_aaec)
    debug.write(optcr, 0x0ffe_aaee)
    await clock.sleep(300)
    unlock()
    await eraseSector(0, 300)
    expect(debug.read(sr)).toBe(0x10)
    expect(debug.read(flashAt)).not.toBe(0xffff_ffff)
    expect(debug.read(0x1fff_c008, 2)).toBe(0x0ffe)
  })

  test('read protection keeps the debugger out, and is opened by erasing everything', async () => {
    const { chip, clock, debug, unlock, unlockOptions, eraseSector, isRefused } = onWires({
      flash: someFlash,
      dials: { locked: true },
    })
    expect(debug.read(optcr) & 0xff00).toBe(0x5500)
    expect(isRefused(() => debug.read(flashAt))).toBe(true)
    unlock()
    await eraseSector(0, 300)
    expect(debug.read(sr)).toBe(0x10)
    expect(chip.memory('flash').subarray(0, 0x8000)).toEqual(someFlash)
    unlockOptions()
    debug.write(optcr, 0x0fff_aaec)
    debug.write(optcr, 0x0fff_aaee)
    await clock.sleep(9000)
    expect(debug.read(flashAt)).toBe(0xffff_ffff)
    expect(debug.read(optcr)).toBe(0x0fff_aaec)
  })

  test('at level 2 nobody answers any more', async () => {
    const { chip, clock, debug, unlockOptions } = onWires()
    unlockOptions()
    debug.write(optcr, 0x0fff_ccee)
    await clock.sleep(300)
    chip.brownOut()
    expect(() => debug.connect()).toThrow()
  })
})
