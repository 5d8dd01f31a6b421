/**
 * The USBasp's requests: numbers and byte layouts, no I/O.
 *
 * Everything is a vendor request to the device on endpoint 0; what avrdude calls `cmd[0..3]` travels in
 * wValue and wIndex, low byte first. Sources: `firmware/usbasp.h` and `main.c` of the published firmwares
 * (fischl 2011-05-28, bperrybap 1.5, nerdralph 1.07, dioannidis 1.10), `usbasp.c` of avrdude.
 */
import { FlashError } from '#core/errors.ts'

export const Request = {
  Connect: 1, // USBASP_FUNC_CONNECT
  Disconnect: 2,
  Transmit: 3,
  ReadFlash: 4,
  EnableProg: 5,
  WriteFlash: 6,
  ReadEeprom: 7,
  WriteEeprom: 8,
  SetLongAddress: 9,
  SetIspSck: 10,
  GetCapabilities: 127,
} as const
export type Request = (typeof Request)[keyof typeof Request]

/** wValue and wIndex of a setup packet. */
export interface Arguments {
  readonly value: number
  readonly index: number
}

/** TRANSMIT: the four bytes of one serial programming instruction. */
export const encodeTransmit = ([a, b, c, d]: readonly [number, number, number, number]): Arguments => ({
  value: a | (b << 8),
  index: c | (d << 8),
})

export const parseTransmit = ({ value, index }: Arguments): [number, number, number, number] => [
  value & 0xff,
  value >> 8,
  index & 0xff,
  index >> 8,
]

/** SETLONGADDRESS: a 32-bit byte address. */
export const encodeLongAddress = (address: number): Arguments => ({
  value: address & 0xffff,
  index: (address >>> 16) & 0xffff,
})

export const parseLongAddress = ({ value, index }: Arguments): number => ((index << 16) | value) >>> 0

/** WRITEFLASH: FIRST loads the page counter, LAST writes a page that is not full. */
export const BlockFlag = { First: 1, Last: 2 } as const // PROG_BLOCKFLAG_*

/**
 * WRITEFLASH's wIndex: the target's page size in bytes (12 bits; 0 = a target without pages) around the
 * flags: size[7:0], then flags in the low and size[11:8] in the high nibble.
 */
export function encodeBlock(pageBytes: number, flags: number): number {
  if (pageBytes < 0 || pageBytes > 0xfff)
    throw new FlashError('bug', { during: `a page of ${String(pageBytes)} bytes` })
  return (pageBytes & 0xff) | (((flags & 0x0f) | ((pageBytes >> 8) << 4)) << 8)
}

export const parseBlock = (index: number): { pageBytes: number; flags: number } => ({
  pageBytes: (index & 0xff) | ((index >> 4) & 0xf00),
  flags: (index >> 8) & 0x0f,
})

/** SETISPSCK options in Hz by number; 0 leaves the choice to the firmware. 13 came with 1.07. */
export const sckOptionsHz: readonly number[] = [
  0, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 93_750, 187_500, 375_000, 750_000, 1_500_000, 3_000_000,
]

/** The option for the fastest clock that is not above `speedHz`, or the slowest; `undefined`: automatic. */
export function encodeSck(speedHz: number | undefined): number {
  if (speedHz === undefined) return 0
  return Math.max(
    1,
    sckOptionsHz.findLastIndex((hz) => hz <= speedHz),
  )
}

/** What GETCAPABILITIES says. Bits that the firmwares do not use are not told apart. */
export interface Capabilities {
  readonly tpi: boolean
  /** A serial port as vendor requests (usbasp-uart) or as HID reports (dioannidis 1.09 and later). */
  readonly uart: 'vendor' | 'hid' | undefined
  /** The serial number can be set by a HID report (1.11 and its builds before). */
  readonly serialNumber: boolean
  /** nofeletru's firmware for SPI flash chips. */
  readonly spiFlash: boolean
  /** Only 1.11 and later fill this byte; older ones leave 0, which means 12 MHz there. */
  readonly crystalMhz: number | undefined
}

/** Undefined: zero bytes, as firmware up to 1.03 answers. */
export function parseCapabilities(bytes: Uint8Array): Capabilities | undefined {
  const [features, crystal, , spi] = bytes
  if (features === undefined || crystal === undefined || spi === undefined) return undefined
  return {
    tpi: (features & 0x01) !== 0,
    uart: features & 0x80 ? 'hid' : features & 0x40 ? 'vendor' : undefined,
    serialNumber: (features & 0x20) !== 0,
    spiFlash: spi !== 0,
    crystalMhz: [12, 16, 18, 20][crystal],
  }
}
