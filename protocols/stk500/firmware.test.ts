import { avrInstruction, CPU } from 'avr8js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blank, concat } from '#core/bytes.ts'
import type { Contents, Segment } from '#core/programmer.ts'
import { checkAvr } from '#chips/avr-check.ts'
import { avrPartByName } from '#chips/avr-parts.ts'
import recognise from './firmware.ts'
import { arduinoIspImage, blinkImage, loaderImage, type LoaderImage } from './images.ts'
import practice from './practice-firmware.ts'

function partOf(name: string) {
  const part = avrPartByName(name)
  if (!part) throw new Error(name)
  return part
}

/** A whole flash: an application at 0 and a loader at the end. */
function flashOf(chip: string, application: Uint8Array, loader?: LoaderImage): Segment[] {
  const { bytes } = partOf(chip).flash
  const top = loader ? loaderImage(loader) : new Uint8Array()
  return [{ address: 0, bytes: concat(application, blank(bytes - application.length - top.length), top) }]
}

const someApplication = blinkImage(partOf('ATmega328P'), 1).subarray(0, 140)

describe('recognising', () => {
  test('a sketch with optiboot, with the version and where that was seen', () => {
    const flash = flashOf('ATmega328P', someApplication, { bytes: 512, version: [4, 4] })
    expect(recognise(flash, 'ATmega328P')).toEqual({
      family: 'stk500',
      name: 'Arduino sketch with Optiboot',
      version: '4.4',
      confidence: 'certain',
      evidence: ['STK500 command decoder at 0x7e0a', 'version word 4.4 at 0x7ffe'],
    })
  })

  test('ATmegaBOOT, which has no version word', () => {
    const flash = flashOf('ATmega168', new Uint8Array(), { bytes: 2048 })
    expect(recognise(flash, 'ATmega168')).toMatchObject({ name: 'ATmegaBOOT', version: undefined })
  })

  test('the image of a boot loader alone, whatever the chip', () => {
    const bytes = loaderImage({ bytes: 512, version: [8, 3] })
    const image = [{ address: 0x7e00, bytes }]
    expect(recognise(image, undefined)).toMatchObject({
      name: 'Optiboot',
      version: '8.3',
      appears: { link: 'serial', says: [{ name: 'bootloader', value: 'Optiboot 8.3' }] },
    })
  })

  test('ArduinoISP by its sign-on text, with and without a boot loader', () => {
    const sketch = arduinoIspImage(partOf('ATmega328P'))
    const alone = recognise(flashOf('ATmega328P', sketch), 'ATmega328P')
    expect(alone).toMatchObject({ name: 'ArduinoISP', confidence: 'possible' })
    expect(alone?.evidence[0]).toMatch(/^"AVR ISP" at 0x00/)
    const both = recognise(flashOf('ATmega328P', sketch, { bytes: 512, version: [4, 4] }), 'ATmega328P')
    expect(both).toMatchObject({ name: 'ArduinoISP with Optiboot', version: '4.4' })
  })

  test.each(practice)('$name, with its version', (image) => {
    expect(recognise(image.build(), image.chip)).toMatchObject({
      name: 'practice image',
      version: image.version,
      confidence: 'certain',
    })
  })

  test('nothing in an application that could be anybody’s, nor in a blank chip', () => {
    expect(recognise(flashOf('ATmega328P', someApplication), 'ATmega328P')).toBeUndefined()
    expect(recognise([{ address: 0, bytes: blank(0x8000) }], 'ATmega328P')).toBeUndefined()
    expect(recognise([], undefined)).toBeUndefined()
  })

  test('nothing in random bytes at hostile addresses, and quickly', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 3000 }), (address, bytes) => {
        expect(recognise([{ address, bytes }], undefined)?.confidence).not.toBe('certain')
      }),
    )
  })
})

describe('practice images', () => {
  const contents = (segments: readonly Segment[]): Contents => new Map([['flash', segments]])
  const present = contents([{ address: 0, bytes: blank(0x8000) }])

  test('pass the checks of their chip and are refused by another', () => {
    for (const image of practice) {
      const wanted = contents(image.build())
      const on = (part: string) =>
        checkAvr({ part: partOf(part), wanted, present, claimedChip: image.chip }).map(({ result }) => result)
      expect(on(image.chip)).not.toContain('refused')
      expect(on('ATmega1280')).toContain('refused')
    }
  })

  test('really blink: version 2 toggles the LED every quarter of a second', () => {
    const { flash } = partOf('ATmega328P')
    const program = new Uint8Array(flash.bytes).fill(0xff)
    program.set(blinkImage(partOf('ATmega328P'), 2))
    const cpu = new CPU(new Uint16Array(program.buffer), 0x800)
    const toggledAt: number[] = []
    cpu.writeHooks[0x25] = (value, before) => {
      if ((value ^ before) & 0x20) toggledAt.push(cpu.cycles / 16_000_000)
    }
    while (cpu.cycles < 0.6 * 16_000_000) avrInstruction(cpu)
    expect(cpu.data[0x24]).toBe(0x20)
    expect(toggledAt.map((at) => Math.round(at * 1000))).toEqual([0, 250, 500])
  })
})
