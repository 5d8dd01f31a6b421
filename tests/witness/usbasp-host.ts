/**
 * A low-speed USB host in front of the machine: transactions bit by bit, control transfers over them, as
 * USB 2.0, 8.4 and 8.5 say. It polls with a gap that the caller chooses, because how long a transfer takes
 * depends on it.
 */
import type { SetupPacket, TwinAnswer } from '#bench/twin.ts'
import { crystalHz, cyclesPerBit, type Machine } from './usbasp-machine.ts'
import { dataBytes, decodePacket, encodePacket, Line, Pid, tokenBytes } from './usbasp-wire.ts'

const bits = (count: number): number => count * cyclesPerBit
const us = (count: number): number => Math.round((count * crystalHz) / 1_000_000)

type Handshake = 'ack' | 'nak' | 'stall' | 'nothing'

export class Host {
  readonly #machine: Machine
  readonly #gap: number
  readonly #patienceCycles: number
  #address = 0
  /** Transactions so far, and how many of them were NAKs. */
  readonly counted = { transactions: 0, naks: 0 }

  constructor(machine: Machine, options: { gapUs?: number; patienceMs?: number } = {}) {
    this.#machine = machine
    this.#gap = us(options.gapUs ?? 100)
    this.#patienceCycles = us((options.patienceMs ?? 5000) * 1000)
  }

  /** Lets the firmware start, resets the port and gives the device an address. */
  plug(): void {
    this.#machine.run(us(300_000))
    this.reset()
  }

  /** True when the device answers afterwards. */
  reset(): boolean {
    this.#machine.hold(Line.SE0)
    this.#machine.run(us(15_000))
    this.#machine.hold(undefined)
    this.#machine.run(us(20_000))
    this.#address = 0
    const request = { requestType: 0, request: 5, value: 1, index: 0, length: 0 } // SET_ADDRESS
    const answer = this.control(request)
    this.#machine.run(us(2000))
    this.#address = 1
    return answer instanceof Uint8Array
  }

  /** GET_DESCRIPTOR. */
  descriptor(type: number, index: number, length: number, language = 0): TwinAnswer {
    return this.control({
      requestType: 0x80,
      request: 6,
      value: (type << 8) | index,
      index: language,
      length,
    })
  }

  /** One control transfer, as `UsbTwin.control` answers it. */
  control(setup: SetupPacket, bytes: Uint8Array = new Uint8Array()): TwinAnswer {
    const { requestType, request, value, index, length } = setup
    const packet = Uint8Array.of(
      requestType,
      request,
      value & 0xff,
      value >> 8,
      index & 0xff,
      index >> 8,
      length & 0xff,
      length >> 8,
    )
    const began = this.#retry(() => this.#send(Pid.Setup, Pid.Data0, packet), 'nothing')
    if (began !== 'ack') return began === 'stall' ? 'stall' : 'broken'
    return requestType & 0x80 ? this.#dataIn(length) : this.#dataOut(bytes)
  }

  #dataIn(length: number): TwinAnswer {
    const received: number[] = []
    let toggle: number = Pid.Data1
    for (let last = false; !last && received.length < length;) {
      const packet = this.#receive()
      if (!Array.isArray(packet)) return packet
      const [pid, ...payload] = packet
      if (pid !== toggle) continue // repeated: our ACK was lost
      toggle ^= Pid.Data0 ^ Pid.Data1
      received.push(...payload.slice(0, -2))
      last = payload.length < 8 + 2
    }
    const status = this.#retry(() => this.#send(Pid.Out, Pid.Data1, new Uint8Array()), 'nak')
    return status === 'ack' ? Uint8Array.from(received.slice(0, length)) : failure(status)
  }

  #dataOut(bytes: Uint8Array): TwinAnswer {
    let toggle: number = Pid.Data1
    for (let at = 0; at < bytes.length; at += 8) {
      const part = bytes.subarray(at, at + 8)
      const handshake = this.#retry(() => this.#send(Pid.Out, toggle, part), 'nak')
      if (handshake !== 'ack') return failure(handshake)
      toggle ^= Pid.Data0 ^ Pid.Data1
    }
    const status = this.#receive()
    return Array.isArray(status) ? new Uint8Array() : status
  }

  /** A data packet (PID first), acknowledged; NAKs are asked again until patience ends. */
  #receive(): number[] | Exclude<TwinAnswer, Uint8Array> {
    let packet: number[] | undefined
    const handshake = this.#retry(() => {
      packet = this.#transact([encodePacket(Pid.In, tokenBytes(this.#address, 0))])
      const [pid] = packet ?? []
      if (pid === Pid.Nak) return 'nak'
      if (pid === Pid.Stall) return 'stall'
      if (pid !== Pid.Data0 && pid !== Pid.Data1) return 'nothing'
      this.#machine.drive(encodePacket(Pid.Ack), bits(3))
      this.#machine.run(bits(3), () => this.#machine.driving)
      this.#machine.run(bits(40), () => !this.#machine.driving)
      return 'ack'
    }, 'nak')
    return handshake === 'ack' && packet ? packet : failure(handshake)
  }

  #send(token: number, pid: number, bytes: Uint8Array): Handshake {
    const answer = this.#transact([
      encodePacket(token, tokenBytes(this.#address, 0)),
      encodePacket(pid, dataBytes(bytes)),
    ])
    const [handshake] = answer ?? []
    if (handshake === Pid.Ack) return 'ack'
    if (handshake === Pid.Nak) return 'nak'
    return handshake === Pid.Stall ? 'stall' : 'nothing'
  }

  /** Tries again on NAK as long as patience lasts, on nothing three times in a row (USB 2.0, 10.2.6). */
  #retry(attempt: () => Handshake, patientWith: 'nak' | 'nothing'): Handshake {
    const until = this.#machine.cpu.cycles + this.#patienceCycles
    let last: Handshake = 'nothing'
    for (let nothing = 0; nothing < 3 && this.#machine.cpu.cycles < until;) {
      this.#machine.run(this.#gap)
      last = attempt()
      this.counted.transactions++
      if (last === 'nak') this.counted.naks++
      if (last === 'ack' || last === 'stall') return last
      nothing = last === 'nothing' || patientWith === 'nothing' ? nothing + 1 : 0
    }
    return last
  }

  /** Sends packets, four bit times apart, and waits for one packet of the device. */
  #transact(packets: readonly number[][]): number[] | undefined {
    const machine = this.#machine
    const gap = Array<number>(4).fill(Line.J)
    machine.edges = []
    machine.drive(packets.flatMap((packet, i) => (i ? [...gap, ...packet] : packet)))
    machine.run(bits(400), () => !machine.driving)
    machine.edges = machine.edges.slice(-1)
    const answered = () => machine.edges.some(({ line }) => line === Line.K)
    machine.run(bits(20), answered)
    if (!answered()) return undefined
    machine.run(bits(200), () => machine.edges.at(-1)?.line === undefined)
    return this.#decode()
  }

  #decode(): number[] | undefined {
    const { edges } = this.#machine
    const start = edges.find(({ line }) => line === Line.K)?.cycle ?? 0
    const lines: number[] = []
    for (let i = 0; i < 200; i++) {
      const at = start + bits(i) + cyclesPerBit / 2
      const line = edges.findLast(({ cycle }) => cycle <= at)?.line
      if (line === undefined || line === Line.SE0) break
      lines.push(line)
    }
    return decodePacket(lines)
  }
}

const failure = (handshake: Handshake): Exclude<TwinAnswer, Uint8Array> =>
  handshake === 'stall' ? 'stall' : handshake === 'nak' ? 'silent' : 'broken'
