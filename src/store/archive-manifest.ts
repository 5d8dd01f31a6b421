/** `manifest.json` of a backup archive: its schema. Unknown facts are left out, anything else is refused. */
import * as z from 'zod/mini'
import { FlashError } from '#core/errors.ts'
import { longest, type BackupEntry, type BackupMemoryEntry } from './backups.ts'
import { facts, firmware, hash, list, memoryId, size, text, unreadable } from './schema.ts'

const backup = z.object({
  id: z.string().check(z.regex(/^[0-9a-f-]{36}$/)),
  createdAt: z.iso.datetime(),
  name: text,
  note: z.string().check(z.maxLength(longest.note)),
  origin: z.object({
    practice: z.optional(z.literal(true)),
    programmer: z.object({ model: text, facts }),
    way: z.object({ to: z.enum(['itself', 'target']), by: text }),
    patient: z.object({ kind: text, chip: text, facts, serial: z.optional(text) }),
  }),
  firmware: z.optional(firmware),
  memories: list(z.object({ id: memoryId, address: size, length: size, sha256: hash, file: text }), 20),
  unreadable: list(unreadable, 20),
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
  if (parsed.success) {
    refuseRepeated(parsed.data.backups)
    return parsed.data as Manifest // JSON has no undefined: absent keys stand for it
  }
  const path = parsed.error.issues[0]?.path.map(String).join('.') ?? ''
  throw new FlashError('backup-corrupt', { name: `manifest.json ${path}`.trim(), why: 'schema' })
}

/** The store has one place for each. */
function refuseRepeated(backups: readonly Pick<BackupEntry, 'id' | 'name' | 'memories'>[]): void {
  const ids = new Set<string>()
  for (const { id, name, memories } of backups) {
    if (ids.has(id) || new Set(memories.map((memory) => memory.id)).size < memories.length)
      throw new FlashError('backup-corrupt', { name, why: 'twice' })
    ids.add(id)
  }
}
