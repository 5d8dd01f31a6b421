/**
 * What a probe's twin has at its JTAG wires: test access ports in a chain, each with its states, and among them that of an
 * Arm debug port. Sources: IEEE 1149.1, 6.1 (TAP controller); Arm IHI 0031 (ADIv5.2), B3 (JTAG-DP); ST RM0008, 31.6 (the
 * chain of an STM32F1: TDI, boundary scan, core, TDO).
 */
import type { DebugPortRegisters } from './twin-debug-port.ts'
import type { SwdPort } from './twin-swd.ts'

/** One clock of a chain. Gives TDO as it is behind the rising edge. */
export interface TwinJtag {
  clock(tms: number, tdi: number): number
  /** TRST, or power-on. */
  reset(): void
}

type State =
  | 'reset'
  | 'idle'
  | `${'select' | 'capture' | 'shift' | 'exit1' | 'pause' | 'exit2' | 'update'}-${'dr' | 'ir'}`

/** Where each state goes with TMS 0 and with TMS 1. */
const next: Readonly<Record<State, readonly [State, State]>> = {
  reset: ['idle', 'reset'],
  idle: ['idle', 'select-dr'],
  'select-dr': ['capture-dr', 'select-ir'],
  'capture-dr': ['shift-dr', 'exit1-dr'],
  'shift-dr': ['shift-dr', 'exit1-dr'],
  'exit1-dr': ['pause-dr', 'update-dr'],
  'pause-dr': ['pause-dr', 'exit2-dr'],
  'exit2-dr': ['shift-dr', 'update-dr'],
  'update-dr': ['idle', 'select-dr'],
  'select-ir': ['capture-ir', 'reset'],
  'capture-ir': ['shift-ir', 'exit1-ir'],
  'shift-ir': ['shift-ir', 'exit1-ir'],
  'exit1-ir': ['pause-ir', 'update-ir'],
  'pause-ir': ['pause-ir', 'exit2-ir'],
  'exit2-ir': ['shift-ir', 'update-ir'],
  'update-ir': ['idle', 'select-dr'],
}

/** What an instruction puts between TDI and TDO, up to 35 bits: no bits of a number beyond 32 are for `>>` and `&`. */
export interface DataRegister {
  readonly length: number
  capture(): number
  update?(value: number): void
}

export interface Tap {
  readonly irLength: number
  /** At reset; it selects IDCODE, or BYPASS where there is none. */
  readonly firstInstruction: number
  /** Of an instruction; undefined: BYPASS. */
  register(instruction: number): DataRegister | undefined
}

/** What every TAP captures into its instruction register: the last two bits are fixed. */
const capturedInstruction = 1
const bypass: DataRegister = { length: 1, capture: () => 0 }

/** IDCODE and BYPASS, and nothing else that anybody needs: boundary scan of an STM32. */
export const plainTap = (irLength: number, idcodeInstruction: number, idcode: number): Tap => ({
  irLength,
  firstInstruction: idcodeInstruction,
  register: (instruction) =>
    instruction === idcodeInstruction ? { length: 32, capture: () => idcode } : undefined,
})

/** In the order from TDI to TDO; all in the same state. */
export class JtagChain implements TwinJtag {
  readonly #taps: readonly Tap[]
  #state: State = 'reset'
  #instructions: number[] = []
  /** All that is between TDI and TDO, as a ring: what comes out next is where what comes in goes. */
  #ring = new Uint8Array()
  #next = 0

  constructor(taps: readonly Tap[]) {
    this.#taps = taps
    this.reset()
  }

  reset(): void {
    this.#state = 'reset'
    this.#instructions = this.#taps.map(({ firstInstruction }) => firstInstruction)
  }

  /** TDO changes with the falling edge before; only while something is shifted it is driven. */
  clock(tms: number, tdi: number): number {
    const state = this.#state
    const isShifting = state === 'shift-dr' || state === 'shift-ir'
    const tdo = isShifting ? this.#shift(tdi) : 1
    if (isShifting) {
      // that was all
    } else if (state === 'capture-dr')
      this.#capture(this.#registers.map((one) => [one.length, one.capture()]))
    else if (state === 'capture-ir')
      this.#capture(this.#taps.map(({ irLength }) => [irLength, capturedInstruction]))
    this.#state = next[state][tms === 1 ? 1 : 0]
    if (this.#state === 'reset') this.reset()
    else if (this.#state === 'update-dr') {
      const registers = this.#registers
      this.#split(registers.map(({ length }) => length)).forEach((value, i) => registers[i]?.update?.(value))
    } else if (this.#state === 'update-ir')
      this.#instructions = this.#split(this.#taps.map(({ irLength }) => irLength))
    return tdo
  }

  get #registers(): DataRegister[] {
    return this.#taps.map((tap, i) => tap.register(this.#instructions[i] ?? 0) ?? bypass)
  }

  #shift(tdi: number): number {
    const tdo = this.#ring[this.#next] ?? 0
    this.#ring[this.#next] = tdi
    if (++this.#next === this.#ring.length) this.#next = 0
    return tdo
  }

  /** From TDI on: the last comes out first, each with its lowest bit. */
  #capture(parts: readonly (readonly [length: number, value: number])[]): void {
    this.#ring = new Uint8Array(parts.reduce((sum, [length]) => sum + length, 0))
    this.#next = 0
    let at = this.#ring.length
    for (const [length, value] of parts) {
      at -= length
      for (let bit = 0, left = value; bit < length; bit++, left = Math.floor(left / 2))
        this.#ring[at + bit] = left % 2
    }
  }

  /** By the lengths from TDI on. */
  #split(lengths: readonly number[]): number[] {
    const ring = this.#ring
    let at = ring.length
    return lengths.map((length) => {
      at -= length
      let value = 0
      for (let bit = length - 1; bit >= 0; bit--)
        value = value * 2 + (ring[(this.#next + at + bit) % ring.length] ?? 0)
      return value
    })
  }
}

/** A chain behind a port that can be switched to SWD: TMS is its SWDIO, and what is said there both hear. */
export class SwitchedJtag implements TwinJtag {
  readonly #chain: JtagChain
  readonly #port: SwdPort
  readonly #bit = new Uint8Array(1)

  constructor(chain: JtagChain, port: SwdPort) {
    this.#chain = chain
    this.#port = port
  }

  clock(tms: number, tdi: number): number {
    const { isJtag } = this.#port
    this.#bit[0] = tms
    this.#port.sequence(this.#bit, 1)
    return isJtag ? this.#chain.clock(tms, tdi) : 1
  }

  reset(): void {
    this.#chain.reset()
  }
}

const Instruction = { Abort: 0x8, Dpacc: 0xa, Apacc: 0xb, Idcode: 0xe } as const
const Ack = { OkOrFault: 2, Wait: 1 } as const

/** The debug port's TAP: registers of 35 bits, what is asked for now comes with the next scan. */
export class JtagDp implements Tap {
  readonly irLength = 4
  readonly firstInstruction = Instruction.Idcode
  readonly #idcode: number
  readonly #registers: DebugPortRegisters
  #result = 0
  /** What was captured was WAIT: what is shifted in is not done. */
  #isWaiting = false

  constructor(idcode: number, registers: DebugPortRegisters) {
    this.#idcode = idcode
    this.#registers = registers
  }

  register(instruction: number): DataRegister | undefined {
    switch (instruction) {
      case Instruction.Idcode:
        return { length: 32, capture: () => this.#idcode }
      case Instruction.Dpacc:
      case Instruction.Apacc:
        return {
          length: 35,
          capture: () => this.#capture(),
          update: (value) => {
            this.#update(instruction === Instruction.Apacc, value)
          },
        }
      case Instruction.Abort:
        return {
          length: 35,
          capture: () => 0,
          update: (value) => {
            this.#registers.abort(Math.floor(value / 8) & 1)
          },
        }
      default:
        return undefined
    }
  }

  #capture(): number {
    this.#isWaiting = this.#registers.mustWait()
    if (this.#isWaiting) this.#registers.refused()
    return this.#isWaiting ? Ack.Wait : (this.#result >>> 0) * 8 + Ack.OkOrFault
  }

  #update(isAp: boolean, value: number): void {
    if (this.#isWaiting) return
    const isRead = (value & 1) === 1
    const address = (value & 6) << 1
    const word = Math.floor(value / 8)
    if (isAp) this.#accessAp(address, isRead ? undefined : word)
    else if (isRead) this.#result = address === 0 || address === 0xc ? 0 : this.#registers.readDp(address)
    else if (address !== 0) {
      if (address === 4) this.#registers.clearFlags(word)
      this.#registers.writeDp(address, word)
    }
  }

  /** With a sticky error, or without power, nothing is done. */
  #accessAp(address: number, word: number | undefined): void {
    const registers = this.#registers
    if (registers.hasStickyError) return
    if (!registers.isPowered) registers.failed()
    else if (word !== undefined) registers.writeAp(address, word)
    else {
      registers.readAp(address)
      this.#result = registers.posted
    }
  }
}
