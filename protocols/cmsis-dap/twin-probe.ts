/**
 * A CMSIS-DAP probe: what it says of itself, its queue of commands, and what it does on the wires for each. Sources: as
 * `packets.ts`; ARM-software/CMSIS-DAP, `Firmware/Source/DAP.c` (posted reads, checked writes, what is counted).
 */
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import type { Clock } from '#core/time.ts'
import type { TwinJtag } from '#bench/twin-jtag.ts'
import type { TwinSwd } from '#bench/twin-swd.ts'
import { Can, Command, Info, Pin, Port, Status, unknownCommand } from './packets.ts'
import { DapTransfers } from './twin-transfers.ts'
import { JtagWires, NoWires, SwdWires, type DapWires } from './twin-wires.ts'

/** What is at the end of its wires; it has its power from the probe. */
export interface WiredChip {
  readonly swd: TwinSwd
  readonly jtag?: TwinJtag | undefined
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
  /** Built with JTAG, too. */
  readonly hasJtag?: true
}

const startHz = 1_000_000
/** Of DAP_JTAG_Sequence: cycles (0 is 64), TMS, and whether TDO is wanted. */
const Cycles = { Count: 0x3f, Tms: 0x40, Capture: 0x80 } as const
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
  #resets = 0
  #working = Promise.resolve()
  /** Called when there is room again, and when there is an answer. */
  #heard: () => void = () => undefined
  #waiting: () => void = () => undefined
  #hz = startHz
  readonly #transfers = new DapTransfers()
  readonly #swd: SwdWires
  readonly #jtag: JtagWires
  /** What it is connected by. */
  #wires: DapWires = new NoWires()

  constructor(options: ProbeOptions) {
    this.#options = options
    this.#swd = new SwdWires(options.target.swd)
    this.#jtag = new JtagWires(options.target.jtag)
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

  /** Transfers that were under way are over. */
  reset(): void {
    this.#resets++
    this.#wake()
    this.#answers = []
    this.#held = 0
    this.#wires = new NoWires()
    this.#transfers.matchMask = 0
    this.#hz = startHz
  }

  control(setup: SetupPacket): Promise<TwinAnswer> {
    const isForIt = (setup.requestType & 0x60) === 0 && (setup.requestType & 0x80) === 0
    return Promise.resolve(isForIt ? empty : 'stall')
  }

  /** With as many as it holds it lets the host wait. */
  async bulkOut(_: number, bytes: Uint8Array): Promise<TwinAnswer> {
    while (this.#held >= this.#options.packets) {
      const [bus, resets] = [this.#bus, this.#resets]
      await new Promise<void>((resolve) => (this.#heard = resolve))
      if (bus !== this.#bus || !bus || resets !== this.#resets) return 'broken'
    }
    this.#held++
    this.#working = this.#working.then(() => this.#work(bytes.slice()))
    return empty
  }

  async bulkIn(): Promise<TwinAnswer> {
    const resets = this.#resets
    for (;;) {
      const bus = this.#bus
      if (!bus || resets !== this.#resets) return 'broken'
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
    const [bus, resets] = [this.#bus, this.#resets]
    if (!bus) return
    this.#wires.bits = 0
    const answer = this.#answerTo(command)
    await bus.clock.sleep((this.#wires.bits * 1000) / this.#hz)
    if (this.#bus !== bus || this.#resets !== resets) return
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
        return Uint8Array.of(id, this.#connect(read.u8()))
      case Command.Disconnect:
        this.#wires = new NoWires()
        this.#options.target.swd.reset(false)
        return Uint8Array.of(id, Status.Ok)
      case Command.TransferConfigure:
        read.u8() // idle cycles
        this.#transfers.waits = read.u16le()
        this.#transfers.matchTries = read.u16le()
        return Uint8Array.of(id, Status.Ok)
      case Command.Transfer:
        return this.#transfers.transfer(read, this.#wires)
      case Command.TransferBlock:
        return this.#transfers.block(read, this.#wires)
      case Command.WriteAbort:
        if (!this.#wires.select(read.u8())) return Uint8Array.of(id, Status.Error)
        this.#wires.abort(read.u32le())
        return Uint8Array.of(id, Status.Ok)
      case Command.SwjClock:
        this.#hz = Math.max(1000, read.u32le())
        return Uint8Array.of(id, Status.Ok)
      case Command.SwjSequence: {
        const count = read.u8() || 256
        this.#wires.sequence(read.bytes(Math.ceil(count / 8)), count)
        return Uint8Array.of(id, Status.Ok)
      }
      case Command.SwjPins: {
        const [output, select] = [read.u8(), read.u8()]
        // without a port its pins drive nothing
        const drivesReset = this.#isConnected && (select & Pin.Reset) !== 0
        if (drivesReset) this.#options.target.swd.reset((output & Pin.Reset) === 0)
        return Uint8Array.of(id, drivesReset ? output & Pin.Reset : Pin.Reset)
      }
      case Command.Delay:
        this.#wires.bits += Math.ceil((read.u16le() * this.#hz) / 1e6)
        return Uint8Array.of(id, Status.Ok)
      case Command.ResetTarget:
        return Uint8Array.of(id, Status.Ok, 0)
      case Command.JtagSequence:
      case Command.JtagConfigure:
      case Command.JtagIdcode:
        return this.#options.hasJtag ? this.#byJtag(id, read) : Uint8Array.of(id, Status.Error)
      default:
        return Uint8Array.of(unknownCommand)
    }
  }

  #info(id: number): Uint8Array {
    const { packetBytes, packets, texts, hasJtag } = this.#options
    if (id === Info.Capabilities) return Uint8Array.of(Command.Info, 1, Can.Swd | (hasJtag ? Can.Jtag : 0))
    if (id === Info.PacketCount) return Uint8Array.of(Command.Info, 1, packets)
    if (id === Info.PacketSize) return new ByteWriter().bytes([Command.Info, 2]).u16le(packetBytes).done()
    const text = texts[id]
    const bytes = text === undefined ? [] : [...new TextEncoder().encode(text), 0]
    return Uint8Array.of(Command.Info, bytes.length, ...bytes)
  }

  get #isConnected(): boolean {
    return !(this.#wires instanceof NoWires)
  }

  /** Gives what it is connected by now; 0: not at all. */
  #connect(port: number): number {
    const isJtag = port === Port.Jtag
    if (isJtag && !this.#options.hasJtag) this.#wires = new NoWires()
    else this.#wires = isJtag ? this.#jtag : this.#swd
    this.#wires.bits = 0
    // all lines of a port are high when it is set up
    if (this.#isConnected) this.#options.target.swd.reset(false)
    return this.#wires === this.#jtag ? Port.Jtag : this.#wires === this.#swd ? Port.Swd : 0
  }

  #byJtag(id: number, read: ByteReader): Uint8Array {
    const { master } = this.#jtag
    const isConnected = this.#wires === this.#jtag
    if (id === Command.JtagConfigure) {
      master.configure(Array.from({ length: read.u8() }, () => read.u8()))
      return Uint8Array.of(id, Status.Ok)
    }
    if (id === Command.JtagSequence) return this.#jtagSequence(read)
    if (!isConnected || !this.#wires.select(read.u8())) return Uint8Array.of(id, Status.Error)
    return new ByteWriter().bytes([id, Status.Ok]).u32le(master.idcode()).done()
  }

  /** Cycle by cycle; what is wanted of TDO is filled up to whole bytes, sequence by sequence. */
  #jtagSequence(read: ByteReader): Uint8Array {
    const { master } = this.#jtag
    const answer: number[] = [Command.JtagSequence, Status.Ok]
    for (let left = read.u8(); left > 0; left--) {
      const info = read.u8()
      const count = info & Cycles.Count || 64
      const tdi = read.bytes(Math.ceil(count / 8))
      const tdo = new Uint8Array(tdi.length)
      for (let i = 0; i < count; i++) {
        const level = master.clock((info & Cycles.Tms) !== 0 ? 1 : 0, ((tdi[i >> 3] ?? 0) >> (i & 7)) & 1)
        tdo[i >> 3] = (tdo[i >> 3] ?? 0) | (level << (i & 7))
      }
      if ((info & Cycles.Capture) !== 0) answer.push(...tdo)
    }
    return Uint8Array.from(answer)
  }
}
