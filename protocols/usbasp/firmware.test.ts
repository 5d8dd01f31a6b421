import { describe, expect, it } from 'vitest'
import { blank } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import recognise from './firmware.ts'
import practiceFirmware from './practice-firmware.ts'

const image = (id: string): Segment[] => practiceFirmware.find((one) => one.id === id)?.build() ?? []

/** A flash as it is read back: the whole chip, blank behind the image. */
function readBack(id: string, flashBytes = 8192): Segment[] {
  const flash = blank(flashBytes)
  for (const { address, bytes } of image(id)) flash.set(bytes, address)
  return [{ address: 0, bytes: flash }]
}

describe('a USBasp in flash', () => {
  it.each(practiceFirmware.map(({ id, version, chip }) => [id, version, chip] as const))(
    '%s: version %s, for %s',
    (id, version, chip) => {
      const known = recognise(readBack(id, chip === 'ATmega48' ? 4096 : 8192), chip)
      expect(known).toMatchObject({
        family: 'usbasp',
        version,
        confidence: 'certain',
        appears: { link: 'usb', vendorId: 0x16c0, productId: 0x05dc },
      })
      expect(known?.chips).toContain(chip)
    },
  )

  it('says where the evidence is', () => {
    expect(recognise(image('usbasp-1.04-atmega8'), 'ATmega8')?.evidence).toEqual([
      'USB descriptor 16c0:05dc bcdDevice 1.04 at 0x0054',
      '"www.fischl.de" at 0x002c',
      '"USBasp" at 0x0048',
      'vector table of ATmega8',
    ])
  })

  it('tells images for the ATmega8 from those for the ATmega88', () => {
    expect(recognise(image('usbasp-1.04-atmega8'), undefined)?.chips).toEqual(['ATmega8'])
    expect(recognise(image('usbasp-1.04-atmega88'), undefined)?.chips).toEqual(['ATmega88', 'ATmega88P'])
  })

  it('leaves the ATmega48 out when the image does not fit it', () => {
    expect(recognise(image('usbasp-1.03-atmega48'), undefined)?.chips).toContain('ATmega48')
    expect(recognise(image('usbasp-1.10-atmega88'), undefined)?.chips).not.toContain('ATmega48')
  })

  it('calls a practice image a practice image', () => {
    expect(recognise(image('usbasp-1.10-atmega8'), undefined)?.name).toBe('USBasp practice image')
  })

  it.each([
    ['ATmega8', [0xef, 0xc9]],
    ['ATmega8', [0xdf, 0xc9]],
    ['ATmega88P', [0xff, 0xdd, 0xf9]],
  ])('that cannot be read, or was erased, is possible by the fuses of an %s: %j', (chip, bytes) => {
    const fuses = Uint8Array.from(bytes)
    for (const flash of [[], [{ address: 0, bytes: blank(8192) }]])
      expect(recognise(flash, chip, fuses)).toMatchObject({
        family: 'usbasp',
        version: undefined,
        confidence: 'possible',
        chips: [chip],
      })
  })

  it('is not guessed at by fuses where something else is in the flash, or the fuses are others', () => {
    const usual = Uint8Array.of(0xef, 0xc9)
    const other = [{ address: 0, bytes: Uint8Array.of(1, 2, 3) }]
    expect(recognise(other, 'ATmega8', usual)).toBeUndefined()
    expect(recognise([], 'ATmega8', Uint8Array.of(0xe1, 0xd9))).toBeUndefined()
    expect(recognise([], 'ATmega16', usual)).toBeUndefined()
    expect(recognise([], undefined, usual)).toBeUndefined()
    expect(recognise([], 'ATmega8', undefined)).toBeUndefined()
  })

  it('is not seen in a blank flash, in an empty one, or where only the id is there', () => {
    expect(recognise([{ address: 0, bytes: blank(8192) }], 'ATmega8')).toBeUndefined()
    expect(recognise([], 'ATmega8')).toBeUndefined()
    const [segment] = image('usbasp-1.04-atmega8')
    const onlyId = segment?.bytes.slice(0x54) ?? blank(0)
    expect(recognise([{ address: 0, bytes: onlyId }], 'ATmega8')).toBeUndefined()
  })
})
