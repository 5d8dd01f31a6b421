/**
 * Published firmware that is only recognised here, by the SHA-256 of its data bytes: what it is called, its version
 * and its chip, as its publisher has them. Facts about files, not an offer of them; `catalogue.ts` has those that
 * can be installed.
 */

export interface Published {
  readonly name: string
  readonly version: string
  readonly chip: string
}

/** The image whose data bytes (see `dataBytes`) have this hash. */
export async function publishedAs(imageSha256: string): Promise<Published | undefined> {
  const { default: images } = await import('./published.json')
  const known: Readonly<Record<string, string[]>> = images
  const [name, version, chip] = Object.hasOwn(known, imageSha256) ? (known[imageSha256] ?? []) : []
  if (name === undefined || version === undefined || chip === undefined) return undefined
  return { name, version, chip }
}
