/**
 * The flash of a microcontroller: sectors become FF when erased, writing clears bits, both take time, and power that
 * fails cuts them short: from the first byte on as far as time had come, with one byte in between.
 */
import { blank } from '#core/bytes.ts'
import type { Range } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { Dials } from './twin.ts'

type Now = Pick<Clock, 'now'>

export interface FlashTimes {
  /** Of a sector, in ms. */
  eraseMs(bytes: number): number
  readonly programMsPerKib: number
}

interface Work {
  readonly target: Uint8Array
  readonly before: Uint8Array
  readonly from: number
  readonly until: number
}

export class TwinFlash {
  readonly address: number
  readonly bytes: Uint8Array
  readonly sectors: readonly Range[]
  onWork: (ms: number) => void = () => undefined
  readonly #times: FlashTimes
  readonly #dials: Dials
  #work: Work | undefined
  #flickers = 0

  constructor(sectors: readonly Range[], times: FlashTimes, content: Uint8Array, dials: Dials = {}) {
    this.sectors = sectors
    this.#times = times
    this.#dials = dials
    this.address = sectors[0]?.address ?? 0
    this.bytes = blank(sectors.reduce((sum, { length }) => sum + length, 0))
    this.bytes.set(content)
  }

  holds(address: number, length = 1): boolean {
    return address >= this.address && address + length <= this.address + this.bytes.length
  }

  read(address: number, length: number): Uint8Array {
    const offset = address - this.address
    const read = this.bytes.slice(offset, offset + length)
    const { flickerBit } = this.#dials
    const at = flickerBit === undefined ? -1 : (flickerBit >> 3) - offset
    if (flickerBit !== undefined && at >= 0 && at < read.length && this.#flickers++ % 2 === 1)
      read[at] = (read[at] ?? 0) ^ (1 << (flickerBit & 7))
    return read
  }

  /** The sector around it. Gives the ms that it takes. */
  erase(address: number, clock: Now): number {
    const sector = this.sectors.find((one) => address >= one.address && address < one.address + one.length)
    if (!sector) return 0
    const offset = sector.address - this.address
    const target = this.bytes.subarray(offset, offset + sector.length)
    return this.#start(target, this.#times.eraseMs(sector.length), clock, () => target.fill(0xff))
  }

  /** Units that are not its sectors, too; in `ms` together. */
  eraseRange({ address, length }: Range, clock: Now, ms = this.#times.eraseMs(length)): number {
    const offset = address - this.address
    const target = this.bytes.subarray(offset, offset + length)
    return this.#start(target, ms, clock, () => target.fill(0xff))
  }

  /** Takes as long as all sectors, or `massMs`. */
  eraseAll(clock: Now, massMs?: number): number {
    const ms = massMs ?? this.sectors.reduce((sum, { length }) => sum + this.#times.eraseMs(length), 0)
    return this.#start(this.bytes, ms, clock, () => this.bytes.fill(0xff))
  }

  program(address: number, bytes: Uint8Array, clock: Now): number {
    const offset = address - this.address
    const target = this.bytes.subarray(offset, offset + bytes.length)
    return this.#start(target, this.#programMs(bytes), clock, () => {
      this.#clearBits(offset, target, bytes)
    })
  }

  /** Erases the sectors that begin here, as many as it needs, and programs them. */
  replace(address: number, bytes: Uint8Array, clock: Now): number {
    const offset = address - this.address
    const end = address + bytes.length
    const sectors = this.sectors.filter((one) => one.address >= address && one.address < end)
    const last = sectors.at(-1)
    const length = Math.max(end, last ? last.address + last.length : 0) - address
    const target = this.bytes.subarray(offset, offset + length)
    const eraseMs = sectors.reduce((sum, sector) => sum + this.#times.eraseMs(sector.length), 0)
    return this.#start(target, eraseMs + this.#programMs(bytes), clock, () => {
      for (const sector of sectors)
        this.bytes.fill(0xff, sector.address - this.address, sector.address - this.address + sector.length)
      this.#clearBits(offset, target, bytes)
    })
  }

  #programMs = ({ length }: Uint8Array): number => (length / 1024) * this.#times.programMsPerKib

  #clearBits(offset: number, target: Uint8Array, bytes: Uint8Array): void {
    for (const [i, byte] of bytes.entries()) target[i] = (target[i] ?? 0xff) & byte
    const { stuckBit } = this.#dials
    const at = stuckBit === undefined ? -1 : (stuckBit >> 3) - offset
    if (stuckBit !== undefined && at >= 0 && at < target.length)
      target[at] = (target[at] ?? 0) & ~(1 << (stuckBit & 7))
  }

  losePower(now: number): void {
    const work = this.#work
    this.#work = undefined
    if (!work || now >= work.until) return
    const { target, before, from, until } = work
    const done = Math.floor((target.length * Math.max(0, now - from)) / (until - from))
    const between = (target[done] ?? 0) & (before[done] ?? 0)
    target.set(before.subarray(done), done)
    if (now > from && done < target.length) target[done] = between
  }

  #start(target: Uint8Array, ms: number, clock: Now, change: () => void): number {
    const from = clock.now()
    this.#work = { target, before: target.slice(), from, until: from + ms }
    change()
    this.onWork(ms)
    return ms
  }
}
