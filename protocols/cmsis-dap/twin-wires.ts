/**
 * What a CMSIS-DAP probe's transfers go over: SWD, or JTAG. Sources: ARM-software/CMSIS-DAP, `Firmware/Source/{SW_DP.c,
 * JTAG_DP.c}`.
 */
import { JtagMaster } from '#bench/twin-jtag-master.ts'
import type { TwinJtag } from '#bench/twin-jtag.ts'
import { Ack, type TwinSwd } from '#bench/twin-swd.ts'

/** Bits of one access on the wire, with the turnarounds and one idle cycle. */
const accessBits = 46

export interface DapWires {
  /** Since somebody counted. */
  bits: number
  /** Which of several; false: there is none of this number. */
  select(index: number): boolean
  /** A read of it brings what the one before asked for. */
  posts(isAp: boolean): boolean
  read(isAp: boolean, address: number): { readonly ack: number; readonly value: number }
  write(isAp: boolean, address: number, value: number): number
  abort(word: number): void
  /** On SWDIO, or on TMS. */
  sequence(bits: Uint8Array, count: number): void
}

export class SwdWires implements DapWires {
  bits = 0
  readonly #swd: TwinSwd

  constructor(swd: TwinSwd) {
    this.#swd = swd
  }

  select = (): boolean => true

  posts = (isAp: boolean): boolean => isAp

  read(isAp: boolean, address: number): { readonly ack: number; readonly value: number } {
    this.bits += accessBits
    return this.#swd.read(isAp, address)
  }

  write(isAp: boolean, address: number, value: number): number {
    this.bits += accessBits
    return this.#swd.write(isAp, address, value)
  }

  abort(word: number): void {
    this.write(false, 0, word)
  }

  sequence(bits: Uint8Array, count: number): void {
    this.bits += count
    this.#swd.sequence(bits, count)
  }
}

export class JtagWires implements DapWires {
  readonly master: JtagMaster

  constructor(jtag: TwinJtag | undefined) {
    this.master = new JtagMaster(jtag)
  }

  get bits(): number {
    return this.master.clocks
  }
  set bits(bits: number) {
    this.master.clocks = bits
  }

  select(index: number): boolean {
    if (index >= this.master.taps) return false
    this.master.select(index)
    return true
  }

  posts = (): boolean => true

  read(isAp: boolean, address: number): { readonly ack: number; readonly value: number } {
    return this.master.access(isAp, address)
  }

  write(isAp: boolean, address: number, value: number): number {
    return this.master.access(isAp, address, value).ack
  }

  abort(word: number): void {
    this.master.abort(word)
  }

  sequence(bits: Uint8Array, count: number): void {
    this.master.sequence(bits, count)
  }
}

/** Nothing is connected inside the probe. */
export class NoWires implements DapWires {
  bits = 0
  select = (): boolean => true
  posts = (): boolean => false
  read = () => ({ ack: Ack.None | protocolError, value: 0 })
  write = () => Ack.None | protocolError
  abort(): void {
    // nobody hears it
  }
  sequence(bits: Uint8Array, count: number): void {
    this.bits += bits.length > 0 ? count : 0
  }
}
const protocolError = 8
