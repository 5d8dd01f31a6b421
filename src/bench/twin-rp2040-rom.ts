/**
 * The boot ROM of an RP2040 as a debugger uses it, and the flash behind it: the table of functions at its beginning, and
 * functions that take their time. Sources: RP2040 data sheet, 2.8.2 and 2.8.3 (the tables and what the functions do), 4.10
 * (SSI); the flash's commands as Winbond's data sheets have them.
 *
 * The real code is not here: each function hands its arguments to a stand-in, where no debugger looks, and waits for it as
 * the real one waits for the flash. Out of order it does what the chip would: without the pins connected, or while the flash
 * is mapped, an erase reaches nothing; what was mapped before is shown until the cache is flushed.
 */
import { numberAt, type ChipClock, type Region } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

const romBytes = 0x4000
const tableAt = 0x0100
const functionsAt = 0x0200
const functionBytes = 0x20
/** Not on the real chip. */
const standInAt = 0x5fff_0000
const xipAt = 0x1000_0000
const xipBytes = 0x0100_0000
const ssiAt = 0x1800_0000
const padsAt = 0x4001_8000
const sectorBytes = 4096
const pageBytes = 256
const boot2Bytes = 256

/** In this order at the stand-in; the last one is what a reset runs. */
const names = ['IF', 'EX', 'RE', 'RP', 'FC', 'CX', 'boot'] as const
type Name = (typeof names)[number]

/** Of a W25Q: a sector, a page. */
const times = { eraseMs: (bytes: number) => (bytes / sectorBytes) * 45, programMsPerKib: 0.4 * 4 }
const callMs = 0.05

export interface Rp2040RomOptions {
  readonly clock: ChipClock
  readonly flashBytes: number
  readonly content: Uint8Array
  readonly dials: Dials
}

export class Rp2040Rom {
  readonly flash: TwinFlash
  readonly regions: readonly Region[]
  readonly #clock: ChipClock
  #busyUntil = 0
  #given: number[] = []
  #isConnected = false
  /** Commands reach the flash: it is not mapped, nor in its continuous mode. */
  #isSerial = false
  #isMapped = false
  /** What the cache has. */
  #shown: Uint8Array
  #isSelected = false
  #control = 0
  #command: number[] = []
  #answers: number[] = []

  constructor({ clock, flashBytes, content, dials }: Rp2040RomOptions) {
    this.#clock = clock
    const sectors = Array.from({ length: flashBytes / sectorBytes }, (_, i) => ({
      ...{ address: i * sectorBytes, length: sectorBytes },
    }))
    this.flash = new TwinFlash(sectors, times, content, dials)
    this.#shown = this.flash.bytes.slice()
    const rom = romContent()
    this.regions = [
      {
        ...{ address: 0, length: romBytes },
        read: (at, width) => numberAt(rom, at, width),
        write: () => false,
      },
      {
        ...{ address: standInAt, length: 0x20 },
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (at, _, master) =>
          master === 'core' ? Number(at === standInAt + 20 && this.#isBusy) : undefined,
        write: (at, _, value, master) => {
          if (master !== 'core') return false
          if (at === standInAt + 16) this.#run(names[value], this.#given)
          else this.#given[(at - standInAt) >> 2] = value
          return true
        },
      },
      {
        ...{ address: xipAt, length: xipBytes },
        read: (at, width) => this.#mapped(at - xipAt, width),
        write: () => false,
      },
      {
        ...{ address: ssiAt, length: 0x100 },
        read: (at) => this.#readSsi(at - ssiAt),
        write: (at, _, value) => {
          if (at - ssiAt >= 0x60) this.#shift(value & 0xff)
          return true
        },
      },
      {
        ...{ address: padsAt, length: 0x100 },
        read: (at) => (at - padsAt === 0x0c ? this.#control : 0),
        write: (at, _, value) => {
          if (at - padsAt === 0x0c) this.#select(value)
          return true
        },
      },
    ]
  }

  reset(): void {
    this.losePower(this.#clock.now())
    this.#isConnected = this.#isSerial = this.#isMapped = this.#isSelected = false
    this.#control = 0
    this.#answers = []
    this.#shown = this.flash.bytes.slice()
  }

  losePower(now: number): void {
    this.flash.losePower(now)
    this.#busyUntil = 0
  }

  get #isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  /** Behind its end the flash shows its beginning again; what is not mapped gives noise. */
  #mapped(offset: number, width: 1 | 2 | 4): number {
    if (!this.#isMapped) return (0x5a5a_5a5a >>> (32 - 8 * width)) >>> 0
    const at = offset % this.#shown.length
    const isFresh = numberAt(this.#shown, at, width) === numberAt(this.flash.bytes, at, width)
    return isFresh ? numberAt(this.flash.read(at, width), 0, width) : numberAt(this.#shown, at, width)
  }

  #run(name: Name | undefined, [r0 = 0, r1 = 0, r2 = 0]: readonly number[]): void {
    let ms = callMs
    const isReached = this.#isConnected && this.#isSerial
    if (name === 'IF') this.#isConnected = true
    else if (name === 'EX') [this.#isSerial, this.#isMapped] = [this.#isConnected, false]
    else if (name === 'RE' && isReached) ms += this.#erase(r0, r1)
    else if (name === 'RP' && isReached) ms += this.#program(r0, r1, r2)
    else if (name === 'FC') this.#shown = this.flash.bytes.slice()
    else if (name === 'CX') [this.#isSerial, this.#isMapped] = [false, this.#isConnected]
    else if (name === 'boot' && hasBoot2(this.flash.bytes)) this.#isConnected = this.#isMapped = true
    this.#busyUntil = this.#clock.now() + ms
  }

  #erase(offset: number, length: number): number {
    let ms = 0
    const now = this.#clock.now()
    for (let at = offset; at < offset + length; at += sectorBytes)
      ms += this.flash.erase(at % this.flash.bytes.length, { now: () => now + ms })
    return ms
  }

  #program(offset: number, source: number, length: number): number {
    let ms = 0
    const now = this.#clock.now()
    for (let at = 0; at < length; at += pageBytes) {
      const page = Uint8Array.from({ length: pageBytes }, (_, i) => this.readRam(source + at + i))
      ms += this.flash.program((offset + at) % this.flash.bytes.length, page, { now: () => now + ms })
    }
    return ms
  }

  /** Where the function takes its bytes from. */
  readRam: (address: number) => number = () => 0xff

  // ---- commands, byte by byte ----------------------------------------------------------------------

  /** OUTOVER of the chip select: 2 is low. */
  #select(value: number): void {
    this.#control = value
    const isSelected = ((value >> 8) & 3) === 2
    if (isSelected && !this.#isSelected) this.#command = []
    this.#isSelected = isSelected
  }

  #readSsi(offset: number): number {
    if (offset === 0x24) return this.#answers.length
    return offset >= 0x60 ? (this.#answers.shift() ?? 0) : 0
  }

  /** The FIFO has 16; only a flash that is selected, connected and not mapped answers. */
  #shift(byte: number): void {
    if (!this.#isSerial || this.#answers.length >= 16) return
    const at = this.#command.push(byte) - 1
    this.#answers.push(this.#isSelected ? this.#answer(this.#command[0] ?? 0, at) : 0xff)
  }

  #answer(command: number, at: number): number {
    const capacity = Math.log2(this.flash.bytes.length)
    if (command === 0x9f) return [0xff, 0xef, 0x40, capacity][at] ?? 0
    if (command === 0x4b && at >= 5) return [0xe6, 0x61, 0x41, 0x03, 0xe7, 0x45, 0x2d, 0x2f][at - 5] ?? 0
    return 0xff
  }
}

/** Its vectors, the tables, and the functions, each with its number. */
function romContent(): Uint8Array {
  const rom = new Uint8Array(romBytes)
  const view = new DataView(rom.buffer)
  const entry = (i: number) => functionsAt + i * functionBytes
  view.setUint32(0, 0x2004_1f00, true)
  view.setUint32(4, entry(names.indexOf('boot')) | 1, true)
  rom.set([0x4d, 0x75, 0x01, 0x02], 0x10)
  view.setUint16(0x14, tableAt, true)
  for (const [i, name] of names.entries()) {
    const at = entry(i)
    if (name !== 'boot') {
      rom.set([name.charCodeAt(0), name.charCodeAt(1)], tableAt + i * 4)
      view.setUint16(tableAt + i * 4 + 2, at | 1, true)
    }
    // push {r4, r5, lr}; ldr r4, [pc, #20]; str r0 to r3; movs r5, #i; str r5, [r4, #16]
    const enters = [0xb530, 0x4c05, 0x6020, 0x6061, 0x60a2, 0x60e3, 0x2500 | i, 0x6125]
    // busy: ldr r5, [r4, #20]; cmp r5, #0; bne busy; pop {r4, r5, pc}, or for a reset b .
    const ends = [0x6965, 0x2d00, 0xd1fc, name === 'boot' ? 0xe7fe : 0xbd30]
    for (const [j, op] of [...enters, ...ends].entries()) view.setUint16(at + j * 2, op, true)
    view.setUint32(at + 24, standInAt, true)
  }
  return rom
}

/** What the ROM asks for before it starts a flash: a checksum over its first page (2.8.1.3.1). */
function hasBoot2(flash: Uint8Array): boolean {
  let crc = 0xffff_ffff
  for (const byte of flash.subarray(0, boot2Bytes - 4))
    for (let bit = 7; bit >= 0; bit--) {
      const isSet = (crc >>> 31) ^ ((byte >> bit) & 1)
      crc = (crc << 1) ^ (isSet ? 0x04c1_1db7 : 0)
    }
  return crc >>> 0 === numberAt(flash, boot2Bytes - 4, 4)
}
