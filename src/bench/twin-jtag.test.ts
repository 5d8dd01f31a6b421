/** JTAG clock by clock: the states of IEEE 1149.1, and the debug port of Arm IHI 0031, B3, in an STM32F103's chain. */
import { expect, test } from 'vitest'
import { VirtualClock } from './virtual-clock.ts'
import { TwinStm32f1 } from './twin-stm32f1.ts'
import { jtagToSwd } from './test-swd.ts'

const [abort, dpacc, apacc] = [0x8, 0xa, 0xb]
const boundaryBypass = 0x1f

function wired() {
  const chip = new TwinStm32f1({ clock: new VirtualClock() })
  const clock = (tms: number, tdi = 1) => chip.jtag?.clock(tms, tdi) ?? 0
  const walk = (...bits: number[]) => bits.forEach((tms) => clock(tms))
  /** From idle to idle; the lowest bit first. */
  const scan = (way: readonly number[], count: number, value: bigint): bigint => {
    walk(...way)
    let out = 0n
    for (let i = 0; i < count; i++)
      out |= BigInt(clock(i === count - 1 ? 1 : 0, Number((value >> BigInt(i)) & 1n))) << BigInt(i)
    walk(1, 0)
    return out
  }
  // next to TDO is the core's, so that its bits come and go first
  const instruct = (instruction: number) => scan([1, 1, 0, 0], 9, BigInt(instruction | (boundaryBypass << 4)))
  const access = (value: bigint) => scan([1, 0, 0], 36, value) & 0x7_ffff_ffffn
  const read = (address: number) => access(BigInt((address >> 1) | 1))
  const write = (address: number, value: number) => access((BigInt(value >>> 0) << 3n) | BigInt(address >> 1))
  const wordOf = (answer: bigint) => ({ ack: Number(answer & 7n), word: Number(answer >> 3n) })
  walk(1, 1, 1, 1, 1, 0)
  return { chip, walk, scan, instruct, read, write, wordOf }
}

test('after a reset both say who they are, the core first', () => {
  const { scan } = wired()
  expect(scan([1, 0, 0], 64, 0n)).toBe(0x1641_0041_3ba0_0477n)
})

test('its instructions capture what the standard fixes, and without one it is a single bit', () => {
  const { scan, instruct } = wired()
  expect(instruct(0xf)).toBe(0b0_0001_0001n)
  expect(scan([1, 0, 0], 4, 0b1101n)).toBe(0b0100n) // two bits late
})

test('what is asked for comes with the next scan, and sticky errors are cleared where they are read', () => {
  const { instruct, read, write, wordOf } = wired()
  instruct(dpacc)
  write(4, 0x5000_0000)
  read(4)
  expect(wordOf(read(0xc))).toEqual({ ack: 2, word: 0xf000_0000 })
  write(8, 0)
  instruct(apacc)
  write(0, 0x2300_0052)
  write(4, 0xe000_ed00)
  read(0xc)
  instruct(dpacc)
  expect(wordOf(read(0xc))).toEqual({ ack: 2, word: 0x411f_c231 })
  instruct(apacc)
  write(4, 0x5fff_0000) // where nothing is
  read(0xc)
  instruct(dpacc)
  read(4)
  expect(wordOf(read(0xc)).word & 0x20).toBe(0x20)
  write(4, 0x5000_0020)
  read(4)
  expect(wordOf(read(0xc)).word & 0x20).toBe(0)
})

test('while a port is busy what is shifted in is not done', () => {
  const { chip, instruct, read, write, wordOf } = wired()
  instruct(dpacc)
  write(4, 0x5000_0000)
  chip.swd.waits = 1
  expect(wordOf(write(4, 0)).ack).toBe(1)
  read(4)
  expect(wordOf(read(0xc))).toEqual({ ack: 2, word: 0xf000_0000 })
  instruct(abort)
})

test('switched to SWD it hears no more', () => {
  const { scan, walk } = wired()
  for (const byte of jtagToSwd) walk(...Array.from({ length: 8 }, (_, i) => (byte >> i) & 1))
  expect(scan([1, 0, 0], 64, 0n)).toBe(0xffff_ffff_ffff_ffffn)
})
