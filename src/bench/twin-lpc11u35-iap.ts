/**
 * The ROM of an LPC11U35, and the flash and EEPROM that only it writes (NXP, UM10462: 20.7 and 20.8, what it starts and what
 * it closes; 20.14, IAP; 3.5.1, what is seen at 0; the data sheet's flash and EEPROM characteristics).
 *
 * The real code is not here: its entry hands what it is given to a stand-in, where no debugger looks, and waits as the real
 * one waits for the flash; it takes the stack and the end of the RAM that the real one takes. With less than the chip's clock
 * in its parameters the pulses are too short, so that what it erases and programs is not done to its end.
 */
import { isBlank } from '#core/bytes.ts'
import { numberAt, type ChipClock, type Region, type Width } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

const romAt = 0x1fff_0000
const romBytes = 0x4000
const entryAt = 0x1ff0
const bootAt = 0x0100
const waitsAt = 0x0140
/** Not on the real chip. */
const standInAt = 0x5fff_0000
const mapAt = 0x4004_8000
const mappedBytes = 0x200
const [ramAt, ramEnd] = [0x1000_0000, 0x1000_2000]
const ownRamBytes = 32

export const lpc11u35SectorBytes = 4096
const pageBytes = 256
const eepromPageBytes = 64
/** Which nobody writes. */
const eepromOwnBytes = 64
const crpAt = 0x2fc
const crpWords = [0x1234_5678, 0x8765_4321, 0x4321_8765]

/** Typical: an erase, whatever of, and 256 bytes; 64 bytes of EEPROM erased and programmed. */
const eraseMs = 100
const times = { eraseMs: () => eraseMs, programMsPerKib: 4 }
const eepromTimes = { eraseMs: () => 1.8, programMsPerKib: 1.1 * 16 }
const callMs = 0.02
/** As short as a pulse may be, of what it should. */
const leastPulse = 0.9

const Status = {
  Success: 0,
  InvalidCommand: 1,
  SourceAddress: 2,
  DestinationAddress: 3,
  SourceNotMapped: 4,
  DestinationNotMapped: 5,
  Count: 6,
  InvalidSector: 7,
  NotBlank: 8,
  NotPrepared: 9,
  Compare: 10,
} as const
type Answer = readonly [status: number, ...results: number[]]

export interface Lpc11u35IapOptions {
  readonly clock: ChipClock
  readonly clockHz: number
  readonly kib: number
  readonly eepromBytes: number
  readonly content: Uint8Array
  readonly partId: number
  readonly uniqueId: readonly number[]
  readonly dials: Dials
}

export class Lpc11u35Iap {
  readonly flash: TwinFlash
  readonly eeprom: TwinFlash
  readonly regions: readonly Region[]
  /** Of the whole chip; for its core. */
  read: (address: number, width: Width) => number | undefined = () => undefined
  write: (address: number, width: Width, value: number) => boolean = () => false
  readonly #options: Lpc11u35IapOptions
  readonly #clock: ChipClock
  #busyUntil = 0
  readonly #given = [0, 0]
  readonly #prepared = new Set<number>()

  constructor(options: Lpc11u35IapOptions) {
    const { clock, kib, eepromBytes, content, dials } = options
    this.#options = options
    this.#clock = clock
    this.flash = new TwinFlash(blocks(kib * 1024, lpc11u35SectorBytes), times, content, dials)
    this.eeprom = new TwinFlash(blocks(eepromBytes, eepromPageBytes), eepromTimes, new Uint8Array())
    const rom = romContent()
    const inRom = (at: number, width: Width) => numberAt(rom, at, width)
    this.regions = [
      {
        ...{ address: 0, length: kib * 1024 },
        read: (at, width, master) => {
          if (at < mappedBytes && this.#map === 0) return inRom(at, width)
          if (at < mappedBytes && this.#map === 1) return this.read(ramAt + at, width)
          this.#clock.stall(this.#busyUntil)
          return master === 'core'
            ? numberAt(this.flash.bytes, at, width)
            : numberAt(this.flash.read(at, width), 0, width)
        },
        write: () => false,
      },
      {
        ...{ address: romAt, length: romBytes },
        read: (at, width) => inRom(at - romAt, width),
        write: () => false,
      },
      {
        ...{ address: standInAt, length: 0x20 },
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (at, _, master) => (master === 'core' ? this.#readStandIn(at - standInAt) : undefined),
        write: (at, _, value, master) => master === 'core' && this.#writeStandIn(at - standInAt, value),
      },
    ]
  }

  /** Its ROM keeps debuggers out. */
  get isClosed(): boolean {
    return crpWords.includes(numberAt(this.flash.bytes, crpAt, 4))
  }

  reset(): void {
    this.losePower(this.#clock.now())
    this.#prepared.clear()
  }

  losePower(now: number): void {
    this.flash.losePower(now)
    this.eeprom.losePower(now)
    this.#busyUntil = 0
  }

  /** SYSMEMREMAP. */
  get #map(): number {
    return (this.read(mapAt, 4) ?? 0) & 3
  }

  #readStandIn(offset: number): number {
    if (offset === 12) return Number(this.#clock.now() < this.#busyUntil)
    // where what it starts begins
    const starts = this.#isValid
    if (offset === 20) return starts ? numberAt(this.flash.bytes, 0, 4) : ramAt + 0x1000
    return starts ? numberAt(this.flash.bytes, 4, 4) : (romAt + waitsAt) | 1
  }

  #writeStandIn(offset: number, value: number): boolean {
    if (offset < 8) this.#given[offset >> 2] = value
    else if (offset === 8) this.#run()
    else if (offset === 16 && this.#isValid) this.write(mapAt, 4, 2)
    return true
  }

  /** The first eight vectors come to zero. */
  get #isValid(): boolean {
    let sum = 0
    for (let at = 0; at < 32; at += 4) sum = (sum + numberAt(this.flash.bytes, at, 4)) >>> 0
    return sum === 0
  }

  // ---- IAP ------------------------------------------------------------------------------------------

  #run(): void {
    const [commandAt = 0, resultAt = 0] = this.#given
    const [command = 0, ...parameters] = [0, 4, 8, 12, 16].map((at) => this.read(commandAt + at, 4) ?? 0)
    this.#busyUntil = this.#clock.now() + callMs
    const answer = this.#answer(command, parameters)
    for (const [i, word] of answer.entries()) this.write(resultAt + i * 4, 4, word)
  }

  #answer(command: number, given: readonly number[]): Answer {
    const [first = 0, second = 0, third = 0] = given
    switch (command) {
      case 50:
        return this.#prepare(first, second)
      case 51:
        return this.#copy(first, second, third, given[3] ?? 0)
      case 52:
        return this.#erase(first, second, third, lpc11u35SectorBytes)
      case 53:
        return this.#blankCheck(first, second)
      case 54:
        return [Status.Success, this.#options.partId]
      case 55:
        return [Status.Success, 0x0704]
      case 56:
        return this.#compare(first, second, third)
      case 58:
        return [Status.Success, ...this.#options.uniqueId]
      case 59:
        return this.#erase(first, second, third, pageBytes)
      case 61:
        return this.#writeEeprom(first, second, third)
      case 62:
        return this.#readEeprom(first, second, third)
    }
    return [Status.InvalidCommand]
  }

  #isSector = (first: number, last: number): boolean => first <= last && last < this.flash.sectors.length

  #prepare(first: number, last: number): Answer {
    if (!this.#isSector(first, last)) return [Status.InvalidSector]
    for (let sector = first; sector <= last; sector++) this.#prepared.add(sector)
    return [Status.Success]
  }

  /** Of units of `bytes`: sectors, or pages. */
  #erase(first: number, last: number, khz: number, bytes: number): Answer {
    const sectorOf = (unit: number) => Math.floor((unit * bytes) / lpc11u35SectorBytes)
    if (first > last || !this.#isSector(sectorOf(first), sectorOf(last))) return [Status.InvalidSector]
    const status = this.#usePrepared(sectorOf(first), sectorOf(last))
    if (status !== Status.Success) return [status]
    const range = { address: first * bytes, length: (last - first + 1) * bytes }
    this.#pulse(khz, () => this.flash.eraseRange(range, this.#clock))
    return [Status.Success]
  }

  #copy(to: number, from: number, count: number, khz: number): Answer {
    if (to % pageBytes !== 0) return [Status.DestinationAddress]
    if (from % 4 !== 0) return [Status.SourceAddress]
    const source = this.#ramBytes(from, count)
    if (!source) return [Status.SourceNotMapped]
    if (!this.flash.holds(to, count)) return [Status.DestinationNotMapped]
    if (![256, 512, 1024, 4096].includes(count)) return [Status.Count]
    const [first, last] = [to, to + count - 1].map((at) => Math.floor(at / lpc11u35SectorBytes))
    const status = this.#usePrepared(first ?? 0, last ?? 0)
    if (status !== Status.Success) return [status]
    this.#pulse(khz, () => this.flash.program(to, source, this.#clock))
    return [Status.Success]
  }

  #blankCheck(first: number, last: number): Answer {
    if (!this.#isSector(first, last)) return [Status.InvalidSector]
    const end = (last + 1) * lpc11u35SectorBytes
    for (let at = first * lpc11u35SectorBytes; at < end; at += 4)
      if (!isBlank(this.flash.bytes.subarray(at, at + 4)))
        return [Status.NotBlank, at, numberAt(this.flash.bytes, at, 4)]
    return [Status.Success]
  }

  #compare(one: number, other: number, count: number): Answer {
    if (count % 4 !== 0) return [Status.Count]
    for (let at = 0; at < count; at += 4)
      if (this.read(one + at, 4) !== this.read(other + at, 4)) return [Status.Compare, at]
    return [Status.Success]
  }

  #readEeprom(from: number, to: number, count: number): Answer {
    if (!this.eeprom.holds(from, count)) return [Status.SourceNotMapped]
    if (!this.#ramBytes(to, count)) return [Status.DestinationNotMapped]
    for (let i = 0; i < count; i++) this.write(to + i, 1, this.eeprom.bytes[from + i] ?? 0)
    return [Status.Success]
  }

  #writeEeprom(to: number, from: number, count: number): Answer {
    if (to + count > this.eeprom.bytes.length - eepromOwnBytes) return [Status.DestinationNotMapped]
    const source = this.#ramBytes(from, count)
    if (!source) return [Status.SourceNotMapped]
    const start = to - (to % eepromPageBytes)
    const end = Math.ceil((to + count) / eepromPageBytes) * eepromPageBytes
    const pages = this.eeprom.bytes.slice(start, end)
    pages.set(source, to - start)
    this.#busyUntil = this.#clock.now() + this.eeprom.replace(start, pages, this.#clock)
    return [Status.Success]
  }

  /** They are protected again afterwards; its work takes the end of the RAM. */
  #usePrepared(first: number, last: number): number {
    for (let sector = first; sector <= last; sector++)
      if (!this.#prepared.has(sector)) return Status.NotPrepared
    for (let sector = first; sector <= last; sector++) this.#prepared.delete(sector)
    for (let at = ramEnd - ownRamBytes; at < ramEnd; at += 4) this.write(at, 4, (at * 0x9e37) >>> 0)
    return Status.Success
  }

  #pulse(khz: number, begin: () => number): void {
    const from = this.#clock.now()
    const pulse = (khz * 1000) / this.#options.clockHz
    const ms = begin() * pulse
    if (pulse < leastPulse) this.flash.losePower(from + ms)
    this.#busyUntil = from + ms
  }

  /** Undefined: not all of it is RAM. */
  #ramBytes(from: number, count: number): Uint8Array | undefined {
    if (from < ramAt || from >= romAt) return undefined
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const byte = this.read(from + i, 1)
      if (byte === undefined) return undefined
      bytes[i] = byte
    }
    return bytes
  }
}

const blocks = (bytes: number, length: number) =>
  Array.from({ length: bytes / length }, (_, i) => ({ address: i * length, length }))

/** Its vectors, what a reset runs, and its entry. */
function romContent(): Uint8Array {
  const rom = new Uint8Array(romBytes)
  const view = new DataView(rom.buffer)
  const put = (at: number, ops: readonly number[]) => {
    for (const [i, op] of ops.entries()) view.setUint16(at + i * 2, op, true)
    view.setUint32(at + ops.length * 2, standInAt, true)
  }
  view.setUint32(0, ramAt + 0x1000, true)
  view.setUint32(4, (romAt + bootAt) | 1, true)
  // ldr r4, [pc, #8]; str r4, [r4, #16]; ldr r0, [r4, #20]; mov sp, r0; ldr r1, [r4, #24]; bx r1
  put(bootAt, [0x4c02, 0x6124, 0x6960, 0x4685, 0x69a1, 0x4708])
  // b .
  put(waitsAt, [0xe7fe])
  put(entryAt, [
    // push {r4, r5, lr}; sub sp, #116; ldr r4, [pc, #16]; str r0, [r4]; str r1, [r4, #4]; str r4, [sp]; str r4, [r4, #8]
    ...[0xb530, 0xb09d, 0x4c04, 0x6020, 0x6061, 0x9400, 0x60a4],
    // busy: ldr r5, [r4, #12]; cmp r5, #0; bne busy; add sp, #116; pop {r4, r5, pc}
    ...[0x68e5, 0x2d00, 0xd1fc, 0xb01d, 0xbd30],
  ])
  return rom
}
