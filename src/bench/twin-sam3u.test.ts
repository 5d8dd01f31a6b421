import { describe, expect, test } from 'vitest'
import { SwdError, TestDebugger } from './test-swd.ts'
import { TwinSam3u, type TwinSam3uOptions } from './twin-sam3u.ts'
import { VirtualClock } from './virtual-clock.ts'

const eefc = 0x400e_0800
const [fmr, fcr, fsr, frr] = [eefc, eefc + 4, eefc + 8, eefc + 12]
const flashAt = 0x8_0000
const someFlash = Uint8Array.from({ length: 0x4000 }, (_, i) => (i * 11) & 0xff)
const page = Uint8Array.from({ length: 256 }, (_, i) => (i * 7 + 1) & 0xff)

function onWires(options: TwinSam3uOptions = {}) {
  const clock = new VirtualClock()
  const chip = new TwinSam3u({ clock, flash: someFlash, ...options })
  const debug = new TestDebugger(chip.swd)
  debug.connect()
  debug.halt()
  const fill = (address: number, bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer)
    for (let at = 0; at < bytes.length; at += 4) debug.write(address + at, view.getUint32(at, true))
  }
  const command = async (value: number, ms = 0): Promise<number> => {
    debug.write(fcr, (0x5a00_0000 | value) >>> 0)
    await clock.sleep(ms)
    return debug.read(fsr)
  }
  debug.write(fmr, 0x600)
  return { chip, clock, debug, fill, command }
}

test('it says what it is, and shows its flash at 0', () => {
  const { debug } = onWires()
  expect(debug.readDp(0)).toBe(0x2ba0_1477)
  expect(debug.read(0x400e_0740)).toBe(0x280a_0761)
  expect(debug.read(fsr)).toBe(1)
  expect(debug.read(4)).toBe(debug.read(flashAt + 4))
  expect(debug.read(0x2007_c000)).toBe(debug.read(0x2000_0000))
})

describe('a page', () => {
  test('is erased and written in its time, from a buffer that is the same everywhere', async () => {
    const { chip, clock, fill, command, debug } = onWires()
    fill(flashAt + 0x1000, page)
    expect(await command(0x203, 4)).toBe(0)
    await clock.sleep(1)
    expect(debug.read(fsr)).toBe(1)
    const flash = chip.memory('flash')
    expect(flash.slice(0x200, 0x300)).toEqual(page)
    expect(flash.slice(0x300, 0x4000)).toEqual(someFlash.slice(0x300))
  })

  test('written without an erase loses bits only', async () => {
    const { chip, fill, command } = onWires()
    fill(flashAt, page)
    expect(await command(0x001, 5)).toBe(1)
    expect(chip.memory('flash').slice(0, 256)).toEqual(page.map((byte, i) => byte & (someFlash[i] ?? 0)))
  })

  test('with too few wait states it is not all of what was meant', async () => {
    const { chip, debug, fill, command } = onWires()
    debug.write(fmr, 0)
    fill(flashAt, page)
    await command(0x003, 5)
    expect(chip.memory('flash').slice(0, 60)).toEqual(page.slice(0, 60))
    expect(chip.memory('flash')[60]).toBe(0xff)
  })

  test('in a locked region stays as it is, which is told once', async () => {
    const { chip, fill, command, debug } = onWires()
    expect(await command(0x2108, 5)).toBe(1)
    await command(0x0a)
    expect(debug.read(frr)).toBe(2)
    fill(flashAt + 0x2000, page)
    debug.write(fcr, 0x5a00_2003)
    expect([debug.read(fsr), debug.read(fsr)]).toEqual([5, 1])
    expect(await command(0x05)).toBe(5)
    expect(chip.memory('flash').slice(0, 0x4000)).toEqual(someFlash)
    await command(0x2009, 5)
    fill(flashAt + 0x2000, page)
    await command(0x2003, 5)
    expect(chip.memory('flash').slice(0x2000, 0x2100)).toEqual(page)
  })
})

test('wrong keys, commands, pages and bits are told', async () => {
  const { debug, command } = onWires()
  debug.write(fcr, 0x0500_0003)
  expect(debug.read(fsr)).toBe(3)
  expect(await command(0x06)).toBe(3)
  expect(await command(0x2_0003)).toBe(3)
  expect(await command(0x20b)).toBe(3)
  expect(await command(0x0f)).toBe(3)
})

test('its number takes the place of the flash until it is put away', async () => {
  const { debug, command } = onWires()
  expect(await command(0x0e)).toBe(0)
  expect(new TextDecoder().decode(debug.readBytes(flashAt, 16))).toBe('SAM3U practice 7')
  expect(await command(0x03)).toBe(2)
  expect(await command(0x0f)).toBe(1)
  expect(debug.readBytes(flashAt, 16)).toEqual(someFlash.slice(0, 16))
})

test('everything is erased by command, or by its pin, which has it start its ROM', async () => {
  const { chip, command, debug, clock } = onWires()
  expect(await command(0x05, 11)).toBe(1)
  expect(chip.memory('flash').every((byte) => byte === 0xff)).toBe(true)
  await command(0x0d)
  expect(debug.read(frr)).toBe(2)
  chip.assertErase()
  await clock.sleep(20)
  chip.brownOut()
  debug.connect()
  expect(debug.read(4)).toBe(0x18_0009)
})

test('its security bit closes everything to debuggers', async () => {
  const { debug, command } = onWires()
  await expect(command(0x00b, 5)).rejects.toThrow(SwdError)
  debug.writeDp(0, 0x1e)
  expect(debug.readDp(0)).toBe(0x2ba0_1477)
  expect(() => debug.read(0xe000_ed00)).toThrow(SwdError)
})

test('power that fails leaves a page half written', async () => {
  const { chip, fill, command } = onWires()
  fill(flashAt, new Uint8Array(256))
  await command(0x003, 2)
  chip.brownOut()
  expect(chip.memory('flash')[0]).toBe(0)
  expect(chip.memory('flash')[255]).toBe(someFlash[255])
})

test('of two planes the second may be the one that starts', () => {
  const { debug } = onWires({ chip: 'SAM3U4E', gpnvm: 6 })
  expect(debug.read(4)).toBe(0xffff_ffff)
  expect(debug.read(flashAt + 4)).not.toBe(0xffff_ffff)
})
