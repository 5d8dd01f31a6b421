/**
 * What a probe's twin has at its SWD wires: a debug port as the Arm Debug Interface describes it (ADIv5, chapter B).
 *
 * At the level of packets: parity and turnaround are the probe's, what is acknowledged, and when, is here. The wire
 * starts as JTAG, a line reset comes before everything, and a sticky error stays until it is cleared.
 */
import { fromHex } from '#core/bytes.ts'
import { DebugPortRegisters, type DebugPortOptions } from './twin-debug-port.ts'

/** Acknowledge as on the wire (ADIv5, B4.2). */
export const Ack = { Ok: 1, Wait: 2, Fault: 4, None: 7 } as const
export type Ack = (typeof Ack)[keyof typeof Ack]

export interface TwinSwd {
  /** nRESET as the probe drives it: true is low. */
  reset(asserted: boolean): void
  /** So many bits that the host drives on SWDIO, LSB of the first byte first: line reset, JTAG-to-SWD, dormant, idle. */
  sequence(bits: Uint8Array, count: number): void
  /** One packet; `address` is A[3:2] as 0, 4, 8, C. AP reads are posted. None: nobody answers, or the line was not reset. */
  read(isAp: boolean, address: number): { readonly ack: Ack; readonly value: number }
  write(isAp: boolean, address: number, value: number): Ack
  /** It takes packets: there was a line reset, and no protocol error since. */
  readonly isListening: boolean
  /** Data follows every acknowledge, whatever it is (ORUNDETECT). */
  readonly detectsOverrun: boolean
  /** A write up to its acknowledge; `takesData`: its data follows, also where nobody acknowledges (TARGETSEL). */
  beginWrite(isAp: boolean, address: number): { readonly ack: Ack; readonly takesData: boolean }
  /** Its data; undefined: their parity is wrong. */
  endWrite(isAp: boolean, address: number, value: number | undefined): void
  /** What came was no packet. */
  protocolError(): void
}

/** With `targetSelect` it starts dormant, and knows no JTAG. */
export interface SwdPortOptions extends DebugPortOptions {
  /** nRESET of the chip. */
  readonly onReset?: (asserted: boolean) => void
  /** Its program uses the wires for something else: nothing that is said there is heard. */
  readonly isOff?: () => boolean
}

/** What follows at least 50 ones, sent LSB first. */
const JtagToSwd = 0xe79e
const SwdToJtag = 0xe73c
const SwdToDormant = 0xe3bc

/** `reset`: only DPIDR may be read; `lockout`: a protocol error, until the next line reset. */
type State = 'jtag' | 'dormant' | 'lockout' | 'reset' | 'selected' | 'ready'

/** A packet that the host drives whole, bit by bit, as it may where nobody acknowledges: TARGETSEL (ADIv5.2, B4.3.4). */
class TargetSelection {
  static readonly #request = bitsOf(Uint8Array.of(0x99))
  #bits: number[] = []

  forget(): void {
    this.#bits = []
  }

  /** Idle cycles before it are none of its own. Gives what was written, with its last bit. */
  hears(bit: number): number | undefined {
    if (this.#bits.length === 0 && !bit) return undefined
    this.#bits.push(bit)
    const isIt = this.#bits.every((one, i) => i >= 8 || one === TargetSelection.#request[i])
    if (!isIt) this.#bits = []
    // request, turnaround, acknowledge, turnaround, 32 bits, their parity
    if (this.#bits.length < 46) return undefined
    const written = this.#bits.slice(13)
    this.#bits = []
    const parity = written.reduce((sum, one) => sum ^ one, 0)
    return parity ? undefined : written.slice(0, 32).reduce((word, one, i) => (word | (one << i)) >>> 0, 0)
  }
}

/** What wakes a dormant port: the selection alert, four zeros, and the code for SWD (ADIv5.2, B5.3.4). */
class WakeUp {
  static readonly #bits = bitsOf(fromHex('92f30962 952d8586 e9afdde3 a20ebc19 a001')).slice(0, 140)
  #heard = 0

  /** Whether this bit was the last one. */
  hears(bit: number): boolean {
    const bits = WakeUp.#bits
    this.#heard = bit === bits[this.#heard] ? this.#heard + 1 : bit === bits[0] ? 1 : 0
    if (this.#heard < bits.length) return false
    this.#heard = 0
    return true
  }
}

export class SwdPort implements TwinSwd {
  readonly registers: DebugPortRegisters
  readonly #options: SwdPortOptions
  #isPowered = true
  /** nRESET is low. */
  #isHeld = false
  #state: State
  readonly #wakeUp = new WakeUp()
  readonly #selection = new TargetSelection()
  #ones = 0
  /** The bits since the ones ended. */
  #after: { bits: number; count: number } | undefined
  /** The data of a write follows. */
  #isTaking = false

  constructor(options: SwdPortOptions) {
    this.#options = options
    this.registers = new DebugPortRegisters(options)
    this.#state = this.#initial
  }

  /** So many of the next accesses that an AP has to do with are answered with WAIT. */
  set waits(waits: number) {
    this.registers.waits = waits
  }

  /** The wires are JTAG's: nobody has switched them to SWD. */
  get isJtag(): boolean {
    return this.#hears && this.#state === 'jtag'
  }

  get #hears(): boolean {
    return this.#isPowered && !this.#options.isOff?.()
  }

  get #initial(): State {
    return this.#options.targetSelect === undefined ? 'jtag' : 'dormant'
  }

  /** Without power, or not connected, nobody answers; switched on it starts as JTAG, or dormant. */
  power(isOn: boolean): void {
    this.#isPowered = isOn
    this.#state = this.#initial
    this.registers.reset()
  }

  reset(asserted: boolean): void {
    if (asserted === this.#isHeld) return
    this.#isHeld = asserted
    this.#options.onReset?.(asserted)
  }

  sequence(bits: Uint8Array, count: number): void {
    if (this.#options.isOff?.()) return
    for (let i = 0; i < count; i++) this.#bit(((bits[i >> 3] ?? 0) >> (i & 7)) & 1)
  }

  read(isAp: boolean, address: number): { readonly ack: Ack; readonly value: number } {
    const ack = this.#acknowledge(isAp, address, true)
    if (ack !== Ack.Ok) return { ack, value: 0 }
    return { ack, value: (isAp ? this.registers.readAp(address) : this.registers.readDp(address)) >>> 0 }
  }

  write(isAp: boolean, address: number, value: number): Ack {
    const { ack, takesData } = this.beginWrite(isAp, address)
    if (takesData) this.endWrite(isAp, address, value)
    return ack
  }

  get isListening(): boolean {
    return this.#hears && (this.#state === 'reset' || this.#state === 'selected' || this.#state === 'ready')
  }

  get detectsOverrun(): boolean {
    return this.registers.detectsOverrun
  }

  beginWrite(isAp: boolean, address: number): { readonly ack: Ack; readonly takesData: boolean } {
    const isSelecting = this.#state === 'reset' && !isAp && address === 0xc
    const ack = isSelecting ? Ack.None : this.#acknowledge(isAp, address, false)
    this.#isTaking = isSelecting || ack === Ack.Ok
    return { ack, takesData: this.#isTaking }
  }

  endWrite(isAp: boolean, address: number, value: number | undefined): void {
    if (!this.#isTaking) return
    this.#isTaking = false
    if (this.#state === 'reset') this.#selectTarget(value)
    else if (value === undefined) this.registers.wrongParity()
    else if (isAp) this.registers.writeAp(address, value)
    else this.registers.writeDp(address, value)
  }

  protocolError(): void {
    if (this.isListening) this.#state = 'lockout'
  }

  /** TARGETSEL, which nobody acknowledges: who is not meant is silent until the next line reset. */
  #selectTarget(value: number | undefined): void {
    this.#ones = 0
    this.#after = undefined
    const isMeant = value !== undefined && value >>> 0 === this.#options.targetSelect
    this.#state = isMeant ? 'selected' : 'lockout'
  }

  #bit(bit: number): void {
    const selected = this.#state === 'reset' ? this.#selection.hears(bit) : undefined
    if (selected !== undefined) this.#selectTarget(selected)
    if (this.#state === 'dormant') {
      if (this.#wakeUp.hears(bit)) this.#state = 'lockout'
    } else if (this.#after) {
      this.#after.bits |= bit << this.#after.count++
      this.#recognise(this.#after)
    } else if (!bit && this.#ones >= 50) this.#after = { bits: 0, count: 1 }
    this.#ones = bit ? this.#ones + 1 : 0
  }

  #recognise({ bits, count }: { bits: number; count: number }): void {
    const isSwd = this.#state !== 'jtag'
    // two idle cycles end a line reset
    if (count === 2 && isSwd) this.#state = bits === 0 ? 'reset' : 'lockout'
    if (count === 2) this.#selection.forget()
    if (count < 16) return
    this.#after = undefined
    const knowsJtag = this.#options.targetSelect === undefined
    if (knowsJtag && bits === JtagToSwd) this.#state = 'lockout'
    else if (knowsJtag && bits === SwdToJtag) this.#state = 'jtag'
    else if (!knowsJtag && bits === SwdToDormant) this.#state = 'dormant'
  }

  #acknowledge(isAp: boolean, address: number, isRead: boolean): Ack {
    this.#ones = 0
    this.#after = undefined
    const isDeaf = this.#state === 'jtag' || this.#state === 'dormant' || this.#state === 'lockout'
    if (!this.#hears || isDeaf) return Ack.None
    if (this.#state !== 'ready') {
      const isSelected = this.#options.targetSelect === undefined || this.#state === 'selected'
      const readsDpidr = !isAp && isRead && address === 0 && isSelected
      this.#state = readsDpidr ? 'ready' : 'lockout'
      if (!readsDpidr) return Ack.None
    }
    const { registers } = this
    if (!isAp && (address === 0 || (address === 4 && isRead && registers.bank === 0))) return Ack.Ok
    if (registers.hasStickyError) return this.#refuse(Ack.Fault)
    if ((isAp || address === 0xc || !isRead) && registers.mustWait()) return this.#refuse(Ack.Wait)
    if (isAp && !registers.isPowered) {
      registers.failed()
      return Ack.Fault
    }
    return Ack.Ok
  }

  #refuse(ack: Ack): Ack {
    this.registers.refused()
    return ack
  }
}

/** Several ports at the same wires (multi-drop): everybody hears, at most one answers. */
export class SharedWires implements TwinSwd {
  readonly #ports: readonly SwdPort[]

  constructor(ports: readonly SwdPort[]) {
    this.#ports = ports
  }

  power(isOn: boolean): void {
    for (const port of this.#ports) port.power(isOn)
  }

  reset(asserted: boolean): void {
    for (const port of this.#ports) port.reset(asserted)
  }

  sequence(bits: Uint8Array, count: number): void {
    for (const port of this.#ports) port.sequence(bits, count)
  }

  read(isAp: boolean, address: number): { readonly ack: Ack; readonly value: number } {
    const answers = this.#ports.map((port) => port.read(isAp, address))
    return answers.find(({ ack }) => ack !== Ack.None) ?? { ack: Ack.None, value: 0 }
  }

  write(isAp: boolean, address: number, value: number): Ack {
    const acks = this.#ports.map((port) => port.write(isAp, address, value))
    return acks.find((ack) => ack !== Ack.None) ?? Ack.None
  }

  get isListening(): boolean {
    return this.#ports.some(({ isListening }) => isListening)
  }

  get detectsOverrun(): boolean {
    return this.#ports.some(({ isListening, detectsOverrun }) => isListening && detectsOverrun)
  }

  beginWrite(isAp: boolean, address: number): { readonly ack: Ack; readonly takesData: boolean } {
    const begun = this.#ports.map((port) => port.beginWrite(isAp, address))
    const takesData = begun.some((one) => one.takesData)
    return { ack: begun.find(({ ack }) => ack !== Ack.None)?.ack ?? Ack.None, takesData }
  }

  endWrite(isAp: boolean, address: number, value: number | undefined): void {
    for (const port of this.#ports) port.endWrite(isAp, address, value)
  }

  protocolError(): void {
    for (const port of this.#ports) port.protocolError()
  }
}

/** LSB of the first byte first. */
function bitsOf(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length * 8 }, (_, i) => ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1)
}
