/**
 * ESP image, what the boot loader in an Espressif chip's ROM starts: a header, segments, a checksum and mostly a
 * hash. It is written as it is, at an offset that depends on what it is, so its bytes stay a raw binary; what it
 * says of itself becomes claims. Documents: esptool, "Firmware Image Format"; ESP-IDF, "App Image Format".
 */
import { hex, hexBytes } from '#core/bytes.ts'
import { parseBinary } from './binary.format.ts'
import { refusing, type FileFormat } from './file-format.ts'
import { sha256 } from './hash.ts'
import type { Claims } from './image.ts'

const name = 'ESP image'
const magic = 0xe9
const mostSegments = 16
const segmentHeaderBytes = 8
const hashBytes = 32
const descriptorMagic = 0xabcd5432

/** By the id in the extended header, which ESP8266 does not have. */
const chips: Readonly<Record<number, string>> = {
  0x00: 'ESP32',
  0x02: 'ESP32-S2',
  0x05: 'ESP32-C3',
  0x09: 'ESP32-S3',
  0x0c: 'ESP32-C2',
  0x0d: 'ESP32-C6',
  0x10: 'ESP32-H2',
  0x12: 'ESP32-P4',
  0x14: 'ESP32-C61',
  0x17: 'ESP32-C5',
  0x19: 'ESP32-H21',
  0x1c: 'ESP32-H4',
  0x20: 'ESP32-S31',
}

const bad = refusing(name)

interface EspImage {
  readonly claims: Claims
  /** Where the hash is, which covers everything before it; undefined: there is none. */
  readonly hashAt: number | undefined
}

/** @throws `bad-file`. */
function read(file: Uint8Array): EspImage {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const has = (end: number) => {
    if (end > file.length) throw bad('truncated', file.length)
  }
  has(24)
  if (view.getUint8(0) !== magic) throw bad('bad-magic', 0)
  const count = view.getUint8(1)
  if (count === 0 || count > mostSegments)
    throw bad('bad-structure', 1, { found: String(count), expected: `1 to ${mostSegments}` })

  // Where others have the settings of pins, ESP8266 has the address of the first segment already.
  const isEsp8266 = [0x3f, 0x40].includes(view.getUint8(11))
  const chipId = view.getUint16(12, true)
  const hashFlag = isEsp8266 ? 0 : view.getUint8(23)
  if (hashFlag > 1) throw bad('bad-structure', 23, { found: String(hashFlag), expected: '0 or 1' })

  const first = isEsp8266 ? 8 : 24
  let at = first
  let checksum = 0xef
  for (let left = count; left > 0; left--) {
    has(at + segmentHeaderBytes)
    const end = at + segmentHeaderBytes + view.getUint32(at + 4, true)
    has(end)
    for (const byte of file.subarray(at + segmentHeaderBytes, end)) checksum ^= byte
    at = end
  }
  const checksumAt = at | 15
  has(checksumAt + 1 + hashFlag * hashBytes)
  const found = view.getUint8(checksumAt)
  if (found !== checksum)
    throw bad('bad-checksum', checksumAt, { found: hex(found), expected: hex(checksum) })
  return {
    claims: {
      chip: isEsp8266 ? 'ESP8266' : (chips[chipId] ?? `ESP ${hex(chipId)}`),
      entry: view.getUint32(4, true),
      ...descriptorAt(file, first + segmentHeaderBytes),
    },
    hashAt: hashFlag ? checksumAt + 1 : undefined,
  }
}

/** What ESP-IDF puts at the beginning of the first segment of an application. */
function descriptorAt(file: Uint8Array, start: number): Claims {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (start + 144 > file.length || view.getUint32(start, true) !== descriptorMagic) return {}
  const text = (at: number, length: number) =>
    new TextDecoder().decode(file.subarray(start + at, start + at + length)).replace(/\0[^]*$/, '')
  const [version, project, time, date, idf] = [
    text(16, 32),
    text(48, 32),
    text(80, 16),
    text(96, 16),
    text(112, 32),
  ]
  return {
    ...(project && { name: project }),
    ...(version && { version }),
    ...(date && { built: `${date} ${time}`.trim() }),
    ...(idf && { framework: `ESP-IDF ${idf}` }),
  }
}

/** Magic, a count of segments, one of four modes, and an entry where these chips have their code. */
function hasEspHeader(head: string): boolean {
  const [first, count, mode, entry] = [0, 1, 2, 7].map((at) => head.charCodeAt(at)) as [
    number,
    number,
    number,
    number,
  ]
  return first === magic && count >= 1 && count <= mostSegments && mode <= 3 && entry >> 4 === 4
}

async function proveHash(bytes: Uint8Array, hashAt: number): Promise<void> {
  const found = hexBytes(bytes.subarray(hashAt, hashAt + hashBytes), '')
  const expected = await sha256(bytes.subarray(0, hashAt))
  if (found !== expected) throw bad('bad-hash', hashAt, { found, expected })
}

export default {
  id: 'esp-image',
  name,
  shape: hasEspHeader,
  async parse(bytes, { base }) {
    const { claims, hashAt } = read(bytes)
    if (hashAt !== undefined) await proveHash(bytes, hashAt)
    return { ...parseBinary(bytes, base), format: name, claims }
  },
} satisfies FileFormat
