/** S-record as one of the formats that are found; reading and writing are in `s-record.ts`. */
import { mostTextBytes, type FileFormat } from './file-format.ts'
import { sRecord, SRecordReader } from './s-record-reader.ts'
import { formatSRecord, parseSRecord } from './s-record.ts'

export default {
  id: 's-record',
  name: sRecord,
  shape: (head) => /^(\xef\xbb\xbf)?\s*S[0-9]([0-9a-f]{2}){3}/i.test(head),
  names: /\.(srec?|s19|s28|s37|s1|s2|s3|mot|mhx|exo|sx)$/i,
  ending: 's19',
  mostBytes: mostTextBytes,
  reader: (sizeBytes, { fastRecords }) => new SRecordReader(sizeBytes, fastRecords),
  parse: (bytes, { fastRecords }) => parseSRecord(bytes, fastRecords),
  write: ({ segments, claims }) => formatSRecord(segments, { entry: claims.entry, name: claims.name }),
} satisfies FileFormat
