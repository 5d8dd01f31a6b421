/**
 * Practice images: flash contents that look like a USBasp's firmware from outside (vector table of the chip,
 * USB descriptors, strings, size) and hold no program. Real firmware belongs to its authors and is not part
 * of this project; these let the practice bench hold old and new versions, for the right and the wrong chip.
 * Every image says in plain text what it is, and carries a checksum so that a half-written one is known.
 */
import type { PracticeFirmware } from '#bench/twin.ts'
import { blank, concat, ByteWriter } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { avrPartNamed, type AvrPart } from '#chips/avr-parts.ts'
import { practiceMark } from './builds.ts'
import { describeVersion } from './twin-descriptors.ts'

/** Sizes of the published builds, so that times and pictures are right. */
const imageBytes: Readonly<Record<string, number>> = {
  '1.02': 4066,
  '1.03': 3826,
  '1.04': 4700,
  '1.10': 5670,
}

/** CRC-16/ARC. */
function checksum(bytes: Iterable<number>): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc & 1 ? 0xa001 : 0) ^ (crc >> 1)
  }
  return crc
}

/** Bytes that look like code: the same for the same seed, never blank. */
export function fillerCode(length: number, seed: number): Uint8Array {
  let state = seed
  return blank(length).map(() => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 16) % 0xff
  })
}

/** One jump for each vector of `part`, all to `target` but the reset, which goes to `start`. */
export function vectorTable({ vectors }: AvrPart, start: number, target: number): Uint8Array {
  const writer = new ByteWriter()
  for (let i = 0; i < vectors.count; i++) {
    const to = i === 0 ? start : target
    if (vectors.bytes === 4)
      writer.u16le(0x940c).u16le(to / 2) // jmp
    else writer.u16le(0xc000 | (((to - i * 2) / 2 - 1) & 0x0fff)) // rjmp
  }
  return writer.done()
}

function stringDescriptor(text: string): Uint8Array {
  const writer = new ByteWriter().u8(2 + text.length * 2).u8(3)
  for (const char of text) writer.u16le(char.charCodeAt(0))
  return writer.done()
}

function buildImage(part: AvrPart, version: string): Segment[] {
  const { device, configuration, strings } = describeVersion(version)
  const tableBytes = part.vectors.bytes * part.vectors.count
  const usb = concat(
    Uint8Array.of(4, 3, 9, 4), // English
    ...Object.values(strings).map(stringDescriptor),
    device,
    configuration,
  )
  const head = concat(usb, new Uint8Array(usb.length % 2), new TextEncoder().encode(practiceMark))
  const codeAt = tableBytes + head.length + 4 // length and checksum
  const length = imageBytes[version] ?? 4096
  const code = fillerCode(length - codeAt, part.signature[1] * 0x1_0000 + parseInt(version.slice(2), 16))
  const body = concat(vectorTable(part, codeAt, codeAt + 32), head, code)
  const trailer = new ByteWriter().u16le(length).u16le(checksum(body)).done()
  return [{ address: 0, bytes: concat(body.subarray(0, codeAt - 4), trailer, code) }]
}

/** Undefined: not a practice image. Else whether all of it is there. */
export function isWholePracticeImage(flash: Uint8Array): boolean | undefined {
  const mark = new TextEncoder().encode(practiceMark)
  const at = flash.findIndex((_, i) => mark.every((byte, n) => flash[i + n] === byte))
  if (at < 0) return undefined
  const trailerAt = at + mark.length
  const [low = 0, high = 0, sumLow = 0, sumHigh = 0] = flash.subarray(trailerAt, trailerAt + 4)
  const code = flash.subarray(trailerAt + 4, low | (high << 8))
  return checksum(concat(flash.subarray(0, trailerAt), code)) === (sumLow | (sumHigh << 8))
}

const made = (version: string, chip: string): PracticeFirmware => ({
  id: `usbasp-${version}-${chip.toLowerCase()}`,
  name: `USBasp ${version}`,
  chip,
  version,
  build: () => buildImage(avrPartNamed(chip), version),
})

export default [
  made('1.02', 'ATmega8'),
  made('1.03', 'ATmega8'),
  made('1.04', 'ATmega8'),
  made('1.10', 'ATmega8'),
  made('1.03', 'ATmega48'),
  made('1.04', 'ATmega88'),
  made('1.10', 'ATmega88'),
] satisfies readonly PracticeFirmware[]
