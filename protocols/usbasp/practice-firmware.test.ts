import { describe, expect, it } from 'vitest'
import { blank } from '#core/bytes.ts'
import { findStrings } from '#core/find.ts'
import { avrPartNamed } from '#chips/avr-parts.ts'
import practiceFirmware, { isWholePracticeImage } from './practice-firmware.ts'

describe.each(practiceFirmware.map((image) => [`${image.name} for ${image.chip}`, image] as const))(
  '%s',
  (_, image) => {
    const [segment] = image.build()
    const bytes = segment?.bytes ?? blank(0)
    const { flash } = avrPartNamed(image.chip)

    it('says in its flash that it is a practice image', () => {
      expect(findStrings(image.build()).map(({ text }) => text)).toContain('practice image, not a firmware')
    })
    it('fits its chip and is the same every time', () => {
      expect(bytes.length).toBeGreaterThan(flash.bytes / 3)
      expect(bytes.length).toBeLessThanOrEqual(flash.bytes)
      expect(image.build()).toEqual(image.build())
    })
    it('is known as half-written when a page is missing', () => {
      const whole = blank(flash.bytes)
      whole.set(bytes)
      expect(isWholePracticeImage(whole)).toBe(true)
      for (let page = 256; page < bytes.length; page += 512)
        expect(isWholePracticeImage(whole.slice().fill(0xff, page, page + 64))).toBe(false)
      expect(isWholePracticeImage(blank(flash.bytes))).toBeUndefined()
    })
  },
)

it('every id is used once', () => {
  expect(new Set(practiceFirmware.map(({ id }) => id)).size).toBe(practiceFirmware.length)
})
