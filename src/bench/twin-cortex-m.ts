/**
 * A Cortex-M as a debugger finds it: halting debug, breakpoints, reset, and a core that really runs (DDI 0403, C1).
 *
 * The core runs on the chip's clock: whenever the debugger looks, it first does what it did since. Interrupts are
 * not modelled, and a fault locks it up as it does where no handler is.
 */
import { StorageRegion, type ArmBus, type Region, type Width } from './twin-arm-bus.ts'
import { ArmBreakpoint, ArmCore, ArmFault } from './twin-arm-core.ts'
import { breakpointsOf, components, fpbAt, type Identity } from './twin-cortex-m-components.ts'
import { LoopWatch } from './twin-loop-watch.ts'
import { step } from './twin-thumb.ts'

export interface CortexMOptions {
  readonly bus: ArmBus
  readonly clockHz: number
  readonly identity: Identity
  /** Where it takes its vectors after a reset. Default: 0. */
  readonly vectorsAt?: number
  /** SYSRESETREQ: the chip resets itself, and this core with it. */
  readonly resetChip: () => void
}

/** DHCSR. */
const Dh = {
  DebugEn: 1 << 0,
  Halt: 1 << 1,
  Step: 1 << 2,
  MaskInts: 1 << 3,
  RegReady: 1 << 16,
  Halted: 1 << 17,
  Sleep: 1 << 18,
  Lockup: 1 << 19,
  Retired: 1 << 24,
  WasReset: 1 << 25,
} as const
/** DFSR: why it halted. */
const Df = { Halted: 1, Breakpoint: 2, VectorCatch: 8 } as const
const vcCoreReset = 1
/** VC_HARDERR: a fault that no handler takes halts instead of locking up. */
const vcHardErr = 1 << 10
/** Where the PC is while locked up. */
const lockupAt = 0xffff_fffe
/** What the core may run per look at most; what it would have done beyond is left out. */
const mostCycles = 4_000_000

const at = {
  dfsr: 0xed30,
  aircr: 0xed0c,
  vtor: 0xed08,
  dhcsr: 0xedf0,
  dcrsr: 0xedf4,
  dcrdr: 0xedf8,
  demcr: 0xedfc,
}

export class CortexM {
  readonly core: ArmCore
  readonly regions: readonly Region[]
  readonly #options: CortexMOptions
  readonly #msPerCycle: number
  readonly #scs: StorageRegion
  readonly #components: readonly StorageRegion[]
  readonly #fpb: StorageRegion
  #breakpoints: ReadonlySet<number> = new Set()
  #control = 0
  #demcr = 0
  #dfsr = 0
  #dcrdr = 0
  #isHalted = false
  #isLockedUp = false
  #isHeld = true
  #wasReset = false
  #hasRetired = false
  /** Until when it has run, in ms. */
  #time = 0
  #isCatchingUp = false

  constructor(options: CortexMOptions) {
    this.#options = options
    this.#msPerCycle = 1000 / options.clockHz
    this.core = new ArmCore(options.bus)
    const { scs, fpb, others } = components(options.identity)
    this.#scs = scs
    this.#fpb = fpb
    this.#components = [scs, fpb, ...others]
    this.regions = [
      { ...extent(scs), read: this.#readScs, write: this.#writeScs },
      { ...extent(fpb), read: (address, width) => fpb.read(address, width), write: this.#writeFpb },
      ...others,
    ]
  }

  get isHalted(): boolean {
    return this.#isHalted
  }

  get isLockedUp(): boolean {
    return this.#isLockedUp
  }

  /** Power-on; the core stays in reset until `release`. Debug registers forget what they held. */
  powerOn(): void {
    for (const one of this.#components) one.reset()
    this.#control = this.#demcr = this.#dfsr = this.#dcrdr = 0
    this.#breakpoints = new Set()
    this.hold()
  }

  /** Into reset: debug registers keep what they hold, but for C_HALT. */
  hold(): void {
    this.#isHeld = true
    this.#isHalted = this.#isLockedUp = false
    this.#control &= Dh.DebugEn | Dh.MaskInts
    this.#wasReset = true
    this.#scs.reset()
  }

  /** Out of reset: it takes its vectors from 0, and runs, unless it is to be caught. */
  release(): void {
    const { bus, vectorsAt = 0 } = this.#options
    this.#isHeld = false
    this.#time = bus.clock.now()
    this.core.pc = vectorsAt // whose vectors these are
    this.core.reset(bus.read(vectorsAt, 4) ?? 0xffff_ffff, bus.read(vectorsAt + 4, 4) ?? 0xffff_ffff)
    if (!(this.#control & Dh.DebugEn)) return
    if (this.#demcr & vcCoreReset) this.#halt(Df.VectorCatch)
    else if (this.#control & Dh.Halt) this.#halt(Df.Halted)
  }

  /** Runs what ran since the last time, on the chip's clock, which is on time again afterwards. */
  catchUp(): void {
    if (this.#isCatchingUp) return
    const { clock } = this.#options.bus
    const now = clock.now()
    const msLeft = now - this.#time
    if (this.#isRunning && msLeft > 0) {
      this.#isCatchingUp = true
      this.#run(this.#time, Math.min(msLeft / this.#msPerCycle, mostCycles))
      this.#isCatchingUp = false
      clock.at = undefined
    }
    this.#time = Math.max(this.#time, now)
  }

  get #isRunning(): boolean {
    return !this.#isHalted && !this.#isLockedUp && !this.#isHeld && !this.core.isAsleep
  }

  #run(from: number, cycles: number): void {
    const { core } = this
    const { clock } = this.#options.bus
    const loop = new LoopWatch(core)
    core.cycles = 0
    while (this.#isRunning && core.cycles < cycles) {
      const now = from + core.cycles * this.#msPerCycle
      const { pc } = core
      clock.at = now
      this.#stepOne()
      if (clock.at > now) core.cycles += (clock.at - now) / this.#msPerCycle
      if (core.pc > pc) continue
      const period = loop.periodSinceLast()
      if (!period) continue
      const since = from + (core.cycles - period) * this.#msPerCycle
      const change = (this.#options.bus.changesAt(since) - from) / this.#msPerCycle
      const idle = Math.min(change, cycles) - core.cycles
      if (idle > period) core.cycles += Math.floor(idle / period) * period
    }
    this.#time = from + core.cycles * this.#msPerCycle
  }

  #stepOne(): void {
    if (this.#breakpoints.has(this.core.pc)) return this.#halt(Df.Breakpoint)
    try {
      step(this.core)
      this.#hasRetired = true
    } catch (error) {
      if (error instanceof ArmBreakpoint && this.#control & Dh.DebugEn) this.#halt(Df.Breakpoint)
      else if (error instanceof ArmFault || error instanceof ArmBreakpoint) this.#lockUp()
      else throw error
    }
  }

  #lockUp(): void {
    if (this.#control & Dh.DebugEn && this.#demcr & vcHardErr) return this.#halt(Df.VectorCatch)
    this.#isLockedUp = true
    this.core.pc = lockupAt
  }

  #halt(why: number): void {
    this.#isHalted = true
    this.#control |= Dh.Halt
    this.#dfsr |= why
  }

  #readScs = (address: number, width: Width): number => {
    switch (address & 0xffff) {
      case at.aircr:
        return 0xfa05_0000
      case at.dfsr:
        return this.#dfsr
      case at.dhcsr:
        return this.#status()
      case at.dcrdr:
        return this.#dcrdr
      case at.dcrsr:
        return 0
      case at.demcr:
        return this.#demcr
    }
    return this.#scs.read(address, width)
  }

  #writeScs = (address: number, width: Width, value: number, master: string): boolean => {
    switch (address & 0xffff) {
      case at.aircr:
        if (value >>> 16 === 0x05fa) this.#requestReset(value)
        return true
      case at.dfsr:
        this.#dfsr &= ~value
        return true
      case at.dhcsr:
        if (value >>> 16 === 0xa05f) this.#writeControl(value, master)
        return true
      case at.dcrdr:
        this.#dcrdr = value
        return true
      case at.dcrsr:
        if (this.#isHalted) this.#transfer(value & 0x7f, (value & 0x1_0000) !== 0)
        return true
      case at.demcr:
        this.#demcr = value & 0x010f_07f1
        return true
    }
    return this.#scs.write(address, width, value)
  }

  /** DHCSR as read, which clears what is sticky in it. */
  #status(): number {
    const isUp = !this.#isHalted && !this.#isHeld
    const status =
      this.#control |
      Dh.RegReady |
      (this.#isHalted ? Dh.Halted : 0) |
      (isUp && this.core.isAsleep ? Dh.Sleep : 0) |
      (this.#isLockedUp ? Dh.Lockup : 0) |
      (this.#hasRetired ? Dh.Retired : 0) |
      (this.#wasReset ? Dh.WasReset : 0)
    this.#hasRetired = false
    this.#wasReset = this.#isHeld
    return status >>> 0
  }

  /** Only a debugger enables debugging; without that nothing else counts. */
  #writeControl(value: number, master: string): void {
    const enable = master === 'debugger' ? value & Dh.DebugEn : this.#control & Dh.DebugEn
    this.#control = enable ? enable | (value & (Dh.Halt | Dh.Step | Dh.MaskInts)) : 0
    if (this.#isHeld) return
    if (this.#control & Dh.Halt) {
      if (!this.#isHalted) this.#halt(Df.Halted)
      this.#isLockedUp = false
    } else if (this.#isHalted) this.#resume()
  }

  #resume(): void {
    this.#isHalted = false
    this.core.isAsleep = false
    this.#time = this.#options.bus.clock.now()
    if (!(this.#control & Dh.Step)) return
    this.#stepOne()
    if (!this.isHalted && !this.isLockedUp) this.#halt(Df.Halted)
  }

  /** SYSRESETREQ, or VECTRESET: the core alone. */
  #requestReset(value: number): void {
    if (value & 4) this.#options.resetChip()
    else if (value & 1) {
      this.hold()
      this.release()
    }
  }

  /** DCRSR: a register to or from DCRDR. */
  #transfer(index: number, writes: boolean): void {
    const { core } = this
    if (!writes) this.#dcrdr = readRegister(core, index) >>> 0
    else if (index === 15) core.pc = (this.#dcrdr & ~1) >>> 0
    else writeRegister(core, index, this.#dcrdr)
  }

  #writeFpb = (address: number, width: Width, value: number): boolean => {
    const offset = address - fpbAt
    // FP_CTRL takes nothing without its key, and has its counts
    if (offset === 0 && !(value & 2)) return true
    this.#fpb.write(address, width, value)
    this.#breakpoints = breakpointsOf(this.#fpb)
    return true
  }
}

const extent = ({ address, length }: Region) => ({ address, length })

/** By REGSEL of DCRSR; 15 is where it goes on, 20 holds CONTROL, FAULTMASK, BASEPRI and PRIMASK. */
function readRegister(core: ArmCore, index: number): number {
  switch (index) {
    case 15:
      return core.pc
    case 16:
      return core.xpsr
    case 17:
      return core.msp
    case 18:
      return core.psp
    case 20:
      return (core.control << 24) | (core.faultmask << 16) | (core.basepri << 8) | core.primask
  }
  return core.reg(index)
}

function writeRegister(core: ArmCore, index: number, value: number): void {
  if (index < 15) core.set(index, value)
  else if (index === 16) core.xpsr = value
  else if (index === 17) core.msp = value
  else if (index === 18) core.psp = value
  else if (index === 20) {
    core.control = value >>> 24
    core.faultmask = (value >>> 16) & 1
    core.basepri = (value >>> 8) & 0xf0
    core.primask = value & 1
  }
}
