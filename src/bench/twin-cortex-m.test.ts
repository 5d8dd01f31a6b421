import { describe, expect, test } from 'vitest'
import { concat, fromHex } from '#core/bytes.ts'
import { Dhcsr, TestDebugger } from './test-swd.ts'
import { TwinStm32f1, type TwinStm32f1Options } from './twin-stm32f1.ts'
import { VirtualClock } from './virtual-clock.ts'

const flashAt = 0x0800_0000
const ramAt = 0x2000_0000
const aircr = 0xe000_ed0c
const dfsr = 0xe000_ed30
const demcr = 0xe000_edfc

/** MSP 2000_5000 and the program behind it, which starts at 0800_0008. */
const firmware = (code: string) => concat(fromHex('00 50 00 20 09 00 00 08'), fromHex(code))
/** `ldr r1, =0x20000000; movs r0, #0; 1: adds r0, #1; str r0, [r1]; b 1b`. */
const counter = firmware('02 49 00 20 01 30 08 60 fc e7 00 00 00 00 00 20')

function onWires(options: TwinStm32f1Options = {}) {
  const clock = new VirtualClock()
  const chip = new TwinStm32f1({ clock, ...options })
  const debug = new TestDebugger(chip.swd)
  debug.connect()
  /** Puts a program into RAM and lets it run. */
  const load = (code: string, registers: readonly number[] = []) => {
    debug.halt()
    debug.writeBytes(ramAt, fromHex(code))
    for (const [i, value] of registers.entries()) debug.writeRegister(i, value)
    debug.writeRegister(13, 0x2000_5000)
    debug.writeRegister(15, ramAt)
    debug.writeRegister(16, 0x0100_0000)
    debug.run()
  }
  return { chip, clock, debug, load }
}

describe('debug registers', () => {
  test('CPUID is that of a Cortex-M3 r1p1', () => {
    expect(onWires().debug.read(0xe000_ed00)).toBe(0x411f_c231)
  })

  test('DHCSR takes nothing without its key', () => {
    const { debug } = onWires({ flash: counter })
    debug.write(Dhcsr, 0x0000_0003)
    expect(debug.read(Dhcsr) & 0x3).toBe(0)
    debug.write(Dhcsr, 0xa05f_0003)
    expect(debug.read(Dhcsr) & 0x2_0003).toBe(0x2_0003)
    expect(debug.read(dfsr)).toBe(1)
  })

  test('S_RESET_ST and S_RETIRE_ST are told once', async () => {
    const { clock, debug } = onWires({ flash: counter })
    expect(debug.read(Dhcsr) & 0x200_0000).toBe(0x200_0000)
    expect(debug.read(Dhcsr) & 0x200_0000).toBe(0)
    await clock.sleep(1)
    expect(debug.read(Dhcsr) & 0x100_0000).toBe(0x100_0000)
    debug.write(aircr, 0x05fa_0004)
    expect(debug.read(Dhcsr) & 0x200_0000).toBe(0x200_0000)
  })

  test('registers are written and read while it is halted', () => {
    const { debug } = onWires({ flash: counter })
    debug.halt()
    for (let i = 0; i < 13; i++) debug.writeRegister(i, 0x1000 + i)
    for (let i = 0; i < 13; i++) expect(debug.readRegister(i)).toBe(0x1000 + i)
    debug.writeRegister(16, 0xa100_0000)
    expect(debug.readRegister(16)).toBe(0xa100_0000)
    debug.writeRegister(18, 0x2000_1000)
    debug.writeRegister(20, 0x0201_2001)
    expect(debug.readRegister(20)).toBe(0x0201_2001)
    expect(debug.readRegister(13)).toBe(0x2000_1000)
    debug.writeRegister(13, 0x2000_2003)
    expect(debug.readRegister(18)).toBe(0x2000_2000)
    expect(debug.readRegister(17)).toBe(0x2000_5000)
  })

  test('the ROM table names the maker and leads to components that name Arm', () => {
    const { debug } = onWires()
    const rom = (debug.readAp(0xf8) & ~3) >>> 0
    const ids = (at: number) => [0, 4, 8, 12].map((i) => debug.read(at + 0xff0 + i))
    expect(ids(rom)).toEqual([0x0d, 0x10, 0x05, 0xb1])
    expect([0, 4, 8].map((i) => debug.read(rom + 0xfe0 + i))).toEqual([0x10, 0x04, 0x0a])
    const found: number[] = []
    for (let at = rom; debug.read(at) !== 0; at += 4) found.push((rom + (debug.read(at) & ~0xfff)) >>> 0)
    expect(found).toContain(0xe000_e000)
    expect(found).toContain(0xe000_2000)
    for (const one of found) expect(debug.read(one + 0xfd0)).toBe(4)
  })
})

describe('running', () => {
  test('it runs as long as time passes, at 8 MHz', async () => {
    const { clock, debug } = onWires({ flash: counter })
    await clock.sleep(1)
    const after1 = debug.read(ramAt)
    await clock.sleep(3)
    const after4 = debug.read(ramAt)
    // seven cycles a turn
    expect(after1).toBeGreaterThan(1000)
    expect(after1).toBeLessThan(1700)
    expect(Math.abs(after4 - 4 * after1)).toBeLessThan(5)
    debug.halt()
    await clock.sleep(5)
    expect(debug.read(ramAt)).toBe(after4)
  })

  test('an hour asks for no more than a moment', async () => {
    const { clock, debug } = onWires({ flash: counter })
    await clock.sleep(3_600_000)
    expect(debug.read(ramAt)).toBeGreaterThan(1000)
  })

  test('a loop that waits for the debugger waits as long as it takes, and goes on', async () => {
    const { clock, debug, load } = onWires()
    debug.write(ramAt + 0x100, 0)
    // 1: ldr r0, [r1]; cmp r0, #0; beq 1b; bkpt
    load('08 68 00 28 fc d0 00 be', [0, ramAt + 0x100])
    await clock.sleep(3_600_000)
    expect(debug.read(Dhcsr) & 0x102_0000).toBe(0x100_0000)
    debug.write(ramAt + 0x100, 7)
    await clock.sleep(0.01)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(0)).toBe(7)
  })

  test('a step is one instruction', () => {
    const { debug } = onWires({ flash: counter })
    debug.write(demcr, 1)
    debug.write(Dhcsr, 0xa05f_0001)
    debug.write(aircr, 0x05fa_0004)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(15)).toBe(0x0800_0008)
    debug.write(Dhcsr, 0xa05f_0005)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(15)).toBe(0x0800_000a)
    expect(debug.readRegister(1)).toBe(ramAt)
  })

  test('BKPT halts on itself', async () => {
    const { clock, debug, load } = onWires()
    load('01 30 00 be', [41])
    await clock.sleep(1)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(0)).toBe(42)
    expect(debug.readRegister(15)).toBe(ramAt + 2)
    expect(debug.read(dfsr) & 2).toBe(2)
  })

  test('a hardware breakpoint halts before its instruction, in either half of a word', async () => {
    for (const [address, comparator] of [
      [0x0800_000c, 0x4800_000d],
      [0x0800_000e, 0x8800_000d],
    ] as const) {
      const { clock, debug } = onWires({ flash: counter })
      debug.write(Dhcsr, 0xa05f_0001)
      debug.write(0xe000_2008, comparator)
      debug.write(0xe000_2000, 3)
      expect(debug.read(0xe000_2000)).toBe(0x261)
      await clock.sleep(1)
      expect(debug.isHalted).toBe(true)
      expect(debug.readRegister(15)).toBe(address)
    }
  })

  test('WFI sleeps until it is halted', async () => {
    const { clock, debug, load } = onWires()
    load('30 bf 01 30 00 be', [0])
    await clock.sleep(1)
    expect(debug.read(Dhcsr) & 0x4_0000).toBe(0x4_0000)
    debug.halt()
    expect(debug.read(Dhcsr) & 0x6_0000).toBe(0x2_0000)
    expect(debug.readRegister(15)).toBe(ramAt + 2)
  })
})

describe('lock-up', () => {
  test.each([
    ['an undefined instruction', '00 de'],
    ['a 32-bit one', 'f0 f7 00 a0'],
    ['a load from nowhere', '4f f0 40 40 00 68'],
    ['a call of the supervisor', '00 df'],
    ['a branch to Arm code', '00 20 00 47'],
    ['unaligned LDM', '03 20 03 c8'],
  ])('%s', async (_, code) => {
    const { clock, debug, load } = onWires()
    load(code)
    await clock.sleep(1)
    expect(debug.read(Dhcsr) & 0xa_0000).toBe(0x8_0000)
    debug.halt()
    expect(debug.read(Dhcsr) & 0xa_0000).toBe(0x2_0000)
    expect(debug.readRegister(15)).toBe(0xffff_fffe)
  })

  test('a blank chip is locked up, and debugged all the same', async () => {
    const { clock, debug, load } = onWires()
    await clock.sleep(1)
    expect(debug.read(Dhcsr) & 0x8_0000).toBe(0x8_0000)
    load('2a 20 00 be')
    await clock.sleep(1)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(0)).toBe(42)
  })

  test('with VC_HARDERR it halts instead', async () => {
    const { clock, debug, load } = onWires()
    debug.write(demcr, 0x400)
    load('00 de')
    await clock.sleep(1)
    expect(debug.isHalted).toBe(true)
    expect(debug.read(dfsr) & 8).toBe(8)
    expect(debug.readRegister(15)).toBe(ramAt)
  })

  test('BKPT without a debugger', async () => {
    const { clock, debug } = onWires({ flash: firmware('00 be') })
    await clock.sleep(1)
    expect(debug.read(Dhcsr) & 0x8_0000).toBe(0x8_0000)
  })
})

describe('reset', () => {
  test('without vector catch it runs, and forgets to be halted', async () => {
    const { clock, debug } = onWires({ flash: counter })
    debug.halt()
    debug.write(aircr, 0x05fa_0004)
    expect(debug.isHalted).toBe(false)
    await clock.sleep(1)
    expect(debug.read(ramAt)).toBeGreaterThan(1000)
    expect(debug.read(Dhcsr) & 1).toBe(1)
  })

  test('AIRCR takes nothing without its key', () => {
    const { debug } = onWires({ flash: counter })
    debug.halt()
    debug.write(aircr, 0x0000_0004)
    expect(debug.isHalted).toBe(true)
    expect(debug.read(aircr)).toBe(0xfa05_0000)
  })

  test('by the pin: it is caught at its first instruction, connected under reset', async () => {
    const { chip, clock, debug } = onWires({ flash: counter })
    await clock.sleep(1)
    chip.swd.reset(true)
    debug.connect()
    expect(debug.read(0xe000_ed00)).toBe(0x411f_c231)
    expect(debug.read(0xe004_2000) & 0xfff).toBe(0x410)
    expect(() => debug.read(flashAt)).toThrow()
    debug.writeDp(0, 0x1e)
    debug.write(Dhcsr, 0xa05f_0001)
    debug.write(demcr, 0x0100_0001)
    await clock.sleep(10)
    expect(debug.isHalted).toBe(false)
    chip.swd.reset(false)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(15)).toBe(0x0800_0008)
    expect(debug.readRegister(13)).toBe(0x2000_5000)
    expect(debug.read(dfsr)).toBe(8)
  })

  test('a program resets the chip by itself', async () => {
    // ldr r0, =0xe000ed0c; ldr r1, =0x05fa0004; str r1, [r0]; b .
    const resets = firmware('01 48 02 49 01 60 fe e7 0c ed 00 e0 04 00 fa 05')
    const { clock, debug } = onWires({ flash: resets })
    debug.write(Dhcsr, 0xa05f_0001)
    debug.write(demcr, 0x0100_0001)
    await clock.sleep(1)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(15)).toBe(0x0800_0008)
  })

  test('power that failed leaves nothing of the debugger', async () => {
    const { chip, clock, debug } = onWires({ flash: counter })
    debug.halt()
    chip.brownOut()
    await clock.sleep(1)
    debug.connect()
    expect(debug.read(Dhcsr) & 3).toBe(0)
    expect(debug.read(ramAt)).toBeGreaterThan(1000)
  })
})

describe('a loader in RAM', () => {
  /** r0 source, r1 flash, r2 half-words, r3 the flash controller; r2 is 0 afterwards, r4 its last status. */
  const loader = '04 88 0c 80 02 30 02 31 dc 68 01 25 2c 42 fb d1 14 25 2c 42 01 d1 01 3a f2 d1 00 be'
  const content = Uint8Array.from({ length: 1024 }, (_, i) => (i * 13 + 5) & 0xff)

  test('programs flash as fast as the flash takes it', async () => {
    const { chip, clock, debug, load } = onWires()
    debug.write(0x4002_2004, 0x4567_0123)
    debug.write(0x4002_2004, 0xcdef_89ab)
    debug.write(0x4002_2010, 1)
    debug.writeBytes(ramAt + 0x400, content)
    load(loader, [ramAt + 0x400, flashAt + 0x400, 512, 0x4002_2000])
    const started = clock.now()
    while (!debug.isHalted) await clock.sleep(1)
    // 52.5 µs each
    expect(clock.now() - started).toBeGreaterThan(26)
    expect(clock.now() - started).toBeLessThan(32)
    expect(debug.readRegister(2)).toBe(0)
    expect(debug.readRegister(4) & 0x14).toBe(0)
    expect(chip.memory('flash').subarray(0x400, 0x800)).toEqual(content)
  })

  test('stops where the flash is not blank', async () => {
    const { clock, debug, load } = onWires({ flash: Uint8Array.of(0, 0, 0, 0, 0, 0x55) })
    debug.write(0x4002_2004, 0x4567_0123)
    debug.write(0x4002_2004, 0xcdef_89ab)
    debug.write(0x4002_2010, 1)
    debug.writeBytes(ramAt + 0x400, content)
    load(loader, [ramAt + 0x400, flashAt + 2, 512, 0x4002_2000])
    await clock.sleep(40)
    expect(debug.isHalted).toBe(true)
    expect(debug.readRegister(2)).toBe(512)
    expect(debug.readRegister(4)).toBe(0x04)
  })

  test('does not get past read protection', async () => {
    const { clock, debug, load } = onWires({ flash: content, dials: { locked: true } })
    load('00 68 00 be', [flashAt])
    await clock.sleep(1)
    expect(debug.read(Dhcsr) & 0x8_0000).toBe(0x8_0000)
  })

  test('while the program in the flash itself runs on, also after one in RAM was stopped', async () => {
    const { clock, debug, load } = onWires({ flash: counter, dials: { locked: true } })
    await clock.sleep(1)
    expect(debug.read(ramAt)).toBeGreaterThan(1000)
    load('00 68 00 be', [flashAt])
    await clock.sleep(1)
    debug.write(aircr, 0x05fa_0004)
    await clock.sleep(1)
    expect(debug.read(ramAt)).toBeGreaterThan(1000)
  })
})
