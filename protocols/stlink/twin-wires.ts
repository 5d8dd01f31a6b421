/**
 * What an ST-Link's firmware says on its wires to reach the registers of a debug port: SWD, or JTAG. Sources: Arm IHI 0031
 * (ADIv5.2), B3.2 (JTAG-DP), B4.2 (SW-DP), B5.2 (from one to the other).
 */
import { JtagMaster } from '#bench/twin-jtag-master.ts'
import type { TwinJtag } from '#bench/twin-jtag.ts'
import { Ack, type TwinSwd } from '#bench/twin-swd.ts'

export interface Wires {
  /** On the wire since somebody counted. */
  bits: number
  /** Whatever they were before. Undefined: nobody answers. */
  connect(): readonly number[] | undefined
  /** Of the debug port, then of others. */
  idcodes(): readonly number[] | undefined
  /** A read of an access port brings what the one before asked for. */
  read(isAp: boolean, address: number): { readonly ack: number; readonly value: number }
  write(isAp: boolean, address: number, value: number): number
  /** Something went wrong that no acknowledge told. */
  hasFailed(): boolean
  /** It is forgotten; `isStuck`: with the access that does not end. */
  clear(isStuck: boolean): void
}

const Dp = { Idr: 0x0, Abort: 0x0, Stat: 0x4, Buffer: 0xc } as const

/** Bits of one access on the wire, with the turnarounds and one idle cycle. */
const accessBits = 46
const jtagToSwd = Uint8Array.from([
  ...Array<number>(7).fill(0xff),
  ...[0x9e, 0xe7],
  ...Array<number>(7).fill(0xff),
  0,
])
const clearErrors = 0x1e
const abortAll = 0x1f

export class SwdWires implements Wires {
  bits = 0
  readonly #swd: TwinSwd

  constructor(swd: TwinSwd) {
    this.#swd = swd
  }

  connect(): readonly number[] | undefined {
    this.bits += jtagToSwd.length * 8
    this.#swd.sequence(jtagToSwd, jtagToSwd.length * 8)
    const found = this.idcodes()
    if (found) this.clear(false)
    return found
  }

  idcodes(): readonly number[] | undefined {
    const { ack, value } = this.read(false, Dp.Idr)
    return ack === Ack.Ok ? [value] : undefined
  }

  read(isAp: boolean, address: number): { readonly ack: number; readonly value: number } {
    this.bits += accessBits
    return this.#swd.read(isAp, address)
  }

  write(isAp: boolean, address: number, value: number): number {
    this.bits += accessBits
    return this.#swd.write(isAp, address, value)
  }

  hasFailed = (): boolean => false

  clear(isStuck: boolean): void {
    this.write(false, Dp.Abort, isStuck ? abortAll : clearErrors)
  }
}

const swdToJtag = Uint8Array.from([...Array<number>(7).fill(0xff), 0x3c, 0xe7, 0xff])
/** STICKYORUN, STICKYCMP, STICKYERR. */
const sticky = 0x32
const mostTaps = 8
/** Of the chains that it knows: a debug port alone, or with the boundary scan of an STM32. */
const lengths: readonly (readonly number[])[] = [[4], [4, 5]]
const isDebugPort = (idcode: number): boolean => (idcode & 0xfff) === 0x477

export class JtagWires implements Wires {
  readonly #master: JtagMaster
  /** CTRL/STAT as it was written last. */
  #stat = 0

  constructor(jtag: TwinJtag | undefined) {
    this.#master = new JtagMaster(jtag)
  }

  get bits(): number {
    return this.#master.clocks
  }
  set bits(bits: number) {
    this.#master.clocks = bits
  }

  connect(): readonly number[] | undefined {
    this.#master.sequence(swdToJtag, swdToJtag.length * 8)
    const found = this.idcodes()
    if (!found) return undefined
    this.#master.configure(lengths[found.length - 1] ?? [])
    this.clear(false)
    return found
  }

  idcodes(): readonly number[] | undefined {
    const found = this.#master.idcodes(mostTaps)
    const isKnown = found.length <= lengths.length && isDebugPort(found[0] ?? 0)
    return isKnown ? found : undefined
  }

  /** By JTAG all reads are posted: the debug port's own are fetched at once. */
  read(isAp: boolean, address: number): { readonly ack: number; readonly value: number } {
    const accessed = this.#master.access(isAp, address)
    if (isAp || address === Dp.Buffer || accessed.ack !== Ack.Ok) return accessed
    return this.#master.access(false, Dp.Buffer)
  }

  write(isAp: boolean, address: number, value: number): number {
    if (!isAp && address === Dp.Stat) this.#stat = value
    return this.#master.access(isAp, address, value).ack
  }

  hasFailed(): boolean {
    const { ack, value } = this.read(false, Dp.Stat)
    return ack === Ack.Ok && (value & sticky) !== 0
  }

  clear(isStuck: boolean): void {
    if (isStuck) this.#master.abort(1)
    this.#master.access(false, Dp.Stat, (this.#stat | sticky) >>> 0)
  }
}
