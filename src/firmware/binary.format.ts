/** Raw binary: bytes without an address. Where they go is the reader's to say. */
import { FlashError } from '#core/errors.ts'
import type { FileFormat } from './file-format.ts'
import { buildImage, flatten, spanOf, type Image } from './image.ts'

const name = 'binary'

/** Takes the bytes over, no copy. Without `base`, 0 is assumed and the image says so. @throws `bad-file`. */
export function parseBinary(bytes: Uint8Array, base?: number): Image {
  if (bytes.length === 0) throw new FlashError('bad-file', { format: name, why: 'empty' })
  if (base !== undefined && (!Number.isSafeInteger(base) || base < 0))
    throw new FlashError('bad-file', { format: name, why: 'address-overflow', found: String(base) })
  return buildImage(name, [{ address: base ?? 0, bytes }], {
    isRaw: true,
    warnings: base === undefined ? [{ code: 'base-assumed', address: 0 }] : [],
  })
}

/** Gaps of a file of any size would make a file of any size. */
const mostBytes = 64 << 20

export default {
  id: 'binary',
  name,
  names: /\.(bin|raw|rom|img|dump|dmp|eep|eeprom|flash)$/i,
  ending: 'bin',
  parse: (bytes, { base }) => parseBinary(bytes, base),
  /** From the first byte to the last; gaps become 0xff. */
  write({ segments }) {
    const span = spanOf(segments)
    if (span.length <= mostBytes) return flatten(segments, span)
    throw new FlashError('bad-file', {
      format: name,
      why: 'address-overflow',
      address: span.address + span.length - 1,
    })
  },
} satisfies FileFormat
