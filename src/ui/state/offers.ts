/** What there is to take in the Choose step, what of it the chip holds already, and what most likely comes next. */
import { toFlashError, type FlashError } from '#core/errors.ts'
import type { KnownFirmware, Rescue } from '#core/programmer.ts'
import { compareVersions } from '#core/versions.ts'
import { practiceImages, type PracticeImage } from '#bench/practice-images.ts'
import { findImage, imagesFor, type CatalogueEntry } from '#catalogue/catalogue.ts'
import { writesBack } from '#jobs/choose.ts'
import { isOfKind } from '#jobs/same-unit.ts'
import type { PatientView } from '#jobs/view.ts'
import type { Backup, BackupEntry, BackupMemory } from '#store/backups.ts'

/** For whom it is. */
export interface OfferedTo {
  readonly patient: Pick<PatientView, 'to' | 'kind' | 'mayBe' | 'chip' | 'memories'>
  readonly rescue: Rescue | undefined
  readonly firmware: KnownFirmware | undefined
  /** As it was just read; undefined: what is in the chip is not what was read. */
  readonly backup: Backup | undefined
  readonly practising: boolean
}

export interface Offered {
  /** Newest first, those of the firmware's own family before others. */
  readonly practice: readonly PracticeImage[]
  readonly practiceForOthers: readonly PracticeImage[]
  readonly published: readonly CatalogueEntry[]
  /** Of the very thing that is to be brought back; then the others of this kind of chip. Newest first. */
  readonly ownBackups: readonly BackupEntry[]
  readonly backups: readonly BackupEntry[]
  /** What was read of this kind, and nothing here can write back. */
  readonly records: readonly BackupEntry[]
  readonly onChip: PracticeImage | CatalogueEntry | undefined
  /** Undefined: only the user knows. */
  readonly next:
    | { readonly practice: PracticeImage }
    | { readonly published: CatalogueEntry }
    | { readonly backup: BackupEntry }
    | undefined
  /** What could not be listed; the rest is there. */
  readonly failures: readonly FlashError[]
}

/** @param list the backups of the library. */
export async function offersFor(
  to: OfferedTo,
  list: () => Promise<readonly BackupEntry[]>,
): Promise<Offered> {
  const { patient, rescue, firmware, backup, practising } = to
  const failures: FlashError[] = []
  const or = <T>(work: Promise<readonly T[]>, during: string): Promise<readonly T[]> =>
    work.catch((thrown: unknown) => {
      failures.push(toFlashError(thrown, during))
      return []
    })
  const family = rescue?.family ?? firmware?.family
  const flash = patient.memories.find(({ id }) => id === 'flash')
  const isKept = (at: number) =>
    flash?.reserved.some(({ address, length }) => at >= address && at < address + length) ?? false
  /** Where programs begin: behind a boot loader at the start of the flash. */
  const startsAt =
    flash && flash.address + (flash.reserved.find((one) => one.address === flash.address)?.length ?? 0)
  const fits = (image: PracticeImage) => image.chip === patient.chip && image.build()[0]?.address === startsAt

  // Where nothing was recognised (locked, blank, half-written), all that runs on a chip behind wires.
  const isAsked = family !== undefined || patient.to === 'target'
  const [images, entries, kept] = await Promise.all([
    practising ? or(practiceImages(family), 'listing practice images') : [],
    isAsked ? or(imagesFor(family, patient.chip, rescue?.since), 'listing published firmware') : [],
    or(list(), 'listing backups'),
  ])
  const practice = images.filter((image) => fits(image) && (!rescue || image.family === family))
  const keepsLoader = flash?.reserved.some(({ why }) => why === 'bootloader') ?? false
  const published = entries.filter(
    ({ address = 0, withLoader }) => !isKept(address) && !(withLoader && keepsLoader),
  )
  // The one just made changes nothing, except back what was begun.
  const ofKind = kept.filter(({ id, origin }) => isOfKind(patient, origin.patient.kind) && id !== backup?.id)
  const restorable = ofKind.filter((one) => writesBack(one, patient))
  const isOwn = (one: BackupEntry) => rescue !== undefined && one.firmware?.family === rescue.family
  const ownBackups = restorable.filter(isOwn)

  const held = backup?.memories.find(({ id }) => id === 'flash')
  // What is to be brought back may look like an image and be half of it.
  const onChip = rescue
    ? undefined
    : held && (practice.find((image) => holds(held, image)) ?? (await findImage([held], published)))
  /** What is to be brought back may hold the newest, and be damaged. */
  const isNewer = ({ family: of, version }: { family: string; version: string }) =>
    rescue !== undefined || of !== firmware?.family || (compareVersions(version, firmware.version) ?? 1) > 0
  const [own] = ownBackups
  const [play] = practice
  /** Of a programmer's own firmware; what else runs on a chip is its owner's choice. */
  const release = published.find(({ offer }) => offer === 'yes')
  const isProgrammer =
    rescue !== undefined || (firmware?.appears?.link === 'usb' && firmware.confidence !== 'possible')
  const next = own
    ? { backup: own }
    : play
      ? play !== onChip
        ? { practice: play }
        : undefined
      : release && isProgrammer && isNewer(release)
        ? { published: release }
        : undefined
  return {
    practice,
    practiceForOthers: images.filter((image) => !practice.includes(image)),
    published,
    ownBackups,
    backups: restorable.filter((one) => !isOwn(one)),
    records: ofKind.filter((one) => one.memories.length > 0 && !restorable.includes(one)),
    onChip,
    next,
    failures,
  }
}

/** Byte for byte: a version that was interrupted on its way still says its name. */
function holds({ address: start, bytes: held }: BackupMemory, image: PracticeImage): boolean {
  return image
    .build()
    .every(({ address, bytes }) => bytes.every((byte, i) => held[address - start + i] === byte))
}
