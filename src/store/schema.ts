/** Schemas of what archives and certificates have in common. They come from files, so everything has a limit. */
import * as z from 'zod/mini'
import type { Fact, FactName } from '#core/programmer.ts'

/** A fact of a newer version is no reason to refuse a backup; a wrong one must not reach the screen. */
const factNames: Record<FactName, true> = {
  model: true,
  mode: true,
  firmware: true,
  'firmware-version': true,
  'device-version': true,
  manufacturer: true,
  product: true,
  serial: true,
  'usb-id': true,
  capabilities: true,
  chip: true,
  signature: true,
  fuses: true,
  lock: true,
  calibration: true,
  clock: true,
  speed: true,
  baud: true,
  bootloader: true,
  sectors: true,
  protocol: true,
  core: true,
  'debug-port': true,
  'target-voltage': true,
  hardware: true,
  'firmware-date': true,
  mac: true,
  'flash-security': true,
}

export const text = z.string().check(z.maxLength(4000))
export const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/))
export const size = z.int().check(z.minimum(0), z.maximum(2 ** 32))
const usbId = z.int().check(z.minimum(0), z.maximum(0xffff))
export const memoryId = z.enum([
  'flash',
  'eeprom',
  'fuses',
  'lock',
  'calibration',
  'signature',
  'options',
  'otp',
  'config',
])
export const list = <T extends z.core.SomeType>(of: T, most: number) => z.array(of).check(z.maxLength(most))

export const facts = z.pipe(
  list(z.object({ name: text, value: text, source: z.optional(text) }), 100),
  z.transform((all) => all.filter((fact): fact is Fact => Object.hasOwn(factNames, fact.name))),
)

export const unreadable = z.object({
  memory: memoryId,
  reason: z.enum(['read-protected', 'not-through-this-way', 'write-only']),
})

export const firmware = z.object({
  family: text,
  name: text,
  version: z.optional(text),
  confidence: z.enum(['certain', 'likely', 'possible']),
  evidence: list(text, 20),
  appears: z.optional(
    z.object({
      link: z.enum(['usb', 'serial', 'hid']),
      vendorId: z.optional(usbId),
      productId: z.optional(usbId),
      says: z.optional(facts),
    }),
  ),
  chips: z.optional(list(text, 100)),
})
