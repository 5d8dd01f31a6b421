import { expect, test } from 'vitest'
import { isForDrive, parseDriveInfo } from './uf2-drive.ts'

const pico = 'UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n'

test('a drive says which board it is, and with that which UF2 it takes', () => {
  expect(parseDriveInfo(pico)).toEqual({ model: 'Raspberry Pi RP2', boardId: 'RPI-RP2', chips: ['RP2040'] })
  const feather = parseDriveInfo(
    'UF2 Bootloader v1.23.1\nModel: Feather M0\nBoard-ID: SAMD21G18A-Feather-v0\n',
  )
  expect(feather).toMatchObject({ model: 'Feather M0', chips: ['SAMD21'] })
  const pico2 = parseDriveInfo('UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n')
  if (!feather || !pico2) throw new Error('no drive')
  expect(isForDrive('RP2350-RISCV', pico2)).toBe(true)
  expect(isForDrive('RP2040', pico2)).toBe(false)
  expect(isForDrive(undefined, pico2)).toBeUndefined()
})

test('an unknown board, and a text that is none', () => {
  const unknown = parseDriveInfo('Board-ID: XYZ-1')
  expect(unknown).toEqual({ model: 'XYZ-1', boardId: 'XYZ-1', chips: undefined })
  expect(unknown && isForDrive('RP2040', unknown)).toBeUndefined()
  for (const text of ['', 'Board-ID:', 'Model: X\n', 'a Board-ID: X'])
    expect(parseDriveInfo(text)).toBeUndefined()
})
