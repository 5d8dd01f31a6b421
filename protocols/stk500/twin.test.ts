import { describe, expect, test } from 'vitest'
import { blank, concat, fromHex, hexBytes } from '#core/bytes.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { BareLine } from './test-line.ts'
import shelf from './twin.ts'

/** A twin on a bare line, after the reset and `ms`. Bytes as hex text; answers likewise. */
async function bench(variant: keyof typeof shelf, baud: number, ms = 700, dials?: Dials) {
  const clock = new VirtualClock()
  const setup = shelf[variant].make(dials)
  if (setup.twin.link !== 'serial') throw new Error('not a serial twin')
  const line = new BareLine(clock, setup.twin)
  await line.reset(ms)
  const ask = async (bytes: string, { at = baud, waitMs = 30 } = {}) =>
    hexBytes(await line.ask(fromHex(bytes), at, waitMs))
  return { line, ask, memory: (id: MemoryId) => setup.memory(id), clock }
}

const page = (fill: string, count = 128): string => fill.repeat(count)

describe('a board with optiboot', () => {
  test('answers as optiboot does, and knows its version', async () => {
    const { ask } = await bench('uno', 115_200)
    expect(await ask('30 20')).toBe('14 10')
    expect(await ask('31 20')).toBe('14 10')
    expect(await ask('41 80 20')).toBe('14 03 10')
    expect(await ask('41 81 20 41 82 20')).toBe('14 04 10 14 04 10')
    expect(await ask('75 20')).toBe('14 1e 95 0f 10')
    expect(await ask('56 30 00 00 00 20')).toBe('14 00 10')
    expect(await ask('52 20')).toBe('14 10')
    const newer = await bench('uno-optiboot8', 115_200)
    expect(await newer.ask('41 81 20 41 82 20')).toBe('14 08 10 14 03 10')
  })

  test('an old one says 3 for its version, as before 4.1', async () => {
    const { ask } = await bench('uno', 115_200, 700, { version: '1.02' })
    expect(await ask('41 81 20 41 82 20')).toBe('14 03 10 14 03 10')
  })

  test('goes to the application when it is powered on', async () => {
    const clock = new VirtualClock()
    const { twin } = shelf.uno.make()
    if (twin.link !== 'serial') throw new Error('not a serial twin')
    const line = new BareLine(clock, twin)
    await line.wait(500)
    expect(await line.ask(fromHex('30 20'), 115_200, 50)).toHaveLength(0)
  })

  test('hears nothing while it starts up, and answers late while its LED flashes', async () => {
    const { ask } = await bench('uno', 115_200, 10)
    expect(await ask('30 20', { waitMs: 100 })).toBe('')
    expect(await ask('30 20', { waitMs: 300 })).toBe('')
    expect(await ask('', { waitMs: 100 })).toBe('14 10')
  })

  test('of bytes sent during the LED flashes only three are kept, and the rest puts it out of step', async () => {
    const { ask, line } = await bench('uno', 115_200, 100)
    await ask('30 20 30 20 30 20')
    await line.wait(400)
    expect(await ask('30 20')).toBe('') // 20 was a command, 30 its terminator: dead
  })

  test('a newer one stops flashing when a byte waits', async () => {
    const { ask } = await bench('uno-optiboot8', 115_200, 100)
    expect(await ask('30 20', { waitMs: 70 })).toBe('14 10')
  })

  test('waits a second for each byte, then starts the application', async () => {
    const { ask, line } = await bench('uno', 115_200)
    await line.wait(600)
    expect(await ask('30 20')).toBe('14 10')
    await line.wait(900)
    expect(await ask('30 20')).toBe('14 10')
    await line.wait(1000)
    expect(await ask('30 20')).toBe('')
  })

  test('dies of a wrong terminator, until the next reset', async () => {
    const { ask, line } = await bench('uno', 115_200)
    expect(await ask('40 84 20')).toBe('')
    expect(await ask('30 20')).toBe('')
    await line.reset(700)
    expect(await ask('30 20')).toBe('14 10')
  })

  test('another speed is noise that does not keep it alive', async () => {
    const { ask } = await bench('uno', 115_200)
    expect(await ask('30 20', { at: 19_200 })).toBe('')
    expect(await ask('30 20')).toBe('')
  })

  test('leaves 16 ms after LEAVE_PROGMODE', async () => {
    const { ask } = await bench('uno', 115_200)
    expect(await ask('51 20')).toBe('14 10')
    expect(await ask('30 20')).toBe('')
  })

  test('erases a page and writes what it is given; pages of flash are read back', async () => {
    const { ask, memory } = await bench('uno', 115_200)
    expect(await ask(`55 40 00 20 64 00 80 46 ${page('a5')} 20`)).toBe('14 10 14 10')
    expect(memory('flash').subarray(0x80, 0x100)).toEqual(new Uint8Array(128).fill(0xa5))
    expect(await ask('55 40 00 20 74 00 04 46 20')).toBe('14 10 14 a5 a5 a5 a5 10')
  })

  test('4.4 fills a short page with what is in its RAM, 8.3 with FF', async () => {
    const old = await bench('uno', 115_200)
    await old.ask(`55 40 00 20 64 00 80 46 ${page('a5')} 20`)
    await old.ask('64 00 02 46 01 02 20')
    expect(old.memory('flash').subarray(0x80, 0x100)).toEqual(
      concat(Uint8Array.of(1, 2), new Uint8Array(126).fill(0xa5)),
    )
    const newer = await bench('uno-optiboot8', 115_200)
    await newer.ask('55 40 00 20 64 00 02 46 01 02 20')
    expect(newer.memory('flash').subarray(0x80, 0x100)).toEqual(concat(Uint8Array.of(1, 2), blank(126)))
  })

  test('an EEPROM page overwrites flash on 4.4, and kills 8.3', async () => {
    const command = `55 40 00 20 64 00 80 45 ${page('77')} 20`
    const old = await bench('uno', 115_200)
    const eeprom = old.memory('eeprom').slice()
    expect(await old.ask(command)).toBe('14 10 14 10')
    expect(old.memory('flash')[0x80]).toBe(0x77)
    expect(old.memory('eeprom')).toEqual(eeprom)
    const newer = await bench('uno-optiboot8', 115_200)
    expect(await newer.ask(command)).toBe('14 10 14')
    expect(await newer.ask('30 20')).toBe('')
  })

  test('a page that is cut off stays erased', async () => {
    const { ask, memory } = await bench('uno', 115_200)
    expect(memory('flash')[0]).not.toBe(0xff)
    await ask('55 00 00 20 64 00 80 46 01 02 03')
    expect(memory('flash').subarray(0, 128)).toEqual(blank(128))
  })

  test('cannot overwrite its own section', async () => {
    const { ask, memory } = await bench('uno', 115_200)
    const before = memory('flash').slice(0x7e00)
    await ask(`55 00 3f 20 64 00 80 46 ${page('00')} 20`)
    expect(memory('flash').subarray(0x7e00)).toEqual(before)
  })

  test('a worn bit and a bad contact show', async () => {
    const { ask } = await bench('uno', 115_200, 700, { stuckBit: 0x80 * 8, flickerBit: 0x102 * 8 })
    await ask(`55 40 00 20 64 00 80 46 ${page('ff')} 20`)
    await ask(`55 80 00 20 64 00 80 46 ${page('ff')} 20`)
    expect(await ask('55 40 00 20 74 00 01 46 20')).toBe('14 10 14 fe 10')
    const twice = await ask('55 81 00 20 74 00 01 46 20 55 81 00 20 74 00 01 46 20')
    expect(twice).toBe('14 10 14 ff 10 14 10 14 fe 10')
  })
})

describe('a board with ATmegaBOOT', () => {
  test('signs on like a programmer, but is none', async () => {
    const { ask } = await bench('nano-old', 57_600)
    expect(await ask('31 20')).toBe('14 41 56 52 20 49 53 50 10')
    expect(await ask('41 80 20 41 81 20 41 82 20 41 93 20')).toBe('14 02 10 14 01 10 14 10 10 14 00 10')
    expect(await ask('56 30 00 01 00 20')).toBe('14 95 10')
  })

  test('reads and writes EEPROM, addressed in words', async () => {
    const { ask, memory } = await bench('nano-old', 57_600)
    expect(await ask('55 08 00 20 64 00 02 45 aa bb 20')).toBe('14 10 14 10')
    expect(memory('eeprom').subarray(0x10, 0x12)).toEqual(Uint8Array.of(0xaa, 0xbb))
    expect(await ask('55 08 00 20 74 00 02 45 20')).toBe('14 10 14 aa bb 10')
  })

  test('lives on after errors, but starts the application at the fifth', async () => {
    const { ask } = await bench('diecimila', 19_200)
    await ask('30 21 99 30 21 99')
    expect(await ask('30 20')).toBe('14 10')
    await ask('99')
    expect(await ask('30 20')).toBe('')
  })

  test('starts the application after a second of silence, after power-on too', async () => {
    const { ask, line } = await bench('nano-old', 57_600)
    await line.wait(1200)
    expect(await ask('30 20')).toBe('')
    const clock = new VirtualClock()
    const { twin } = shelf['nano-old'].make()
    if (twin.link !== 'serial') throw new Error('not a serial twin')
    const powered = new BareLine(clock, twin)
    await powered.wait(400)
    expect(hexBytes(await powered.ask(fromHex('30 20'), 57_600, 30))).toBe('14 10')
  })
})

describe('an Arduino as ISP', () => {
  /** Past the boot loader and the greeting of the sketch. */
  const isp = (dials?: Dials) => bench('arduino-isp-atmega8', 19_200, 2500, dials)

  test('is optiboot first, then the sketch', async () => {
    const { ask, line } = await bench('arduino-isp-atmega8', 115_200)
    expect(await ask('41 81 20')).toBe('14 04 10')
    await line.wait(2500)
    expect(await ask('41 81 20', { at: 19_200 })).toBe('14 01 10')
  })

  test('says who it is', async () => {
    const { ask } = await isp()
    expect(await ask('31 20')).toBe('14 41 56 52 20 49 53 50 10')
    expect(await ask('41 80 20 41 82 20 41 93 20 41 98 20')).toBe('14 02 10 14 12 10 14 53 10 14 00 10')
  })

  test('says the version that it was given', async () => {
    const { ask } = await isp({ version: '1.02' })
    expect(await ask('41 81 20 41 82 20')).toBe('14 01 10 14 02 10')
  })

  test('answers mistakes with 15 or 12 and lives on', async () => {
    const { ask } = await isp()
    expect(await ask('30 21')).toBe('15')
    expect(await ask('20')).toBe('15')
    expect(await ask('99 20')).toBe('12')
    expect(await ask('52 20')).toBe('12')
    expect(await ask('99 21')).toBe('15')
    expect(await ask('40 84 20')).toBe('15 15')
    expect(await ask('30 20')).toBe('14 10')
  })

  test('says OK to ENTER_PROGMODE whether there is a target or not', async () => {
    for (const [dials, signature] of [
      [{}, '14 1e 93 07 10'],
      [{ noTarget: true }, '14 ff ff ff 10'],
      [{ targetHz: 128_000 }, '14 ff ff ff 10'],
    ] as const) {
      const { ask } = await isp(dials)
      expect(await ask('50 20', { waitMs: 100 })).toBe('14 10')
      expect(await ask('75 20')).toBe(signature)
    }
  })

  test('takes each word for a page before it was told the page size', async () => {
    const { ask, memory } = await isp()
    await ask('50 20', { waitMs: 100 })
    expect(await ask('55 00 00 20 64 00 04 46 01 02 03 04 20', { waitMs: 200 })).toBe('14 10 14 10')
    expect(memory('flash').subarray(0, 4)).toEqual(Uint8Array.of(1, 2, 3, 4))
  })

  test('takes the data for commands when the memory type is neither F nor E', async () => {
    const { ask } = await isp()
    expect(await ask('64 00 02 58 30 20 20')).toBe('11 14 10 15')
  })

  test('takes 45 ms for each byte of EEPROM, and refuses more than it was told there is', async () => {
    const { ask, memory, clock } = await isp()
    await ask('50 20', { waitMs: 100 })
    expect(await ask('64 00 02 45 01 02 20', { waitMs: 100 })).toBe('15 12') // EEPROM size 0: data are commands
    await ask(`42 70 ${'00'.repeat(11)} 00 40 02 00 00 00 20 00 20`)
    const before = clock.now()
    expect(await ask('55 02 00 20 64 00 02 45 05 06 20', { waitMs: 85 })).toBe('14 10')
    expect(await ask('', { waitMs: 20 })).toBe('14 10')
    expect(clock.now() - before).toBeGreaterThan(90)
    expect(memory('eeprom').subarray(4, 6)).toEqual(Uint8Array.of(5, 6))
  })

  test('without ENTER_PROGMODE an ISP instruction hangs it until it is reset', async () => {
    const { ask, line } = await isp()
    expect(await ask('56 30 00 00 00 20')).toBe('')
    expect(await ask('30 20')).toBe('')
    await line.reset(2500)
    expect(await ask('30 20')).toBe('14 10')
  })
})
