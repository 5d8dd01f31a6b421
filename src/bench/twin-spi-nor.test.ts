import { expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import { TwinSpiNor, type NorModel } from './twin-spi-nor.ts'
import type { Dials } from './twin.ts'

const model: NorModel = {
  ...{ name: 'W25Q64FV', rdid: [0xef, 0x40, 0x17], bytes: 8 * 1024 * 1024, registers: 'winbond' },
  erases: [
    { opcode: 0x20, bytes: 0x1000, ms: 45 },
    { opcode: 0x52, bytes: 0x8000, ms: 120 },
    { opcode: 0xd8, bytes: 0x1_0000, ms: 150 },
  ],
  ...{ pageMs: 0.7, chipEraseMs: 20_000 },
}

/** A chip on wires: a command with chip select around it, and time that passes when it is told to. */
function wired(part: Partial<NorModel> = {}, content = new Uint8Array(), dials: Dials = {}) {
  let now = 0
  const clock = { now: () => now }
  const chip = new TwinSpiNor({ ...model, ...part }, content, dials)
  chip.powerUp(clock)
  const send = (write: readonly number[], read = 0): number[] => {
    chip.select()
    for (const byte of write) chip.exchange(byte)
    const answer = Array.from({ length: read }, () => chip.exchange(0xff))
    chip.deselect()
    return answer
  }
  return {
    ...{
      chip,
      send,
      powerUp: () => {
        chip.powerUp(clock)
      },
    },
    wait: (ms: number) => (now += ms),
    byteAt: (address: number) => chip.flash.bytes[address],
  }
}

test('it says what it is, and reads on from any address to its end and around', () => {
  const content = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff)
  const { send } = wired({}, content)
  expect(send([0x9f], 4)).toEqual([0xef, 0x40, 0x17, 0xef])
  expect(send([0xab, 0, 0, 0], 1)).toEqual([0x16])
  expect(send([0x90, 0, 0, 0], 2)).toEqual([0xef, 0x16])
  expect(send([0x03, 0, 0, 254], 4)).toEqual([254, 255, 0, 1])
  expect(send([0x0b, 0, 0, 2, 0], 2)).toEqual([2, 3])
  expect(send([0x03, 0x7f, 0xff, 0xff], 2)).toEqual([0xff, 0])
  expect(send([0x5a, 0, 0, 0, 0], 4)).toEqual([0xff, 0xff, 0xff, 0xff])
})

test('a page program clears bits when chip select rises, once, after a write enable, and wraps inside its page', () => {
  const { send, byteAt, wait } = wired()
  send([0x02, 0, 0, 0, 0x12])
  expect(byteAt(0)).toBe(0xff)
  send([0x06])
  expect(send([0x05], 1)).toEqual([0x02])
  send([0x02, 0, 0, 0xfe, 1, 2, 3])
  expect(send([0x05], 2)).toEqual([0x03, 0x03])
  expect([0xfe, 0xff, 0x00, 0x100].map(byteAt)).toEqual([1, 2, 3, 0xff])
  expect(send([0x03, 0, 0, 0xfe], 1), 'while it is busy').toEqual([0xff])
  wait(1)
  expect(send([0x05], 1)).toEqual([0])
  expect(send([0x03, 0, 0, 0xfe], 2)).toEqual([1, 2])
})

test('more than a page: the last 256 bytes win', () => {
  const { send, byteAt } = wired()
  send([0x06])
  send([0x02, 0, 0, 0, ...Array.from({ length: 258 }, (_, i) => i & 0xff)])
  expect([0, 1, 2, 255].map(byteAt)).toEqual([0, 1, 2, 255])
})

test('an erase takes its unit, whole, and only with its address whole', () => {
  const { send, byteAt, wait } = wired({}, new Uint8Array(0x2_0000))
  send([0x06])
  send([0x20, 0, 0x10])
  expect(byteAt(0x1000)).toBe(0)
  send([0x20, 0, 0x10, 0x55])
  expect([0x0fff, 0x1000, 0x1fff, 0x2000].map(byteAt)).toEqual([0, 0xff, 0xff, 0])
  wait(45)
  send([0x06])
  send([0xd8, 1, 0x23, 0x45])
  expect([0xffff, 0x1_0000, 0x1_ffff].map(byteAt)).toEqual([0, 0xff, 0xff])
})

test('what is protected stays, and the write enable is used up; unprotecting takes a status write', () => {
  const { send, byteAt, wait } = wired({}, new Uint8Array(16), { locked: true })
  const program = () => {
    send([0x06])
    send([0x20, 0, 0, 0])
  }
  program()
  expect(send([0x05], 1)).toEqual([0x1c])
  expect(byteAt(0)).toBe(0)
  send([0x06])
  send([0x01, 0])
  wait(10)
  program()
  expect(byteAt(0)).toBe(0xff)
})

test('protection by parts: the upper 1/64 of it, from the bottom, and the rest instead', () => {
  const content = new Uint8Array(8 * 1024 * 1024)
  const last = 0x7f_ffff
  const erased = (...status: number[]) => {
    const { send, wait, byteAt } = wired({}, content)
    send([0x06])
    send([0x01, ...status])
    wait(10)
    for (const address of [
      [0, 0, 0],
      [0x7f, 0xf0, 0],
      [0x7d, 0xf0, 0],
    ]) {
      send([0x06])
      send([0x20, ...address])
      wait(45)
    }
    return [byteAt(0), byteAt(0x7d_f000), byteAt(last)].map((byte) => byte === 0xff)
  }
  expect(erased(0x04)).toEqual([true, true, false])
  expect(erased(0x24)).toEqual([false, true, true])
  expect(erased(0x04, 0x40)).toEqual([false, false, true])
  expect(erased(0x44), 'sectors: 4 KiB').toEqual([true, true, false])
})

test('power that fails in an erase leaves a part of it', () => {
  const { send, wait, powerUp, byteAt } = wired({}, new Uint8Array(0x1000))
  send([0x06])
  send([0x20, 0, 0, 0])
  wait(22.5)
  powerUp()
  expect([byteAt(0), byteAt(0xfff)]).toEqual([0xff, 0])
  expect(send([0x05], 1)).toEqual([0])
})

test('four address bytes: by their own commands in any mode, and by the old ones in the mode for them', () => {
  const large: Partial<NorModel> = {
    ...{ bytes: 32 * 1024 * 1024, registers: 'winbond-large' },
    erases4: [{ opcode: 0x21, bytes: 0x1000, ms: 45 }],
  }
  const content = Uint8Array.from(blank(32 * 1024 * 1024))
  content[0x0100_0000] = 0x42
  const { send, byteAt, powerUp } = wired(large, content)
  expect(send([0x13, 1, 0, 0, 0], 1)).toEqual([0x42])
  send([0xb7])
  expect(send([0x15], 1)).toEqual([1])
  expect(send([0x03, 1, 0, 0, 0], 1)).toEqual([0x42])
  powerUp()
  expect(send([0x03, 1, 0, 0], 1)).toEqual([0xff])
  send([0x06])
  send([0x21, 1, 0, 0, 0])
  expect(byteAt(0x0100_0000)).toBe(0xff)
})

test('an SST25VF is protected when it gets power, and takes two bytes at a time until it is told to stop', () => {
  const { send, byteAt, wait } = wired({ registers: 'sst', rdid: [0xbf, 0x25, 0x41], bytes: 2 * 1024 * 1024 })
  expect(send([0x05], 1)).toEqual([0x1c])
  send([0x50])
  send([0x01, 0])
  wait(10)
  send([0x06])
  send([0xad, 0, 0, 2, 0x11, 0x22])
  wait(0.01)
  expect(send([0x05], 1)[0]).toBe(0x42)
  send([0xad, 0x33, 0x44])
  wait(0.01)
  send([0x20, 0, 0, 0])
  send([0x04])
  expect([1, 2, 3, 4, 5, 6].map(byteAt)).toEqual([0xff, 0x11, 0x22, 0x33, 0x44, 0xff])
})

test('asleep it hears nothing but its waking up', () => {
  const { send } = wired()
  send([0xb9])
  expect(send([0x9f], 3)).toEqual([0xff, 0xff, 0xff])
  send([0xab])
  expect(send([0x9f], 3)).toEqual([0xef, 0x40, 0x17])
})
