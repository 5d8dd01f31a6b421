/**
 * The catalogue of known firmware: every `protocols/<name>/catalogue.json`, read when first asked for, and
 * the ways to find an image in it. It holds hashes and addresses, never the firmware itself.
 */
import { lengthBeforeBlank } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { compareVersions } from '#core/versions.ts'
import { sha256 } from '#firmware/hash.ts'
import { dataBytes } from '#firmware/image.ts'
import { catalogueFile, type KnownImage } from './schema.ts'

/** An image with the protocol folder it is filed under, e.g. `usbasp`. */
export type CatalogueEntry = KnownImage & { readonly family: string }

const files = import.meta.glob<unknown>('../../protocols/*/catalogue.json', { import: 'default' })

let reading: Promise<readonly CatalogueEntry[]> | undefined

/** All entries; a file that is not as `schema.ts` says is a mistake of this project and throws. */
export function catalogue(): Promise<readonly CatalogueEntry[]> {
  return (reading ??= readAll())
}

async function readAll(): Promise<readonly CatalogueEntry[]> {
  const families = Object.entries(files).map(async ([path, load]) => {
    const family = path.split('/').at(-2) ?? ''
    return catalogueFile.parse(await load()).map((image) => ({ ...image, family }))
  })
  return (await Promise.all(families)).flat()
}

const byVersion = (a: string, b: string): number =>
  compareVersions(a, b) ?? a.localeCompare(b, 'en', { numeric: true })

/**
 * What runs on `chip`, newest first; of all families, where none is known, the newest of each first. `since`: nothing
 * that is older.
 */
export async function imagesFor(
  family: string | undefined,
  chip: string,
  since = '',
): Promise<readonly CatalogueEntry[]> {
  const fitting = (await catalogue())
    .filter(({ version }) => byVersion(version, since) >= 0)
    .filter((entry) => family === undefined || entry.family === family)
    .filter((entry) => [entry.chip, ...(entry.alsoFor ?? [])].includes(chip))
    .sort((a, b) => byVersion(b.version, a.version))
  const age = (entry: CatalogueEntry) => fitting.filter((one) => one.family === entry.family).indexOf(entry)
  return fitting.toSorted((a, b) => age(a) - age(b))
}

/** The entry that a published file with this hash belongs to. */
export async function findFile(sha256: string): Promise<CatalogueEntry | undefined> {
  return (await catalogue()).find((entry) =>
    [entry, ...(entry.others ?? [])].some((file) => file.sha256 === sha256),
  )
}

/** The entry whose image these bytes are: those of a file, or a flash that is blank behind the image. */
export async function findImage(
  segments: readonly Segment[],
  among?: readonly CatalogueEntry[],
): Promise<CatalogueEntry | undefined> {
  const content = dataBytes(segments)
  const known = among ?? (await catalogue())
  const least = lengthBeforeBlank(content)
  const entries = known.filter(({ imageBytes }) => imageBytes >= least && imageBytes <= content.length)
  for (const imageBytes of new Set(entries.map((entry) => entry.imageBytes))) {
    const hash = await sha256(content.subarray(0, imageBytes))
    const found = entries.find((entry) => entry.imageSha256 === hash)
    if (found) return found
  }
  return undefined
}
