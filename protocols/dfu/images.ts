/**
 * Made-up programs for twins and the practice bench: a vector table, filler that says what it is, and no code. Those of an
 * Arduino's USB chip have the USB descriptor and the text of what they play.
 */
import { codeAt, practiceProgram, practiceText } from '#chips/cortex-m-program.ts'
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import { findStrings } from '#core/find.ts'
import { parseProduct, practiceMark } from './devices.ts'

/** Of the Black Magic Probe's practice images, by their number. */
export const versions = ['1.9.1', '1.10.2', '2.0.0'] as const

/** The same with the texts of a Black Magic Probe, versions 1 to 3. */
export function blackMagicProgram(address: number, length: number, version = 1): Uint8Array {
  const program = practiceProgram(address, length, version)
  const product = `Black Magic Probe v${versions[version - 1] ?? ''}${practiceMark}`
  program.set(new TextEncoder().encode(`Black Magic Debug\0${product}\0Black Magic GDB Server\0`), codeAt)
  return program
}

/** What a Black Magic Probe with this flash says that it is; undefined: its boot loader finds nothing to start. */
export function productIn(flash: Uint8Array): string | undefined {
  const stack = new ByteReader(flash.subarray(0, 4)).u32le()
  if ((stack & 0x2ffe_0000) !== 0x2000_0000) return undefined
  const texts = findStrings([{ address: 0, bytes: flash }]).map(({ text }) => text)
  return texts.find((text) => parseProduct(text)) ?? 'Practice program'
}

// ---- AVR ------------------------------------------------------------------------------------------

/** Of a chip with USB: jumps of four bytes. */
const avrVectors = 29
const firstVector = avrVectors * 4

/** `length` bytes from 0 on: leading jumps to what follows them, then filler. */
export function practiceAvrProgram(length: number, version = 1): Uint8Array {
  const jump = [0x0c, 0x94, (firstVector / 2) & 0xff, 0]
  const text = new TextEncoder().encode(`${practiceText}${String(version)} `)
  return Uint8Array.from({ length: length & ~1 }, (_, i) =>
    i < firstVector ? (jump[i % 4] ?? 0) : (text[(i - firstVector) % text.length] ?? 0),
  )
}

/** What a firmware of that chip has for its practice image. */
export const practiceMaker = 'Reflasher practice'

/** The same as a USB serial bridge of these ids. */
export function practiceUsbSerial(
  { vendorId, productId }: { readonly vendorId: number; readonly productId: number },
  length: number,
  version = 1,
): Uint8Array {
  const program = practiceAvrProgram(length, version)
  const descriptor = new ByteWriter()
    .bytes([18, 1, 0x10, 0x01, vendorId === 0x03eb ? 0 : 2, 0, 0, 8])
    .u16le(vendorId)
    .u16le(productId)
    .u16le(version)
    .bytes([1, 2, 0xdc, 1])
    .done()
  const text = new ByteWriter().bytes([2 + 2 * practiceMaker.length, 3])
  for (const letter of practiceMaker) text.u16le(letter.charCodeAt(0))
  program.set(descriptor, firstVector + 0x20)
  program.set(text.u16le(0).done(), firstVector + 0x60)
  return program
}
