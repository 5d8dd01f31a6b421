/** Made-up programs for twins and the practice bench: a Cortex-M vector table, filler that says what it is, and no code. */
import { ByteWriter } from '#core/bytes.ts'

const stackTop = 0x2000_4000
const vectors = 48
const mark = 'Reflasher practice image, not a firmware '

/** `length` bytes for `address`; another `version` is another program. */
export function practiceProgram(address: number, length: number, version = 1): Uint8Array {
  const code = address + vectors * 4
  const writer = new ByteWriter().u32le(stackTop).u32le(code + 1)
  for (let i = 2; i < vectors; i++) writer.u32le(code + 0x10 + 1)
  const text = new TextEncoder().encode(`${mark}${String(version)} `)
  const body = writer.done()
  return Uint8Array.from({ length: length & ~3 }, (_, i) => {
    if (i < body.length) return body[i] ?? 0
    return i % 64 < text.length ? (text[i % 64] ?? 0) : (Math.imul(i + version, 2_654_435_761) >>> 24) & 0xff
  })
}
