/**
 * Flash and option bytes of an STM32F4 (ST RM0090, chapter 3), or of an STM32F7 with one bank (RM0431), behind their
 * controller.
 *
 * Sectors of several sizes; programmed in the width that PSIZE says; bits are only ever cleared; a busy flash keeps its
 * master waiting; an access that CR does not allow is told in SR. Option bytes are written and loaded at once.
 */
import type { Range } from '#core/programmer.ts'
import { lane, numberAt, type ChipClock, type Master, type Region, type Width } from './twin-arm-bus.ts'
import { isInFlash, type FlashController } from './twin-stm32.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

const registersAt = 0x4002_3c00
const flashAt = 0x0800_0000
/** Typical, as the data sheet gives them, 32 bits at a time. */
const times = {
  eraseMs: (bytes: number) => (bytes > 65_536 ? 1000 : bytes > 16_384 ? 550 : 250),
  programMsPerKib: 4.1,
}
/** Whatever the width. */
const programMs = 0.016
const massEraseMs = 8000
/** The data sheet gives none: taken as that of the smallest sector. */
const optionMs = 250

const keys = [0x4567_0123, 0xcdef_89ab]
const optionKeys = [0x0819_2a3b, 0x4c5d_6e7f]

const Sr = { WrpErr: 1 << 4, PgpErr: 1 << 6, PgsErr: 1 << 7, Bsy: 1 << 16, errors: 0xf3 } as const
const Cr = { Pg: 1, Ser: 1 << 1, Mer: 1 << 2, Strt: 1 << 16, Lock: 0x8000_0000 } as const
const crWritable = 0x0100_03ff
const Opt = { Lock: 1, Start: 2 } as const
const rdpOpen = 0xaa
const rdpClosed = 0xcc

/** USER and RDP, nWRP, each half-word alone in its double word. */
export const factoryOptionBytes = Uint8Array.of(
  ...[0xef, 0xaa, 0, 0, 0, 0, 0, 0],
  ...[0xff, 0x0f, 0, 0, 0, 0, 0, 0],
)
/** The same, with what the watchdog does; the addresses that it boots from behind them. */
export const f7OptionBytes = Uint8Array.of(
  ...[0xff, 0xaa, 0, 0, 0, 0, 0, 0],
  ...[0xff, 0xc0, 0, 0, 0, 0, 0, 0],
  ...[0x80, 0x00, 0, 0, 0, 0, 0, 0],
  ...[0x40, 0x00, 0, 0, 0, 0, 0, 0],
)

/** Where option bytes are, and the mirror of the flash; what OPTCR keeps. */
const layouts = {
  f4: { optionsAt: 0x1fff_c000, mirrorAt: 0, optcrMask: 0x0fff_ffec },
  f7: { optionsAt: 0x1fff_0000, mirrorAt: 0x0020_0000, optcrMask: 0xc0ff_fffc },
} as const

/** 4 of 16 KiB, 1 of 64 KiB, and of 128 KiB as many as it has. */
export const stm32f4Sectors = (kib: number): Range[] => {
  const sectors: Range[] = []
  for (let at = 0; at < kib;) {
    const size = at < 64 ? 16 : at < 128 ? 64 : 128
    sectors.push({ address: flashAt + at * 1024, length: size * 1024 })
    at += size
  }
  return sectors
}

export interface Stm32f4FlashOptions {
  readonly clock: ChipClock
  readonly of: keyof typeof layouts
  readonly kib: number
  readonly content: Uint8Array
  /** 16 bytes, or 32. */
  readonly optionBytes: Uint8Array
  readonly dials: Dials
}

/** Opened by two keys in order; a wrong one keeps it shut until reset. */
class Lock {
  isOpen = false
  #isBlocked = false
  #next = 0
  readonly #keys: readonly number[]

  constructor(both: readonly number[]) {
    this.#keys = both
  }

  reset(): void {
    this.isOpen = this.#isBlocked = false
    this.#next = 0
  }

  close(): void {
    this.isOpen = false
    this.#next = 0
  }

  /** False: a bus error. */
  turn(value: number): boolean {
    if (this.#isBlocked || this.isOpen || value !== this.#keys[this.#next]) {
      this.#isBlocked = true
      this.isOpen = false
      return false
    }
    this.isOpen = ++this.#next === this.#keys.length
    return true
  }
}

export class Stm32f4Flash implements FlashController {
  readonly flash: TwinFlash
  readonly options: TwinFlash
  readonly regions: readonly Region[]
  executingAt: () => number = () => 0
  readonly #clock: ChipClock
  readonly #layout: (typeof layouts)[keyof typeof layouts]
  readonly #lock = new Lock(keys)
  readonly #optionLock = new Lock(optionKeys)
  #busyUntil = 0
  #acr = 0
  #sr = 0
  #cr = 0
  /** As it was loaded, without OPTLOCK and OPTSTRT. */
  #loaded = 0
  /** As it was written: what OPTSTRT makes the option bytes. */
  #optcr = 0

  constructor({ clock, of, kib, content, optionBytes, dials }: Stm32f4FlashOptions) {
    const { optionsAt, mirrorAt } = (this.#layout = layouts[of])
    this.#clock = clock
    this.flash = new TwinFlash(stm32f4Sectors(kib), times, content, dials)
    const optionTimes = { eraseMs: () => optionMs, programMsPerKib: 0 }
    const options = { address: optionsAt, length: optionBytes.length }
    this.options = new TwinFlash([options], optionTimes, optionBytes)
    this.regions = [
      {
        address: registersAt,
        length: 0x400,
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (address, width) => lane(this.#readRegister(address & 0x3fc), address, width),
        write: (address, width, value, master) =>
          width === 4 && this.#writeRegister(address & 0x3fc, value, master),
      },
      this.#window(flashAt, this.flash),
      // BOOT0 is low: the flash is at 0, too; at its place on the ITCM bus, whatever BOOT0 is
      this.#window(mirrorAt, this.flash),
      this.#window(optionsAt, this.options),
    ]
  }

  get #rdp(): number {
    return (this.#loaded >>> 8) & 0xff
  }

  get isDebugOff(): boolean {
    return this.#rdp === rdpClosed
  }

  reset(): void {
    this.losePower(this.#clock.now())
    this.#lock.reset()
    this.#optionLock.reset()
    this.#acr = this.#sr = this.#cr = 0
    this.#load()
  }

  losePower(now: number): void {
    this.flash.losePower(now)
    this.options.losePower(now)
    this.#busyUntil = 0
  }

  #load(): void {
    const { bytes } = this.options
    this.#loaded = ((numberAt(bytes, 0, 2) & ~3) | (numberAt(bytes, 8, 2) << 16)) >>> 0
    this.#optcr = this.#loaded
  }

  #window(address: number, memory: TwinFlash): Region {
    const isMain = memory === this.flash
    const own = (at: number) => at - address + memory.address
    return {
      address,
      length: memory.bytes.length,
      read: (at, width, master) => {
        if (isMain && this.#isClosedTo(master)) return undefined
        this.#clock.stall(this.#busyUntil)
        return master === 'core'
          ? numberAt(memory.bytes, at - address, width)
          : numberAt(memory.read(own(at), width), 0, width)
      },
      write: (at, width, value, master) => {
        if (!isMain || this.#isClosedTo(master)) return false
        this.#clock.stall(this.#busyUntil)
        this.#program(own(at), width, value)
        return true
      },
    }
  }

  /** Read protection: only the program in the flash itself gets through. */
  #isClosedTo(master: Master): boolean {
    const isItsOwn = master === 'core' && this.#executesItself
    return this.#rdp !== rdpOpen && !isItsOwn
  }

  get #executesItself(): boolean {
    return isInFlash(this.executingAt(), this.flash.bytes.length, this.#layout.mirrorAt)
  }

  get #isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  #readRegister(offset: number): number {
    switch (offset) {
      case 0x00:
        return this.#acr
      case 0x0c:
        return this.#sr | (this.#isBusy ? Sr.Bsy : 0)
      case 0x10:
        return (this.#cr | (this.#isBusy ? Cr.Strt : 0) | (this.#lock.isOpen ? 0 : Cr.Lock)) >>> 0
      case 0x14:
        return (this.#optcr | (this.#optionLock.isOpen ? 0 : Opt.Lock)) >>> 0
    }
    return 0
  }

  #writeRegister(offset: number, value: number, master: Master): boolean {
    if (offset === 0x04) return this.#lock.turn(value)
    if (offset === 0x08) return this.#optionLock.turn(value)
    if (offset === 0x00) this.#acr = value & 0x1f07
    if (offset === 0x10 || offset === 0x14) this.#clock.stall(this.#busyUntil)
    if (offset === 0x0c) this.#sr &= ~(value & Sr.errors)
    else if (offset === 0x10 && this.#lock.isOpen) this.#control(value, master)
    else if (offset === 0x14 && this.#optionLock.isOpen) this.#optionControl(value)
    return true
  }

  #begin(ms: number): void {
    this.#busyUntil = this.#clock.now() + ms
  }

  #control(value: number, master: Master): void {
    this.#cr = value & crWritable
    if (value & Cr.Lock) this.#lock.close()
    if (!(value & Cr.Strt)) return
    const sector = this.flash.sectors[(value >> 3) & 0x1f]
    if (this.#isClosedTo(master)) this.#sr |= Sr.WrpErr
    else if (value & Cr.Mer) this.#eraseAll()
    else if (value & Cr.Ser && sector) {
      if (this.#isProtected(sector.address)) this.#sr |= Sr.WrpErr
      else this.#begin(this.flash.erase(sector.address, this.#clock))
    }
  }

  #eraseAll(): void {
    if (this.flash.sectors.some(({ address }) => this.#isProtected(address))) this.#sr |= Sr.WrpErr
    else this.#begin(this.flash.eraseAll(this.#clock, massEraseMs))
  }

  /** nWRP, a bit for each sector. */
  #isProtected(address: number): boolean {
    const index = this.flash.sectors.findIndex((one) => address < one.address + one.length)
    return !((this.#loaded >>> (16 + index)) & 1)
  }

  #program(address: number, width: Width, value: number): void {
    if (!this.#lock.isOpen || !(this.#cr & Cr.Pg)) this.#sr |= Sr.PgsErr
    else if (width !== 1 << ((this.#cr >> 8) & 3)) this.#sr |= Sr.PgpErr
    else if (this.#isProtected(address)) this.#sr |= Sr.WrpErr
    else {
      const bytes = Uint8Array.from({ length: width }, (_, i) => value >>> (8 * i))
      this.#begin(Math.max(this.flash.program(address, bytes, this.#clock), programMs))
    }
  }

  /** OPTSTRT; opening read protection erases the flash before. Closing it for good is final. */
  #optionControl(value: number): void {
    const { optionsAt, optcrMask } = this.#layout
    this.#optcr = (value & optcrMask) >>> 0
    if (value & Opt.Lock) this.#optionLock.close()
    if (!(value & Opt.Start) || this.isDebugOff) return
    const opens = this.#rdp !== rdpOpen && ((value >>> 8) & 0xff) === rdpOpen
    const ms = opens ? this.flash.eraseAll(this.#clock, massEraseMs) : 0
    const from = this.#clock.now() + ms
    const bytes = this.options.bytes.slice()
    bytes.set([(this.#optcr & 0xff) | 3, this.#optcr >>> 8])
    bytes.set([this.#optcr >>> 16, this.#optcr >>> 24], 8)
    this.#begin(ms + this.options.replace(optionsAt, bytes, { now: () => from }))
    this.#load()
  }
}
