/**
 * What came of reading a file, in a few words, or an error that says which promise was broken. The promises: an image
 * whose segments are in order, apart and within the address space, or `bad-file`; the same in one piece and in many, with
 * kernels and without; the inspector takes any image; and never more memory than `mostAllocated` allows.
 */
import { isFlashError } from '#core/errors.ts'
import { mostFileBytes, type ParseOptions } from '#firmware/file-format.ts'
import { readImage, waysToRead } from '#firmware/formats.ts'
import type { Image } from '#firmware/image.ts'
import { inspect } from '#inspector/inspect.ts'
import type { Kernels } from '#kernels/kernels.ts'
import type { Random } from './random.ts'

/** Bytes that may be asked for by a number: it could have come from the file. What a file means to fill is bounded alike. */
export const mostAllocated = (sizeBytes: number): number => 2 * mostFileBytes + 16 * sizeBytes

let allocated = 0
/** From now on what is allocated by a number is counted. */
export function countAllocations(): void {
  globalThis.Uint8Array = new Proxy(Uint8Array, {
    construct(type, args: unknown[], as) {
      if (typeof args[0] === 'number') allocated += args[0]
      return Reflect.construct(type, args, as) as object
    },
  })
}

/** @throws what is not as promised. */
export async function outcomeOf(
  bytes: Uint8Array,
  kernels: Kernels,
  random: Random,
  options: ParseOptions = {},
): Promise<string> {
  allocated = 0
  const plain = await read(bytes, options)
  const fast = await read(bytes, { ...options, ...kernels })
  if (allocated > 2 * mostAllocated(bytes.length)) throw new Error(`it asked for ${allocated} bytes`)
  sameAs(plain, fast, 'kernels')
  inPieces(bytes, fast, kernels, random)
  if ('why' in plain) return `${slug(plain.format)}.${plain.why}`
  check(plain)
  inspect(plain)
  const codes = [...new Set(plain.warnings.map(({ code }) => code))].sort()
  return [slug([...(plain.wrappers ?? []), plain.format].join('-')), 'read', ...codes].join('.')
}

const slug = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]+/g, '-')

interface Refused {
  readonly format: string
  readonly why: string
  readonly detail: string
}

async function read(bytes: Uint8Array, options: ParseOptions): Promise<Image | Refused> {
  try {
    return await readImage(bytes, '', options)
  } catch (error) {
    if (!isFlashError(error, 'bad-file')) throw error
    const { format, why, offset } = error.detail
    if (offset !== undefined && !(offset >= 0))
      throw new Error(`an offset of ${String(offset)}`, { cause: error })
    return { format, why, detail: JSON.stringify(error.detail) }
  }
}

/** A reader gives the same image as the parser, or leaves it to the parser; it may not take what the parser refuses. */
function inPieces(bytes: Uint8Array, whole: Image | Refused, kernels: Kernels, random: Random): void {
  const { reader } = waysToRead(bytes, '')
  if (!reader) return
  const one = reader(bytes.length, kernels)
  let image: Image | undefined
  try {
    for (let at = 0; at < bytes.length && !one.isWrong;) {
      const to = at + 1 + random.below(bytes.length)
      one.push(bytes.subarray(at, to))
      at = to
    }
    image = one.isWrong ? undefined : one.image()
  } catch (error) {
    if (!isFlashError(error, 'bad-file')) throw error
  }
  if (image) sameAs(whole, image, 'pieces')
}

function sameAs(one: Image | Refused, other: Image | Refused, by: string): void {
  if ('why' in one || 'why' in other) {
    if (!('why' in one && 'why' in other && one.detail === other.detail))
      throw new Error(`${by} differ: ${describe(one)}, ${describe(other)}`)
  } else if (
    describe(one) !== describe(other) ||
    !one.segments.every((mine, i) => equal(mine.bytes, other.segments[i]?.bytes))
  )
    throw new Error(`${by} differ: ${describe(one)}, ${describe(other)}`)
}

const equal = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && Buffer.compare(a, b) === 0

const describe = (read: Image | Refused): string =>
  'why' in read
    ? read.detail
    : JSON.stringify({
        ...read,
        segments: read.segments.map(({ address, bytes }) => [address, bytes.length]),
      })

function check({ segments }: Image): void {
  if (segments.length === 0) throw new Error('an image of nothing')
  let end = -1
  for (const { address, bytes } of segments) {
    if (!Number.isSafeInteger(address) || address < 0 || bytes.length === 0)
      throw new Error(`a segment at ${address}`)
    if (address <= end) throw new Error(`segments that touch at ${address}`)
    end = address + bytes.length
    if (end > 2 ** 32) throw new Error(`a segment up to ${end}`)
  }
}
