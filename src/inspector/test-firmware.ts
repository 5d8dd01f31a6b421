/** Firmware as tests need it: the structures that a clue looks for, around bytes that are nobody's program. */
import { blank, concat } from '#core/bytes.ts'

/** The same noise for the same seed; as good as encrypted. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 16) & 0xff
  })
}

const words16 = (...words: number[]): Uint8Array => new Uint8Array(Uint16Array.from(words).buffer)
const words32 = (...words: number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer)

/** PUSH, RCALL, LDI, STS, POP, RET: as compilers for AVR repeat them. */
export const avrCode = (bytes: number): Uint8Array =>
  words16(
    ...Array.from(
      { length: bytes / 2 },
      (_, i) =>
        [0x93cf, 0x93df, 0xe081, 0x940e, i & 0x7f, 0x9380, 0x0100 + (i & 0xff), 0x91df, 0x91cf, 0x9508][
          i % 10
        ] as number,
    ),
  )

/** `jumps` vectors, RJMP or JMP; all but the first go to one handler. */
export function avrProgram(jumps: number, vectorBytes: 2 | 4, length: number): Uint8Array {
  const table = Array.from({ length: jumps }, (_, i) => {
    const target = jumps * vectorBytes + (i === 0 ? 0 : 32)
    return vectorBytes === 4 ? [0x940c, target / 2] : [0xc000 | (((target - i * 2 - 2) / 2) & 0xfff)]
  })
  const vectors = words16(...table.flat())
  return concat(vectors, avrCode(length - vectors.length))
}

/** What writes flash: OUT SPMCSR, SPM. */
export const avrLoader = (length: number): Uint8Array =>
  concat(words16(0xc003), avrCode(126), words16(0xbf87, 0x95e8), avrCode(length - 132))

/** PUSH {r4, lr}, MOVS, LDR, BL, POP {r4, pc}. */
export const thumbCode = (bytes: number): Uint8Array =>
  words16(
    ...Array.from(
      { length: bytes / 2 },
      (_, i) =>
        [0xb510, 0x2000 + (i & 0xff), 0x4803 + (i & 7), 0xf000, 0xf800 + (i & 0x7f), 0xbd10][i % 6] as number,
    ),
  )

/** Handlers begin with PUSH, at different functions. */
export function cortexProgram(base: number, stack: number, length: number): Uint8Array {
  const code = 0x100
  const handler = (n: number) => base + code + n * 24 + 1
  const table = Array.from({ length: 64 }, (_, i) => {
    if (i === 0) return stack
    if ((i >= 7 && i <= 10) || i === 13) return 0
    return i < 4 ? handler(i) : handler(20)
  })
  return concat(words32(...table), thumbCode(length - code))
}

/** A character a byte. */
const bytesOf = (value: string): Uint8Array => Uint8Array.from(value, (character) => character.charCodeAt(0))

const text = (value: string, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(bytesOf(value))
  return bytes
}

/** Of an ESP chip, from 0: a partition table and an application with ESP-IDF's description. */
export function espFlash(): Uint8Array {
  const entry = (type: number, subtype: number, offset: number, length: number, label: string) =>
    concat(Uint8Array.of(0xaa, 0x50, type, subtype), words32(offset, length), text(label, 16), words32(0))
  const flash = blank(0x1_1000)
  flash.set(concat(entry(1, 2, 0x9000, 0x6000, 'nvs'), entry(0, 0, 0x1_0000, 0x1000, 'factory')), 0x8000)
  const header = concat(Uint8Array.of(0xe9, 1, 2, 0x20), words32(0x4008_0000), new Uint8Array(24))
  const descriptor = concat(
    words32(0xabcd_5432, 0, 0, 0),
    text('v1.2.3', 32),
    text('blinky', 32),
    text('12:00:00', 16),
    text('Jan  2 2026', 16),
    text('v5.1', 32),
  )
  flash.set(concat(header, descriptor), 0x1_0000)
  return flash
}

export const usbDescriptor = (vendorId: number, productId: number, version: number): Uint8Array =>
  concat(
    Uint8Array.of(18, 1, 0x10, 0x01, 0xff, 0, 0, 8),
    words16(vendorId, productId, version),
    Uint8Array.of(1, 2, 0, 1),
  )

/** As USB has strings. */
export const wide = (value: string): Uint8Array => words16(...bytesOf(value))
