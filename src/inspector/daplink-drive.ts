/**
 * The drive that a DAPLink probe shows: what its DETAILS.TXT says of it, whether it takes this file as its own new firmware,
 * and afterwards whether that is what it runs. Sources: DAPLink, `source/daplink/drag-n-drop/vfs_user.c` (DETAILS.TXT),
 * `iap_flash_intf.c` (what an update writes), `tools/post_build_script.py` (the checksum in the last word of a whole file),
 * `docs/USERS-GUIDE.md` ("Firmware update").
 */
import type { Segment } from '#core/programmer.ts'
import { compareVersions } from '#core/versions.ts'
import { daplinkImage, interfaceChip, type DaplinkImage } from '#chips/daplink-image.ts'

export const detailsFile = 'DETAILS.TXT'
/** What went wrong with the last copy, in the probe's words. */
export const failFile = 'FAIL.TXT'
/** More is none. */
export const mostDriveFileBytes = 4096

export interface DaplinkDetails {
  /** Its drive is MAINTENANCE: what is copied there becomes its own firmware. The usual one writes the board's chip. */
  readonly isMaintenance: boolean
  readonly hicId: number | undefined
  readonly uniqueId: string | undefined
  /** What it runs otherwise; four digits. */
  readonly version: string | undefined
  readonly bootloaderVersion: string | undefined
  /** CRC-32 over what it runs otherwise, but for the last word, which has the same in a whole file. */
  readonly crc: number | undefined
}

/** Undefined: it is another text. */
export function parseDetails(text: string): DaplinkDetails | undefined {
  const valueOf = (name: string, pattern: string) =>
    new RegExp(`^${name}:[ \\t]*(${pattern})\\s*$`, 'im').exec(text)?.[1]
  const number = (value: string | undefined) => (value === undefined ? undefined : parseInt(value, 16))
  const mode = valueOf('Daplink Mode', 'Bootloader|Interface')
  if (mode === undefined) return undefined
  return {
    isMaintenance: mode.toLowerCase() === 'bootloader',
    hicId: number(valueOf('HIC ID', '(?:0x)?[0-9a-f]{8}')),
    uniqueId: valueOf('Unique ID', '[0-9a-f]{8,64}'),
    version: valueOf('Interface Version', '\\d{1,4}'),
    bootloaderVersion: valueOf('Bootloader Version', '\\d{1,4}'),
    crc: number(valueOf('Interface CRC', '(?:0x)?[0-9a-f]{1,8}')),
  }
}

/** A file that a DAPLink probe could be given. */
export interface DaplinkFile extends DaplinkImage {
  /** In its last word; undefined: it does not fill the place that it is for. */
  readonly crc: number | undefined
  /** That word is not what the file comes to: it is damaged. */
  readonly isDamaged: boolean
}

/** Of any bytes followed by their own CRC-32. */
const residue = 0x2144_df1c

/** `crc32`: of all its bytes. */
export function daplinkFile(segments: readonly Segment[], crc32: number): DaplinkFile | undefined {
  const [first] = segments
  const image = first && daplinkImage(first)
  if (!image) return undefined
  const isWhole = segments.length === 1 && first.bytes.length === image.chip?.length
  const { buffer, byteOffset, byteLength } = first.bytes
  const crc = isWhole
    ? new DataView(buffer, byteOffset, byteLength).getUint32(byteLength - 4, true)
    : undefined
  return { ...image, crc, isDamaged: isWhole && crc32 !== residue }
}

export type Refusal =
  | 'boot-loader' // its boot loader is replaced by the interface firmware alone, or by another probe
  | 'damaged'
  | 'not-maintenance' // there it would be written into the chip of the board
  | 'other-chip'
  | 'no-id' // drive or file say nothing of the interface chip

/** The same probe, in its boot loader or not, as before. */
export const isSameState = (before: DaplinkDetails, now: DaplinkDetails): boolean =>
  isSameUnit(before, now) && before.isMaintenance === now.isMaintenance

const isSameUnit = (before: DaplinkDetails, now: DaplinkDetails): boolean =>
  now.hicId === before.hicId && now.uniqueId === before.uniqueId

/** Undefined: the drive takes it; of a probe that has only its ROM's, `drive` is the usual one, and this file is for it. */
export function refusalOf(file: DaplinkFile, drive: DaplinkDetails): Refusal | undefined {
  if (file.part !== 'interface') return 'boot-loader'
  if (file.isDamaged) return 'damaged'
  if (!drive.isMaintenance && !file.chip?.hasRomDrive) return 'not-maintenance'
  if (drive.hicId === undefined) return 'no-id'
  return drive.hicId === file.hicId ? undefined : 'other-chip'
}

export const chipOf = ({ hicId }: Pick<DaplinkDetails, 'hicId'>): string =>
  hicId === undefined ? '?' : (interfaceChip(hicId)?.name ?? hicId.toString(16))

export type Outcome =
  | 'proven' // its checksum is that of the file
  | 'version-only' // it says the file's version, and a file without a checksum proves no more
  | 'other-content' // the version, but not the checksum
  | 'other-version'
  | 'other-unit'
  | 'still-maintenance' // it stayed in its boot loader: it took nothing, or cannot start it

/** What it says after the copy, held against what it said before. */
export function outcomeOf(file: DaplinkFile, before: DaplinkDetails, now: DaplinkDetails): Outcome {
  if (!isSameUnit(before, now)) return 'other-unit'
  if (now.isMaintenance) return 'still-maintenance'
  if (compareVersions(now.version, file.version) !== 0) return 'other-version'
  if (file.crc === undefined || now.crc === undefined) return 'version-only'
  return now.crc === file.crc ? 'proven' : 'other-content'
}
