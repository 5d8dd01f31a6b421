/** Practice images for DFU devices: a vector table and filler that says what it is. */
import type { PracticeFirmware } from '#bench/twin.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { blackMagicProgram, practiceAvrProgram, practiceUsbSerial, versions } from './images.ts'

const image = (chip: string, version: number, address: number, length = 24_000): PracticeFirmware => ({
  id: `practice-${String(version)}-${chip.toLowerCase().replace(/\W+/g, '-')}${address === 0x0800_0000 ? '' : '-app'}`,
  name: `Program ${String(version)}`,
  chip,
  version: String(version),
  build: () => [{ address, bytes: practiceProgram(address, length, version) }],
})

const blackMagic = (number: number): PracticeFirmware => ({
  id: `practice-black-magic-${String(number)}`,
  name: `Black Magic Probe ${versions[number - 1] ?? ''}`,
  chip: 'STM32 (120 KiB)',
  version: versions[number - 1] ?? '',
  build: () => [{ address: 0x0800_2000, bytes: blackMagicProgram(0x0800_2000, 90_000, number) }],
})

const avr = (chip: string, version: number, length: number): PracticeFirmware => ({
  id: `practice-${String(version)}-${chip.toLowerCase()}-flip`,
  name: `Program ${String(version)}`,
  chip,
  version: String(version),
  build: () => [{ address: 0, bytes: practiceAvrProgram(length, version) }],
})

const usbSerial = (chip: string, version: number, productId: number): PracticeFirmware => ({
  ...avr(chip, version, 0),
  name: `Arduino USB serial ${String(version)}`,
  build: () => [{ address: 0, bytes: practiceUsbSerial({ vendorId: 0x2341, productId }, 3900, version) }],
})

export default [
  image('STM32 (128 KiB)', 2, 0x0800_0000),
  image('STM32 (1024 KiB)', 2, 0x0800_0000),
  image('GD32VF103 (128 KiB)', 2, 0x0800_0000),
  image('STM32 (56 KiB)', 2, 0x0800_2000),
  image('DFU (8 KiB)', 2, 0, 6000),
  blackMagic(2),
  blackMagic(3),
  usbSerial('ATmega16U2', 2, 0x0043),
  avr('ATmega32U4', 2, 12_000),
  avr('AT90USB1286', 2, 90_000),
] satisfies readonly PracticeFirmware[]
