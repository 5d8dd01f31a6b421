/**
 * Small AVR programs, assembled here: what the practice bench flashes and what its boards hold at the start.
 *
 * `blinkImage` is a real program that blinks the LED of an Arduino; it carries its name and version as text.
 * `loaderImage` is only a stand-in for a boot loader: entry, command decoder and version word are where the
 * real ones have them, so that it is recognised like them, and nothing behind them works. Opcodes: Atmel's
 * AVR Instruction Set Manual.
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import { Command, signOn } from './packets.ts'

// Opcodes, one word each; registers, I/O addresses and constants as in assembler, jumps in words from here.
const constant = (high: number, register: number, k: number) =>
  (high << 12) | ((k & 0xf0) << 4) | ((register - 16) << 4) | (k & 0x0f)
const ldi = (register: number, k: number) => constant(0xe, register, k)
const cpi = (register: number, k: number) => constant(0x3, register, k)
const subi = (register: number, k: number) => constant(0x5, register, k)
const sbci = (register: number, k: number) => constant(0x4, register, k)
const eor = (d: number, r: number) => 0x2400 | ((r & 16) << 5) | (d << 4) | (r & 15)
const input = (register: number, io: number) => 0xb000 | ((io & 0x30) << 5) | (register << 4) | (io & 15)
const output = (io: number, register: number) => input(register, io) | 0x0800
const sbi = (io: number, bit: number) => 0x9a00 | (io << 3) | bit
const sbrs = (register: number, bit: number) => 0xfe00 | (register << 4) | bit
const brne = (words: number) => 0xf401 | ((words & 0x7f) << 3)
const rjmp = (words: number) => 0xc000 | (words & 0x0fff)
const ret = 0x9508

const SREG = 0x3f
const SPH = 0x3e
const SPL = 0x3d
const MCUSR = 0x34

const assemble = (words: readonly number[]): Uint8Array =>
  words.reduce((writer, word) => writer.u16le(word), new ByteWriter()).done()

interface Board {
  /** I/O addresses of the LED's port, and its bit. */
  readonly ddr: number
  readonly port: number
  readonly bit: number
  readonly ramEnd: number
}
const boards: Readonly<Record<string, Board>> = {
  ATmega8: { ddr: 0x17, port: 0x18, bit: 5, ramEnd: 0x45f },
  ATmega168: { ddr: 0x04, port: 0x05, bit: 5, ramEnd: 0x4ff },
  ATmega328P: { ddr: 0x04, port: 0x05, bit: 5, ramEnd: 0x8ff },
}

const clockHz = 16_000_000
const loopCycles = 5

/** How the text in a practice image begins; a version follows. */
export const practiceText = 'Reflasher practice image: blink, version '

/** Blinks; version 2 twice as fast as version 1, and so on. At address 0; a few pages long. */
export const blinkImage = (part: AvrPart, version: number): Uint8Array =>
  programImage(part, version, `${practiceText}${String(version)}`)

/** What a twin's flash holds where ArduinoISP runs: its sign-on text is all that is looked at. */
export const arduinoIspImage = (part: AvrPart): Uint8Array => programImage(part, 1, signOn)

function programImage(part: AvrPart, version: number, text: string): Uint8Array {
  const board = boards[part.name]
  if (!board) throw new FlashError('bug', { during: `a practice image for ${part.name}` })
  const { ddr, port, bit, ramEnd } = board
  const loops = Math.round(clockHz / 2 / version / loopCycles)
  const program = assemble([
    eor(1, 1),
    output(SREG, 1),
    ldi(28, ramEnd & 0xff),
    ldi(29, ramEnd >> 8),
    output(SPH, 29),
    output(SPL, 28),
    sbi(ddr, bit),
    ldi(16, 1 << bit),
    input(17, port), // toggle: from here again and again
    eor(17, 16),
    output(port, 17),
    ldi(18, loops & 0xff),
    ldi(24, (loops >> 8) & 0xff),
    ldi(25, loops >> 16),
    subi(18, 1), // loop: until all three are through zero
    sbci(24, 0),
    sbci(25, 0),
    brne(-4),
    rjmp(-11),
  ])
  return concat(vectors(part), program, new TextEncoder().encode(`${text}\0`), filler(version))
}

/** Every vector leads to the program right behind the table. */
function vectors({ vectors: { bytes, count } }: AvrPart): Uint8Array {
  const start = (bytes * count) / 2
  return assemble(
    Array.from({ length: count }, (_, i) => (bytes === 4 ? [0x940c, start] : [rjmp(start - i - 1)])).flat(),
  )
}

/** Makes the image several pages long, and another one in each version. */
function filler(version: number): Uint8Array {
  let state = version
  return Uint8Array.from({ length: 700 }, () => (state = (state * 1_103_515_245 + 12_345) >>> 0) >>> 24)
}

/** The commands that the decoders of optiboot and ATmegaBOOT compare with, in their order. */
const decoded = [0x41, 0x42, 0x45, 0x55, 0x56, 0x64, 0x74, 0x75, 0x51]

export interface LoaderImage {
  /** As many bytes as the boot section has. */
  readonly bytes: number
  /** Major and minor, in the last word as optiboot has it since 4.1; absent: ATmegaBOOT. */
  readonly version?: readonly [number, number]
}

/** The content of a boot section of `bytes`. */
export function loaderImage({ bytes, version }: LoaderImage): Uint8Array {
  const section = new Uint8Array(bytes).fill(0xff)
  const commands = version ? decoded : [Command.GetSignOn, ...decoded]
  const code = assemble([
    eor(1, 1),
    input(24, MCUSR),
    output(MCUSR, 1),
    sbrs(24, 1), // external reset
    rjmp(3 * commands.length),
    ...commands.flatMap((command) => [cpi(24, command), brne(1), rjmp(-1)]),
    ret,
  ])
  const at = version ? 0 : bytes / 4
  section.set(assemble([rjmp(at / 2 - 1)]))
  section.set(code, at)
  if (version) section.set([version[1], version[0]], bytes - 2)
  return section
}
