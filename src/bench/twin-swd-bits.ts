/**
 * SWD clock by clock, for the twins of probes that know only bits: requests with their parity, turnarounds, acknowledges
 * and data in front of a port that takes packets. Source: Arm IHI 0031 (ADIv5.2), B4.1 and B4.2.
 */
import { Ack, type TwinSwd } from './twin-swd.ts'

interface Packet {
  readonly isAp: boolean
  readonly address: number
  readonly isRead: boolean
  readonly ack: number
  /** Of a read. */
  readonly value: number
  readonly takesData: boolean
  /** Clocks behind the request. */
  at: number
  /** What was heard of a write's data, and the ones among them. */
  heard: number
  ones: number
}

const requestBits = 8
const ackBits = 3
const dataBits = 32
/** Turnaround, acknowledge, turnaround. */
const writeHead = 5

export class SwdBits {
  readonly #swd: TwinSwd
  #request = 0
  #heard = 0
  #packet: Packet | undefined

  constructor(swd: TwinSwd) {
    this.#swd = swd
  }

  /** One clock. Gives the level of SWDIO behind its rising edge, pulled up where nobody drives it. */
  clock(isDriven: boolean, bit: number): number {
    const level = isDriven ? bit : 1
    if (this.#packet) return this.#within(this.#packet, level)
    this.#hear(level)
    return level
  }

  /** A packet begins with a one; whoever does not listen hears only bits. */
  #hear(bit: number): void {
    if (!this.#swd.isListening || (this.#heard === 0 && bit === 0)) {
      this.#heard = this.#request = 0
      this.#swd.sequence(Uint8Array.of(bit), 1)
      return
    }
    this.#request |= bit << this.#heard++
    if (this.#heard < requestBits) return
    const request = this.#request
    this.#heard = this.#request = 0
    if (isRequest(request)) this.#packet = this.#begin(request)
    else {
      this.#swd.protocolError()
      this.#swd.sequence(Uint8Array.of(request), requestBits)
    }
  }

  #begin(request: number): Packet | undefined {
    const [isAp, isRead, address] = [(request & 2) !== 0, (request & 4) !== 0, (request >> 1) & 0xc]
    const common = { isAp, isRead, address, at: 0, heard: 0, ones: 0 }
    const isOverrunDetected = this.#swd.detectsOverrun
    if (isRead) {
      const { ack, value } = this.#swd.read(isAp, address)
      const takesData = ack === Ack.Ok || (isOverrunDetected && ack !== Ack.None)
      return ack === Ack.None ? undefined : { ...common, ack, value, takesData }
    }
    const { ack, takesData } = this.#swd.beginWrite(isAp, address)
    if (ack === Ack.None && !takesData) return undefined
    return { ...common, ack, value: 0, takesData: takesData || isOverrunDetected }
  }

  #within(packet: Packet, level: number): number {
    const { isRead, ack, takesData } = packet
    const at = packet.at++
    const end = !takesData ? writeHead : (isRead ? writeHead - 2 : writeHead) + dataBits + (isRead ? 3 : 1)
    if (packet.at === end) this.#packet = undefined
    if (at < ackBits) return ack === Ack.None ? level : (ack >> at) & 1
    if (!takesData) return level
    return isRead ? this.#say(packet, at - ackBits, level) : this.#take(packet, at - writeHead, level)
  }

  #say({ value }: Packet, at: number, level: number): number {
    if (at < dataBits) return (value >>> at) & 1
    return at === dataBits ? onesIn(value) & 1 : level
  }

  #take(packet: Packet, at: number, level: number): number {
    if (at < 0) return level
    packet.ones += level
    if (at < dataBits) packet.heard = (packet.heard | (level << at)) >>> 0
    else {
      const isRight = packet.ones % 2 === 0
      this.#swd.endWrite(packet.isAp, packet.address, isRight ? packet.heard : undefined)
    }
    return level
  }
}

/** Start, APnDP, RnW, A[3:2], their parity, stop, park. */
const isRequest = (bits: number): boolean => (bits & 0xc1) === 0x81 && onesIn((bits >> 1) & 0x1f) % 2 === 0

function onesIn(value: number): number {
  let count = 0
  for (let rest = value >>> 0; rest !== 0; rest >>>= 1) count += rest & 1
  return count
}
