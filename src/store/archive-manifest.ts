/** `manifest.json` of a backup archive: its schema. Strange facts are left out, anything else is refused. */
import * as z from 'zod/mini'
import { FlashError } from '#core/errors.ts'
import type { Fact, FactName } from '#core/programmer.ts'
import type { BackupEntry, BackupMemoryEntry } from './backups.ts'

/** A fact of a newer version is no reason to refuse a backup; a wrong one must not reach the screen. */
const factNames: Record<FactName, true> = {
  model: true,
  mode: true,
  firmware: true,
  'firmware-version': true,
  'hardware-version': true,
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
  protocol: true,
  voltage: true,
}

const text = z.string().check(z.maxLength(500))
const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/))
const size = z.int().check(z.minimum(0), z.maximum(2 ** 32))
const usbId = z.int().check(z.minimum(0), z.maximum(0xffff))
const memoryId = z.enum(['flash', 'eeprom', 'fuses', 'lock', 'calibration', 'signature'])
const list = <T extends z.core.SomeType>(of: T, most: number) => z.array(of).check(z.maxLength(most))

const facts = z.pipe(
  list(z.object({ name: text, value: text, source: z.optional(text) }), 100),
  z.transform((all) => all.filter((fact): fact is Fact => Object.hasOwn(factNames, fact.name))),
)

const firmware = z.object({
  family: text,
  name: text,
  version: z.optional(text),
  confidence: z.enum(['certain', 'likely', 'possible']),
  evidence: list(text, 20),
  appears: z.optional(
    z.object({ link: z.enum(['usb', 'serial']), vendorId: z.optional(usbId), productId: z.optional(usbId) }),
  ),
  chips: z.optional(list(text, 100)),
})

const backup = z.object({
  id: z.string().check(z.regex(/^[0-9a-f-]{36}$/)),
  createdAt: z.iso.datetime(),
  name: text,
  note: z.string().check(z.maxLength(10_000)),
  origin: z.object({
    programmer: z.object({ model: text, facts }),
    way: z.object({ to: z.enum(['itself', 'target']), by: text }),
    patient: z.object({ kind: text, chip: text, facts, serial: z.optional(text) }),
  }),
  firmware: z.optional(firmware),
  memories: list(z.object({ id: memoryId, address: size, length: size, sha256: hash, file: text }), 20),
  unreadable: list(
    z.object({ memory: memoryId, reason: z.enum(['read-protected', 'not-through-this-way']) }),
    20,
  ),
  source: z.enum(['read', 'imported']),
  sha256: hash,
})

const manifest = z.object({
  format: z.literal('reflasher-backups'),
  version: z.literal(1),
  backups: list(backup, 10_000),
})

export interface Manifest {
  readonly format: 'reflasher-backups'
  readonly version: 1
  readonly backups: readonly (Omit<BackupEntry, 'memories'> & {
    readonly memories: readonly (BackupMemoryEntry & { readonly file: string })[]
  })[]
}

/** @throws `backup-corrupt` naming the place in the manifest */
export function parseManifest(bytes: Uint8Array): Manifest {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new FlashError('backup-corrupt', { name: 'manifest.json', why: 'not JSON' }, { cause })
  }
  const parsed = manifest.safeParse(json)
  if (parsed.success) return parsed.data as Manifest // JSON has no undefined: absent keys stand for it
  const path = parsed.error.issues[0]?.path.map(String).join('.') ?? ''
  throw new FlashError('backup-corrupt', { name: `manifest.json ${path}`.trim(), why: 'schema' })
}
