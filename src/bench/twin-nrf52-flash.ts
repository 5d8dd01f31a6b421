/**
 * Flash, UICR and what protects them of an nRF52, behind their controller, the NVMC (Nordic, nRF52832 and nRF52820 product
 * specifications: NVMC, UICR, CTRL-AP, and the note on access port protection since nRF52832 revision 3).
 *
 * Words are written, bits only ever cleared, pages become FF; a busy flash keeps its master waiting. While it is protected
 * the AHB-AP reaches nothing, and the CTRL-AP only erases everything. What an erase opened stays open until the chip is
 * reset by its pin or its power.
 */
import { lane, numberAt, type ChipClock, type Region } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

const nvmcAt = 0x4001_e000
const uicrAt = 0x1000_1000
const uicrBytes = 0x1000
const approtectAt = 0x208
export const nrf52PageBytes = 4096

/** As the product specifications give them at most: tERASEPAGE, tERASEALL, tWRITE. */
const eraseMs = 85
const eraseAllMs = 169
const wordMs = 0.041
const times = { eraseMs: () => eraseMs, programMsPerKib: wordMs * 256 }

const Config = { Read: 0, Write: 1, Erase: 2 } as const

export interface Nrf52FlashOptions {
  readonly clock: ChipClock
  readonly kib: number
  readonly content: Uint8Array
  /** Low byte of UICR.APPROTECT. */
  readonly approtect: number
  /** What is open is what says so: those since the weakness of the first ones was found. Else what says nothing is open. */
  readonly isHardened: boolean
  readonly dials: Dials
}

export class Nrf52Flash {
  readonly flash: TwinFlash
  readonly uicr: TwinFlash
  readonly regions: readonly Region[]
  readonly #clock: ChipClock
  readonly #isHardened: boolean
  #busyUntil = 0
  #config: number = Config.Read
  #isProtected = false

  constructor({ clock, kib, content, approtect, isHardened, dials }: Nrf52FlashOptions) {
    this.#clock = clock
    this.#isHardened = isHardened
    const pages = Array.from({ length: (kib * 1024) / nrf52PageBytes }, (_, i) => ({
      ...{ address: i * nrf52PageBytes, length: nrf52PageBytes },
    }))
    this.flash = new TwinFlash(pages, times, content, dials)
    this.uicr = new TwinFlash([{ address: uicrAt, length: uicrBytes }], times, new Uint8Array())
    this.uicr.bytes[approtectAt] = approtect
    this.regions = [
      {
        ...{ address: nvmcAt, length: 0x1000 },
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (address, width) => lane(this.#readRegister(address & 0xffc), address, width),
        write: (address, width, value) => {
          if (width === 4) this.#writeRegister(address & 0xffc, value)
          return width === 4
        },
      },
      this.#window(this.flash),
      this.#window(this.uicr),
    ]
  }

  /** The debugger reaches the CTRL-AP alone. */
  get isProtected(): boolean {
    return this.#isProtected
  }

  get isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  /** `isSoft`: by its core or the CTRL-AP, which does not close again what an erase opened. */
  reset(isSoft: boolean): void {
    this.#cutShort(this.#clock.now())
    this.#config = Config.Read
    const approtect = this.uicr.bytes[approtectAt] ?? 0xff
    if (!this.#isHardened) this.#isProtected = approtect === 0x00
    else if (!isSoft) this.#isProtected = approtect !== 0x5a
  }

  losePower(now: number): void {
    this.#cutShort(now)
  }

  /** ERASEALL, by the controller or the CTRL-AP. */
  eraseAll(): void {
    this.uicr.eraseAll(this.#clock, eraseAllMs)
    this.#begin(this.flash.eraseAll(this.#clock, eraseAllMs))
  }

  /** By the CTRL-AP: what is hardened is open from then on, until its pin or its power resets it. */
  eraseAllAndOpen(): void {
    this.eraseAll()
    if (this.#isHardened) this.#isProtected = false
  }

  #cutShort(now: number): void {
    this.flash.losePower(now)
    this.uicr.losePower(now)
    this.#busyUntil = 0
  }

  #begin(ms: number): void {
    this.#busyUntil = this.#clock.now() + ms
  }

  #window(memory: TwinFlash): Region {
    const { address } = memory
    return {
      ...{ address, length: memory.bytes.length },
      read: (at, width, master) => {
        this.#clock.stall(this.#busyUntil)
        return master === 'core'
          ? numberAt(memory.bytes, at - address, width)
          : numberAt(memory.read(at, width), 0, width)
      },
      write: (at, width, value) => {
        if (width !== 4) return false
        this.#clock.stall(this.#busyUntil)
        if (this.#config !== Config.Write) return true // nothing happens
        const bytes = Uint8Array.of(value, value >> 8, value >> 16, value >>> 24)
        this.#begin(Math.max(wordMs, memory.program(at, bytes, this.#clock)))
        return true
      },
    }
  }

  #readRegister(offset: number): number {
    if (offset === 0x400) return this.isBusy ? 0 : 1
    return offset === 0x504 ? this.#config : 0
  }

  #writeRegister(offset: number, value: number): void {
    this.#clock.stall(this.#busyUntil)
    if (offset === 0x504) this.#config = value & 3
    else if (this.#config !== Config.Erase) return
    else if (offset === 0x508) this.#begin(this.flash.erase(value >>> 0, this.#clock))
    else if (offset === 0x50c && (value & 1) !== 0) this.eraseAll()
    else if (offset === 0x514 && (value & 1) !== 0) this.#begin(this.uicr.eraseAll(this.#clock, eraseMs))
  }
}
