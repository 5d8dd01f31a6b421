/**
 * Made-up programs of an ATmega32U4 for its twin and the practice bench: jumps, the USB descriptor of what they play, text
 * that says what they are, and no code. Layouts as in the published images: USB 2.0, 9.6.1; `USBCore.cpp` and Caterina's
 * `Descriptors.c` of ArduinoCore-avr.
 */
import { blank, ByteWriter } from '#core/bytes.ts'
import { loaderText } from './firmware.ts'

/** Vectors of an ATmega32U4, four bytes each. */
const vectors = 43
const codeAt = vectors * 4
const descriptorAt = 0x600

export interface UsbIds {
  readonly vendorId: number
  readonly productId: number
}

/** How the text in a practice sketch begins; a version follows. */
export const practiceText = 'Reflasher practice sketch '

/** `length` bytes from 0 on, another program for each `version`. Without ids it has no USB. */
export function practiceSketch(length: number, version: number, ids?: UsbIds): Uint8Array {
  const text = new TextEncoder().encode(`${practiceText}${String(version)}\0`)
  const image = Uint8Array.from({ length: length & ~1 }, (_, i) =>
    i < codeAt
      ? ([0x0c, 0x94, codeAt / 2, 0][i % 4] ?? 0)
      : i % 64 < text.length
        ? (text[i % 64] ?? 0)
        : Math.imul(i + version, 2_654_435_761) >>> 24,
  )
  if (ids) image.set(descriptor(ids, [0x00, 0x02, 0xef, 2, 1, 64], [0x00, 0x01, 1, 2, 3, 1]), descriptorAt)
  return image
}

/** A stand-in for Caterina, of 4 KiB for 0x7000. */
export function loaderImage(ids: UsbIds): Uint8Array {
  const image = blank(0x1000)
  image.set(new ByteWriter().u16le(0xc055).done()) // over the vectors
  image.set(descriptor(ids, [0x10, 0x01, 2, 0, 0, 8], [0x01, 0x00, 2, 1, 0, 1]), 0xac)
  image.set(new TextEncoder().encode(`${loaderText}\0Reflasher practice boot loader\0`), 0xc0)
  return image
}

/** `before`: bcdUSB to bMaxPacketSize0; `after`: bcdDevice to bNumConfigurations. */
const descriptor = (
  { vendorId, productId }: UsbIds,
  before: readonly number[],
  after: readonly number[],
): Uint8Array =>
  new ByteWriter()
    .bytes([18, 1, ...before])
    .u16le(vendorId)
    .u16le(productId)
    .bytes(after)
    .done()
