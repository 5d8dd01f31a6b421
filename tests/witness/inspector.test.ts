/** What the inspector says of real boot loaders, built by others: never another processor, always where they are. */
import { describe, expect, test } from 'vitest'
import { readImage } from '../../src/firmware/formats.ts'
import { inspect } from '../../src/inspector/inspect.ts'
import { bootLoaderFile } from './arduino-core.ts'

const loaders: readonly (readonly [file: string, address: string, chip: RegExp])[] = [
  ['optiboot/optiboot_atmega8.hex', '0x1e00', /ATmega8\b/],
  ['atmega/ATmegaBOOT_168_atmega328.hex', '0x7800', /ATmega328P\b/],
  ['atmega/ATmegaBOOT_168_diecimila.hex', '0x3800', /ATmega168\b/],
  ['atmega/ATmegaBOOT_168_atmega1280.hex', '0x0001_f000', /ATmega1280\b/],
  ['stk500v2/stk500boot_v2_mega2560.hex', '0x0003_e000', /ATmega2560\b/],
]

describe('a boot loader of ArduinoCore-avr', () => {
  test.each(loaders)('%s is one, at %s', async (file, address, chip) => {
    const { statements } = inspect(await readImage(bootLoaderFile(file), file))
    const loader = statements.find(({ code }) => code === 'avr-bootloader')
    expect(loader).toMatchObject({ confidence: 'certain', values: { address } })
    expect(statements.find(({ code }) => code === 'avr-chips')?.values['chips']).toMatch(chip)
    expect(statements.flatMap(({ architecture = 'avr' }) => architecture)).toEqual(
      statements.map(() => 'avr'),
    )
  })
})
