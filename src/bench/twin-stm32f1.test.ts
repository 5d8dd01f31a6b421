import { describe, expect, test } from 'vitest'
import { SwdError, TestDebugger } from './test-swd.ts'
import { Ack } from './twin-swd.ts'
import { TwinStm32f1, type TwinStm32f1Options } from './twin-stm32f1.ts'
import { VirtualClock } from './virtual-clock.ts'

const keyr = 0x4002_2004
const optkeyr = 0x4002_2008
const sr = 0x4002_200c
const cr = 0x4002_2010
const ar = 0x4002_2014
const obr = 0x4002_201c
const wrpr = 0x4002_2020
const key1 = 0x4567_0123
const key2 = 0xcdef_89ab
const flashAt = 0x0800_0000
const optionsAt = 0x1fff_f800

function onWires(options: TwinStm32f1Options = {}) {
  const clock = new VirtualClock()
  const chip = new TwinStm32f1({ clock, ...options })
  const debug = new TestDebugger(chip.swd)
  if (!options.dials?.noTarget) debug.connect()
  const unlock = () => {
    debug.write(keyr, key1)
    debug.write(keyr, key2)
  }
  const unlockOptions = () => {
    unlock()
    debug.write(optkeyr, key1)
    debug.write(optkeyr, key2)
  }
  /** Whether the access was a bus error; clears it. */
  const isRefused = (access: () => unknown): boolean => {
    try {
      access()
      return false
    } catch (error) {
      if (!(error instanceof SwdError) || error.ack !== Ack.Fault) throw error
      debug.writeDp(0, 0x1e)
      return true
    }
  }
  /** A system reset by the pin. */
  const reset = () => {
    chip.swd.reset(true)
    chip.swd.reset(false)
  }
  const program = async (address: number, value: number) => {
    debug.write(cr, 1)
    debug.write(address, value, 2)
    await clock.sleep(0.06)
    debug.write(cr, 0)
  }
  const erasePage = async (address: number, ms = 25) => {
    debug.write(cr, 2)
    debug.write(ar, address)
    debug.write(cr, 0x42)
    await clock.sleep(ms)
  }
  const eraseOptions = async () => {
    debug.write(cr, 0x220)
    debug.write(cr, 0x260)
    await clock.sleep(25)
  }
  const programOption = async (offset: number, value: number) => {
    debug.write(cr, 0x210)
    debug.write(optionsAt + offset, value, 2)
    await clock.sleep(25)
  }
  return {
    ...{ chip, clock, debug, unlock, unlockOptions, isRefused, reset },
    ...{ program, erasePage, eraseOptions, programOption },
  }
}

const someFlash = Uint8Array.from({ length: 8192 }, (_, i) => (i * 7) & 0xff)

describe('what it is', () => {
  test('ids, flash size, unique id and option bytes are where the manual says', () => {
    const { debug } = onWires({ kib: 64 })
    expect(debug.readDp(0)).toBe(0x1ba0_1477)
    expect(debug.read(0xe004_2000) & 0xfff).toBe(0x410)
    expect(debug.read(0x1fff_f7e0, 2)).toBe(64)
    expect(debug.readBytes(0x1fff_f7e8, 3)).toEqual(Uint8Array.of(0x34, 0xff, 0x6a))
    expect(debug.read(optionsAt)).toBe(0x00ff_5aa5)
    expect(debug.read(obr)).toBe(0x03ff_fffc)
    expect(debug.read(wrpr)).toBe(0xffff_ffff)
  })

  test('the flash is at 0800_0000 and at 0, and ends where it ends', () => {
    const { debug, isRefused } = onWires({ kib: 64, flash: someFlash })
    expect(debug.read(flashAt + 4)).toBe(debug.read(4))
    expect(isRefused(() => debug.read(flashAt + 0xfffc))).toBe(false)
    expect(isRefused(() => debug.read(flashAt + 0x1_0000))).toBe(true)
  })

  test('its AP counts up within 4 KiB, which is more than is promised', () => {
    const { debug } = onWires()
    debug.writeAp(0x00, 0x2300_0052)
    debug.writeAp(0x04, 0x2000_03fc)
    debug.readAp(0x0c)
    expect(debug.readAp(0x04)).toBe(0x2000_0400)
    debug.writeAp(0x04, 0x2000_0ffc)
    debug.readAp(0x0c)
    expect(debug.readAp(0x04)).toBe(0x2000_0000)
  })

  test('RCC_AHBENR keeps only its own bits: clones are told by the others', () => {
    const { debug } = onWires()
    debug.write(0x4002_1014, 0xffff_ffff)
    expect(debug.read(0x4002_1014)).toBe(0x55)
  })

  test('without a target, or without power, nobody answers', () => {
    expect(() => onWires({ dials: { noTarget: true } }).debug.connect()).toThrow()
    const { chip, debug } = onWires()
    chip.losePower()
    expect(() => debug.connect()).toThrow()
  })
})

describe('locks', () => {
  test('nothing is changed while it is locked', async () => {
    const { chip, debug, program, erasePage } = onWires({ flash: someFlash })
    await erasePage(flashAt)
    await program(flashAt + 0x1_0000, 0x1234)
    expect(debug.read(cr)).toBe(0x80)
    expect(chip.memory('flash').subarray(0, 8192)).toEqual(someFlash)
    expect(debug.read(flashAt + 0x1_0000)).toBe(0xffff_ffff)
  })

  test('the keys unlock, LOCK locks', () => {
    const { debug, unlock } = onWires()
    unlock()
    expect(debug.read(cr)).toBe(0)
    debug.write(cr, 0x80)
    expect(debug.read(cr)).toBe(0x80)
    unlock()
    expect(debug.read(cr)).toBe(0)
  })

  test('a wrong key is a bus error and keeps the right ones out until reset', () => {
    const { debug, unlock, isRefused, reset } = onWires()
    debug.write(keyr, key1)
    expect(isRefused(() => debug.write(keyr, key1))).toBe(true)
    unlock()
    expect(debug.read(cr)).toBe(0x80)
    reset()
    unlock()
    expect(debug.read(cr)).toBe(0)
  })

  test('OPTWRE is set by its own keys alone', () => {
    const { debug, unlock, unlockOptions } = onWires()
    unlock()
    debug.write(cr, 0x200)
    expect(debug.read(cr)).toBe(0)
    unlockOptions()
    expect(debug.read(cr)).toBe(0x200)
    debug.write(cr, 0)
    expect(debug.read(cr)).toBe(0)
  })
})

describe('erase and program', () => {
  test('a page takes 20 ms, busy all the while, and EOP says so', async () => {
    const { chip, clock, debug, unlock, erasePage } = onWires({ flash: someFlash })
    unlock()
    await erasePage(flashAt + 0x404, 19)
    expect(debug.read(sr)).toBe(0x01)
    expect(debug.read(cr)).toBe(0x42)
    await clock.sleep(2)
    expect(debug.read(sr)).toBe(0x20)
    expect(debug.read(cr)).toBe(0x02)
    debug.write(sr, 0x34)
    expect(debug.read(sr)).toBe(0)
    const flash = chip.memory('flash')
    expect(flash.subarray(0x400, 0x800).every((byte) => byte === 0xff)).toBe(true)
    expect(flash.subarray(0, 0x400)).toEqual(someFlash.subarray(0, 0x400))
    expect(flash.subarray(0x800, 0x2000)).toEqual(someFlash.subarray(0x800))
  })

  test('mass erase takes no longer', async () => {
    const { chip, clock, debug, unlock } = onWires({ flash: someFlash })
    unlock()
    debug.write(cr, 0x04)
    debug.write(cr, 0x44)
    await clock.sleep(21)
    expect(debug.read(sr)).toBe(0x20)
    expect(chip.memory('flash').every((byte) => byte === 0xff)).toBe(true)
  })

  test('half-words are programmed, and other widths are bus errors', async () => {
    const { debug, unlock, program, isRefused } = onWires()
    unlock()
    await program(flashAt + 2, 0xbeef)
    expect(debug.read(flashAt)).toBe(0xbeef_ffff)
    debug.write(cr, 1)
    expect(isRefused(() => debug.write(flashAt + 8, 0x1234_5678, 4))).toBe(true)
    expect(isRefused(() => debug.write(flashAt + 8, 0x12, 1))).toBe(true)
    expect(debug.read(flashAt + 8)).toBe(0xffff_ffff)
  })

  test('only blank half-words take anything but 0000', async () => {
    const { debug, unlock, program } = onWires()
    unlock()
    await program(flashAt, 0x1234)
    debug.write(sr, 0x34)
    await program(flashAt, 0x1200)
    expect(debug.read(sr)).toBe(0x04)
    expect(debug.read(flashAt, 2)).toBe(0x1234)
    debug.write(sr, 0x04)
    await program(flashAt, 0x0000)
    expect(debug.read(sr)).toBe(0x20)
    expect(debug.read(flashAt, 2)).toBe(0)
  })

  test('a busy flash keeps the debugger waiting, and takes the next half-word when it is done', async () => {
    const { chip, clock, debug, unlock } = onWires()
    unlock()
    debug.write(cr, 1)
    debug.writeAp(0x00, 0x2300_0051)
    debug.writeAp(0x04, flashAt)
    debug.writeAp(0x0c, 0x1111)
    chip.swd.write(true, 0x0c, 0x2222_0000)
    expect(chip.swd.write(true, 0x0c, 0x3333)).toBe(Ack.Wait)
    expect(chip.swd.read(false, 0x0c).ack).toBe(Ack.Wait)
    await clock.sleep(0.06)
    expect(chip.swd.write(true, 0x0c, 0x3333)).toBe(Ack.Ok)
    await clock.sleep(0.2)
    expect(debug.read(sr)).toBe(0x20)
    expect(debug.readBytes(flashAt, 6)).toEqual(Uint8Array.of(0x11, 0x11, 0x22, 0x22, 0x33, 0x33))
  })

  test('its other registers take nothing while it is busy', async () => {
    const { clock, debug, unlock, erasePage } = onWires({ flash: someFlash })
    unlock()
    await erasePage(flashAt, 1)
    debug.write(cr, 0)
    expect(debug.read(cr)).toBe(0x42)
    await clock.sleep(20)
    expect(debug.read(cr)).toBe(0x02)
  })

  test('write-protected pages are neither erased nor programmed', async () => {
    const optionBytes = Uint8Array.of(
      ...[0xa5, 0x5a, 0xff, 0, 0xff, 0, 0xff, 0, 0xfd, 0x02, 0xff, 0, 0xff, 0, 0xff, 0],
    )
    const { debug, unlock, program, erasePage } = onWires({ flash: someFlash, optionBytes })
    unlock()
    expect(debug.read(wrpr)).toBe(0xffff_fffd)
    await erasePage(flashAt + 0x1000)
    expect(debug.read(sr)).toBe(0x10)
    debug.write(sr, 0x34)
    await program(flashAt + 0x1ffe, 0)
    expect(debug.read(sr)).toBe(0x10)
    debug.write(sr, 0x34)
    await erasePage(flashAt + 0xc00)
    expect(debug.read(sr)).toBe(0x20)
    debug.write(cr, 0x44)
    expect(debug.read(sr) & 0x10).toBe(0x10)
    expect(debug.read(flashAt + 0x1000, 1)).toBe(someFlash[0x1000])
  })
})

describe('option bytes', () => {
  test('count from the next reset on, and get their complements by themselves', async () => {
    const { debug, unlockOptions, eraseOptions, programOption, reset } = onWires()
    unlockOptions()
    await eraseOptions()
    expect(debug.read(optionsAt)).toBe(0xffff_ffff)
    await programOption(0, 0xa5)
    await programOption(8, 0x7e)
    expect(debug.read(optionsAt, 2)).toBe(0x5aa5)
    expect(debug.read(optionsAt + 8, 2)).toBe(0x817e)
    expect(debug.read(wrpr)).toBe(0xffff_ffff)
    reset()
    expect(debug.read(wrpr)).toBe(0xffff_ff7e)
    expect(debug.read(obr)).toBe(0x03ff_fffc)
  })

  test('without their own keys they stay', async () => {
    const { chip, unlock, eraseOptions, programOption } = onWires()
    const before = chip.memory('options').slice()
    unlock()
    await eraseOptions()
    await programOption(0, 0)
    expect(chip.memory('options')).toEqual(before)
  })

  test('one that does not match its complement is told, and counts as FF', () => {
    const optionBytes = Uint8Array.of(
      ...[0xa5, 0x5a, 0x12, 0x34, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0],
    )
    expect(onWires({ optionBytes }).debug.read(obr)).toBe(0x03ff_fffd)
  })
})

describe('read protection', () => {
  const locked = () => onWires({ flash: someFlash, dials: { locked: true } })

  test('the flash is not read, RAM and registers are', () => {
    const { debug, isRefused } = locked()
    expect(debug.read(obr) & 2).toBe(2)
    expect(isRefused(() => debug.read(flashAt))).toBe(true)
    expect(isRefused(() => debug.read(0))).toBe(true)
    debug.write(0x2000_0000, 0x1234_5678)
    expect(debug.read(0x2000_0000)).toBe(0x1234_5678)
  })

  test('nor is it written, page by page', async () => {
    const { chip, debug, unlock, program, erasePage } = locked()
    unlock()
    await erasePage(flashAt)
    expect(debug.read(sr)).toBe(0x10)
    debug.write(sr, 0x34)
    await program(flashAt + 0x1_0000, 0x1234)
    expect(debug.read(sr)).toBe(0x10)
    expect(chip.memory('flash').subarray(0, 8192)).toEqual(someFlash)
  })

  test('is taken back by erasing everything, from the next reset on', async () => {
    const { chip, debug, unlockOptions, eraseOptions, programOption, reset, isRefused } = locked()
    unlockOptions()
    await eraseOptions()
    reset()
    expect(isRefused(() => debug.read(flashAt))).toBe(true)
    expect(chip.memory('flash').subarray(0, 8192)).toEqual(someFlash)
    unlockOptions()
    await programOption(0, 0x5aa5)
    expect(chip.memory('flash').every((byte) => byte === 0xff)).toBe(true)
    expect(isRefused(() => debug.read(flashAt))).toBe(true)
    reset()
    expect(debug.read(flashAt)).toBe(0xffff_ffff)
    expect(debug.read(obr) & 2).toBe(0)
  })
})

describe('faults', () => {
  test('power that fails leaves a page half erased, and the debug port without a line reset', async () => {
    const { chip, debug, unlock, erasePage } = onWires({ flash: new Uint8Array(2048) })
    let worked = 0
    chip.onWork = (ms) => (worked += ms)
    unlock()
    await erasePage(flashAt, 10)
    expect(worked).toBe(20)
    chip.brownOut()
    expect(() => debug.readDp(4)).toThrow()
    debug.connect()
    const flash = chip.memory('flash')
    expect(flash[0]).toBe(0xff)
    expect(flash[1023]).toBe(0)
    expect(debug.read(cr)).toBe(0x80)
  })

  test('a reset cuts an erase short, too', async () => {
    const { chip, unlock, erasePage, reset } = onWires({ flash: new Uint8Array(2048) })
    unlock()
    await erasePage(flashAt, 5)
    reset()
    expect(chip.memory('flash')[0]).toBe(0xff)
    expect(chip.memory('flash')[1023]).toBe(0)
  })

  test('power that fails while protection is taken back leaves it protected', async () => {
    const { chip, clock, debug, unlockOptions, eraseOptions } = onWires({ dials: { locked: true } })
    unlockOptions()
    await eraseOptions()
    debug.write(cr, 0x210)
    debug.writeAp(0x00, 0x2300_0051)
    debug.writeAp(0x04, optionsAt)
    debug.writeAp(0x0c, 0x5aa5)
    await clock.sleep(10)
    chip.brownOut()
    debug.connect()
    expect(debug.read(obr) & 2).toBe(2)
    expect(debug.read(optionsAt)).toBe(0xffff_ffff)
  })

  test('a stuck bit reads as 0 once it was programmed, a flickering one differs every second time', async () => {
    const { debug, unlock, program } = onWires({ dials: { stuckBit: 0, flickerBit: 33 } })
    unlock()
    await program(flashAt, 0x1235)
    expect(debug.read(flashAt, 2)).toBe(0x1234)
    expect(debug.read(flashAt + 4, 1)).not.toBe(debug.read(flashAt + 4, 1))
  })
})
