/** Real input: boot loader images as Debian's arduino-core-avr ships them, dropped through the file input. */
import { expect } from '@playwright/test'
import { bootLoaderFile } from '../witness/arduino-core.ts'
import { test } from './story.ts'
import { en } from './words.ts'

test('the over-long optiboot for the ATmega328 is refused with the place, and nothing is written', async ({
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board)
  await story.backUp()
  await story.bring('optiboot_atmega328.hex', bootLoaderFile('optiboot/optiboot_atmega328.hex'))
  const alert = story.main.getByRole('alert')
  await expect(alert).toContainText('0x7ffe')
  await expect(alert).toContainText('35')
  await expect(story.button(en.plan_write)).toBeHidden()
})
