/** The twin against what the published Caterina was seen to do, and against its source. */
import { beforeEach, describe, expect, test } from 'vitest'
import { take } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { MemoryId } from '#core/programmer.ts'
import { BareWire } from './test-line.ts'

const ok = 0x0d
const unknown = 0x3f
const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes)

let clock: VirtualClock
beforeEach(() => (clock = new VirtualClock()))

async function onWire(id: string, dials: Dials = {}) {
  const { setup } = await take(`avr109:${id}`, dials)
  if (setup.twin.link !== 'serial') throw new Error('not a serial twin')
  const wire = new BareWire(clock, setup.twin)
  return { wire, memory: (id: MemoryId) => setup.memory(id) }
}

/** A Leonardo that was touched. */
async function inLoader() {
  const board = await onWire('leonardo')
  board.wire.touch(1200)
  await clock.sleep(500)
  expect(board.wire.twin?.usb?.productId).toBe(0x0036)
  return board
}

describe('the sketch', () => {
  test('goes 128 ms after a touch at 1200 baud, and is back as its loader', async () => {
    const { wire } = await onWire('leonardo')
    expect(wire.twin?.usb).toEqual({ vendorId: 0x2341, productId: 0x8036 })
    wire.touch(1200)
    await clock.sleep(500)
    expect(wire.wentAt).toBe(128)
    expect(wire.twin).toMatchObject({ refusesSignals: true, usb: { productId: 0x0036 } })
  })

  test('stays at any other speed, and where DTR comes again in time', async () => {
    const { wire } = await onWire('leonardo')
    wire.touch(57_600)
    await clock.sleep(500)
    wire.touch(1200)
    await clock.sleep(60)
    wire.twin?.signals(true, true)
    await clock.sleep(500)
    expect(wire.wentAt).toBeUndefined()
  })
})

describe('the loader', () => {
  test('says what it is', async () => {
    const { wire } = await inLoader()
    const answers: [string | number[], string | number[]][] = [
      ['S', 'CATERIN'],
      ['V', '10'],
      ['v', '?'],
      ['p', 'S'],
      ['a', 'Y'],
      ['b', [0x59, 0x00, 0x80]],
      ['t', [0x44, 0x00]],
      [[0x54, 0x44], [ok]],
      ['P', [ok]],
      ['L', [ok]],
      ['s', [0x87, 0x95, 0x1e]],
      ['F', [0xff]],
      ['N', [0xd8]],
      ['Q', [0xfb]],
      ['r', [0xef]],
      ['x', '?'],
      [[0x1b], []],
    ]
    for (const [asked, answer] of answers) {
      const expected = typeof answer === 'string' ? answer : text(answer)
      expect(text(await wire.ask(asked)), String(asked)).toBe(expected)
    }
  })

  test('reads one command of a packet and drops the rest; operands may come later', async () => {
    const { wire } = await inLoader()
    expect(text(await wire.ask('SV'))).toBe('CATERIN')
    expect(await wire.ask([0x41, 0])).toEqual([])
    expect(await wire.ask([0])).toEqual([ok])
  })

  test('erases and writes a page, but none of its own section', async () => {
    const { wire, memory } = await inLoader()
    const page = Array.from({ length: 128 }, (_, i) => i)
    expect(await wire.ask([0x41, 0x10, 0x00])).toEqual([ok])
    expect(await wire.ask([0x42, 0, 128, 0x46, ...page])).toEqual([ok])
    expect([...memory('flash').slice(0x2000, 0x2080)]).toEqual(page)
    const before = memory('flash').slice(0x7000)
    await wire.ask([0x41, 0x38, 0x00])
    expect(await wire.ask([0x42, 0, 128, 0x46, ...page])).toEqual([ok])
    expect(memory('flash').slice(0x7000)).toEqual(before)
  })

  test('writes EEPROM byte by byte, and goes on with its address', async () => {
    const { wire, memory } = await inLoader()
    await wire.ask([0x41, 0x01, 0x00])
    expect(await wire.ask([0x42, 0, 1, 0x45, 0xa5])).toEqual([ok])
    expect(await wire.ask([0x42, 0, 2, 0x45, 0x5a, 0x11])).toEqual([ok])
    expect([...memory('eeprom').slice(0x100, 0x103)]).toEqual([0xa5, 0x5a, 0x11])
    expect(await wire.ask([0x67, 0, 1, 0x4d])).toEqual([unknown])
  })

  test('starts the sketch 8 s after it began or was given a block command, half a second after E', async () => {
    const { wire } = await inLoader()
    const from = clock.now()
    await clock.sleep(5000)
    await wire.ask([0x67, 0, 2, 0x46])
    await clock.sleep(5000)
    await wire.ask('S') // no block command
    expect(wire.twin?.usb?.productId).toBe(0x0036)
    await clock.sleep(5000)
    expect(wire.twin?.usb?.productId).toBe(0x8036)
    expect(wire.wentAt).toBeCloseTo(from + 13_000, -2)

    wire.touch(1200)
    await clock.sleep(500)
    const exitAt = clock.now()
    expect(await wire.ask('E')).toEqual([ok])
    await clock.sleep(1000)
    expect(wire.wentAt).toBe(exitAt + 501)
    expect(wire.twin?.usb?.productId).toBe(0x8036)
  })

  test('does not look at its clock in the middle of a command', async () => {
    const { wire } = await inLoader()
    await clock.sleep(7000)
    expect(await wire.ask('e', 1850)).toEqual([ok])
    await clock.sleep(7000)
    expect(wire.twin?.usb?.productId).toBe(0x0036) // and now there is no sketch
    await wire.ask([0x42, 0])
    await clock.sleep(20_000)
    expect(wire.twin?.usb?.productId).toBe(0x0036)
  })

  test('stays as long as the first word is blank', async () => {
    const { wire, memory } = await onWire('pro-micro-empty')
    expect(wire.twin?.usb).toEqual({ vendorId: 0x1b4f, productId: 0x9205 })
    await wire.ask('E')
    await clock.sleep(20_000)
    expect(wire.wentAt).toBeUndefined()
    memory('flash').set([0x0c, 0x94])
    await wire.ask('S')
    await clock.sleep(9000)
    expect(wire.twin).toBeUndefined() // a sketch without USB
  })

  test('erases all but its own section in 1.8 s', async () => {
    const { wire, memory } = await inLoader()
    const before = memory('flash').slice(0x7000)
    expect(await wire.ask('e', 1750)).toEqual([])
    await clock.sleep(100)
    expect(
      memory('flash')
        .slice(0, 0x7000)
        .every((byte) => byte === 0xff),
    ).toBe(true)
    expect(memory('flash').slice(0x7000)).toEqual(before)
  })
})
