/** A MEM-AP: memory as a debugger reaches it (ADIv5, chapter B7/C2). It knows the bus, and nothing of the wire. */
import type { ArmBus, Width } from './twin-arm-bus.ts'

/** What is behind APSEL. */
export interface Ap {
  /** Its last access has not ended. */
  readonly isBusy: boolean
  /** DAPABORT. */
  abort(): void
  /** Power-on. */
  reset(): void
  /** The register at `address` (0 to FC); undefined: an error. */
  read(address: number): number | undefined
  /** False: an error. */
  write(address: number, value: number): boolean
}

export interface AccessPort {
  /** E.g. 1477_0011: AHB-AP of a Cortex-M3. */
  readonly idr: number
  /** Of the ROM table, with the bits for its presence and format (3). */
  readonly base: number
  readonly bus: ArmBus
  /** Where TAR's auto-increment wraps; at least 1 KiB, and no more is guaranteed. */
  readonly wrapBytes?: number
}

/** What can be written; DeviceEn and, on a Cortex-M3, bit 23 read as 1. */
const cswWritable = 0x7f00_0f37
const cswFixed = 0x0080_0040
const cswAtReset = 0x4380_0042

const Increment = { Off: 0, Single: 1, Packed: 2 } as const

export class MemAp implements Ap {
  readonly #port: AccessPort
  #csw = cswAtReset
  #tar = 0
  /** Until when the bus keeps the last transaction waiting. */
  #busyUntil = 0

  constructor(port: AccessPort) {
    this.#port = port
  }

  get isBusy(): boolean {
    return this.#busyUntil > 0 && this.#port.bus.clock.now() < this.#busyUntil
  }

  /** DAPABORT: the transaction is given up. */
  abort(): void {
    this.#busyUntil = 0
  }

  /** Power-on. */
  reset(): void {
    this.#csw = cswAtReset
    this.#tar = 0
    this.#busyUntil = 0
  }

  /** The register at `address` (0 to FC); undefined: a bus error. */
  read(address: number): number | undefined {
    switch (address) {
      case 0x00:
        return this.#csw
      case 0x04:
        return this.#tar
      case 0x0c:
        return this.#readDrw()
      case 0xf8:
        return this.#port.base
      case 0xfc:
        return this.#port.idr
    }
    return address >= 0x10 && address <= 0x1c ? this.#get(this.#banked(address), 4) : 0
  }

  /** False: a bus error. */
  write(address: number, value: number): boolean {
    if (address === 0x00) this.#csw = ((value & cswWritable) | cswFixed) >>> 0
    else if (address === 0x04) this.#tar = value >>> 0
    else if (address === 0x0c) return this.#writeDrw(value)
    else if (address >= 0x10 && address <= 0x1c) return this.#put(this.#banked(address), 4, value)
    return true
  }

  #banked = (address: number): number => ((this.#tar & ~0xf) | (address & 0xc)) >>> 0

  get #width(): Width {
    return ([1, 2] as const)[this.#csw & 7] ?? 4
  }

  get #increment(): number {
    return (this.#csw >> 4) & 3
  }

  /** Transfers of one DRW access: several where they are packed. */
  get #transfers(): number {
    return this.#increment === Increment.Packed ? 4 / this.#width : 1
  }

  #readDrw(): number | undefined {
    const width = this.#width
    let value = 0
    for (let i = 0; i < this.#transfers; i++) {
      const one = this.#get(this.#tar, width)
      if (one === undefined) return undefined
      value |= one << this.#lane
      this.#advance()
    }
    return value >>> 0
  }

  #writeDrw(value: number): boolean {
    const width = this.#width
    for (let i = 0; i < this.#transfers; i++) {
      const one = width === 4 ? value : (value >>> this.#lane) & (width === 2 ? 0xffff : 0xff)
      if (!this.#put(this.#tar, width, one >>> 0)) return false
      this.#advance()
    }
    return true
  }

  /** By how many bits data is shifted in DRW: byte lanes. */
  get #lane(): number {
    const width = this.#width
    return width === 4 ? 0 : 8 * (this.#tar & 3 & -width)
  }

  #advance(): void {
    if (this.#increment === Increment.Off) return
    const mask = (this.#port.wrapBytes ?? 0x400) - 1
    this.#tar = ((this.#tar & ~mask) | ((this.#tar + this.#width) & mask)) >>> 0
  }

  #get(address: number, width: Width): number | undefined {
    const { bus } = this.#port
    return this.#timed(() => bus.read((address & -width) >>> 0, width, 'debugger'))
  }

  #put(address: number, width: Width, value: number): boolean {
    const { bus } = this.#port
    return this.#timed(() => bus.write((address & -width) >>> 0, width, value, 'debugger'))
  }

  #timed<T>(access: () => T): T {
    const { result, until } = this.#port.bus.debug(access)
    this.#busyUntil = until
    return result
  }
}
