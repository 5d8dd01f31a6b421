/** From what the user points at to what a job wants; the sources of the Choose step and of links. */
import { FlashError, type PartOfFile } from '#core/errors.ts'
import { firmwareName } from '#core/versions.ts'
import { practiceName, type PracticeImage } from '#bench/practice-images.ts'
import type { CatalogueEntry } from '#catalogue/catalogue.ts'
import { fileOf, type FirmwareLink } from '#catalogue/link.ts'
import { checkOffered, downloadFirmware } from '#catalogue/link-download.ts'
import type { ParseOptions } from '#firmware/file-format.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { wantedFromFile, type Choice } from '#jobs/choose.ts'
import type { Wanted } from '#store/journal.ts'
import { parse } from '#worker/client.ts'

const read = (choice: Choice): Promise<Wanted> => wantedFromFile(choice, parse)

/** @throws also `bad-file` `no-address`, when no base is given and the file does not say where its bytes go. */
export const fromFile = (file: File, options?: ParseOptions): Promise<Wanted> =>
  wantedFromFile({ kind: 'file', file, name: file.name, read: options }, async (...call) => {
    const parsed = await parse(...call)
    const { format, warnings } = parsed.image
    if (warnings.some(({ code }) => code === 'base-assumed'))
      throw new FlashError('bad-file', { format, why: 'no-address' })
    return parsed
  })

/** Only where its bytes go is left to say, and that they are firmware if nothing known is in them. */
export const needsBase = (error: FlashError | undefined): boolean =>
  error?.is('bad-file') === true &&
  (error.detail.why === 'no-address' || (error.detail.why === 'unknown-format' && !error.detail.found))

/** What there is to choose from, where that is all that is wrong with a file. */
export const partsToChoose = (error: FlashError | undefined): readonly PartOfFile[] | undefined =>
  error?.is('bad-file') ? error.detail.parts : undefined

export const fromPractice = (image: PracticeImage): Promise<Wanted> =>
  read({
    kind: 'practice',
    file: new Blob([formatIntelHex(image.build())]),
    name: `${practiceName(image)}.hex`,
    chip: image.chip,
    version: image.version,
  })

export async function fromLink(link: FirmwareLink, part?: string, signal?: AbortSignal): Promise<Wanted> {
  return linked(link, await downloadFirmware(link, fetch.bind(globalThis), signal), 'link', part)
}

/** The user downloaded what the browser may not: it must be the very file that the link means. */
export async function fromOffered(
  file: File,
  link: FirmwareLink,
  kind: Choice['kind'],
  part?: string,
): Promise<Wanted> {
  if (file.size !== link.size)
    throw new FlashError('size-mismatch', { expected: link.size, found: file.size }) // before reading it
  const bytes = await checkOffered(new Uint8Array(await file.arrayBuffer()), link)
  return linked(link, { bytes }, kind, part)
}

export async function fromCatalogue(entry: CatalogueEntry, signal: AbortSignal): Promise<Wanted> {
  const link = catalogueLink(entry)
  return linked(link, await downloadFirmware(link, fetch.bind(globalThis), signal), 'catalogue')
}

/** A catalogue entry says the same things as a link. */
export const catalogueLink = ({
  name,
  version,
  chip,
  sizeBytes,
  sha256,
  urls,
}: CatalogueEntry): FirmwareLink => ({
  name: firmwareName({ name, version }),
  version,
  chip,
  format: 'intel-hex',
  size: sizeBytes,
  sha256,
  urls,
})

function linked(
  link: FirmwareLink,
  { bytes, url }: { bytes: Uint8Array; url?: string },
  kind: Choice['kind'],
  part?: string,
): Promise<Wanted> {
  const { name, base } = fileOf(link)
  const { device, patient } = link
  return read({
    kind,
    file: new Blob([bytes as Uint8Array<ArrayBuffer>]),
    name,
    read: { ...(base !== undefined && { base }), ...(part !== undefined && { part }) },
    version: link.version,
    chip: link.chip,
    promised: { sha256: link.sha256, sizeBytes: link.size },
    link: { ...(device && { device }), ...(patient && { patient }), ...(url && { url }) },
  })
}
