/** A DFU file: any content, usually a raw binary, and the suffix that says for which device it is. */
import { startsWith, type FileFormat } from './file-format.ts'
import { hasDfuSuffix, readDfuSuffix } from './dfu-suffix.ts'

const name = 'DFU'

export default {
  id: 'dfu',
  name,
  magic: (bytes) => hasDfuSuffix(bytes) && !startsWith(bytes, 'DfuSe'),
  names: /\.dfu$/i,
  unwrap: (bytes) => readDfuSuffix(name, bytes).content,
  parse(bytes, _, inside) {
    const { content, usb } = readDfuSuffix(name, bytes)
    const image = inside(content)
    return { ...image, format: name, claims: { ...image.claims, usb } }
  },
} satisfies FileFormat
