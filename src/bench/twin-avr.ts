/**
 * An AVR chip as ISP target, at the level of SPI bytes: what a programmer's twin has behind its wires.
 *
 * It follows the data sheets' "Serial Downloading" and "Serial Programming Instruction Set": nothing is
 * answered before Programming Enable, each byte echoes the one before, flash bits only go from 1 to 0,
 * the chip is busy for as long as its data sheet allows. It knows the chips' data and nothing of the code
 * that programs them (`chips/avr-isp.ts`).
 */
import { blank } from '#core/bytes.ts'
import { avrPartByName, type AvrPart, type FuseLayout } from '#chips/avr-parts.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { Dials, TwinPatient } from './twin.ts'

export interface TwinAvrOptions {
  clock?: Clock
  dials?: Dials
  /** Contents from address 0; the rest is blank. */
  flash?: Uint8Array
  eeprom?: Uint8Array
  /** Low, high, extended; absent: factory values. */
  fuses?: Uint8Array
  lock?: number
}

/** Of the data sheets' 20 ms after reset, real chips need less and some firmware waits only 19.84 ms. */
const settleMs = 15

const LB1 = 0x01
const LB2 = 0x02

/** Where the fuses are that matter to a programmer, as byte * 8 + bit; 8-15 is the high byte. */
interface FuseBits {
  readonly spien: number
  readonly eesave: number
  readonly rstdisbl?: number
  readonly dwen?: number
}
const usual: FuseBits = { spien: 13, eesave: 11 }
const withDebugWire: FuseBits = { ...usual, rstdisbl: 15, dwen: 14 }
const fuseBits: Partial<Record<FuseLayout, FuseBits>> = {
  mega8: { ...usual, rstdisbl: 15 },
  mega48: withDebugWire,
  mega88: withDebugWire,
  mega328: withDebugWire,
  mega328pb: withDebugWire,
  usb162: { ...usual, rstdisbl: 14, dwen: 15 },
  tiny13: { spien: 7, eesave: 6, rstdisbl: 8, dwen: 11 },
  tiny24: withDebugWire,
  tiny25: withDebugWire,
  tiny2313: { spien: 13, eesave: 14, rstdisbl: 8, dwen: 15 },
  tiny88: withDebugWire,
  tiny167: withDebugWire,
}

/** Fuse bits that do not exist and read as 1, by layout: low, high, extended. */
const absentFuses: Partial<Record<FuseLayout, readonly [number, number, number]>> = {
  mega8: [0, 0, 0xff],
  mega16: [0, 0, 0xff],
  mega128: [0, 0, 0xfc],
  mega328pb: [0, 0, 0xf0],
  mega32u4: [0, 0, 0xf0],
  usb1286: [0, 0, 0xf0],
  usb162: [0, 0, 0xf0],
  mega48: [0, 0, 0xfe],
  tiny13: [0, 0xe0, 0xff],
  tiny24: [0, 0, 0xfe],
  tiny25: [0, 0, 0xfe],
  tiny2313: [0, 0, 0xfe],
  tiny88: [0x0c, 0, 0xfe],
  tiny167: [0, 0, 0xfe],
}

export class TwinAvr implements TwinPatient {
  readonly part: AvrPart
  readonly flash: Uint8Array
  readonly eeprom: Uint8Array
  /** Low, high, extended. */
  readonly fuses: Uint8Array
  readonly lock: Uint8Array
  readonly calibration: Uint8Array
  readonly signature: Uint8Array
  onWork: (ms: number) => void = () => undefined
  readonly #dials: Dials
  readonly #bits: FuseBits
  #clock: Clock | undefined
  /** Undefined: RESET is released and the chip runs. */
  #resetAt: number | undefined
  /** Whether SPIEN, RSTDISBL and DWEN let it be programmed, as latched when it last started. */
  #reachable = true
  #state: 'waiting' | 'programming' | 'out-of-sync' = 'waiting'
  #instruction: number[] = []
  #echo = 0xff
  #busyUntil = 0
  #work: Work | undefined
  /** The RESET pin is low. */
  #isHeld = false
  #extendedAddress = 0
  #page: Uint8Array
  #eepromPage = new Map<number, number>()
  #flickers = 0

  constructor(part: AvrPart, options: TwinAvrOptions = {}) {
    const dials = options.dials ?? {}
    this.#dials = dials
    this.part = (dials.chip === undefined ? undefined : avrPartByName(dials.chip)) ?? part
    const { flash, eeprom, fuses, signature, calibrationBytes } = this.part
    this.flash = filled(flash.bytes, options.flash)
    if (dials.halfWritten) this.flash.fill(0xff, (options.flash?.length ?? 0) >> 1)
    this.eeprom = filled(eeprom.bytes, options.eeprom)
    this.fuses = filled(3, options.fuses ?? Uint8Array.of(fuses.low, fuses.high, fuses.extended ?? 0xff))
    this.lock = Uint8Array.of((options.lock ?? 0xff) & (dials.locked ? ~(LB1 | LB2) : 0xff))
    this.signature = Uint8Array.from(signature)
    this.calibration = Uint8Array.from({ length: calibrationBytes }, (_, i) => 0xb1 - i * 5)
    this.#bits = fuseBits[this.part.fuseLayout] ?? usual
    this.#page = blank(flash.pageBytes)
    if (options.clock) this.power(options.clock)
  }

  /** Power-on. Without a clock the chip has no power and answers nothing. */
  power(clock: Clock): void {
    this.#clock = clock
    this.#busyUntil = 0
    this.#start()
    if (this.#isHeld) this.#resetAt = clock.now()
  }

  /**
   * Power lost. Data sheets promise nothing for what was being erased or written; here it went from the first byte
   * on, got as far as time had come, and one byte is in between. A fuse byte is the new one.
   */
  losePower(): void {
    const now = this.#clock?.now() ?? Infinity
    this.#clock = undefined
    if (this.#work && now < this.#busyUntil) undoRest(this.#work, now)
    this.#work = undefined
  }

  brownOut(): void {
    const clock = this.#clock
    this.losePower()
    if (clock) this.power(clock)
  }

  memory(id: MemoryId): Uint8Array {
    return id === 'options' || id === 'otp' || id === 'config' ? new Uint8Array() : this[id]
  }

  /** The RESET pin; asserted is low. Releasing it starts the program and makes new fuses count. */
  reset(asserted: boolean): void {
    this.#isHeld = asserted
    if (!asserted) this.#start()
    else if (this.#resetAt === undefined) this.#resetAt = this.#clock?.now()
  }

  /** One SPI byte each way. Nothing connected, no power, or RESET released: the line floats high. */
  shift(byte: number, sckHz: number): number {
    const clock = this.#clock
    if (!clock || this.#dials.noTarget || this.#resetAt === undefined || !this.#reachable) return 0xff
    if (sckHz >= this.#fastestSckHz) this.#state = 'out-of-sync'
    if (this.#state === 'out-of-sync') return 0xff
    const answer = this.#answer(byte, clock)
    this.#echo = byte
    return answer
  }

  /** Self-programming (SPM): erases the page around `address`. */
  erasePage(address: number, ms: number): void {
    const start = this.#pageStart(address)
    const { pageBytes } = this.part.flash
    this.#change([this.flash.subarray(start, start + pageBytes)], ms, ([page]) => page?.fill(0xff))
  }

  /** Self-programming (SPM): writes the page around `address`; `bytes` start at its beginning. */
  writePage(address: number, bytes: Uint8Array, ms: number): void {
    const start = this.#pageStart(address)
    this.#changePage(start, ms, () => {
      this.#program(start, bytes.subarray(0, this.part.flash.pageBytes))
    })
  }

  /** By its own program, one after another. */
  writeEeprom(address: number, bytes: Uint8Array, ms: number): void {
    const { length } = this.eeprom
    const start = address % length
    this.#change([this.eeprom.subarray(start, start + bytes.length)], ms, () => {
      for (const [i, byte] of bytes.entries()) this.eeprom[(address + i) % length] = byte
    })
  }

  get #fastestSckHz(): number {
    const hz = this.#dials.targetHz ?? 16_000_000
    return hz / (hz >= 12_000_000 ? 6 : 4)
  }

  #start(): void {
    this.#resetAt = undefined
    this.#state = 'waiting'
    this.#instruction = []
    this.#echo = 0xff
    this.#extendedAddress = 0
    this.#page.fill(0xff)
    this.#eepromPage.clear()
    const { spien, rstdisbl, dwen } = this.#bits
    this.#reachable = this.#programmed(spien) && !this.#programmed(rstdisbl) && !this.#programmed(dwen)
  }

  #programmed(bit: number | undefined): boolean {
    return bit !== undefined && (at(this.fuses, bit >> 3) & (1 << (bit & 7))) === 0
  }

  #answer(byte: number, clock: Clock): number {
    const instruction = this.#instruction
    instruction.push(byte)
    const [b0, b1] = instruction
    if (this.#state === 'waiting') {
      if (instruction.length === 4) this.#instruction = []
      if (instruction.length < 3) return 0xff
      const settled = clock.now() - (this.#resetAt ?? Infinity) >= settleMs
      if (instruction.length !== 3 || b0 !== 0xac || b1 !== 0x53 || !settled) return 0xff
      this.#state = 'programming'
      return 0x53
    }
    if (instruction.length < 4) return this.#echo
    this.#instruction = []
    return this.#execute(instruction as [number, number, number, number], clock)
  }

  /** A complete instruction; gives the fourth byte out. While busy only RDY/BSY makes sense. */
  #execute([b0, b1, b2, b3]: [number, number, number, number], clock: Clock): number {
    const busy = clock.now() < this.#busyUntil
    if (b0 === 0xf0) return this.part.readyPoll ? (busy ? 0x01 : 0x00) : 0xff
    if (busy) return 0xff
    const word = (this.#extendedAddress << 16) | (b1 << 8) | b2
    const eepromAddress = ((b1 << 8) | b2) % this.part.eeprom.bytes
    switch (b0) {
      case 0x20:
        return this.#readFlash(word * 2)
      case 0x28:
        return this.#readFlash(word * 2 + 1)
      case 0x30:
        return at(this.signature, b2 & 0x03)
      case 0x38:
        return at(this.calibration, b2 & 0x03)
      case 0x50:
        return at(this.fuses, b1 & 0x08 ? 2 : 0)
      case 0x58:
        return b1 & 0x08 ? at(this.fuses, 1) : at(this.lock, 0)
      case 0xa0:
        return this.#unreadable ? 0xff : at(this.eeprom, eepromAddress)
      case 0x40:
      case 0x48: {
        const offset = (b2 * 2 + (b0 === 0x48 ? 1 : 0)) % this.#page.length
        this.#page[offset] = at(this.#page, offset) & b3
        break
      }
      case 0x4c:
        this.#changePage(this.#pageStart(word * 2), this.part.flash.ms, (start) => {
          if (this.#writable) this.#program(start, this.#page)
        })
        this.#page.fill(0xff)
        break
      case 0x4d:
        this.#extendedAddress = b2
        break
      case 0xc0:
        this.#change([this.eeprom.subarray(eepromAddress, eepromAddress + 1)], this.part.eeprom.ms, () => {
          if (this.#writable) this.eeprom[eepromAddress] = b3
        })
        break
      case 0xc1:
        if (this.part.eeprom.paged) this.#eepromPage.set(b2 % this.part.eeprom.pageBytes, b3)
        break
      case 0xc2:
        if (this.part.eeprom.paged) this.#writeEepromPage(eepromAddress)
        break
      case 0xac:
        this.#command(b1, b3)
    }
    return this.#echo
  }

  #command(command: number, value: number): void {
    if (command === 0x80) this.#eraseChip()
    else if ((command & 0xe0) === 0xe0) {
      const clears = this.part.lockMask & (this.#unreadable ? LB1 | LB2 : 0xff)
      this.lock[0] = at(this.lock, 0) & (value | (~clears & 0xff))
      this.#change([], this.part.fuseMs)
    } else if (command === 0xa0) this.#writeFuse(0, value)
    else if (command === 0xa8) this.#writeFuse(1, value)
    else if (command === 0xa4) this.#writeFuse(2, value)
  }

  #eraseChip(): void {
    this.#page.fill(0xff)
    const keepsEeprom = this.#programmed(this.#bits.eesave)
    // "The Lock bits are not reset until the program memory has been completely erased."
    const erased = [this.flash, ...(keepsEeprom ? [] : [this.eeprom]), this.lock]
    this.#change(erased, this.part.chipEraseMs, (all) => {
      for (const memory of all) memory.fill(0xff)
    })
  }

  #writeFuse(index: 0 | 1 | 2, value: number): void {
    const absent = absentFuses[this.part.fuseLayout]?.[index] ?? (index === 2 ? 0xf8 : 0)
    if (this.#writable) this.fuses[index] = this.#withItsSpien(index, value) | absent
    this.#change([], this.part.fuseMs)
  }

  /** ISP does not reach it. */
  #withItsSpien(index: number, value: number): number {
    const mask = this.#bits.spien >> 3 === index ? 1 << (this.#bits.spien & 7) : 0
    return (value & ~mask) | (at(this.fuses, index) & mask)
  }

  #writeEepromPage(address: number): void {
    const start = address - (address % this.part.eeprom.pageBytes)
    const page = this.eeprom.subarray(start, start + this.part.eeprom.pageBytes)
    this.#change([page], this.part.eeprom.ms, () => {
      if (this.#writable) for (const [offset, byte] of this.#eepromPage) this.eeprom[start + offset] = byte
    })
    this.#eepromPage.clear()
  }

  #changePage(start: number, ms: number, apply: (start: number) => void): void {
    this.#change([this.flash.subarray(start, start + this.part.flash.pageBytes)], ms, () => {
      apply(start)
    })
  }

  /** Changes `places`, in this order, which takes `ms`. */
  #change(
    places: readonly Uint8Array[],
    ms: number,
    apply: (places: readonly Uint8Array[]) => void = () => undefined,
  ): void {
    const startedAt = this.#clock?.now() ?? 0
    this.#work = { places, before: places.map((place) => place.slice()), startedAt, ms }
    this.#busyUntil = startedAt + ms
    apply(places)
    this.onWork(ms)
  }

  /** Lock bit modes 2 and 3: flash, EEPROM and fuses cannot be programmed. */
  get #writable(): boolean {
    return (at(this.lock, 0) & (LB1 | LB2)) === (LB1 | LB2)
  }

  /** Lock bit mode 3: nor read. */
  get #unreadable(): boolean {
    return (at(this.lock, 0) & LB2) === 0
  }

  #readFlash(address: number): number {
    // A locked chip gives no content: newer ones put the low byte of the word address out instead.
    if (this.#unreadable) return this.part.readyPoll ? (address >> 1) & 0xff : 0xff
    const where = address % this.flash.length
    const { flickerBit } = this.#dials
    const flips = flickerBit !== undefined && flickerBit >> 3 === where && this.#flickers++ % 2 === 1
    return at(this.flash, where) ^ (flips ? 1 << (flickerBit & 7) : 0)
  }

  #program(start: number, bytes: Uint8Array): void {
    for (const [i, byte] of bytes.entries()) this.flash[start + i] = at(this.flash, start + i) & byte
    const { stuckBit } = this.#dials
    if (stuckBit === undefined) return
    const where = stuckBit >> 3
    if (where >= start && where < start + bytes.length)
      this.flash[where] = at(this.flash, where) & ~(1 << (stuckBit & 7))
  }

  #pageStart(address: number): number {
    const where = address % this.flash.length
    return where - (where % this.part.flash.pageBytes)
  }
}

/** What a chip is erasing or writing; `places` are views of its memories. */
interface Work {
  readonly places: readonly Uint8Array[]
  readonly before: readonly Uint8Array[]
  readonly startedAt: number
  readonly ms: number
}

/** As if it had ended at `now`. */
function undoRest({ places, before, startedAt, ms }: Work, now: number): void {
  const total = places.reduce((sum, { length }) => sum + length, 0)
  /** Bytes of this place that were done; below 0: it was not begun. */
  let done = Math.floor(((now - startedAt) / ms) * total)
  for (const [i, place] of places.entries()) {
    const old = before[i] ?? place
    // erasing sets bits, writing clears them
    const erased = at(old, done) | at(place, done)
    const between = erased ^ ((erased ^ at(place, done)) & 0x55)
    const rest = Math.min(Math.max(0, done), place.length)
    place.set(old.subarray(rest), rest)
    if (done >= 0 && done < place.length) place[done] = between
    done -= place.length
  }
}

const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0xff

function filled(length: number, content: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = blank(length)
  bytes.set(content.subarray(0, length))
  return bytes
}
