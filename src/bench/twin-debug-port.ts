/**
 * The registers of an Arm debug port and the access ports behind them, whatever wires lead there. Source: Arm IHI 0031
 * (ADIv5.2), B2 (DP registers), B4.2 and B3.2 (what SWD and JTAG make of them).
 */
import { MemAp, type AccessPort, type Ap } from './twin-mem-ap.ts'

export interface DebugPortOptions {
  /** E.g. 1BA0_1477. */
  readonly dpidr: number
  /** Of a DPv2 that shares its wires: TARGETID with its instance in 31:28. */
  readonly targetSelect?: number
  /** By their number, APSEL; further ones read as 0. */
  readonly aps: readonly (AccessPort | Ap)[]
  /** CDBGPWRUPREQ was set, or taken back. */
  readonly onPowerRequest?: (isOn: boolean) => void
}

/** CTRL/STAT. */
const Stat = {
  OrunDetect: 1 << 0,
  StickyOrun: 1 << 1,
  StickyCmp: 1 << 4,
  StickyErr: 1 << 5,
  ReadOk: 1 << 6,
  WDataErr: 1 << 7,
  DebugPowerRequest: 1 << 28,
} as const
const sticky = Stat.StickyOrun | Stat.StickyCmp | Stat.StickyErr | Stat.WDataErr
/** ORUNDETECT, TRNMODE, MASKLANE, TRNCNT and the requests, whose acknowledges are one bit higher. */
const statWritable = 0x54ff_ff0d
const requests = 0x5400_0000

export class DebugPortRegisters {
  /** So many of the next accesses that an AP has to do with must wait. */
  waits = 0
  readonly #options: DebugPortOptions
  readonly #aps: readonly Ap[]
  #stat = 0
  #select = 0
  /** The result of the last AP read, until the next read of RDBUFF or an AP takes it. */
  #posted = 0
  #resend = 0

  constructor(options: DebugPortOptions) {
    this.#options = options
    this.#aps = options.aps.map((ap) => ('bus' in ap ? new MemAp(ap) : ap))
  }

  /** Power-on. */
  reset(): void {
    this.#stat = this.#select = this.#posted = this.#resend = 0
    for (const ap of this.#aps) ap.reset()
  }

  get bank(): number {
    return this.#select & 0xf
  }

  get hasStickyError(): boolean {
    return (this.#stat & sticky) !== 0
  }

  get detectsOverrun(): boolean {
    return (this.#stat & Stat.OrunDetect) !== 0
  }

  get isPowered(): boolean {
    return (this.#stat & Stat.DebugPowerRequest) !== 0
  }

  /** What the last AP read gave. */
  get posted(): number {
    return this.#posted >>> 0
  }

  mustWait(): boolean {
    if (this.waits > 0) {
      this.waits--
      return true
    }
    return this.#aps.some(({ isBusy }) => isBusy)
  }

  /** With overrun detection on, what was not taken is remembered. */
  refused(): void {
    if (this.detectsOverrun) this.#stat |= Stat.StickyOrun
  }

  failed(): void {
    this.#stat |= Stat.StickyErr
  }

  wrongParity(): void {
    this.#stat |= Stat.WDataErr
  }

  /** By SWD: where JTAG has no DPIDR and an empty RDBUFF. */
  readDp(address: number): number {
    switch (address) {
      case 0x0:
        return this.#options.dpidr
      case 0x4:
        return this.#readBanked()
      case 0x8:
        return this.#resend
      default:
        this.#stat |= Stat.ReadOk
        return (this.#resend = this.#posted)
    }
  }

  writeDp(address: number, value: number): void {
    if (address === 0x0) this.abort(value)
    else if (address === 0x8) this.#select = value
    else if (address === 0x4 && this.bank === 0) this.#writeStat(value)
  }

  /** By JTAG sticky flags are cleared where they are read, by ones. */
  clearFlags(value: number): void {
    this.#stat &= ~(value & sticky)
  }

  /** DAPABORT, STKCMPCLR, STKERRCLR, WDERRCLR, ORUNERRCLR. */
  abort(value: number): void {
    if (value & 1) for (const ap of this.#aps) ap.abort()
    const flags = [Stat.StickyCmp, Stat.StickyErr, Stat.WDataErr, Stat.StickyOrun]
    for (const [i, flag] of flags.entries()) if (value & (2 << i)) this.#stat &= ~flag
  }

  /** Gives what was read before. */
  readAp(address: number): number {
    const before = (this.#resend = this.#posted)
    const ap = this.#aps[this.#select >>> 24]
    const value = ap ? ap.read(this.#apRegister(address)) : 0
    if (value === undefined) this.#stat = (this.#stat | Stat.StickyErr) & ~Stat.ReadOk
    else {
      this.#posted = value
      this.#stat |= Stat.ReadOk
    }
    return before
  }

  writeAp(address: number, value: number): void {
    const ap = this.#aps[this.#select >>> 24]
    if (ap && !ap.write(this.#apRegister(address), value >>> 0)) this.#stat |= Stat.StickyErr
  }

  #apRegister = (address: number): number => (this.#select & 0xf0) | address

  #readBanked(): number {
    if (this.bank === 0) return this.#stat | ((this.#stat & requests) << 1)
    const { targetSelect = 0 } = this.#options
    if (this.bank === 2) return targetSelect & 0x0fff_ffff
    // DLPIDR: the instance, and SWD protocol version 2; DLCR and EVENTSTAT read as 0
    return this.bank === 3 && targetSelect ? (targetSelect & 0xf000_0000) | 1 : 0
  }

  #writeStat(value: number): void {
    const changes = (this.#stat ^ value) & Stat.DebugPowerRequest
    this.#stat = (this.#stat & ~statWritable) | (value & statWritable)
    if (changes) this.#options.onPowerRequest?.((value & Stat.DebugPowerRequest) !== 0)
  }
}
