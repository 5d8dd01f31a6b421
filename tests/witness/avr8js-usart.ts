/**
 * The USART of an AVR for avr8js: two-byte FIFO and shift register with overrun, framing errors, and the
 * noise that a byte becomes at another speed. Data sheet ATmega328P, 19 (ATmega8: "USART").
 */
import type { CPU } from 'avr8js'
import { asHeard, type Received } from '#protocols/stk500/twin-uart.ts'

export interface UsartRegisters {
  readonly UCSRA: number
  readonly UCSRB: number
  readonly UCSRC: number
  readonly UBRRL: number
  readonly UBRRH: number
  readonly UDR: number
}

export const usart0: UsartRegisters = {
  UCSRA: 0xc0,
  UCSRB: 0xc1,
  UCSRC: 0xc2,
  UBRRL: 0xc4,
  UBRRH: 0xc5,
  UDR: 0xc6,
}
/** UBRRH and UCSRC share an address; URSEL, the top bit of what is written, tells them apart. */
export const usartOfAtmega8: UsartRegisters = {
  UCSRA: 0x2b,
  UCSRB: 0x2a,
  UCSRC: 0x40,
  UBRRL: 0x29,
  UBRRH: 0x40,
  UDR: 0x2c,
}

const RXC = 0x80
const UDRE = 0x20
const FE = 0x10
const DOR = 0x08
const U2X = 0x02
const RXEN = 0x10
const URSEL = 0x80

const frameBits = 10

export class Usart {
  readonly #cpu: CPU
  readonly #registers: UsartRegisters
  readonly #hz: number
  /** What is on the line, with the cycle at which its last bit is in. */
  readonly #line: (Received & { readonly at: number })[] = []
  #lineFreeAt = 0
  /** The cycle at which the next byte is complete. */
  nextAt = Infinity
  readonly #fifo: Received[] = []
  #shifting: Received | undefined
  #overrun = false
  #ubrrh = 0
  #config = 0
  #sentAt = 0

  constructor(cpu: CPU, registers: UsartRegisters, hz: number, send: (byte: number, baud: number) => void) {
    this.#cpu = cpu
    this.#registers = registers
    this.#hz = hz
    const { UCSRA, UCSRC, UBRRH, UDR } = registers
    cpu.writeHooks[UCSRA] = (value) => {
      this.#config = value & U2X
      return true
    }
    cpu.readHooks[UCSRA] = () => this.#status()
    cpu.readHooks[UDR] = () => this.#read()
    cpu.writeHooks[UDR] = (value) => {
      this.#sentAt = Math.max(cpu.cycles, this.#sentAt) + this.#cyclesPerByte(this.#baud)
      send(value, this.#baud)
      return true
    }
    cpu.writeHooks[UBRRH] = (value) => {
      if (UBRRH !== UCSRC || (value & URSEL) === 0) this.#ubrrh = value & 0x0f
      return true
    }
  }

  /** A byte whose last bit is on the line now, or later when others are before it. */
  arrive(byte: number, baud: number): void {
    const { cycles } = this.#cpu
    const at = Math.max(cycles, this.#lineFreeAt + this.#cyclesPerByte(baud))
    this.#lineFreeAt = at
    for (const received of asHeard(byte, baud, this.#baud)) this.#line.push({ ...received, at })
    this.nextAt = this.#line[0]?.at ?? Infinity
  }

  /** Moves the next byte from the line into the buffer; due at `nextAt`. */
  take(): void {
    const next = this.#line.shift()
    this.nextAt = this.#line[0]?.at ?? Infinity
    if (!next) return
    if (((this.#cpu.data[this.#registers.UCSRB] ?? 0) & RXEN) === 0) return
    if (this.#fifo.length < 2) this.#fifo.push(next)
    else {
      this.#overrun ||= this.#shifting !== undefined
      this.#shifting = next
    }
  }

  #status(): number {
    const first = this.#fifo[0]
    return (
      this.#config |
      (first ? RXC : 0) |
      (first?.framingError ? FE : 0) |
      (this.#overrun ? DOR : 0) |
      // one byte may wait while another is shifted out
      (this.#sentAt - this.#cpu.cycles < this.#cyclesPerByte(this.#baud) ? UDRE : 0)
    )
  }

  #read(): number {
    const received = this.#fifo.shift()
    if (this.#shifting) {
      this.#fifo.push(this.#shifting)
      this.#shifting = undefined
      this.#overrun = false
    }
    return received?.byte ?? 0
  }

  get #baud(): number {
    const divisor = ((this.#ubrrh << 8) | (this.#cpu.data[this.#registers.UBRRL] ?? 0)) + 1
    return this.#hz / (this.#config & U2X ? 8 : 16) / divisor
  }

  #cyclesPerByte(baud: number): number {
    return (frameBits * this.#hz) / baud
  }
}
