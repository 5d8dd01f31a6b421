/**
 * A board with a real boot loader in it, as a `SerialTwin`: avr8js runs the published image, this file adds
 * what avr8js leaves out (self-programming, a USART with its FIFO and framing errors, the ATmega8's
 * registers, the reset line) and lets the processor's clock follow the clock that is handed in.
 *
 * The application is not run: once the loader jumps out of its section the board is silent until the next
 * reset. Facts: data sheets of ATmega8, ATmega168/328P, ATmega1280.
 */
import {
  AVREEPROM,
  avrInstruction,
  AVRTimer,
  CPU,
  EEPROMMemoryBackend,
  eepromConfig,
  timer1Config,
} from 'avr8js'
import type { Segment } from '#core/programmer.ts'
import type { SerialTwin, SerialWire } from '#bench/twin.ts'
import { Usart, usart0, usartOfAtmega8, type UsartRegisters } from './avr8js-usart.ts'

export interface Chip {
  readonly flashBytes: number
  readonly pageBytes: number
  readonly ramEnd: number
  readonly eepromBytes: number
  readonly usart: UsartRegisters
  readonly timer1: typeof timer1Config
  readonly eeprom: typeof eepromConfig
  readonly watchdog: number
}

const newer = { usart: usart0, timer1: timer1Config, eeprom: eepromConfig, watchdog: 0x60 }

export const chips = {
  ATmega8: {
    flashBytes: 8192,
    pageBytes: 64,
    ramEnd: 0x45f,
    eepromBytes: 512,
    usart: usartOfAtmega8,
    timer1: {
      ...timer1Config,
      ...{
        TIFR: 0x58,
        TIMSK: 0x59,
        TCCRA: 0x4f,
        TCCRB: 0x4e,
        TCCRC: 0,
        TCNT: 0x4c,
        OCRA: 0x4a,
        OCRB: 0x48,
        ICR: 0x46,
      },
      ...{ TOV: 4, OCFA: 16, OCFB: 8, TOIE: 4, OCIEA: 16, OCIEB: 8 },
    },
    eeprom: {
      ...eepromConfig,
      EECR: 0x3c,
      EEDR: 0x3d,
      EEARL: 0x3e,
      EEARH: 0x3f,
      eraseCycles: 0,
      writeCycles: 136_000,
    },
    watchdog: 0x41,
  },
  ATmega168: { ...newer, flashBytes: 0x4000, pageBytes: 128, ramEnd: 0x4ff, eepromBytes: 512 },
  ATmega328P: { ...newer, flashBytes: 0x8000, pageBytes: 128, ramEnd: 0x8ff, eepromBytes: 1024 },
  ATmega1280: { ...newer, flashBytes: 0x2_0000, pageBytes: 256, ramEnd: 0x21ff, eepromBytes: 4096 },
} satisfies Record<string, Chip>

const MCUSR = 0x54
const SPMCSR = 0x57
const RAMPZ = 0x5b
const spmOpcode = 0x95e8
const ResetCause = { PowerOn: 1, External: 2, Watchdog: 8 } as const

/** How often the processor catches up with the clock. */
const sliceMs = 0.25
/** Start-up time after reset with the fuses of Arduino boards (SUT 11: 65 ms and 16K clocks). */
const startUpMs = 66
/** A page takes 3.7 to 4.5 ms to erase or to write. */
const spmMs = 4

/** Avr8js's own goes on with an old timeout when a shorter one is set. Data sheet ATmega328P, 10.8. */
class Watchdog {
  /** In cycles. */
  expiresAt = Infinity

  constructor(cpu: CPU, WDTCSR: number, hz: number) {
    const enable = 0x08
    const changeEnable = 0x10
    let changeableUntil = 0
    const restart = () => {
      const setting = cpu.data[WDTCSR] ?? 0
      const prescaler = ((setting & 0x20) >> 2) | (setting & 0x07)
      this.expiresAt = setting & enable ? cpu.cycles + ((2048 << prescaler) / 128_000) * hz : Infinity
    }
    cpu.onWatchdogReset = restart
    cpu.writeHooks[WDTCSR] = (value) => {
      if (value & changeEnable && value & enable) changeableUntil = cpu.cycles + 6
      else if (cpu.cycles <= changeableUntil) cpu.data[WDTCSR] = value
      restart()
      return true
    }
  }
}

/** One run from a reset to the next. */
class Run {
  readonly cpu: CPU
  readonly usart: Usart
  readonly startCycles: number
  readonly #watchdog: Watchdog
  readonly #board: Avr8jsBoard
  readonly #temporary: Uint16Array
  #spmArmedUntil = 0
  #spmBusyUntil = 0

  constructor(board: Avr8jsBoard, cause: number, startCycles: number) {
    const { chip } = board
    this.#board = board
    this.startCycles = startCycles
    this.#temporary = new Uint16Array(chip.pageBytes / 2).fill(0xffff)
    const cpu = (this.cpu = new CPU(board.words, chip.ramEnd + 1 - 0x100))
    cpu.cycles = startCycles
    cpu.pc = board.bootStart / 2
    cpu.data[MCUSR] = cause
    this.usart = new Usart(cpu, chip.usart, board.hz, (byte, baud) => {
      board.send(byte, baud)
    })
    new AVRTimer(cpu, chip.timer1)
    new AVREEPROM(cpu, board.eepromBackend, chip.eeprom)
    this.#watchdog = new Watchdog(cpu, chip.watchdog, board.hz)
    cpu.writeHooks[SPMCSR] = (value) => {
      cpu.data[SPMCSR] = value
      this.#spmArmedUntil = cpu.cycles + 6 // four cycles after the OUT or STS, which has its own
      return true
    }
    cpu.readHooks[SPMCSR] = () => (cpu.cycles < this.#spmBusyUntil ? 0x01 : 0x00)
  }

  /** Until `cycles`, the watchdog, or the jump to the application. */
  advance(cycles: number): 'running' | 'expired' | 'application' {
    const { cpu, usart } = this
    const watchdog = this.#watchdog
    const { progMem } = cpu
    const words = progMem.length
    const bootStart = this.#board.bootStart / 2
    while (cpu.cycles < cycles) {
      if (cpu.cycles >= usart.nextAt) usart.take()
      if (cpu.cycles >= watchdog.expiresAt) return 'expired'
      if (progMem[cpu.pc] === spmOpcode) this.#storeProgramMemory()
      avrInstruction(cpu)
      cpu.tick()
      if (cpu.pc >= words) cpu.pc -= words // rjmp around the end
      if (cpu.pc < bootStart) return 'application'
    }
    return 'running'
  }

  #storeProgramMemory(): void {
    const { cpu } = this
    const { chip, words } = this.#board
    if (cpu.cycles > this.#spmArmedUntil || cpu.cycles < this.#spmBusyUntil) return
    const z =
      ((chip.flashBytes > 0x1_0000 ? (cpu.data[RAMPZ] ?? 0) & 1 : 0) << 16) | cpu.dataView.getUint16(30, true)
    const word = z >> 1
    const page = word - (word % this.#temporary.length)
    switch (cpu.data[SPMCSR]) {
      case 0x01: // fill the temporary page from r1:r0
        this.#temporary[word - page] = (this.#temporary[word - page] ?? 0) & cpu.dataView.getUint16(0, true)
        return
      case 0x03:
        words.fill(0xffff, page, page + this.#temporary.length)
        this.#spmBusyUntil = cpu.cycles + (spmMs / 1000) * this.#board.hz
        return
      case 0x05:
        for (const [i, value] of this.#temporary.entries()) words[page + i] = (words[page + i] ?? 0) & value
        this.#temporary.fill(0xffff)
        this.#spmBusyUntil = cpu.cycles + (spmMs / 1000) * this.#board.hz
        return
      case 0x11: // the temporary page is lost when the application section is read again
        this.#temporary.fill(0xffff)
    }
  }
}

const uno = { usb: { vendorId: 0x2341, productId: 0x0043 }, bridge: 'cdc-acm' } as const

export interface BoardOptions {
  readonly chip: Chip
  /** The boot loader's image. */
  readonly image: readonly Segment[]
  readonly bootStart: number
  /** Absent: an Arduino Uno's. */
  readonly bridge?: Pick<SerialTwin, 'usb' | 'bridge'>
}

export class Avr8jsBoard implements SerialTwin {
  readonly link = 'serial'
  readonly usb: SerialTwin['usb']
  readonly bridge: SerialTwin['bridge']
  readonly chip: Chip
  readonly hz = 16_000_000
  readonly bootStart: number
  readonly words: Uint16Array
  readonly flash: Uint8Array
  readonly eepromBackend: EEPROMMemoryBackend
  #wire: SerialWire | undefined
  #run: Run | undefined
  #startedAt = 0
  #dtr = false
  #stopped = false

  constructor({ chip, image, bootStart, bridge = uno }: BoardOptions) {
    this.usb = bridge.usb
    this.bridge = bridge.bridge
    this.chip = chip
    this.bootStart = bootStart
    this.words = new Uint16Array(chip.flashBytes / 2).fill(0xffff)
    this.flash = new Uint8Array(this.words.buffer)
    for (const { address, bytes } of image) this.flash.set(bytes, address)
    this.eepromBackend = new EEPROMMemoryBackend(chip.eepromBytes)
  }

  get eeprom(): Uint8Array {
    return this.eepromBackend.memory
  }
  /** Whether the boot loader is running. */
  get inLoader(): boolean {
    return this.#run !== undefined
  }

  plugged(wire: SerialWire): void {
    this.#wire = wire
    this.#startedAt = wire.clock.now()
    this.#reset(ResetCause.PowerOn)
    void this.#keepUp(wire)
  }

  /** Lets the clock go on without the board. */
  stop(): void {
    this.#stopped = true
  }

  signals(dtr: boolean): void {
    if (dtr && !this.#dtr) {
      this.#catchUp()
      this.#reset(ResetCause.External)
    }
    this.#dtr = dtr
  }

  receive(bytes: Uint8Array, baud: number): void {
    this.#catchUp()
    const run = this.#run
    if (!run || this.#cyclesNow() < run.startCycles) return
    for (const byte of bytes) run.usart.arrive(byte, baud)
  }

  send(byte: number, baud: number): void {
    this.#wire?.send(Uint8Array.of(byte), baud)
  }

  /** A reset takes its start-up time before the first instruction. */
  #reset(cause: number): void {
    const startCycles = this.#cyclesNow() + (startUpMs / 1000) * this.hz
    this.#run = new Run(this, cause, startCycles)
  }

  async #keepUp({ clock }: SerialWire): Promise<void> {
    while (!this.#stopped) {
      this.#catchUp()
      await clock.sleep(sliceMs)
    }
  }

  #catchUp(): void {
    const cycles = this.#cyclesNow()
    const ended = this.#run?.advance(cycles)
    if (ended === 'expired') this.#reset(ResetCause.Watchdog)
    else if (ended === 'application') this.#run = undefined
  }

  #cyclesNow(): number {
    return (((this.#wire?.clock.now() ?? 0) - this.#startedAt) / 1000) * this.hz
  }
}
