/**
 * A CMSIS-DAP probe: what it says of itself, its queue of commands, and what it does on the wires for each. Sources: as
 * `packets.ts`; ARM-software/CMSIS-DAP, `Firmware/Source/DAP.c` (posted reads, checked writes, what is counted).
 */
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import type { Clock } from '#core/time.ts'
import { Ack, type TwinSwd } from '#bench/twin-swd.ts'
import { Can, Command, Info, Pin, Port, Status, unknownCommand } from './packets.ts'

/** What is at the end of its wires; it has its power from the probe. */
export interface WiredChip {
  readonly swd: TwinSwd
  power(clock: Clock): void
  losePower(): void
}

export interface ProbeOptions {
  readonly descriptors: UsbDescriptors
  readonly target: WiredChip
  readonly texts: Readonly<Partial<Record<number, string>>>
  /** Default: full. */
  readonly speed?: UsbTwin['speed']
  readonly packetBytes: number
  /** Commands that it holds. */
  readonly packets: number
}

/** Bits of one access on the wire, with the turnarounds and one idle cycle. */
const accessBits = 46
const startHz = 1_000_000
const Request = { Ap: 1, Read: 2, Address: 0x0c, MatchValue: 0x10, MatchMask: 0x20 } as const
const readBuffer = 0x0c
const protocolError = 8
const valueMismatch = 0x10
const empty = new Uint8Array()

export class CmsisDapTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed: UsbTwin['speed']
  readonly descriptors: UsbDescriptors
  readonly #options: ProbeOptions
  #bus: TwinBus | undefined
  #answers: Uint8Array[] = []
  /** Commands that were taken and not answered yet. */
  #held = 0
  #working = Promise.resolve()
  /** Called when there is room again, and when there is an answer. */
  #heard: () => void = () => undefined
  #waiting: () => void = () => undefined
  #hz = startHz
  #waits = 0
  #matchMask = 0
  #matchTries = 0
  #isConnected = false
  /** Bits on the wire since the last command began. */
  #bits = 0

  constructor(options: ProbeOptions) {
    this.#options = options
    this.descriptors = options.descriptors
    this.speed = options.speed ?? 'full'
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.reset()
    this.#options.target.power(bus.clock)
  }

  unplugged(): void {
    this.#bus = undefined
    this.#wake()
    this.#options.target.losePower()
  }

  reset(): void {
    this.#answers = []
    this.#held = 0
    this.#isConnected = false
    this.#matchMask = 0
    this.#hz = startHz
  }

  control(setup: SetupPacket): Promise<TwinAnswer> {
    const isForIt = (setup.requestType & 0x60) === 0 && (setup.requestType & 0x80) === 0
    return Promise.resolve(isForIt ? empty : 'stall')
  }

  /** With as many as it holds it lets the host wait. */
  async bulkOut(_: number, bytes: Uint8Array): Promise<TwinAnswer> {
    while (this.#held >= this.#options.packets) {
      const bus = this.#bus
      await new Promise<void>((resolve) => (this.#heard = resolve))
      if (bus !== this.#bus || !bus) return 'broken'
    }
    this.#held++
    this.#working = this.#working.then(() => this.#work(bytes.slice()))
    return empty
  }

  async bulkIn(): Promise<TwinAnswer> {
    for (;;) {
      const bus = this.#bus
      if (!bus) return 'broken'
      const answer = this.#answers.shift()
      if (answer) {
        this.#held--
        this.#wake()
        return answer
      }
      await new Promise<void>((resolve) => (this.#waiting = resolve))
    }
  }

  #wake(): void {
    this.#heard()
    this.#waiting()
  }

  async #work(command: Uint8Array): Promise<void> {
    const bus = this.#bus
    if (!bus) return
    this.#bits = 0
    const answer = this.#answerTo(command)
    await bus.clock.sleep((this.#bits * 1000) / this.#hz)
    if (this.#bus !== bus) return
    this.#answers.push(answer)
    this.#waiting()
  }

  #answerTo(command: Uint8Array): Uint8Array {
    const [id = unknownCommand] = command
    const read = new ByteReader(command.subarray(1))
    switch (id) {
      case Command.Info:
        return this.#info(read.u8())
      case Command.HostStatus:
      case Command.SwdConfigure:
        return Uint8Array.of(id, Status.Ok)
      case Command.Connect:
        this.#isConnected = read.u8() !== Port.Jtag
        return Uint8Array.of(id, this.#isConnected ? Port.Swd : 0)
      case Command.Disconnect:
        this.#isConnected = false
        return Uint8Array.of(id, Status.Ok)
      case Command.TransferConfigure:
        read.u8() // idle cycles
        this.#waits = read.u16le()
        this.#matchTries = read.u16le()
        return Uint8Array.of(id, Status.Ok)
      case Command.Transfer:
        return this.#transfer(read)
      case Command.TransferBlock:
        return this.#transferBlock(read)
      case Command.WriteAbort:
        read.u8()
        this.#write(false, 0, read.u32le())
        return Uint8Array.of(id, Status.Ok)
      case Command.SwjClock:
        this.#hz = Math.max(1000, read.u32le())
        return Uint8Array.of(id, Status.Ok)
      case Command.SwjSequence: {
        const count = read.u8() || 256
        this.#bits += count
        if (this.#isConnected) this.#options.target.swd.sequence(read.bytes(Math.ceil(count / 8)), count)
        return Uint8Array.of(id, Status.Ok)
      }
      case Command.SwjPins: {
        const [output, select] = [read.u8(), read.u8()]
        if ((select & Pin.Reset) !== 0) this.#options.target.swd.reset((output & Pin.Reset) === 0)
        return Uint8Array.of(id, (select & Pin.Reset) !== 0 ? output & Pin.Reset : Pin.Reset)
      }
      case Command.Delay:
        this.#bits += Math.ceil((read.u16le() * this.#hz) / 1e6)
        return Uint8Array.of(id, Status.Ok)
      case Command.ResetTarget:
        return Uint8Array.of(id, Status.Ok, 0)
      default:
        return Uint8Array.of(unknownCommand)
    }
  }

  #info(id: number): Uint8Array {
    const { packetBytes, packets, texts } = this.#options
    if (id === Info.Capabilities) return Uint8Array.of(Command.Info, 1, Can.Swd)
    if (id === Info.PacketCount) return Uint8Array.of(Command.Info, 1, packets)
    if (id === Info.PacketSize) return new ByteWriter().bytes([Command.Info, 2]).u16le(packetBytes).done()
    const text = texts[id]
    const bytes = text === undefined ? [] : [...new TextEncoder().encode(text), 0]
    return Uint8Array.of(Command.Info, bytes.length, ...bytes)
  }

  // ---- accesses ----------------------------------------------------------------------------------

  #transfer(read: ByteReader): Uint8Array {
    read.u8() // which of several on a JTAG chain
    const wanted = read.u8()
    const words: number[] = []
    let [ack, done, isPosted, isUnchecked]: [number, number, boolean, boolean] = [Ack.Ok, 0, false, false]
    for (; done < wanted; done++) {
      const request = read.u8()
      const [isAp, isRead] = [(request & Request.Ap) !== 0, (request & Request.Read) !== 0]
      const address = request & Request.Address
      const value = isRead && (request & Request.MatchValue) === 0 ? 0 : read.u32le()
      // the value of a posted read comes with the next one of an AP, or has to be fetched
      if (isPosted && !(isRead && isAp)) {
        const fetched = this.#read(false, readBuffer)
        ack = fetched.ack
        if (ack !== Ack.Ok) break
        words.push(fetched.value)
        isPosted = false
      }
      if (!isRead && (request & Request.MatchMask) !== 0) {
        this.#matchMask = value
        continue
      }
      if (isRead && (request & Request.MatchValue) !== 0) {
        ack = this.#match(isAp, address, value)
        if (ack !== Ack.Ok) break
      } else if (isRead) {
        const answered = this.#read(isAp, address)
        ack = answered.ack
        if (ack !== Ack.Ok) break
        if (!isAp || isPosted) words.push(answered.value)
        isPosted = isAp
        isUnchecked = false
      } else {
        ack = this.#write(isAp, address, value)
        if (ack !== Ack.Ok) break
        isUnchecked = true
      }
    }
    if (ack === Ack.Ok && (isPosted || isUnchecked)) {
      const fetched = this.#read(false, readBuffer)
      ack = fetched.ack
      if (isPosted && ack === Ack.Ok) words.push(fetched.value)
    }
    const writer = new ByteWriter().bytes([Command.Transfer, done, ack])
    for (const word of words) writer.u32le(word)
    return writer.done()
  }

  #transferBlock(read: ByteReader): Uint8Array {
    read.u8()
    const wanted = read.u16le()
    const request = read.u8()
    const [isAp, isRead] = [(request & Request.Ap) !== 0, (request & Request.Read) !== 0]
    const address = request & Request.Address
    const words: number[] = []
    let [ack, done]: [number, number] = [Ack.Ok, 0]
    if (isRead && isAp && wanted > 0) ack = this.#read(true, address).ack
    for (; done < wanted && ack === Ack.Ok; done++) {
      if (!isRead) ack = this.#write(isAp, address, read.u32le())
      else {
        const isLast = done === wanted - 1
        const answered = isAp && isLast ? this.#read(false, readBuffer) : this.#read(isAp, address)
        ack = answered.ack
        if (ack === Ack.Ok) words.push(answered.value)
      }
      if (ack !== Ack.Ok) break
    }
    if (!isRead && ack === Ack.Ok) ack = this.#read(false, readBuffer).ack
    const writer = new ByteWriter().bytes([Command.TransferBlock]).u16le(done).bytes([ack])
    for (const word of words) writer.u32le(word)
    return writer.done()
  }

  /** Reads it until it is that, or for as often as it may. */
  #match(isAp: boolean, address: number, value: number): number {
    if (isAp) this.#read(isAp, address)
    for (let left = this.#matchTries; ; left--) {
      const found = this.#read(isAp, address)
      if (found.ack !== Ack.Ok) return found.ack
      if ((found.value & this.#matchMask) >>> 0 === value) return Ack.Ok
      if (left <= 0) return found.ack | valueMismatch
    }
  }

  /** As often as it is told to wait, and may. */
  #patiently<T>(access: () => T, ackOf: (result: T) => number): T {
    for (let left = this.#waits; ; left--) {
      this.#bits += accessBits
      const result = access()
      if (ackOf(result) !== Ack.Wait || left <= 0) return result
    }
  }

  #read(isAp: boolean, address: number): { readonly ack: number; readonly value: number } {
    const { swd } = this.#options.target
    if (!this.#isConnected) return { ack: Ack.None | protocolError, value: 0 }
    return this.#patiently(
      () => swd.read(isAp, address),
      ({ ack }) => ack,
    )
  }

  #write(isAp: boolean, address: number, value: number): number {
    const { swd } = this.#options.target
    if (!this.#isConnected) return Ack.None | protocolError
    return this.#patiently(
      () => swd.write(isAp, address, value),
      (ack) => ack,
    )
  }
}
