/**
 * Flash and option bytes of a medium-density STM32F103 (ST PM0075), or of an STM32F0 (RM0091, chapters 3 and 4), behind
 * their controller, the FPEC.
 *
 * It knows registers, keys, times and protections; what reaches it is a bus. A wrong key locks it until reset, it
 * takes half-words, and a busy flash keeps its master waiting. Option bytes count from the next reset on; an STM32F0
 * loads them with its power, or when it is told to, and then resets itself.
 */
import { isBlank } from '#core/bytes.ts'
import { lane, numberAt, type ChipClock, type Master, type Region } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import { isInFlash, type FlashController } from './twin-stm32.ts'
import type { Dials } from './twin.ts'

const registersAt = 0x4002_2000
const flashAt = 0x0800_0000
const optionsAt = 0x1fff_f800
/** WRP has a bit for each. */
const protectedBytes = 4096
/** Typical, as the data sheet gives them (tPROG, tERASE, tME). */
export const halfwordMs = 0.0525
export const eraseMs = 20

const keys = [0x4567_0123, 0xcdef_89ab]

const Sr = { Bsy: 1 << 0, PgErr: 1 << 2, WrPrtErr: 1 << 4, Eop: 1 << 5 } as const
const Cr = {
  Pg: 1 << 0,
  Per: 1 << 1,
  Mer: 1 << 2,
  OptPg: 1 << 4,
  OptEr: 1 << 5,
  Strt: 1 << 6,
  Lock: 1 << 7,
  OptWre: 1 << 9,
  OblLaunch: 1 << 13,
} as const
/** With ERRIE and EOPIE. */
const crWritable = 0x14b7

/** RDP that protects nothing. */
const open = { f1: 0xa5, f0: 0xaa } as const

/** RDP, USER, DATA0, DATA1, WRP0-3, each with its complement. */
export const factoryOptionBytes = Uint8Array.of(0xa5, 0x5a, ...Array<number[]>(7).fill([0xff, 0]).flat())

/** One of the two key registers: where it is in its sequence. */
class KeyHole {
  isBlocked = false
  #next = 0

  reset(): void {
    this.isBlocked = false
    this.#next = 0
  }

  /** Opened, on the way to it, or wrong. */
  turn(value: number): 'open' | 'half' | 'wrong' {
    if (value !== keys[this.#next]) {
      this.isBlocked = true
      return 'wrong'
    }
    this.#next ^= 1
    return this.#next ? 'half' : 'open'
  }
}

export interface Stm32f1FlashOptions {
  readonly clock: ChipClock
  readonly of: 'f1' | 'f0'
  readonly kib: number
  readonly pageBytes: number
  readonly content: Uint8Array
  /** 16 bytes. */
  readonly optionBytes: Uint8Array
  readonly dials: Dials
}

export class Stm32f1Flash implements FlashController {
  readonly flash: TwinFlash
  readonly options: TwinFlash
  readonly regions: readonly Region[]
  executingAt: () => number = () => 0
  resetChip: () => void = () => undefined
  readonly #of: Stm32f1FlashOptions['of']
  readonly #clock: ChipClock
  readonly #key = new KeyHole()
  readonly #optionKey = new KeyHole()
  #busyUntil = 0
  /** Something was begun whose end EOP has not told yet. */
  #isRunning = false
  #acr = 0x30
  #sr = 0
  #cr: number = Cr.Lock
  #ar = 0
  /** Since its power came. */
  #isLoaded = false
  #rdp = 0
  #obr = 0
  #wrpr = 0xffff_ffff

  constructor({ clock, of, kib, pageBytes, content, optionBytes, dials }: Stm32f1FlashOptions) {
    this.#clock = clock
    this.#of = of
    const times = { eraseMs: () => eraseMs, programMsPerKib: halfwordMs * 512 }
    const pages = Array.from({ length: (kib * 1024) / pageBytes }, (_, i) => ({
      address: flashAt + i * pageBytes,
      length: pageBytes,
    }))
    this.flash = new TwinFlash(pages, times, content, dials)
    this.options = new TwinFlash([{ address: optionsAt, length: 16 }], times, optionBytes)
    this.regions = [
      {
        address: registersAt,
        length: 0x400,
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (address, width) => lane(this.#readRegister((address & 0x3fc) >>> 0), address, width),
        write: (address, width, value) => width === 4 && this.#writeRegister(address & 0x3fc, value),
      },
      this.#window(flashAt, this.flash),
      // BOOT0 is low: the flash is at 0, too
      this.#window(0, this.flash),
      this.#window(optionsAt, this.options),
    ]
  }

  get isReadProtected(): boolean {
    return (this.#obr & 2) !== 0
  }

  /** Level 2, which only an STM32F0 has. */
  get isDebugOff(): boolean {
    return this.#of === 'f0' && this.#rdp === 0xcc
  }

  /** Any reset: what was running is cut short, everything is locked, and an STM32F1 loads its option bytes. */
  reset(): void {
    this.#cutShort(this.#clock.now())
    this.#key.reset()
    this.#optionKey.reset()
    this.#acr = 0x30
    this.#sr = 0
    this.#cr = Cr.Lock
    this.#ar = 0
    if (this.#of === 'f1' || !this.#isLoaded) this.#load()
  }

  losePower(now: number): void {
    this.#cutShort(now)
    this.#isLoaded = false
  }

  #cutShort(now: number): void {
    this.flash.losePower(now)
    this.options.losePower(now)
    this.#busyUntil = 0
    this.#isRunning = false
  }

  /** Main flash or option bytes, as they are seen from `address` on. */
  #window(address: number, memory: TwinFlash): Region {
    const isMain = memory === this.flash
    const own = (at: number) => at - address + memory.address
    return {
      address,
      length: memory.bytes.length,
      read: (at, width, master) => {
        if (isMain && this.isReadProtected && !this.#isItsOwn(master)) return undefined
        this.#stall()
        return master === 'core'
          ? numberAt(memory.bytes, at - address, width)
          : numberAt(memory.read(own(at), width), 0, width)
      },
      write: (at, width, value, master) => {
        if (width !== 2) return false
        this.#stall()
        if (isMain) this.#program(own(at), value, master)
        else this.#programOption(own(at), value)
        return true
      },
    }
  }

  #isItsOwn = (master: Master): boolean =>
    master === 'core' && isInFlash(this.executingAt(), this.flash.bytes.length)

  /** A busy flash is not read, and takes nothing more. */
  #stall(): void {
    this.#clock.stall(this.#busyUntil)
    this.#settle()
  }

  get #isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  #settle(): void {
    if (!this.#isRunning || this.#isBusy) return
    this.#isRunning = false
    this.#sr |= Sr.Eop
    this.#cr &= ~Cr.Strt
  }

  #begin(ms: number): void {
    this.#busyUntil = this.#clock.now() + ms
    this.#isRunning = true
  }

  #readRegister(offset: number): number {
    this.#settle()
    switch (offset) {
      case 0x00:
        return this.#acr
      case 0x0c:
        return this.#sr | (this.#isBusy ? Sr.Bsy : 0)
      case 0x10:
        return this.#cr
      case 0x14:
        return this.#ar
      case 0x1c:
        return this.#obr
      case 0x20:
        return this.#wrpr
    }
    return 0
  }

  /** False: a bus error. While busy only the keys and ACR take anything. */
  #writeRegister(offset: number, value: number): boolean {
    this.#settle()
    if (offset === 0x00) this.#acr = value & 0x1f
    else if (offset === 0x04) return this.#turnKey(this.#key, value, () => (this.#cr &= ~Cr.Lock))
    else if (offset === 0x08) return this.#turnKey(this.#optionKey, value, () => (this.#cr |= Cr.OptWre))
    else if (this.#isBusy) return true
    else if (offset === 0x0c) this.#sr &= ~(value & (Sr.PgErr | Sr.WrPrtErr | Sr.Eop))
    else if (offset === 0x14) this.#ar = value
    else if (offset === 0x10 && !(this.#cr & Cr.Lock)) this.#control(value)
    return true
  }

  /** A wrong key is a bus error, and keeps all others out until reset. */
  #turnKey(hole: KeyHole, value: number, open: () => void): boolean {
    if (hole.isBlocked) return true
    const turned = hole.turn(value)
    if (turned === 'open') open()
    if (turned === 'wrong' && hole === this.#key) this.#cr |= Cr.Lock
    if (turned === 'wrong' && hole === this.#optionKey) this.#cr &= ~Cr.OptWre
    return turned !== 'wrong'
  }

  #control(value: number): void {
    // OPTWRE is set by its keys alone
    this.#cr = (value & crWritable) | (value & this.#cr & Cr.OptWre)
    if (this.#of === 'f0' && value & Cr.OblLaunch) {
      this.#isLoaded = false
      this.resetChip()
      return
    }
    if (!(value & Cr.Strt)) return
    const isAllowed = value & Cr.OptEr ? (this.#cr & Cr.OptWre) !== 0 : (value & (Cr.Mer | Cr.Per)) !== 0
    if (!isAllowed) return
    this.#cr |= Cr.Strt
    if (value & Cr.OptEr) this.#begin(this.options.eraseAll(this.#clock, eraseMs))
    else if (value & Cr.Mer) this.#eraseAll()
    else this.#erasePage()
  }

  #eraseAll(): void {
    if (this.#wrpr !== 0xffff_ffff) this.#refuse()
    else this.#begin(this.flash.eraseAll(this.#clock, eraseMs))
  }

  #erasePage(): void {
    const address = this.#ar
    if (this.flash.holds(address) && this.#isProtected(address, 'core')) this.#refuse()
    else this.#begin(this.flash.erase(address, this.#clock))
  }

  #refuse(): void {
    this.#sr |= Sr.WrPrtErr
    this.#cr &= ~Cr.Strt
  }

  /** By WRP, the last bit for all that follows; and by RDP: the first 4 KiB of an STM32F1 for all, the others but for the program in the flash. */
  #isProtected(address: number, master: Master): boolean {
    const part = Math.floor((address - flashAt) / protectedBytes)
    if (!((this.#wrpr >>> Math.min(part, 31)) & 1)) return true
    return this.isReadProtected && ((part < 1 && this.#of === 'f1') || !this.#isItsOwn(master))
  }

  #program(address: number, value: number, master: Master): void {
    if (!(this.#cr & Cr.Pg)) return
    if (this.#isProtected(address, master)) this.#sr |= Sr.WrPrtErr
    else if (value !== 0 && numberAt(this.flash.bytes, address - flashAt, 2) !== 0xffff) this.#sr |= Sr.PgErr
    else this.#begin(this.flash.program(address, Uint8Array.of(value, value >> 8), this.#clock))
  }

  /** The controller makes the complement. Taking read protection back erases the flash before. */
  #programOption(address: number, value: number): void {
    if ((this.#cr & (Cr.OptPg | Cr.OptWre)) !== (Cr.OptPg | Cr.OptWre)) return
    if (numberAt(this.options.bytes, address - optionsAt, 2) !== 0xffff) {
      this.#sr |= Sr.PgErr
      return
    }
    const unprotects = address === optionsAt && (value & 0xff) === open[this.#of] && this.isReadProtected
    const ms = unprotects ? this.flash.eraseAll(this.#clock, eraseMs) : 0
    const from = this.#clock.now() + ms
    const bytes = Uint8Array.of(value, ~value)
    this.#begin(ms + this.options.program(address, bytes, { now: () => from }))
  }

  /** What does not match its complement counts as FF; both FF is erased, and no error. */
  #load(): void {
    const pairs = Array.from({ length: 8 }, (_, i) => this.options.bytes.subarray(2 * i, 2 * i + 2))
    const isSound = ([value = 0, complement = 0]: Uint8Array) => (value ^ complement) === 0xff
    const isWrong = pairs.some((pair) => !isSound(pair) && !isBlank(pair))
    const loaded = pairs.map((pair) => (isSound(pair) ? (pair[0] ?? 0xff) : 0xff))
    const [rdp, user = 0xff, data0 = 0xff, data1 = 0xff, ...wrp] = loaded
    this.#rdp = rdp ?? 0xff
    this.#isLoaded = true
    const isOpen = rdp === open[this.#of]
    if (this.#of === 'f1')
      this.#obr = (isWrong ? 1 : 0) | (isOpen ? 0 : 2) | (user << 2) | (data0 << 10) | (data1 << 18)
    else {
      const level = isOpen ? 0 : this.isDebugOff ? 3 : 1
      this.#obr = ((isWrong ? 1 : 0) | (level << 1) | (user << 8) | (data0 << 16) | (data1 << 24)) >>> 0
    }
    this.#wrpr = numberAt(Uint8Array.from(wrp), 0, 4)
  }
}
