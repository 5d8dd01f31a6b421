/**
 * A small file inside a link: deflate-raw (RFC 1951) as base64url; and the shortest link for a file.
 * Unpacking is bounded: a bomb is refused.
 */
import { FlashError } from '#core/errors.ts'
import { sha256 } from '#firmware/hash.ts'
import type { Image } from '#firmware/image.ts'
import { formatIntelHex, intelHex } from '#firmware/intel-hex.ts'
import { readUpTo, through } from '#firmware/unpack.ts'
import { formatFirmwareLink, mostInlineBytes, type FirmwareLink, type LinkFormat } from './link.ts'

/**
 * The shortest link for a file and the image it holds. With `urls` it speaks of the file as it is. Without,
 * a small image travels inside: as the file, or with the same bytes in a form that packs better; one of several
 * in a file only so. What is
 * too large for that gets a link without a source, by which the same file can be checked.
 */
export async function linkFromImage(
  image: Image,
  file: Uint8Array,
  about: Omit<FirmwareLink, 'format' | 'base' | 'size' | 'sha256' | 'inline'>,
): Promise<FirmwareLink> {
  const format = image.wrappers ? undefined : formats[image.format]
  const asItIs: Form = {
    format,
    base: format === 'binary' ? image.segments[0]?.address : undefined,
    bytes: file,
  }
  const isPart = image.warnings.some(({ code }) => code === 'parts-left-out')
  const small = [...(isPart ? [] : [asItIs]), lean(image)].filter(
    ({ bytes }) => bytes.length <= mostInlineBytes,
  )
  const linkTo = async ({ bytes, ...form }: Form): Promise<FirmwareLink> => ({
    ...about,
    ...form,
    size: bytes.length,
    sha256: await sha256(bytes),
  })
  if (about.urls.length > 0 || small.length === 0) return linkTo(asItIs)
  const links = await Promise.all(
    small.map(async (form) => ({ ...(await linkTo(form)), inline: await pack(form.bytes) })),
  )
  return links.reduce((a, b) => (formatFirmwareLink(b).length < formatFirmwareLink(a).length ? b : a))
}

/** By the image's name for it. */
const formats: Readonly<Partial<Record<string, LinkFormat>>> = { [intelHex]: 'intel-hex', binary: 'binary' }

type Form = Pick<FirmwareLink, 'format' | 'base'> & { readonly bytes: Uint8Array }

function lean({ segments, claims }: Image): Form {
  const [first, ...others] = segments
  if (first && others.length === 0) return { format: 'binary', base: first.address, bytes: first.bytes }
  return {
    format: 'intel-hex',
    bytes: formatIntelHex(segments, { recordBytes: 255, entry: claims.entry }),
  }
}

export async function pack(bytes: Uint8Array): Promise<string> {
  const packed = await readUpTo(through(bytes, new CompressionStream('deflate-raw')), Infinity)
  const text = Array.from(packed, (byte) => String.fromCharCode(byte)).join('')
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** At most `mostBytes`. @throws `bad-link`: `bad-compression`, `too-large`. */
export async function unpack(inline: string, mostBytes: number): Promise<Uint8Array> {
  const bad = (why: string, cause?: unknown) =>
    new FlashError('bad-link', { field: 'inline', why }, { cause })
  let bytes: Uint8Array
  try {
    const packed = atob(inline.replaceAll('-', '+').replaceAll('_', '/'))
    const deflated = Uint8Array.from(packed, (character) => character.charCodeAt(0))
    bytes = await readUpTo(through(deflated, new DecompressionStream('deflate-raw')), mostBytes + 1)
  } catch (cause) {
    throw bad('bad-compression', cause)
  }
  if (bytes.length > mostBytes) throw bad('too-large')
  return bytes
}
