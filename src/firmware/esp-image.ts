/**
 * What an ESP image says of itself, held against its bytes: a header, segments, a checksum and mostly a hash; in
 * front of an image for ESP8266 that its own boot loader starts ("v2") what that maps into memory, and a CRC-32
 * behind it. Documents: esptool, "Firmware Image Format" and `bin_image.py`; ESP-IDF, "App Image Format".
 */
import { hex, hexBytes } from '#core/bytes.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { refusing } from './file-format.ts'
import { sha256 } from './hash.ts'
import type { Claims } from './image.ts'

export const espImage = 'ESP image'
export const Magic = { Image: 0xe9, Esp8266V2: 0xea } as const
export const mostSegments = 16
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

/**
 * From its beginning on; what follows its end is not looked at. `offset`: where it lies in the file that errors
 * tell of.
 * @throws `bad-file`.
 */
export async function readEspImage(image: Uint8Array, offset = 0): Promise<Claims> {
  const refuse = refusing(espImage)
  const bad: typeof refuse = (why, at, more) => refuse(why, offset + at, more)
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength)
  const has = (end: number) => {
    if (end > image.length) throw bad('truncated', image.length)
  }
  has(24)
  const isV2 = view.getUint8(0) === Magic.Esp8266V2
  const start = isV2 ? 8 + segmentHeaderBytes + view.getUint32(12, true) : 0
  has(start + 24)
  if (view.getUint8(start) !== Magic.Image) throw bad('bad-magic', start)
  const count = view.getUint8(start + 1)
  if (count === 0 || count > mostSegments)
    throw bad('bad-structure', start + 1, { found: String(count), expected: `1 to ${mostSegments}` })

  // Where others have the settings of pins, ESP8266 has the address of the first segment already.
  const isEsp8266 = isV2 || [0x3f, 0x40].includes(view.getUint8(11))
  const chipId = view.getUint16(12, true)
  const hashFlag = isEsp8266 ? 0 : view.getUint8(23)
  if (hashFlag > 1) throw bad('bad-structure', 23, { found: String(hashFlag), expected: '0 or 1' })

  const first = start + (isEsp8266 ? 8 : 24)
  let at = first
  let checksum = 0xef
  for (let left = count; left > 0; left--) {
    has(at + segmentHeaderBytes)
    const end = at + segmentHeaderBytes + view.getUint32(at + 4, true)
    has(end)
    for (const byte of image.subarray(at + segmentHeaderBytes, end)) checksum ^= byte
    at = end
  }
  const checksumAt = at | 15
  const sumAt = checksumAt + 1
  has(sumAt + (isV2 ? 4 : hashFlag * hashBytes))
  const differ = (why: 'bad-checksum' | 'bad-hash', where: number, found: string, expected: string) => {
    if (found !== expected) throw bad(why, where, { found, expected })
  }
  differ('bad-checksum', checksumAt, hex(view.getUint8(checksumAt)), hex(checksum))
  const whole = image.subarray(0, sumAt)
  if (isV2) differ('bad-checksum', sumAt, hex(view.getUint32(sumAt, true), 8), hex(crcOfV2(whole), 8))
  if (hashFlag) {
    const found = hexBytes(image.subarray(sumAt, sumAt + hashBytes), '')
    differ('bad-hash', sumAt, found, await sha256(whole))
  }
  return {
    chip: isEsp8266 ? 'ESP8266' : (chips[chipId] ?? `ESP ${hex(chipId)}`),
    entry: view.getUint32(start + 4, true),
    ...(!isV2 && descriptorAt(image, first + segmentHeaderBytes)),
  }
}

/** Of Espressif's SDK: its lower half counts one up, its upper half is inverted. */
function crcOfV2(bytes: Uint8Array): number {
  const crc = new Crc(crcModel('CRC-32/ISO-HDLC')).update(bytes).done()
  return crc >= 2 ** 31 ? ~crc >>> 0 : crc + 1
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
