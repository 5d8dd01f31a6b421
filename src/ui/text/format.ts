/**
 * Numbers, times and bytes as people read them, in the language at hand. Addresses, hashes and versions
 * are the field's own words and look the same in every language.
 */
import { getLocale } from './generated/runtime.js'

/** Day before month and 24 hours: read alike everywhere. */
const region = (): string => ({ en: 'en-GB', de: 'de-DE' })[getLocale()]

/** Making one takes far longer than using it, and progress is told ten times a second. */
const formats = new Map<string, Intl.NumberFormat>()

/** With one digit behind the point where the number has any. */
export function count(value: number): string {
  let format = formats.get(region())
  if (!format) formats.set(region(), (format = new Intl.NumberFormat(region(), { maximumFractionDigits: 1 })))
  return format.format(value)
}

/** `14:02`, or with the date when that is not today's. `iso` is ISO 8601. */
export function moment(iso: string, today: Date = new Date()): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const sameDay = at.toDateString() === today.toDateString()
  return new Intl.DateTimeFormat(region(), {
    timeStyle: 'short',
    ...(sameDay ? {} : { dateStyle: 'medium' }),
  }).format(at)
}

/** `14:02:31`. */
export const clock = (iso: string): string =>
  new Intl.DateTimeFormat(region(), { timeStyle: 'medium' }).format(new Date(iso))

/** Date and time, whatever day it is. */
export const dateTime = (iso: string): string =>
  new Intl.DateTimeFormat(region(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso))

/** `32 KiB`, `512 B`, `3.5 MiB`: memory sizes, so binary units; exact when the number allows it. */
export function size(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10))
  return `${count(bytes / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB'][power] ?? ''}`
}

/** The beginning of a hash, in groups: `3f9a 27c1 …`. */
export const shortHash = (sha256: string): string => `${sha256.slice(0, 4)} ${sha256.slice(4, 8)} …`

/** The whole hash in groups of four, for reading aloud and comparing. */
export const groupedHash = (sha256: string): string => sha256.replace(/(.{4})(?=.)/g, '$1 ')

/** `USBasp` for 55 53 42 …: what a byte looks like as text, a dot where it is none. */
export const printable = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('')
