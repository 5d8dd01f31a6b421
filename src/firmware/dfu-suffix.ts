/**
 * The suffix of DFU files, which DfuSe files have as well: it says for which device a file is and holds a CRC
 * over all of it. Document: USB Device Class Specification for Device Firmware Upgrade, 1.1, appendix B.
 */
import { ByteWriter, concat, hex, usbId } from '#core/bytes.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { refusing, startsWith } from './file-format.ts'
import type { Claims } from './image.ts'

const suffixBytes = 16
const anyId = 0xffff

/** As zlib's, without its last inversion. */
const crcOf = (bytes: Uint8Array): number => new Crc(crcModel('CRC-32/JAMCRC')).update(bytes).done()

export const hasDfuSuffix = (file: Uint8Array): boolean =>
  file.length >= suffixBytes && startsWith(file, 'UFD', file.length - 8)

export interface DfuSuffix {
  /** The file without it. */
  readonly content: Uint8Array
  readonly usb: NonNullable<Claims['usb']>
  /** `0483:df11`; undefined: any device. */
  readonly device: string | undefined
}

/** @throws `bad-file`: `bad-magic`, `bad-length`, `bad-checksum`. */
export function readDfuSuffix(format: string, file: Uint8Array): DfuSuffix {
  const bad = refusing(format)
  if (!hasDfuSuffix(file)) throw bad('bad-magic', Math.max(0, file.length - 8))
  const end = file.length
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const length = view.getUint8(end - 5)
  if (length < suffixBytes || length > end)
    throw bad('bad-length', end - 5, { found: String(length), expected: String(suffixBytes) })
  const found = view.getUint32(end - 4, true)
  const expected = crcOf(file.subarray(0, end - 4))
  if (found !== expected)
    throw bad('bad-checksum', end - 4, { found: hex(found, 8), expected: hex(expected, 8) })
  const id = (at: number) => {
    const value = view.getUint16(end + at, true)
    return value === anyId ? undefined : value
  }
  const [deviceVersion, productId, vendorId] = [id(-16), id(-14), id(-12)]
  return {
    content: file.subarray(0, end - length),
    usb: {
      ...(vendorId !== undefined && { vendorId }),
      ...(productId !== undefined && { productId }),
      ...(deviceVersion !== undefined && { deviceVersion }),
    },
    device: vendorId === undefined || productId === undefined ? undefined : usbId(vendorId, productId),
  }
}

/** `bcdDfu`: 0x0100 of DFU, 0x011a of DfuSe. */
export function withDfuSuffix(
  content: Uint8Array,
  bcdDfu: number,
  { vendorId = anyId, productId = anyId, deviceVersion = anyId }: NonNullable<Claims['usb']> = {},
): Uint8Array<ArrayBuffer> {
  const words = [deviceVersion, productId, vendorId, bcdDfu]
  const suffix = new ByteWriter()
  for (const word of words) suffix.u16le(word)
  suffix.bytes([0x55, 0x46, 0x44, suffixBytes, 0, 0, 0, 0])
  const file = concat(content, suffix.done()) as Uint8Array<ArrayBuffer>
  const crcAt = file.length - 4
  new DataView(file.buffer).setUint32(crcAt, crcOf(file.subarray(0, crcAt)), true)
  return file
}
