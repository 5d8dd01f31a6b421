/** A debugger for tests of targets, by the book: what it may do is on the wire, and nothing else. */
import { fromHex } from '#core/bytes.ts'
import { Ack, type TwinSwd } from './twin-swd.ts'

export const lineReset = fromHex('ff ff ff ff ff ff ff 00')
export const jtagToSwd = fromHex('ff ff ff ff ff ff ff 9e e7 ff ff ff ff ff ff ff 00')

/** CSW of single increments, by width. */
const csw = { 1: 0x2300_0050, 2: 0x2300_0051, 4: 0x2300_0052 } as const

export const Dhcsr = 0xe000_edf0

/** Throws on anything but OK. */
export class TestDebugger {
  readonly #swd: TwinSwd

  constructor(swd: TwinSwd) {
    this.#swd = swd
  }

  /** As far as memory; gives DPIDR. */
  connect(): number {
    this.#swd.sequence(jtagToSwd, 136)
    const dpidr = this.readDp(0x0)
    this.writeDp(0x0, 0x1e)
    this.writeDp(0x8, 0)
    this.writeDp(0x4, 0x5000_0000)
    return dpidr
  }

  readDp = (address: number): number => this.#read(false, address)

  writeDp = (address: number, value: number): void => {
    this.#write(false, address, value)
  }

  /** Selects the register's bank, and fetches what was posted. */
  readAp(address: number, ap = 0): number {
    this.writeDp(0x8, ((ap << 24) | (address & 0xf0)) >>> 0)
    this.#read(true, address & 0xc)
    return this.readDp(0xc)
  }

  writeAp(address: number, value: number, ap = 0): void {
    this.writeDp(0x8, ((ap << 24) | (address & 0xf0)) >>> 0)
    this.#write(true, address & 0xc, value)
  }

  read(address: number, width: 1 | 2 | 4 = 4): number {
    this.writeAp(0x00, csw[width])
    this.writeAp(0x04, address)
    const lane = this.readAp(0x0c) >>> (8 * (address & 3))
    return width === 4 ? lane : lane & (width === 2 ? 0xffff : 0xff)
  }

  /** Sees to it that it was written. */
  write(address: number, value: number, width: 1 | 2 | 4 = 4): void {
    this.writeAp(0x00, csw[width])
    this.writeAp(0x04, address)
    this.writeAp(0x0c, (value << (8 * (address & 3))) >>> 0)
    this.readDp(0xc)
  }

  readBytes = (address: number, length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => this.read(address + i, 1))

  writeBytes(address: number, bytes: Uint8Array): void {
    for (const [i, byte] of bytes.entries()) this.write(address + i, byte, 1)
  }

  halt(): void {
    this.write(Dhcsr, 0xa05f_0003)
  }

  /** As a debugger does that lets a loader run: interrupts masked. */
  run(): void {
    this.write(Dhcsr, 0xa05f_000b)
    this.write(Dhcsr, 0xa05f_0009)
  }

  get isHalted(): boolean {
    return (this.read(Dhcsr) & 0x2_0000) !== 0
  }

  /** By DCRSR's numbers. */
  readRegister(index: number): number {
    this.write(0xe000_edf4, index)
    return this.read(0xe000_edf8)
  }

  writeRegister(index: number, value: number): void {
    this.write(0xe000_edf8, value)
    this.write(0xe000_edf4, 0x1_0000 | index)
  }

  #read(isAp: boolean, address: number): number {
    const { ack, value } = this.#swd.read(isAp, address)
    if (ack !== Ack.Ok) throw new SwdError(ack)
    return value
  }

  #write(isAp: boolean, address: number, value: number): void {
    const ack = this.#swd.write(isAp, address, value)
    if (ack !== Ack.Ok) throw new SwdError(ack)
  }
}

export class SwdError extends Error {
  readonly ack: Ack

  constructor(ack: Ack) {
    super(`acknowledged with ${ack}`)
    this.ack = ack
  }
}
