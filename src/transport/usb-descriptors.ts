/**
 * Descriptors as a device itself gives them: browsers show only a part of its configuration, and not the names of all
 * settings. Hostile until checked. Source: USB 2.0, 9.4.3 and 9.6.
 */
import { exactly } from '#core/bytes.ts'
import type { UsbLink } from './links.ts'

const GetDescriptor = 6
const Type = { Configuration: 2, String: 3 } as const
const americanEnglish = 0x0409
const configurationHead = 9
/** Larger ones are a lie; there is no device with more than a few hundred bytes. */
const mostConfigurationBytes = 4096
const mostStringBytes = 255

/** With all of its interfaces. @throws `short-transfer`, and what the link throws */
export async function readConfiguration(link: UsbLink): Promise<Uint8Array> {
  const during = 'reading the configuration descriptor'
  const read = (length: number) => descriptor(link, Type.Configuration, 0, 0, length)
  const head = exactly(configurationHead, await read(configurationHead), during)
  const total = Math.min((head[2] ?? 0) | ((head[3] ?? 0) << 8), mostConfigurationBytes)
  return total <= configurationHead ? head : exactly(total, await read(total), during)
}

/** As it came, which may be less than its first byte says. */
export const readString = (link: UsbLink, index: number): Promise<Uint8Array> =>
  descriptor(link, Type.String, index, americanEnglish, mostStringBytes)

const descriptor = (link: UsbLink, type: number, index: number, language: number, length: number) =>
  link.controlIn(
    {
      ...{ requestType: 'standard', recipient: 'device', request: GetDescriptor },
      ...{ value: (type << 8) | index, index: language },
    },
    length,
  )

/** Without the two bytes that each begins with. The last may be cut off; a length that is none ends the walk. */
export function* descriptorsIn(bytes: Uint8Array): Generator<{ type: number; body: Uint8Array }> {
  for (let at = 0; at + 2 <= bytes.length;) {
    const [length = 0, type = 0] = bytes.subarray(at)
    if (length < 2) return
    yield { type, body: bytes.subarray(at + 2, at + length) }
    at += length
  }
}

/** A string descriptor's text, whatever its length says: some are cut off, or longer than they say. */
export function textOf(descriptor: Uint8Array): string {
  const [length = 0] = descriptor
  const units = descriptor.subarray(2, Math.min(length, descriptor.length) & ~1)
  let text = ''
  for (let at = 0; at + 1 < units.length; at += 2)
    text += String.fromCharCode((units[at] ?? 0) | ((units[at + 1] ?? 0) << 8))
  return text
}
