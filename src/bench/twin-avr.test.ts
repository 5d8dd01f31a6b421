import { describe, expect, test } from 'vitest'
import { avrPartByName, type AvrPart } from '#chips/avr-parts.ts'
import { TwinAvr, type TwinAvrOptions } from './twin-avr.ts'
import { VirtualClock } from './virtual-clock.ts'

function partOf(name: string): AvrPart {
  const part = avrPartByName(name)
  if (!part) throw new Error(`no ${name}`)
  return part
}

/** A chip on wires: what each test shifts, in hex, at an SCK that suits a 16 MHz chip. */
function onWires(name: string, options: TwinAvrOptions = {}) {
  const clock = new VirtualClock()
  const chip = new TwinAvr(partOf(name), { clock, ...options })
  const shift = (bytes: string, sckHz = 125_000) =>
    bytes
      .split(' ')
      .map((byte) => chip.shift(parseInt(byte, 16), sckHz).toString(16).padStart(2, '0'))
      .join(' ')
  const enter = async (sckHz?: number) => {
    chip.reset(false)
    chip.reset(true)
    await clock.sleep(20)
    return shift('ac 53 00 00', sckHz)
  }
  return { chip, clock, shift, enter }
}

describe('entering programming mode', () => {
  test('programming enable is echoed in its third byte', async () => {
    const { enter } = onWires('ATmega328P')
    expect((await enter()).split(' ')[2]).toBe('53')
  })

  test('the chip is silent while RESET is released', () => {
    const { shift } = onWires('ATmega328P')
    expect(shift('ac 53 00 00')).toBe('ff ff ff ff')
  })

  test('nothing but programming enable wakes it', async () => {
    const { chip, clock, shift } = onWires('ATmega328P')
    chip.reset(true)
    await clock.sleep(20)
    expect(shift('30 00 00 00')).toBe('ff ff ff ff')
  })

  test('a programming enable less than 15 ms after reset is not heard, one after 19.8 ms is', async () => {
    const { chip, clock, shift } = onWires('ATmega8')
    chip.reset(true)
    await clock.sleep(10)
    expect(shift('ac 53 00 00')).toBe('ff ff ff ff')
    await clock.sleep(9.84)
    expect(shift('ac 53 00 00').split(' ')[2]).toBe('53')
  })

  test.each([
    [1_000_000, 187_500, true],
    [1_000_000, 250_000, false],
    [8_000_000, 1_500_000, true],
    [8_000_000, 2_000_000, false],
    [12_000_000, 1_999_999, true],
    [12_000_000, 2_000_000, false],
  ])('a target at %i Hz answers an SCK of %i Hz: %s', async (targetHz, sckHz, answers) => {
    const { enter } = onWires('ATmega8', { dials: { targetHz } })
    expect((await enter(sckHz)).includes('53')).toBe(answers)
  })

  test('after a byte that was too fast it is out of step until the next reset pulse', async () => {
    const { enter, shift } = onWires('ATmega8', { dials: { targetHz: 1_000_000 } })
    await enter()
    shift('30 00 00 00', 375_000)
    expect(shift('30 00 00 00')).toBe('ff ff ff ff')
    await enter()
    expect(shift('30 00 00 00')).toBe('00 30 00 1e')
  })

  test('without a target the line floats high', async () => {
    const { enter } = onWires('ATmega8', { dials: { noTarget: true } })
    expect(await enter()).toBe('ff ff ff ff')
  })

  test('an unpowered chip answers nothing', () => {
    const chip = new TwinAvr(partOf('ATmega8'))
    chip.reset(true)
    expect(chip.shift(0xac, 1000)).toBe(0xff)
  })

  test.each([
    ['ATmega328P', 'RSTDISBL programmed', 'ac a8 00 59'],
    ['ATmega328P', 'DWEN programmed', 'ac a8 00 99'],
    ['ATmega8', 'RSTDISBL programmed', 'ac a8 00 59'],
    ['ATtiny13', 'RSTDISBL programmed', 'ac a8 00 fe'],
    ['ATmega16U2', 'RSTDISBL programmed', 'ac a8 00 99'],
    ['ATtiny2313', 'DWEN programmed', 'ac a8 00 5f'],
  ])('%s with %s answers until it is reset, then never again', async (name, _, write) => {
    const { enter, shift, clock } = onWires(name)
    await enter()
    shift(write)
    await clock.sleep(10)
    expect(shift('30 00 00 00').slice(-2)).toBe('1e')
    expect(await enter()).toBe('ff ff ff ff')
  })

  test.each([
    ['ATmega328P', 'ac a8 00 f9', 1, 0xd9],
    ['ATtiny13', 'ac a0 00 ea', 0, 0x6a],
  ])('%s keeps SPIEN, which ISP does not reach', async (name, write, byte, fuses) => {
    const { enter, shift, clock, chip } = onWires(name)
    await enter()
    shift(write)
    await clock.sleep(10)
    expect(chip.fuses[byte]).toBe(fuses)
    expect(await enter()).not.toBe('ff ff ff ff')
  })
})

describe('instructions', () => {
  test('each byte echoes the one before', async () => {
    const { enter, shift } = onWires('ATmega328P')
    await enter()
    expect(shift('30 11 22 00')).toBe('00 30 11 0f')
    expect(shift('58 00 00 00').slice(0, 8)).toBe('00 58 00')
  })

  test('signature, calibration, fuses and lock bits are read', async () => {
    const { enter, shift } = onWires('ATmega328P', { fuses: Uint8Array.of(0xff, 0xde, 0xfd), lock: 0xcf })
    await enter()
    const answers = [
      '30 00 00 00',
      '30 00 01 00',
      '30 00 02 00',
      '50 00 00 00',
      '58 08 00 00',
      '50 08 00 00',
      '58 00 00 00',
    ]
    expect(answers.map((instruction) => shift(instruction).slice(-2)).join(' ')).toBe('1e 95 0f ff de fd cf')
  })

  test('a page written twice without an erase holds the bits that both left set', async () => {
    const { chip, enter, shift, clock } = onWires('ATmega328P')
    await enter()
    for (const value of ['f0', '3c']) {
      shift(`40 00 00 ${value}`)
      shift('4c 00 40 00')
      await clock.sleep(4.5)
    }
    expect(chip.flash[0x80]).toBe(0x30)
    expect(chip.flash[0x81]).toBe(0xff)
  })

  test('the page buffer is empty after a write and after a reset', async () => {
    const { chip, enter, shift, clock } = onWires('ATmega8')
    await enter()
    shift('40 00 00 11')
    await enter()
    shift('4c 00 00 00')
    await clock.sleep(5)
    expect(chip.flash[0]).toBe(0xff)
  })

  test('while it writes, a newer chip says busy, everything reads FF, and new work is lost', async () => {
    const { chip, enter, shift, clock } = onWires('ATmega328P')
    await enter()
    shift('40 00 00 00')
    shift('4c 00 00 00')
    expect(shift('f0 00 00 00').slice(-2)).toBe('01')
    expect(shift('30 00 00 00').slice(-2)).toBe('ff')
    shift('c0 00 00 42')
    await clock.sleep(4.5)
    expect(shift('f0 00 00 00').slice(-2)).toBe('00')
    expect(chip.eeprom[0]).toBe(0xff)
  })

  test('an old chip has no busy flag to poll', async () => {
    const { enter, shift } = onWires('ATmega8')
    await enter()
    expect(shift('f0 00 00 00').slice(-2)).toBe('ff')
  })

  test('above 128 KiB the extended address says which half', async () => {
    const { chip, enter, shift, clock } = onWires('ATmega2560')
    await enter()
    shift('4d 00 01 00')
    shift('40 00 00 aa')
    shift('4c 00 80 00')
    await clock.sleep(5)
    expect(chip.flash[0x20100]).toBe(0xaa)
    expect(shift('20 00 80 00').slice(-2)).toBe('aa')
    shift('4d 00 00 00')
    expect(shift('20 00 80 00').slice(-2)).toBe('ff')
  })

  test('EEPROM: bytes on every chip, pages where the chip has them', async () => {
    const old = onWires('ATmega8')
    await old.enter()
    old.shift('c1 00 01 22')
    old.shift('c2 00 04 00')
    await old.clock.sleep(10)
    old.shift('c0 01 05 11')
    expect(old.chip.eeprom[0x105]).toBe(0x11)
    expect(old.chip.eeprom[0x05]).toBe(0xff)

    const newer = onWires('ATmega88')
    await newer.enter()
    newer.shift('c1 00 01 22')
    newer.shift('c2 01 04 00')
    expect([...newer.chip.eeprom.subarray(0x104, 0x108)]).toEqual([0xff, 0x22, 0xff, 0xff])
  })

  test('fuse bits that do not exist read as 1', async () => {
    const { chip, enter, shift } = onWires('ATmega328P')
    await enter()
    shift('ac a4 00 05')
    expect(chip.fuses[2]).toBe(0xfd)
  })
})

describe('chip erase and lock bits', () => {
  const content = { flash: Uint8Array.of(1, 2, 3, 4), eeprom: Uint8Array.of(5) }

  test('an erase clears flash, EEPROM and lock bits', async () => {
    const { chip, enter, shift } = onWires('ATmega328P', { ...content, lock: 0xfc })
    await enter()
    shift('ac 80 00 00')
    expect([chip.flash[0], chip.eeprom[0], chip.lock[0]]).toEqual([0xff, 0xff, 0xff])
  })

  test.each([
    ['ATmega328P', Uint8Array.of(0x62, 0xd1, 0xff)],
    ['ATtiny13', Uint8Array.of(0x2a, 0xff, 0xff)],
    ['ATtiny2313', Uint8Array.of(0x64, 0x9f, 0xff)],
  ])('%s keeps its EEPROM when EESAVE is programmed', async (name, fuses) => {
    const { chip, enter, shift } = onWires(name, { ...content, fuses })
    await enter()
    shift('ac 80 00 00')
    expect(chip.eeprom[0]).toBe(5)
  })

  test('LB1 forbids programming but not reading', async () => {
    const { chip, enter, shift, clock } = onWires('ATmega328P', { ...content, lock: 0xfe })
    await enter()
    shift('ac a0 00 00')
    await clock.sleep(10)
    expect(shift('20 00 01 00').slice(-2)).toBe('03')
    expect(chip.fuses[0]).toBe(0x62)
  })

  test('a locked chip gives no content, but signature and fuses', async () => {
    const { enter, shift } = onWires('ATmega328P', { ...content, dials: { locked: true } })
    await enter()
    expect(shift('20 00 01 00').slice(-2)).toBe('01') // the low byte of the address
    expect(shift('a0 00 00 00').slice(-2)).toBe('ff')
    expect(shift('30 00 02 00').slice(-2)).toBe('0f')
    expect(shift('58 00 00 00').slice(-2)).toBe('fc')
  })

  test('lock bits can be programmed, and come back only with an erase', async () => {
    const { chip, enter, shift, clock } = onWires('ATmega8')
    await enter()
    shift('ac e0 00 cf')
    await clock.sleep(10)
    shift('ac e0 00 ff')
    expect(chip.lock[0]).toBe(0xcf)
  })
})

describe('dials', () => {
  test('a stuck bit reads 0 once its page was programmed, however it was', async () => {
    const { chip, enter, shift } = onWires('ATmega8', { dials: { stuckBit: 5 * 8 + 3 } })
    expect(chip.flash[5]).toBe(0xff)
    await enter()
    shift('4c 00 00 00')
    expect(chip.flash[5]).toBe(0xf7)
    chip.erasePage(0, 4)
    chip.writePage(0, new Uint8Array(64).fill(0xff), 4)
    expect(chip.flash[5]).toBe(0xf7)
  })

  test('a flickering bit differs on every second read', async () => {
    const { enter, shift } = onWires('ATmega8', { dials: { flickerBit: 0 } })
    await enter()
    const read = () => shift('20 00 00 00').slice(-2)
    expect([read(), read(), read()]).toEqual(['ff', 'fe', 'ff'])
  })

  test('another chip can stand in', () => {
    expect(onWires('ATmega328P', { dials: { chip: 'ATtiny85' } }).chip.part.name).toBe('ATtiny85')
  })
})

test('self-programming erases and writes one page and leaves the others', () => {
  const chip = new TwinAvr(partOf('ATmega328P'), { flash: new Uint8Array(512).fill(0x11) })
  chip.erasePage(0x85, 4)
  chip.writePage(0x85, new Uint8Array(200).fill(0x22), 4)
  expect([chip.flash[0x7f], chip.flash[0x80], chip.flash[0xff], chip.flash[0x100]]).toEqual([
    0x11, 0x22, 0x22, 0x11,
  ])
})

describe('power lost in the middle', () => {
  test('of a page leaves it half-written, and nothing is left of programming mode', async () => {
    const { chip, clock, enter, shift } = onWires('ATmega8')
    await enter()
    for (let word = 0; word < 32; word++) {
      shift(`40 00 ${word.toString(16)} 00`)
      shift(`48 00 ${word.toString(16)} 00`)
    }
    let tookMs = 0
    chip.onWork = (ms) => (tookMs = ms)
    shift('4c 00 00 00')
    await clock.sleep(tookMs / 2)
    chip.brownOut()
    const [written, blank] = [chip.flash.subarray(0, 30), chip.flash.subarray(34, 64)]
    expect([written.every((byte) => byte === 0), blank.every((byte) => byte === 0xff)]).toEqual([true, true])
    expect(shift('30 00 00 00').slice(-2)).toBe('ff')
  })

  test('of a chip erase leaves the lock bits, which are erased last', async () => {
    const { chip, clock, enter, shift } = onWires('ATmega8', { lock: 0xfc, flash: new Uint8Array(8192) })
    await enter()
    let tookMs = 0
    chip.onWork = (ms) => (tookMs = ms)
    shift('ac 80 00 00')
    await clock.sleep(tookMs / 2)
    chip.losePower()
    expect([chip.flash[0], chip.flash[8191], chip.lock[0]]).toEqual([0xff, 0, 0xfc])
  })
})
