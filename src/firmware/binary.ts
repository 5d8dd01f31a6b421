/** Raw binary: bytes without an address. Where they go is the reader's to say. */
import { FlashError } from '#core/errors.ts'
import { buildImage, type Image } from './image.ts'

/** Takes the bytes over, no copy. Without `base`, 0 is assumed and the image says so. @throws `bad-file`. */
export function parseBinary(bytes: Uint8Array, base?: number): Image {
  const format = 'binary'
  if (bytes.length === 0) throw new FlashError('bad-file', { format, why: 'empty' })
  if (base !== undefined && (!Number.isSafeInteger(base) || base < 0))
    throw new FlashError('bad-file', { format, why: 'address-overflow', found: String(base) })
  return buildImage(format, [{ address: base ?? 0, bytes }], {
    warnings: base === undefined ? [{ code: 'base-assumed', address: 0 }] : [],
  })
}
