/**
 * A DFU file: any content, usually a raw binary, and the suffix that says for which device it is. Boot loaders
 * of TI and NXP want a prefix before the content, as dfu-prefix(1) of dfu-util writes it; that is no firmware.
 */
import { FlashError } from '#core/errors.ts'
import { hasDfuSuffix, readDfuSuffix } from './dfu-suffix.ts'
import { startsWith, type Inside, type Wrapper } from './file-format.ts'

const name = 'DFU'

function unwrap(bytes: Uint8Array): Inside[] {
  const { content, usb } = readDfuSuffix(name, bytes)
  const foreign = prefixOf(content)
  if (foreign !== undefined)
    throw new FlashError('bad-file', { format: foreign, why: 'unknown-format', found: foreign })
  return [{ name: '.bin', claims: { usb }, read: (mostBytes) => content.subarray(0, mostBytes) }]
}

/** 01 00, address in KiB, length of the rest; and 1A 3F, length in 512 bytes, zeros and ones. */
function prefixOf(content: Uint8Array): string | undefined {
  if (content.length < 16) return undefined
  const length = new DataView(content.buffer, content.byteOffset).getUint32(4, true)
  if (startsWith(content, '\x01\0') && length === content.length - 8) return 'TI Stellaris DFU'
  const isNxp = startsWith(content, '\x1a\x3f') && startsWith(content, '\0\0\0\0\0\0\0\0\xff\xff\xff\xff', 4)
  return isNxp ? 'NXP LPC DFU' : undefined
}

export default {
  id: 'dfu',
  name,
  magic: (bytes) => hasDfuSuffix(bytes) && !startsWith(bytes, 'DfuSe'),
  names: /\.dfu$/i,
  unwrap,
} satisfies Wrapper
