/**
 * A USBasp as patient: what its flash makes of it when it is plugged in by itself. It runs only what is there:
 * an image for this chip, whole, and a crystal to run from; the version and strings are those in flash.
 */
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import type { Segment } from '#core/programmer.ts'
import { hasContent, jumpTarget, readVectorTable } from '#chips/avr-code.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import type { TwinAvr } from '#bench/twin-avr.ts'
import type { UsbDescriptors } from '#bench/twin.ts'
import { isWholePracticeImage } from './practice-firmware.ts'
import { UsbaspTwin } from './twin-firmware.ts'

/** Undefined: it stays dark. */
export function runByItself({ part, flash, fuses }: TwinAvr): UsbaspTwin | undefined {
  const segments = [{ address: 0, bytes: flash }]
  const found = findUsbDescriptors(segments).find(({ usbId }) => usbId === '16c0:05dc')
  const runs = hasCrystal(fuses) && startsOn(segments, part) && isWholePracticeImage(flash) !== false
  if (!found || !runs) return undefined
  const descriptors = readDescriptors(flash, found.address)
  return descriptors && new UsbaspTwin({ version: found.version, descriptors })
}

/** CKSEL says crystal; the internal oscillator is too slow for USB. */
const hasCrystal = ([low = 0xff]: Uint8Array): boolean => (low & 0x0f) >= 0x0a

/** A vector table of just this chip, each vector leading to something. */
function startsOn(segments: readonly Segment[], { vectors, flash }: AvrPart): boolean {
  const table = readVectorTable(segments)
  if (table.bytes !== vectors.bytes || table.count !== vectors.count) return false
  return Array.from({ length: table.count }, (_, i) => i * table.bytes).every((address) => {
    const target = jumpTarget(segments, address, flash.bytes)
    return target !== undefined && hasContent(segments, { address: target, length: 2 })
  })
}

/** V-USB's string numbers are in its code, so the strings are told apart by what they say. */
function readDescriptors(flash: Uint8Array, deviceAt: number): UsbDescriptors | undefined {
  const device = flash.slice(deviceAt, deviceAt + 18)
  const configurationAt = flash.findIndex(
    (byte, i) => byte === 9 && flash[i + 1] === 2 && flash[i + 3] === 0 && flash[i + 5] === 1,
  )
  if (configurationAt < 0) return undefined
  const totalLength = flash[configurationAt + 2] ?? 0
  const texts = findStrings([{ address: 0, bytes: flash }], { minLength: 4 })
    .filter(({ encoding, address }) => encoding === 'utf-16le' && flash[address - 1] === 3)
    .map(({ text }) => text)
  const strings: Record<number, string> = {}
  for (const text of texts.reverse()) strings[/^\d+$/.test(text) ? 3 : /usbasp/i.test(text) ? 2 : 1] = text
  return {
    device,
    configuration: flash.slice(configurationAt, configurationAt + totalLength),
    strings,
    missing: 'empty',
  }
}
