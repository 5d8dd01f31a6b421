/**
 * Things that can be found in any firmware image without knowing the chip: USB device descriptors and
 * texts. It knows no file format and no protocol; who holds a descriptor decides what it means.
 * Descriptors: USB 2.0, 9.6.1 (device descriptor).
 */
import { usbId, versionText } from './bytes.ts'
import type { Segment } from './programmer.ts'

export interface FoundUsbDescriptor {
  readonly address: number
  readonly vendorId: number
  readonly productId: number
  /** bcdDevice as `SeenUsb` has it: 1.04 is [1, 0, 4]. */
  readonly deviceVersion: readonly [number, number, number]
  readonly deviceClass: number
  /** `16c0:05dc` and `1.04`: as people and `lsusb` write them. */
  readonly usbId: string
  readonly version: string
}

export interface FoundString {
  readonly address: number
  readonly text: string
  readonly encoding: 'ascii' | 'utf-16le'
}

/** Instead of a string's index: LUFA then makes the serial number of the chip's own. */
const chipSerial = 0xdc

const descriptorBytes = 18
const deviceClasses: readonly number[] = [0x00, 0x02, 0x09, 0xdc, 0xe0, 0xef, 0xfe, 0xff]

/** Plausible device descriptors, in order of address; at most `limit`. */
export function findUsbDescriptors(segments: readonly Segment[], limit = 256): FoundUsbDescriptor[] {
  const found: FoundUsbDescriptor[] = []
  for (const { address, bytes } of segments)
    for (let at = 0; at + descriptorBytes <= bytes.length && found.length < limit; at++)
      if (bytes[at] === descriptorBytes && bytes[at + 1] === 1 && isPlausible(bytes, at))
        found.push(describe(address + at, bytes.subarray(at, at + descriptorBytes)))
  return found
}

/** Without a view of its own for each: a hostile file begins one at every other byte. */
function isPlausible(bytes: Uint8Array, at: number): boolean {
  const field = (offset: number) => bytes[at + offset] as number
  const vendorId = u16(bytes, at + 8)
  return (
    field(3) >= 1 &&
    field(3) <= 3 &&
    [0x00, 0x01, 0x10, 0x20].includes(field(2)) &&
    deviceClasses.includes(field(4)) &&
    [8, 9, 16, 32, 64].includes(field(7)) &&
    vendorId !== 0 &&
    vendorId !== 0xffff &&
    [14, 15, 16].every((offset) => field(offset) < 32 || field(offset) === chipSerial) && // string indexes
    [1, 2, 3, 4].includes(field(17)) // configurations
  )
}

function describe(address: number, descriptor: Uint8Array): FoundUsbDescriptor {
  const vendorId = u16(descriptor, 8)
  const productId = u16(descriptor, 10)
  const bcd = u16(descriptor, 12)
  const deviceVersion = [bcd >> 8, (bcd >> 4) & 15, bcd & 15] as const
  return {
    address,
    vendorId,
    productId,
    deviceVersion,
    deviceClass: descriptor[4] ?? 0,
    usbId: usbId(vendorId, productId),
    version: versionText(deviceVersion),
  }
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)

/** Runs longer than this come in pieces, so that no string grows with a hostile file. */
const longestString = 256

/** Runs of printable ASCII, and of the same as UTF-16LE (USB strings), in order of address; at most `limit`. */
export function findStrings(
  segments: readonly Segment[],
  { minLength = 5, limit = 4096 }: { minLength?: number; limit?: number } = {},
): FoundString[] {
  const found: FoundString[] = []
  for (const { address, bytes } of segments) {
    for (let at = nextText(bytes, 0); at < bytes.length && found.length < limit;) {
      const wide = bytes[at + 1] === 0 ? runLength(bytes, at, 2) : 0
      const step = wide >= minLength ? 2 : 1
      const length = step === 2 ? wide : runLength(bytes, at, 1)
      if (length >= minLength)
        found.push({
          address: address + at,
          text: String.fromCharCode(
            ...bytes.subarray(at, at + length * step).filter((_, i) => i % step === 0),
          ),
          encoding: step === 2 ? 'utf-16le' : 'ascii',
        })
      at = nextText(bytes, at + Math.max(1, length * step))
    }
  }
  return found
}

/** Where the next printable character is; most bytes of most images are none. */
function nextText(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && ((bytes[at] as number) < 0x20 || (bytes[at] as number) > 0x7e)) at++
  return at
}

/** Characters in the run that begins at `at`, each `step` bytes wide with zeros above the first. */
function runLength(bytes: Uint8Array, at: number, step: 1 | 2): number {
  let length = 0
  while (length < longestString && isPrintable(bytes[at + length * step])) {
    if (step === 2 && bytes[at + length * 2 + 1] !== 0) break
    length++
  }
  return length
}

const isPrintable = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x20 && byte < 0x7f
