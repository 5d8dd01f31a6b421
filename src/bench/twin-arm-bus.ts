/**
 * The memory map of an emulated Arm chip, and its time.
 *
 * Two masters reach it: the core, and the debugger through a MEM-AP. An address where nothing is, or an access that
 * its region refuses, is a bus error. A region may keep its master waiting, as a flash does that is being written.
 */
import { Clock } from '#core/time.ts'

export type Master = 'core' | 'debugger'
/** In bytes; addresses are aligned to it. */
export type Width = 1 | 2 | 4

/** Addresses are absolute, values unsigned. */
export interface Region {
  readonly address: number
  readonly length: number
  /** Undefined: a bus error. */
  read(address: number, width: Width, master: Master): number | undefined
  /** False: a bus error. */
  write(address: number, width: Width, value: number, master: Master): boolean
  /** When something in it first changes by itself after `since`, in ms; Infinity: nothing does. */
  changesAt?(since: number): number
}

/** The chip's time: the bench's, except while its core catches up with it, or a master is kept waiting. */
export class ChipClock extends Clock {
  /** Undefined: the chip has no power. */
  source: Clock | undefined
  /** In ms, where it is not the bench's. */
  at: number | undefined

  now(): number {
    return this.at ?? this.source?.now() ?? 0
  }

  after(ms: number, run: () => void): () => void {
    return this.source?.after(ms, run) ?? (() => undefined)
  }

  /** Keeps the master whose access is running waiting until then. */
  stall(until: number): void {
    if (until > this.now()) this.at = until
  }
}

/** Core peripherals and debug components. */
const privateSpace = 0xe000_0000

export class ArmBus {
  readonly clock: ChipClock
  /** Called before the debugger's accesses, so that the core has done what it did until now. */
  catchUp: () => void = () => undefined
  /** nRESET is low: the debugger reaches the private space, and nothing below it. */
  isHeld = false
  /** Access port protection: the debugger reaches nothing at all. */
  isClosed: () => boolean = () => false
  readonly #regions: Region[]
  #last: Region | undefined
  #code: Region | undefined

  /** Regions do not overlap. */
  constructor(clock: ChipClock, regions: readonly Region[] = []) {
    this.clock = clock
    this.#regions = [...regions]
  }

  add(...regions: readonly Region[]): void {
    this.#regions.push(...regions)
    this.#last = undefined
  }

  read(address: number, width: Width, master: Master = 'core'): number | undefined {
    if (this.isHeld && address < privateSpace) return undefined
    if (master === 'debugger' && this.isClosed()) return undefined
    return this.#regionOf(address)?.read(address, width, master)
  }

  write(address: number, width: Width, value: number, master: Master = 'core'): boolean {
    if (this.isHeld && address < privateSpace) return false
    if (master === 'debugger' && this.isClosed()) return false
    return this.#regionOf(address)?.write(address, width, value, master) ?? false
  }

  /** Of an instruction: a half-word. */
  fetch(address: number): number | undefined {
    const region = this.#code && holds(this.#code, address) ? this.#code : this.#regionOf(address)
    this.#code = region
    return region?.read(address, 2, 'core')
  }

  /** When something on it first changes by itself after `since`, in ms. */
  changesAt(since: number): number {
    return Math.min(...this.#regions.map((region) => region.changesAt?.(since) ?? Infinity))
  }

  /** The debugger's access, and until when it was kept waiting. */
  debug<T>(access: () => T): { readonly result: T; readonly until: number } {
    this.catchUp()
    const { clock } = this
    clock.at = undefined
    const result = access()
    const until = clock.now()
    clock.at = undefined
    return { result, until }
  }

  #regionOf(address: number): Region | undefined {
    const last = this.#last
    if (last && holds(last, address)) return last
    const region = this.#regions.find((one) => holds(one, address))
    this.#last = region
    return region
  }
}

const holds = ({ address, length }: Region, at: number): boolean => at >= address && at - address < length

/** Reads a little-endian number; beyond the end there are zeros. */
export function numberAt(bytes: Uint8Array, offset: number, width: Width): number {
  const first = bytes[offset] ?? 0
  if (width === 1) return first
  const half = first | ((bytes[offset + 1] ?? 0) << 8)
  if (width === 2) return half
  return (half | ((bytes[offset + 2] ?? 0) << 16) | ((bytes[offset + 3] ?? 0) << 24)) >>> 0
}

export function putNumber(bytes: Uint8Array, offset: number, width: Width, value: number): void {
  for (let i = 0; i < width; i++) bytes[offset + i] = value >>> (8 * i)
}

export const ram = (address: number, bytes: Uint8Array): Region => ({
  address,
  length: bytes.length,
  read: (at, width) => numberAt(bytes, at - address, width),
  write(at, width, value) {
    putNumber(bytes, at - address, width, value)
    return true
  },
})

/** Writing it is a bus error. */
export const rom = (address: number, bytes: Uint8Array): Region => ({
  address,
  length: bytes.length,
  read: (at, width) => numberAt(bytes, at - address, width),
  write: () => false,
})

/** Peripherals that only keep what is written, in the bits of `masks` (default: all), and begin with `initial`. */
export class StorageRegion implements Region {
  readonly address: number
  readonly length: number
  readonly #initial: ReadonlyMap<number, number>
  readonly #masks: ReadonlyMap<number, number>
  #words: Map<number, number>

  constructor(
    address: number,
    length: number,
    initial: Readonly<Record<number, number>> = {},
    masks: Readonly<Record<number, number>> = {},
  ) {
    this.address = address
    this.length = length
    this.#initial = byAddress(initial)
    this.#masks = byAddress(masks)
    this.#words = new Map(this.#initial)
  }

  reset(): void {
    this.#words = new Map(this.#initial)
  }

  read(address: number, width: Width): number {
    const word = this.#words.get(address - (address & 3)) ?? 0
    return lane(word, address, width)
  }

  write(address: number, width: Width, value: number): boolean {
    const at = address - (address & 3)
    const word = withLane(this.#words.get(at) ?? 0, address, width, value)
    const mask = this.#masks.get(at) ?? 0xffff_ffff
    this.#words.set(at, ((word & mask) | ((this.#initial.get(at) ?? 0) & ~mask)) >>> 0)
    return true
  }
}

const byAddress = (values: Readonly<Record<number, number>>): Map<number, number> =>
  new Map(Object.entries(values).map(([address, value]) => [Number(address), value]))

/** What an access of this width to a word sees of it. */
export const lane = (word: number, address: number, width: Width): number =>
  width === 4 ? word >>> 0 : (word >>> (8 * (address & 3))) & (width === 2 ? 0xffff : 0xff)

export function withLane(word: number, address: number, width: Width, value: number): number {
  if (width === 4) return value >>> 0
  const shift = 8 * (address & 3)
  const mask = (width === 2 ? 0xffff : 0xff) << shift
  return ((word & ~mask) | ((value << shift) & mask)) >>> 0
}
