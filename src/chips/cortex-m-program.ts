/**
 * A made-up program for a Cortex-M, for twins and the practice bench: a vector table, filler that says what it is, and no
 * code. Source: Armv7-M Architecture Reference Manual, B1.5.3 (the vector table).
 */
import { ByteWriter } from '#core/bytes.ts'

const stackTop = 0x2000_4000
const vectors = 48
/** What follows the vector table. */
export const codeAt = vectors * 4
export const practiceText = 'Reflasher practice image, not a firmware '

/** `length` bytes for `address`; another `version` is another program. */
export function practiceProgram(address: number, length: number, version = 1): Uint8Array {
  const code = address + codeAt
  const writer = new ByteWriter().u32le(stackTop).u32le(code + 1)
  for (let i = 2; i < vectors; i++) writer.u32le(code + 0x10 + 1)
  const text = new TextEncoder().encode(`${practiceText}${String(version)} `)
  const body = writer.done()
  return Uint8Array.from({ length: length & ~3 }, (_, i) => {
    if (i < body.length) return body[i] ?? 0
    return i % 64 < text.length ? (text[i % 64] ?? 0) : (Math.imul(i + version, 2_654_435_761) >>> 24) & 0xff
  })
}
