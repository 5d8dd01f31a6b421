/**
 * A plane of a SAM3U's flash behind its controller (Atmel 6430: EEFC, "Memories", errata of the wait states). The first
 * controller also keeps the GPNVM bits.
 *
 * Words go to a buffer of one page that the whole plane shows, a command erases and writes from it; lock bits keep regions;
 * what is wrong is told in FSR until it is read. With less than six wait states not every word gets into the buffer. While
 * its number is read, the plane shows that, and is not ready.
 */
import { blank } from '#core/bytes.ts'
import { lane, numberAt, putNumber, type ChipClock, type Region } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

export const sam3uPageBytes = 256
const regionBytes = 8192

/** A page erased and written takes 4.6 ms, written alone half of it; everything, and a bit, as the data sheet has them. */
const writeMs = 2.3
const times = { eraseMs: () => writeMs, programMsPerKib: (writeMs * 1024) / sam3uPageBytes }
const eraseAllMs = 10
const bitMs = 2.3

const key = 0x5a
const Fsr = { Ready: 1, CommandError: 2, LockError: 4 } as const
const leastWaitStates = 6

export interface Sam3uPlaneOptions {
  readonly clock: ChipClock
  readonly address: number
  readonly registersAt: number
  readonly bytes: number
  readonly content: Uint8Array
  /** The number that it shows; the last plane has it. */
  readonly uniqueId?: Uint8Array
  /** How many GPNVM bits there are; the first plane has them. */
  readonly gpnvmBits: number
  /** As they are. */
  readonly gpnvm: number
  readonly dials: Dials
}

export class Sam3uPlane {
  readonly flash: TwinFlash
  readonly regions: readonly Region[]
  gpnvm: number
  readonly #options: Sam3uPlaneOptions
  readonly #clock: ChipClock
  readonly #buffer = blank(sam3uPageBytes)
  /** A bit for each region. */
  #locks = 0
  #mode = 0
  #errors = 0
  #results: number[] = []
  #showsId = false
  #busyUntil = 0

  constructor(options: Sam3uPlaneOptions) {
    const { clock, address, registersAt, bytes, content, dials } = options
    this.#options = options
    this.#clock = clock
    this.gpnvm = options.gpnvm
    const pages = Array.from({ length: bytes / sam3uPageBytes }, (_, i) => ({
      ...{ address: address + i * sam3uPageBytes, length: sam3uPageBytes },
    }))
    this.flash = new TwinFlash(pages, times, content, dials)
    this.regions = [
      {
        ...{ address: registersAt, length: 0x200 },
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (at, width) => lane(this.#readRegister(at & 0x1fc), at, width),
        write: (at, width, value) => {
          if (width === 4) this.#writeRegister(at & 0x1fc, value)
          return true
        },
      },
      this.window(address),
    ]
  }

  /** As it is seen there, or where it is mapped for the core's start. */
  window(address: number): Region {
    const own = (at: number) => at - address + this.#options.address
    return {
      ...{ address, length: this.#options.bytes },
      read: (at, width, master) => {
        this.#clock.stall(this.#busyUntil)
        const { uniqueId } = this.#options
        if (this.#showsId && uniqueId) return numberAt(uniqueId, (at - address) & 0xf, width)
        return master === 'core'
          ? numberAt(this.flash.bytes, at - address, width)
          : numberAt(this.flash.read(own(at), width), 0, width)
      },
      write: (at, width, value) => {
        this.#clock.stall(this.#busyUntil)
        const offset = at & (sam3uPageBytes - 1)
        const isSlow = ((this.#mode >> 8) & 0xf) >= leastWaitStates
        if (width === 4 && (isSlow || (offset & 0x3c) !== 0x3c)) putNumber(this.#buffer, offset, 4, value)
        return true
      },
    }
  }

  /** Any reset. */
  reset(): void {
    this.losePower(this.#clock.now())
    this.#mode = this.#errors = 0
    this.#results = []
    this.#showsId = false
    this.#buffer.fill(0xff)
  }

  losePower(now: number): void {
    this.flash.losePower(now)
    this.#busyUntil = 0
  }

  /** ERASE is high: everything, and all bits. */
  assertErase(): void {
    this.#begin(this.flash.eraseAll(this.#clock, eraseAllMs))
    this.#locks = this.gpnvm = 0
  }

  get #isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  #begin(ms: number): void {
    this.#busyUntil = this.#clock.now() + ms
  }

  #readRegister(offset: number): number {
    if (offset === 0x00) return this.#mode
    if (offset === 0x0c) return this.#results.shift() ?? 0
    if (offset !== 0x08) return 0
    const status = this.#errors | (this.#isBusy || this.#showsId ? 0 : Fsr.Ready)
    this.#errors = 0
    return status
  }

  #writeRegister(offset: number, value: number): void {
    if (offset === 0x00) this.#mode = value & 0x0101_0f01
    else if (offset === 0x04) this.#command(value >>> 24, value & 0xff, (value >>> 8) & 0xffff)
  }

  #command(given: number, command: number, argument: number): void {
    this.#errors = 0
    const isStop = command === 0x0f && this.#showsId
    if (given !== key || this.#isBusy || (this.#showsId && !isStop)) this.#errors = Fsr.CommandError
    else if (command === 0x00) this.#results = this.#descriptor()
    else if (command >= 0x01 && command <= 0x04) this.#write(command, argument)
    else if (command === 0x05) this.#eraseAll()
    else if (command === 0x08 || command === 0x09) this.#lock(command === 0x08, argument)
    else if (command === 0x0a) this.#results = [this.#locks]
    else if (command === 0x0b || command === 0x0c) this.#setBit(command === 0x0b, argument)
    else if (command === 0x0d && this.#options.gpnvmBits > 0) this.#results = [this.gpnvm]
    else if (command === 0x0e) this.#showsId = true
    else if (isStop) this.#showsId = false
    else this.#errors = Fsr.CommandError
  }

  /** WP, WPL, EWP, EWPL. */
  #write(command: number, page: number): void {
    const address = this.#options.address + page * sam3uPageBytes
    if (!this.flash.holds(address)) this.#errors = Fsr.CommandError
    else if (this.#isLocked(page)) this.#errors = Fsr.LockError
    else {
      const content = this.#buffer.slice()
      const erases = command >= 0x03
      this.#begin(
        erases
          ? this.flash.replace(address, content, this.#clock)
          : this.flash.program(address, content, this.#clock),
      )
      if (command === 0x02 || command === 0x04) this.#locks |= this.#lockBit(page)
    }
    this.#buffer.fill(0xff)
  }

  #eraseAll(): void {
    if (this.#locks !== 0) this.#errors = Fsr.LockError
    else this.#begin(this.flash.eraseAll(this.#clock, eraseAllMs))
  }

  #lock(locks: boolean, page: number): void {
    if (!this.flash.holds(this.#options.address + page * sam3uPageBytes)) {
      this.#errors = Fsr.CommandError
      return
    }
    const bit = this.#lockBit(page)
    this.#locks = locks ? this.#locks | bit : this.#locks & ~bit
    this.#begin(bitMs)
  }

  #setBit(sets: boolean, index: number): void {
    if (index >= this.#options.gpnvmBits) {
      this.#errors = Fsr.CommandError
      return
    }
    this.gpnvm = sets ? this.gpnvm | (1 << index) : this.gpnvm & ~(1 << index)
    this.#begin(bitMs)
  }

  #lockBit = (page: number): number => 1 << Math.floor((page * sam3uPageBytes) / regionBytes)

  #isLocked = (page: number): boolean => (this.#locks & this.#lockBit(page)) !== 0

  /** FL_ID, its size, that of a page, planes, that of each, and of each lock region. */
  #descriptor(): number[] {
    const { bytes } = this.#options
    const regions = bytes / regionBytes
    return [0, bytes, sam3uPageBytes, 1, bytes, regions, ...Array<number>(regions).fill(regionBytes)]
  }
}
