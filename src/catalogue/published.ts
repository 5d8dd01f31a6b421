/**
 * Published firmware that is only recognised here, by the SHA-256 of its data bytes: what it is called, its version
 * and its chip, as its publisher has them. Facts about files, not an offer of them; `catalogue.ts` has those that
 * can be installed.
 */
import { lengthBeforeBlank } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { sha256 } from '#firmware/hash.ts'
import { dataBytes } from '#firmware/image.ts'

export interface Published {
  readonly name: string
  readonly version: string
  readonly chip: string
}

/** Name, version and chip by SHA-256. */
type PublishedImages = Readonly<Record<string, readonly string[]>>

/** The image whose data bytes these are, or those of a chip that is blank behind the image. */
export async function findPublished(
  segments: readonly Segment[],
  among?: PublishedImages,
): Promise<Published | undefined> {
  const content = dataBytes(segments)
  const own = await publishedAs(await sha256(content), among)
  return own ?? publishedAs(await sha256(content.subarray(0, lengthBeforeBlank(content))), among)
}

/** The image whose data bytes (see `dataBytes`) have this hash. */
export async function publishedAs(
  imageSha256: string,
  among?: PublishedImages,
): Promise<Published | undefined> {
  const known: PublishedImages = among ?? (await import('./published.json')).default
  const [name, version, chip] = Object.hasOwn(known, imageSha256) ? (known[imageSha256] ?? []) : []
  if (name === undefined || version === undefined || chip === undefined) return undefined
  return { name, version, chip }
}
