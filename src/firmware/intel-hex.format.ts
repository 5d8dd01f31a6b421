/** Intel HEX as one of the formats that are found; reading and writing are in `intel-hex.ts`. */
import { mostTextBytes, type FileFormat } from './file-format.ts'
import { IntelHexReader } from './intel-hex-reader.ts'
import { formatIntelHex, intelHex, parseIntelHex } from './intel-hex.ts'

export default {
  id: 'intel-hex',
  name: intelHex,
  shape: (head) => /^(\xef\xbb\xbf)?\s*:[0-9a-f]{2}/i.test(head),
  names: /\.(hex|ihx|ihex|hx|h86|a43|a90)$/i,
  ending: 'hex',
  mostBytes: mostTextBytes,
  reader: (sizeBytes, { fastRecords }) => new IntelHexReader(sizeBytes, fastRecords),
  parse: (bytes, { fastRecords }) => parseIntelHex(bytes, fastRecords),
  write: ({ segments, claims }) => formatIntelHex(segments, { entry: claims.entry }),
} satisfies FileFormat
