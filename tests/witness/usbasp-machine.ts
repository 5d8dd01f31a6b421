/**
 * A USBasp's microcontroller with its firmware in avr8js: ATmega8 or ATmega48/88 at 12 MHz, and around it
 * what the board has: the USB wires on PB0, PB1 and PD2, the ISP header on PB2 to PB5 with a target.
 *
 * Ports, SPI, INT0 and timer 0 are done here, because avr8js has those of the ATmega328P: its ports toggle
 * on writing PIN and its SPI keeps SPIF, which an ATmega8 does not. Register addresses: data sheets.
 */
import { avrInstruction, avrInterrupt, CPU } from 'avr8js'
import type { Segment } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { TwinAvr } from '#bench/twin-avr.ts'
import { Line } from './usbasp-wire.ts'

export const crystalHz = 12_000_000
export const cyclesPerBit = crystalHz / 1_500_000

export type MachineChip = 'ATmega8' | 'ATmega48' | 'ATmega88'

/** Data addresses of the registers that a USBasp uses. */
interface Registers {
  readonly pinB: number
  readonly pinC: number
  readonly pinD: number
  readonly spcr: number
  readonly spsr: number
  readonly spdr: number
  readonly timer: number
  readonly prescaler: number
  readonly intEnable: number
  readonly intFlag: number
  readonly intMask: number
  readonly intSense: number
}
const mega8: Registers = {
  pinB: 0x36,
  pinC: 0x33,
  pinD: 0x30,
  spcr: 0x2d,
  spsr: 0x2e,
  spdr: 0x2f,
  timer: 0x52,
  prescaler: 0x53,
  intEnable: 0x5b, // GICR
  intFlag: 0x5a, // GIFR
  intMask: 1 << 6,
  intSense: 0x55, // MCUCR
}
const mega88: Registers = {
  pinB: 0x23,
  pinC: 0x26,
  pinD: 0x29,
  spcr: 0x4c,
  spsr: 0x4d,
  spdr: 0x4e,
  timer: 0x46,
  prescaler: 0x45,
  intEnable: 0x3d, // EIMSK
  intFlag: 0x3c, // EIFR
  intMask: 1 << 0,
  intSense: 0x69, // EICRA
}

const usbPins = 0b11
const RST = 1 << 2
const MOSI = 1 << 3
const MISO = 1 << 4
const SCK = 1 << 5
const SPIF = 1 << 7

export interface MachineOptions {
  readonly chip: MachineChip
  readonly firmware: readonly Segment[]
  readonly target?: TwinAvr | undefined
  /** The jumper on PC2. */
  readonly slowSck?: boolean
}

/** What the device did to the USB wires, and when. */
export interface Edge {
  readonly cycle: number
  /** Undefined: it lets go. */
  readonly line: number | undefined
}

export class Machine {
  readonly cpu: CPU
  /** Changes on the device's side of the USB wires since they were last taken. */
  edges: Edge[] = []
  readonly #registers: Registers
  readonly #pcMask: number
  readonly #target: TwinAvr | undefined
  readonly #slowSck: boolean
  /** What the host drives: line states from `hostFrom` on, then idle. */
  #hostLines: readonly number[] = []
  #hostFrom = 0
  #hostHolds: number | undefined
  #dPlusBefore = 0
  #interruptFlag = false
  #spi: { readonly doneAt: number; readonly answer: number } | undefined
  #spifSeen = false
  #bits = new BitTarget(undefined)

  constructor({ chip, firmware, target, slowSck = false }: MachineOptions) {
    const flashBytes = chip === 'ATmega48' ? 4096 : 8192
    const flash = new Uint8Array(flashBytes).fill(0xff)
    for (const { address, bytes } of firmware) flash.set(bytes, address)
    this.cpu = new CPU(new Uint16Array(flash.buffer), 1024)
    this.#registers = chip === 'ATmega8' ? mega8 : mega88
    this.#pcMask = flashBytes / 2 - 1
    this.#target = target
    this.#slowSck = slowSck
    this.#bits = new BitTarget(target)
    this.#wire()
    target?.power(this.clock)
  }

  /** The machine's own time; sleeping runs it. */
  get clock(): Clock {
    return {
      now: () => (this.cpu.cycles / crystalHz) * 1000,
      sleep: (ms) => {
        this.run(Math.round((ms * crystalHz) / 1000))
        return Promise.resolve()
      },
      after: () => {
        throw new Error('nothing of this machine has a time limit')
      },
    }
  }

  /** The host drives these line states, one a bit time, beginning after `delay` cycles; then it lets go. */
  drive(lines: readonly number[], delay = 0): void {
    this.#hostLines = lines
    this.#hostFrom = this.cpu.cycles + delay
  }

  /** The host holds one state until told otherwise. */
  hold(line: number | undefined): void {
    this.#hostHolds = line
  }

  get driving(): boolean {
    return this.cpu.cycles < this.#hostFrom + this.#hostLines.length * cyclesPerBit
  }

  /** Runs for `cycles`, or until `stop` says so. */
  run(cycles: number, stop?: () => boolean): void {
    const end = this.cpu.cycles + cycles
    while (this.cpu.cycles < end && !stop?.()) this.#step()
  }

  #step(): void {
    const { cpu } = this
    avrInstruction(cpu)
    cpu.pc &= this.#pcMask // rjmp and rcall wrap around the end of flash
    this.#watchInterrupt()
  }

  #watchInterrupt(): void {
    const { cpu } = this
    const registers = this.#registers
    const dPlus = this.#usbLine() >> 1
    if (dPlus !== this.#dPlusBefore) {
      this.#dPlusBefore = dPlus
      const sense = (cpu.data[registers.intSense] ?? 0) & 0b11
      if (sense === 0b01 || (sense === 0b11 && dPlus) || (sense === 0b10 && !dPlus))
        this.#interruptFlag = true
    }
    if (!this.#interruptFlag || !cpu.interruptsEnabled) return
    if (((cpu.data[registers.intEnable] ?? 0) & registers.intMask) === 0) return
    this.#interruptFlag = false
    avrInterrupt(cpu, 1)
    cpu.cycles += 2 // four cycles in all
  }

  /** The device's output wins where it drives; the host is silent then, if both keep the rules. */
  #usbLine(): number {
    const ddr = this.#register(this.#registers.pinB + 1) & usbPins
    const host = this.#hostLine()
    return (host & ~ddr) | (this.#register(this.#registers.pinB + 2) & ddr)
  }

  #hostLine(): number {
    if (this.#hostHolds !== undefined) return this.#hostHolds
    const bit = (this.cpu.cycles - this.#hostFrom) >> 3
    return (bit >= 0 ? this.#hostLines[bit] : undefined) ?? Line.J
  }

  #register(address: number): number {
    return this.cpu.data[address] ?? 0
  }

  #wire(): void {
    const { cpu } = this
    const { pinB, pinC, pinD, spcr, spsr, spdr, timer, prescaler, intFlag, intMask } = this.#registers
    cpu.readHooks[pinB] = () => this.#readPortB()
    cpu.readHooks[pinC] = () => (this.#slowSck ? 0xfb : 0xff)
    cpu.readHooks[pinD] = () => ((this.#usbLine() >> 1) & 1) << 2
    for (const pin of [pinB, pinC, pinD]) cpu.writeHooks[pin] = () => true // read only on these chips
    for (const register of [pinB + 1, pinB + 2])
      cpu.writeHooks[register] = (value) => {
        cpu.data[register] = value
        this.#portBChanged()
        return true
      }
    cpu.readHooks[intFlag] = () => (this.#interruptFlag ? intMask : 0)
    cpu.writeHooks[intFlag] = (value) => {
      if (value & intMask) this.#interruptFlag = false
      return true
    }
    cpu.readHooks[timer] = () => {
      const divider = [0, 1, 8, 64, 256, 1024][this.#register(prescaler) & 7]
      return divider ? Math.floor(cpu.cycles / divider) & 0xff : 0
    }
    cpu.writeHooks[spdr] = (value) => {
      this.#spifSeen = false
      this.#startSpi(value)
      return true
    }
    cpu.readHooks[spsr] = () => {
      const done = this.#spi !== undefined && cpu.cycles >= this.#spi.doneAt
      if (done) this.#spifSeen = true
      return (this.#register(spsr) & 1) | (done ? SPIF : 0)
    }
    cpu.readHooks[spdr] = () => {
      const answer = this.#spi?.answer ?? 0
      if (this.#spifSeen) this.#spi = undefined
      this.#spifSeen = false
      this.#lastSpiByte = answer
      return answer || this.#lastSpiByte
    }
    cpu.writeHooks[spcr] = (value) => {
      cpu.data[spcr] = value
      if ((value & 0x40) === 0) this.#spi = undefined
      return true
    }
  }
  #lastSpiByte = 0

  #startSpi(value: number): void {
    const control = this.#register(this.#registers.spcr)
    if ((control & 0x50) !== 0x50) return // off, or not the master: no flag will ever come
    const divider = ([4, 16, 64, 128][control & 3] ?? 4) / (this.#register(this.#registers.spsr) & 1 ? 2 : 1)
    const answer = this.#targetInReset ? (this.#target?.shift(value, crystalHz / divider) ?? 0xff) : 0xff
    this.#spi = { doneAt: this.cpu.cycles + 8 * divider, answer }
  }

  get #targetInReset(): boolean {
    const { pinB } = this.#registers
    return (this.#register(pinB + 1) & RST) !== 0 && (this.#register(pinB + 2) & RST) === 0
  }

  #readPortB(): number {
    const { pinB } = this.#registers
    const driven = this.#register(pinB + 1) & ~usbPins
    const miso = this.#targetInReset ? this.#bits.miso : 1
    const outside = this.#usbLine() | (miso ? MISO : 0) | RST
    return (this.#register(pinB + 2) & driven) | (outside & ~driven)
  }

  #portBChanged(): void {
    const { pinB } = this.#registers
    const ddr = this.#register(pinB + 1)
    const port = this.#register(pinB + 2)
    const line = ddr & usbPins ? port & usbPins : undefined
    if (line !== this.edges.at(-1)?.line) this.edges.push({ cycle: this.cpu.cycles, line })
    this.#target?.reset(this.#targetInReset)
    if (!this.#targetInReset) this.#bits.reset()
    else if ((this.#register(this.#registers.spcr) & 0x40) === 0 && ddr & SCK)
      this.#bits.clock((port & SCK) !== 0, (port & MOSI) !== 0, this.cpu.cycles)
  }
}

/** Instructions whose answer does not depend on their fourth byte. */
const reading: readonly number[] = [0x20, 0x28, 0x30, 0x38, 0x50, 0x58, 0xa0, 0xf0]

/**
 * A target clocked bit by bit, as the firmware's slow speeds do it. The twin shifts whole bytes, so what it
 * puts out is found before the byte is complete: the echo, or the answer where the byte does not matter.
 */
class BitTarget {
  readonly #target: TwinAvr | undefined
  #instruction: number[] = []
  #programming = false
  #sck = false
  #roseAt = 0
  #hz = 32_000
  #shifted = 0
  #count = 0
  #out = 0xff
  #echo = 0xff
  #begun = false
  #done = false

  constructor(target: TwinAvr | undefined) {
    this.#target = target
  }

  reset(): void {
    this.#instruction = []
    this.#programming = false
    this.#begun = false
    this.#count = 0
  }

  get miso(): number {
    this.#begin()
    return (this.#out >> (7 - this.#count)) & 1
  }

  clock(sck: boolean, mosi: boolean, cycle: number): void {
    if (sck === this.#sck) return
    this.#sck = sck
    if (!sck) return
    this.#begin()
    const hz = crystalHz / (cycle - this.#roseAt)
    if (this.#count) this.#hz = this.#count === 1 ? hz : Math.max(this.#hz, hz) // the fastest bit decides
    this.#roseAt = cycle
    this.#shifted = ((this.#shifted << 1) | (mosi ? 1 : 0)) & 0xff
    if (++this.#count === 8) this.#end()
  }

  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    const [b0, b1] = this.#instruction
    const length = this.#instruction.length
    this.#done = this.#programming
      ? length === 3 && reading.includes(b0 ?? 0)
      : length === 2 && b0 === 0xac && b1 === 0x53
    if (this.#done) this.#out = this.#target?.shift(0, this.#hz) ?? 0xff
    else this.#out = this.#programming ? this.#echo : 0xff
    if (this.#done && !this.#programming) this.#programming = this.#out === 0x53
  }

  #end(): void {
    if (!this.#done) this.#target?.shift(this.#shifted, this.#hz)
    this.#instruction.push(this.#shifted)
    if (this.#instruction.length === 4) this.#instruction = []
    this.#echo = this.#shifted
    this.#begun = false
    this.#count = 0
  }
}
