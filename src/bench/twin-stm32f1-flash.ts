/**
 * Flash and option bytes of a medium-density STM32F103 behind their controller, the FPEC (ST PM0075).
 *
 * It knows registers, keys, times and protections; what reaches it is a bus. A wrong key locks it until reset, it
 * takes half-words, a busy flash keeps its master waiting, and option bytes count from the next reset on.
 */
import { isBlank } from '#core/bytes.ts'
import { lane, numberAt, type ChipClock, type Master, type Region } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import { isInFlash, type FlashController } from './twin-stm32.ts'
import type { Dials } from './twin.ts'

const registersAt = 0x4002_2000
const flashAt = 0x0800_0000
const optionsAt = 0x1fff_f800
const pageBytes = 1024
/** Typical, as the data sheet gives them (tPROG, tERASE, tME). */
const halfwordMs = 0.0525
const eraseMs = 20

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
} as const
/** With ERRIE and EOPIE. */
const crWritable = 0x14b7

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
  readonly kib: number
  readonly content: Uint8Array
  /** 16 bytes. */
  readonly optionBytes: Uint8Array
  readonly dials: Dials
}

export class Stm32f1Flash implements FlashController {
  readonly flash: TwinFlash
  readonly options: TwinFlash
  readonly regions: readonly Region[]
  readonly isDebugOff = false
  executingAt: () => number = () => 0
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
  #obr = 0
  #wrpr = 0xffff_ffff

  constructor({ clock, kib, content, optionBytes, dials }: Stm32f1FlashOptions) {
    this.#clock = clock
    const times = { eraseMs: () => eraseMs, programMsPerKib: halfwordMs * 512 }
    const pages = Array.from({ length: kib }, (_, i) => ({
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

  /** Any reset: what was running is cut short, everything is locked, and the option bytes are loaded. */
  reset(): void {
    const now = this.#clock.now()
    this.losePower(now)
    this.#key.reset()
    this.#optionKey.reset()
    this.#acr = 0x30
    this.#sr = 0
    this.#cr = Cr.Lock
    this.#ar = 0
    this.#load()
  }

  losePower(now: number): void {
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

  /** By WRP, four pages a bit; and by RDP: pages 0 to 3 for all, the others but for the program in the flash. */
  #isProtected(address: number, master: Master): boolean {
    const page = (address - flashAt) / pageBytes
    if (!((this.#wrpr >>> (page >> 2)) & 1)) return true
    return this.isReadProtected && (page < 4 || !this.#isItsOwn(master))
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
    const unprotects = address === optionsAt && (value & 0xff) === 0xa5 && this.isReadProtected
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
    const flags = (isWrong ? 1 : 0) | (rdp === 0xa5 ? 0 : 2)
    this.#obr = flags | (user << 2) | (data0 << 10) | (data1 << 18)
    this.#wrpr = numberAt(Uint8Array.from(wrp), 0, 4)
  }
}
