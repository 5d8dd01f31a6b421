/**
 * Made-up firmware for emulated ST-Links and the practice bench: a vector table, filler that says what it is, and no code.
 * One plays ST's own firmware, with the USB descriptor of that; the other a Black Magic Probe built for this hardware.
 */
import { codeAt, practiceProgram } from '#chips/cortex-m-program.ts'
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'

/** In texts of practice images: what tells them from real ones. */
export const practiceMark = ' (practice)'
export const vendorProduct = `STM32 STLink${practiceMark}`

const descriptorAt = codeAt + 0x100

/** As ST's own firmware of a version such as `V2J45M31`, and as the device that it makes of an ST-Link. */
export function vendorProgram(
  address: number,
  length: number,
  { version, productId }: { readonly version: string; readonly productId: number },
): Uint8Array {
  const program = practiceProgram(address, length)
  const descriptor = new ByteWriter()
    .bytes([18, 1, 0x00, 0x02, 0, 0, 0, 64])
    .u16le(0x0483)
    .u16le(productId)
    .u16le(0x0100)
    .bytes([1, 2, 3, 1])
    .done()
  program.set(descriptor, descriptorAt)
  program.set(texts('STMicroelectronics', vendorProduct, version), codeAt)
  return program
}

/** As a Black Magic Probe on this hardware. */
export function blackMagicProgram(address: number, length: number, version: string): Uint8Array {
  const program = practiceProgram(address, length, 2)
  const product = `Black Magic Probe (ST-Link/v2) v${version}${practiceMark}`
  program.set(texts('Black Magic Debug', product, 'Black Magic GDB Server'), codeAt)
  return program
}

const texts = (...all: readonly string[]): Uint8Array => new TextEncoder().encode(`${all.join('\0')}\0`)

/** What a flash makes of an ST-Link; undefined: its loader finds nothing to start. */
export type Started =
  | { readonly is: 'vendor'; readonly version: string; readonly productId: number }
  | { readonly is: 'other'; readonly product: string }

export function startedBy(flash: Uint8Array, address: number): Started | undefined {
  const read = new ByteReader(flash)
  const [stack, reset] = [read.u32le(), read.u32le()]
  const isInFlash = reset >= address && reset < address + flash.length
  if ((stack & 0x2ffe_0000) !== 0x2000_0000 || !isInFlash || (reset & 1) === 0) return undefined
  const segments = [{ address, bytes: flash }]
  const said = findStrings(segments).map(({ text }) => text)
  const descriptor = findUsbDescriptors(segments).find(({ vendorId }) => vendorId === 0x0483)
  const version = said.find((text) => /^V\d[JM]\d/.test(text))
  if (descriptor && version) return { is: 'vendor', version, productId: descriptor.productId }
  return {
    is: 'other',
    product: said.find((text) => text.startsWith('Black Magic Probe')) ?? 'Practice program',
  }
}
