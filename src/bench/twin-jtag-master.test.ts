/** A firmware's scans at the chain of an STM32F103: whoever of it is chosen, what it says is its own. */
import { expect, test } from 'vitest'
import { JtagMaster } from './twin-jtag-master.ts'
import { TwinStm32f1 } from './twin-stm32f1.ts'
import { Ack } from './twin-swd.ts'
import { VirtualClock } from './virtual-clock.ts'

function wired() {
  const chip = new TwinStm32f1({ clock: new VirtualClock() })
  const master = new JtagMaster(chip.jtag)
  return { chip, master }
}

test('both of the chain are found, and each says who it is when it is asked', () => {
  const { master } = wired()
  expect(master.idcodes(8)).toEqual([0x3ba0_0477, 0x1641_0041])
  master.configure([4, 5])
  expect(master.idcode()).toBe(0x3ba0_0477)
  expect(new JtagMaster(undefined).idcodes(8)).toEqual([])
})

test('an access brings what the one before asked for, and one that must wait is not done', () => {
  const { chip, master } = wired()
  master.reset()
  master.configure([4, 5])
  master.access(false, 4, 0x5000_0000)
  master.access(false, 4)
  expect(master.access(false, 0xc)).toEqual({ ack: Ack.Ok, value: 0xf000_0000 })
  chip.swd.waits = 1
  expect(master.access(false, 4, 0)).toEqual({ ack: Ack.Wait, value: 0 })
  master.access(false, 4)
  expect(master.access(false, 0xc).value).toBe(0xf000_0000)
  master.access(false, 8, 0)
  master.access(true, 0, 0x2300_0052)
  master.access(true, 4, 0xe000_ed00)
  master.access(true, 0xc)
  expect(master.access(false, 0xc).value).toBe(0x411f_c231)
})

test('without anybody at the wires nobody acknowledges', () => {
  const master = new JtagMaster(undefined)
  master.configure([4])
  expect(master.access(false, 4).ack).toBe(Ack.None)
})
