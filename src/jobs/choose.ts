/**
 * Turning what the user chose (a file, a link's download, a catalogue's file, a practice image, a backup)
 * into what is wanted. A promise of size or hash is kept before anything else looks at the bytes.
 */
import type { ImageReason } from '#catalogue/schema.ts'
import { lengthBeforeBlank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Contents, KnownFirmware, MemoryId, Segment } from '#core/programmer.ts'
import { totalBytes } from '#firmware/image.ts'
import type { Backup, BackupEntry } from '#store/backups.ts'
import type { Wanted, WantedSource } from '#store/journal.ts'
import type { Parsed, ParseFileOptions } from '#worker/client.ts'
import type { Statement } from '#inspector/clue.ts'
import { recogniseFirmware } from './identify.ts'
import type { PatientLayout, PlanRule } from './plan.ts'

/** `worker/client.ts` has it. */
export type Parse = (
  file: Blob,
  options: ParseFileOptions,
  signal?: AbortSignal,
) => Promise<Omit<Parsed, 'crc32' | 'inspection' | 'writable'>>

export interface Choice {
  readonly kind: Exclude<WantedSource['kind'], 'backup'>
  readonly file: Blob
  readonly name: string
  /** Where a raw binary goes, or which part of a file is meant. */
  readonly read?: Pick<ParseFileOptions, 'base' | 'part'> | undefined
  /** Where it goes; default: the flash. */
  readonly memory?: MemoryId | undefined
  /** What a link or the catalogue says about it. */
  readonly version?: string | undefined
  readonly chip?: string | undefined
  /** What a link says: whose it is, by which way, and from where it came. */
  readonly link?: Pick<WantedSource, 'device' | 'patient' | 'url'> | undefined
  readonly promised?: { readonly sha256: string; readonly sizeBytes: number } | undefined
}

/** @throws `size-mismatch`, `hash-mismatch`, `bad-file`, `storage-failed`, `cancelled` */
export async function wantedFromFile(choice: Choice, parse: Parse, signal?: AbortSignal): Promise<Wanted> {
  const { kind, file, name, read, memory = 'flash', promised, version, chip, link } = choice
  if (promised && promised.sizeBytes !== file.size)
    throw new FlashError('size-mismatch', { expected: promised.sizeBytes, found: file.size })
  const { image, sha256, sizeBytes } = await parse(file, { name, ...read }, signal)
  if (promised && promised.sha256 !== sha256)
    throw new FlashError('hash-mismatch', { expected: promised.sha256, found: sha256 })
  const firmware = memory === 'flash' ? await recogniseImage(image.segments, chip) : undefined
  return {
    contents: new Map([[memory, image.segments]]),
    firmware,
    source: {
      kind,
      name: image.file === undefined ? name : `${name}: ${image.file}`,
      version: version ?? firmware?.version,
      sha256,
      sizeBytes,
      ...(promised && { promisedSha256: promised.sha256 }),
      ...(chip !== undefined && { chip }),
      ...(Object.keys(image.claims).length > 0 && { said: { format: image.format, claims: image.claims } }),
      ...link,
    },
  }
}

/** No chip here has a flash that large; looking through more would only hold up the page. */
const mostRecognised = 1 << 20

/** What the bytes of a file are; undefined: nothing known, or too much to be a chip's. */
export async function recogniseImage(
  segments: readonly Segment[],
  chip?: string,
): Promise<KnownFirmware | undefined> {
  return totalBytes(segments) > mostRecognised ? undefined : recogniseFirmware(segments, chip)
}

/** What the flash content is by itself, surest first; of too much nothing is said. */
export async function natureOf({ contents, source: { said } }: Wanted): Promise<readonly Statement[]> {
  const segments = contents.get('flash')
  if (!segments || totalBytes(segments) > mostRecognised) return []
  const { inspect } = await import('#inspector/inspect.ts')
  return inspect({ segments, ...said }).statements
}

/** Memories that a restore can write. */
const restorable: readonly MemoryId[] = ['flash', 'eeprom', 'fuses', 'lock', 'config']

/** Whether the chip hid something of itself when it was saved. */
const wasLocked = ({ unreadable }: Pick<BackupEntry, 'unreadable'>): boolean =>
  unreadable.some(({ reason }) => reason === 'read-protected')

/** Whether it can make a chip that was erased what it was. */
export const isWhole = (backup: Pick<BackupEntry, 'memories' | 'unreadable'>): boolean =>
  !wasLocked(backup) && backup.memories.some(({ id }) => id === 'flash')

/**
 * Of those in a backup. Lock bits that hid a memory are left out, as in a plan: without that memory they would only
 * hide another one.
 */
export function restorableMemories(
  backup: Pick<BackupEntry, 'memories' | 'unreadable'>,
): readonly MemoryId[] {
  const isKept = (id: MemoryId) => restorable.includes(id) && !(id === 'lock' && wasLocked(backup))
  return backup.memories.map(({ id }) => id).filter(isKept)
}

/** Of those, what a patient has that can be written this way. */
export const writesBack = (
  backup: Pick<BackupEntry, 'memories' | 'unreadable'>,
  patient: Pick<PatientLayout, 'memories'>,
): boolean =>
  restorableMemories(backup).some((id) => patient.memories.some((one) => one.id === id && one.writable))

/** `memories` default: all that can be restored; what is not in the backup is left out. */
export function wantedFromBackup(backup: Backup, memories = restorableMemories(backup)): Wanted {
  const known = restorableMemories(backup)
  const chosen = backup.memories.filter(({ id }) => known.includes(id) && memories.includes(id))
  const contents: Contents = new Map(
    chosen.map(({ id, address, bytes }): [MemoryId, Segment[]] => [id, [{ address, bytes }]]),
  )
  const firmware: KnownFirmware | undefined = contents.has('flash') ? backup.firmware : undefined
  return {
    contents,
    firmware,
    source: {
      kind: 'backup',
      name: backup.name,
      version: firmware?.version,
      sha256: backup.sha256,
      sizeBytes: chosen.reduce((sum, { length }) => sum + length, 0),
      backupId: backup.id,
      chip: backup.origin.patient.chip,
    },
  }
}

/**
 * Of a backup that was read another way, or before it was known how much there is, what this one can write; nothing of
 * that: as it was, to be refused.
 */
export function asWritable(whole: Wanted, { memories }: Pick<PatientLayout, 'memories'>): Wanted {
  const { source, firmware } = whole
  if (source.kind !== 'backup') return whole
  const wanted = { ...whole, contents: withoutBlankEnds(whole.contents, memories) }
  const isWritable = ([id]: [MemoryId, unknown]) => memories.some((one) => one.id === id && one.writable)
  const contents: Contents = new Map([...wanted.contents].filter(isWritable))
  if (contents.size === 0 || contents.size === wanted.contents.size) return wanted
  const sizeBytes = [...contents.values()].reduce((sum, segments) => sum + totalBytes(segments), 0)
  return {
    contents,
    firmware: contents.has('flash') ? firmware : undefined,
    source: { ...source, sizeBytes },
  }
}

/** Where a memory ends before its backup does, which is blank from there on. */
function withoutBlankEnds(contents: Contents, memories: PatientLayout['memories']): Contents {
  const within = ([id, segments]: [MemoryId, readonly Segment[]]): [MemoryId, readonly Segment[]] => {
    const { address: base = 0, length = Infinity } = memories.find((one) => one.id === id) ?? {}
    const cut = segments.map((segment) => {
      const room = base + length - segment.address
      const isBlankFrom = room >= 0 && lengthBeforeBlank(segment.bytes) <= room
      return isBlankFrom ? { ...segment, bytes: segment.bytes.subarray(0, room) } : segment
    })
    return [id, cut]
  }
  return new Map([...contents].map(within))
}

/**
 * A programmer's own firmware owns the whole flash: what the old version left behind it goes, so that the
 * flash is the new image and nothing else. Everywhere else, what the image does not mention stays.
 */
export function ruleFor(before: KnownFirmware | undefined, { firmware }: Wanted): PlanRule {
  const isWhole = before?.appears?.link === 'usb' && firmware?.appears?.link === 'usb'
  return { outside: isWhole ? 'blank' : 'keep', reserved: 'refuse' }
}

/** What the catalogue has against an image; undefined: it does not know it. */
export async function knownOf({
  contents,
  source,
}: Wanted): Promise<{ against: ImageReason | undefined } | undefined> {
  const flash = contents.get('flash')
  if (!flash) return undefined
  const { findFile, findImage } = await import('#catalogue/catalogue.ts')
  const entry = (await findFile(source.sha256)) ?? (await findImage(flash))
  return entry && { against: entry.offer === 'yes' ? undefined : entry.reason }
}
