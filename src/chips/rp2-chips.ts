/**
 * What RP2040 and RP2350 are to PICOBOOT: ids, places in memory, what their ROMs look at before they start a program. Sources:
 * pico-sdk, `boot/uf2.h` (families), `boot/picobin.h`; pico-bootrom-rp2040, `bootrom_main.c` and `usb_boot_device.h`;
 * pico-bootrom-rp2350, `spec/BOOT_CONCEPTS.md`; RP2040 datasheet, 2.8.1.3.1.
 */
import type { Range } from '#core/programmer.ts'

export interface Chip {
  readonly name: 'RP2040' | 'RP2350'
  /** In BOOTSEL mode, unless its one-time memory has others. */
  readonly productId: number
  /** Short names of its UF2 families. */
  readonly families: readonly string[]
  /** Where programs that run from RAM go. */
  readonly ram: readonly Range[]
  /** Its serial number is its own, not one of all chips. */
  readonly hasSerial: boolean
}

export const raspberryPi = 0x2e8a
export const flashAddress = 0x1000_0000
export const sectorBytes = 4096
export const pageBytes = 256
/** As much as can be addressed. */
export const mostFlashBytes = 16 * 1024 * 1024

export const chips: readonly Chip[] = [
  {
    name: 'RP2040',
    productId: 0x0003,
    families: ['RP2040'],
    ram: [
      { address: 0x1500_0000, length: 0x4000 },
      { address: 0x2000_0000, length: 0x4_2000 },
    ],
    hasSerial: false,
  },
  {
    name: 'RP2350',
    productId: 0x000f,
    families: ['RP2350-ARM-S', 'RP2350-RISCV', 'RP2350-ARM-NS', 'RP2XXX-ABSOLUTE', 'RP2XXX-DATA'],
    ram: [
      { address: 0x13ff_c000, length: 0x4000 },
      { address: 0x2000_0000, length: 0x8_2000 },
    ],
    hasSerial: true,
  },
]

export const chipOf = (vendorId: number, productId: number): Chip | undefined =>
  vendorId === raspberryPi ? chips.find((chip) => chip.productId === productId) : undefined

/** Programs on such boards by their ids. Sources: picotool, `picoboot_connection.h`; debugprobe, `usb_descriptors.c`. */
export const programs: Readonly<Record<number, string>> = {
  0x0004: 'Picoprobe',
  0x0005: 'MicroPython',
  0x0009: 'Pico SDK (USB stdio)',
  0x000a: 'Pico SDK (USB stdio)',
  0x000c: 'Debug Probe',
}

/** In practice images, which are no firmware. */
export const practiceMark = 'Reflasher practice image, not a firmware'

// ---- what the ROMs ask for before they start what the flash holds -------------------------------------

/** Of RP2040: code that sets the flash up, with its checksum behind it; then the program's vector table. */
export const boot2Bytes = 256
const crcAt = boot2Bytes - 4
const polynomial = 0x04c1_1db7

/** The ROM starts nothing else. `page`: the first 256 bytes of the flash. */
export function hasBoot2(page: Uint8Array): boolean {
  if (page.length < boot2Bytes) return false
  return new DataView(page.buffer, page.byteOffset).getUint32(crcAt, true) === boot2Crc(page)
}

/** CRC-32 from the highest bit on, beginning with all ones, not inverted. */
export function boot2Crc(page: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of page.subarray(0, crcAt)) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ polynomial : crc << 1
  }
  return crc >>> 0
}

/** Of RP2350: a block that says what the image is begins with this word, somewhere in the first 4 KiB. */
export const blockMarker = 0xffff_ded3

/** `start`: the first 4 KiB of the flash, or less. */
export function hasBlock(start: Uint8Array): boolean {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  for (let at = 0; at + 4 <= Math.min(start.length, sectorBytes); at += 4)
    if (view.getUint32(at, true) === blockMarker) return true
  return false
}
