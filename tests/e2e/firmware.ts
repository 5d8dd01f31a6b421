/** Firmware files as a story needs them: practice images, put into files by other code than the app's. */
import { createHash } from 'node:crypto'
import stk500 from '../../protocols/stk500/practice-firmware.ts'
import usbasp from '../../protocols/usbasp/practice-firmware.ts'

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The bytes of the practice image of that name, from address 0 on. */
export function practiceBytes(name: string): Uint8Array {
  const [segment] =
    [...stk500, ...usbasp].find((one) => `${one.name} practice image for ${one.chip}` === name)?.build() ?? []
  if (segment?.address !== 0) throw new Error(`no practice image ${name}`)
  return segment.bytes
}

/** One line of Intel HEX; `sum` is added to its checksum, to spoil it. */
export function hexRecord(address: number, bytes: Uint8Array, { type = 0, sum = 0 } = {}): string {
  const all = [bytes.length, address >> 8, address & 0xff, type, ...bytes]
  const checksum = sum - all.reduce((a, b) => a + b, 0)
  return `:${[...all, checksum & 0xff].map((byte) => byte.toString(16).padStart(2, '0')).join('')}\n`
}

export const hexEnd = hexRecord(0, new Uint8Array(), { type: 1 })

/** An Intel HEX file, 16 bytes a line. */
export function hexFile(bytes: Uint8Array, from = 0): string {
  const lines = Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) =>
    hexRecord(from + i * 16, bytes.subarray(i * 16, i * 16 + 16)),
  )
  return lines.join('') + hexEnd
}
