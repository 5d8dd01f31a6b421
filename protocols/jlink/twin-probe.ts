/**
 * A J-Link: its commands out of a stream of bytes, its answers, its configuration, and its wires bit by bit. Sources: as
 * `packets.ts`; RM08001 as far as those name it.
 */
import { ByteReader, ByteWriter, blank, concat } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { SwdBits } from '#bench/twin-swd-bits.ts'
import type { TwinJtag } from '#bench/twin-jtag.ts'
import type { TwinSwd } from '#bench/twin-swd.ts'
import {
  Can,
  capabilitiesExBytes,
  Command,
  configBytes,
  firstWithIo3,
  Interface,
  registrationBytes,
  whichInterfaces,
} from './packets.ts'

/** What is at the end of its wires. */
export interface WiredChip {
  readonly swd: TwinSwd
  readonly jtag?: TwinJtag | undefined
  power(clock: Clock): void
  losePower(): void
}

export interface ProbeOptions {
  readonly descriptors: UsbDescriptors
  readonly target: WiredChip
  readonly firmware: string
  readonly capabilities: readonly number[]
  /** TTMMmmrr in decimal digits; absent: it does not say. */
  readonly hardware: number
  readonly interfaces: readonly Interface[]
  readonly memoryBytes: number
  readonly baseHz: number
  readonly leastDivider: number
  readonly config: Uint8Array
  /** VERSION's length comes by itself. */
  readonly saysLengthFirst?: true
  /** VTref. */
  readonly targetMv: number
}

const startHz = 100_000
const versionBytes = 112
const whichNow = 0xfe
const notEnoughMemory = 6
const frameBytes = 16
/** Of its firmware, from a command to its answer. */
const thinksMs = 0.1
const register = 0x64
const mostConnections = 16
/** Process, host, two ids, handle, timestamp. */
const entryBytes = 16
const timestampBytes = 4
const empty = new Uint8Array()

export class JlinkTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  /** 256 bytes that outlast its power. */
  readonly config: Uint8Array
  readonly #options: ProbeOptions
  readonly #swd: SwdBits
  #bus: TwinBus | undefined
  #said: Uint8Array = empty
  #answers: Uint8Array[] = []
  #working = Promise.resolve()
  #beginnings = 0
  #waiting: () => void = () => undefined
  #interface: number = Interface.Jtag
  #hz = startHz
  readonly #connections = new Map<number, Uint8Array>()

  constructor(options: ProbeOptions) {
    this.#options = options
    this.descriptors = options.descriptors
    this.config = options.config.slice()
    this.#swd = new SwdBits(options.target.swd)
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.reset()
    this.#options.target.power(bus.clock)
  }

  unplugged(): void {
    this.#bus = undefined
    this.#beginnings++
    this.#waiting()
    this.#options.target.losePower()
  }

  reset(): void {
    this.#beginnings++
    this.#said = empty
    this.#answers = []
    this.#interface = Interface.Jtag
    this.#hz = startHz
    this.#connections.clear()
  }

  control(setup: SetupPacket): Promise<TwinAnswer> {
    const isForIt = (setup.requestType & 0x60) === 0 && (setup.requestType & 0x80) === 0
    return Promise.resolve(isForIt ? empty : 'stall')
  }

  /** A command may come in several transfers. */
  bulkOut(_: number, bytes: Uint8Array): Promise<TwinAnswer> {
    const beginning = this.#beginnings
    this.#working = this.#working.then(() => this.#hear(bytes.slice(), beginning))
    return Promise.resolve(empty)
  }

  async bulkIn(): Promise<TwinAnswer> {
    for (;;) {
      const bus = this.#bus
      if (!bus) return 'broken'
      const answer = this.#answers.shift()
      if (answer) return answer
      await new Promise<void>((resolve) => (this.#waiting = resolve))
    }
  }

  /** What was said before it began anew is forgotten. */
  async #hear(bytes: Uint8Array, beginning: number): Promise<void> {
    await this.#bus?.clock.sleep(thinksMs)
    if (beginning !== this.#beginnings) return
    this.#said = concat(this.#said, bytes)
    for (
      let length = this.#lengthOf(this.#said);
      this.#said.length >= length;
      length = this.#lengthOf(this.#said)
    ) {
      const command = this.#said.slice(0, length)
      this.#said = this.#said.slice(length)
      await this.#do(command)
    }
  }

  /** Of the command that this begins with; as far as is known how long it is. */
  #lengthOf([command, , low, high]: Uint8Array): number {
    switch (command) {
      case Command.SetSpeed:
        return 3
      case Command.SelectInterface:
      case Command.SetPower:
        return 2
      case Command.GetHardwareInfo:
        return 5
      case Command.Register:
        return 14
      case Command.WriteConfig:
        return 1 + configBytes
      case Command.Io2:
      case Command.Io3:
        return low === undefined || high === undefined ? 4 : 4 + 2 * Math.ceil((low | (high << 8)) / 8)
      default:
        return 1
    }
  }

  #has = (bit: Can): boolean => this.#options.capabilities.includes(bit)

  async #do(command: Uint8Array): Promise<void> {
    const read = new ByteReader(command.subarray(1))
    switch (command[0]) {
      case Command.Version:
        this.#sayVersion()
        return
      case Command.Capabilities:
        this.#say(this.#capabilities().subarray(0, 4))
        return
      case Command.CapabilitiesEx:
        if (this.#has(Can.CapabilitiesEx)) this.#say(this.#capabilities())
        return
      case Command.HardwareVersion:
        if (this.#has(Can.HardwareVersion)) this.#sayWord(this.#options.hardware)
        return
      case Command.FreeMemory:
        if (this.#has(Can.FreeMemory)) this.#sayWord(this.#options.memoryBytes)
        return
      case Command.GetState:
        this.#say(new ByteWriter().u16le(this.#options.targetMv).bytes([0, 0, 0, 1, 1, 1]).done())
        return
      case Command.GetSpeeds: {
        const { baseHz, leastDivider } = this.#options
        if (this.#has(Can.SpeedInfo)) this.#say(new ByteWriter().u32le(baseHz).u16le(leastDivider).done())
        return
      }
      case Command.SetSpeed:
        this.#setSpeed(read.u16le())
        return
      case Command.Register:
        if (this.#has(Can.Register)) this.#say(this.#registration(read))
        return
      case Command.GetHardwareInfo: {
        const mask = read.u32le()
        for (let bit = 0; bit < 32; bit++) if ((mask >>> bit) & 1) this.#sayWord(0)
        return
      }
      case Command.SelectInterface:
        this.#selectInterface(read.u8())
        return
      case Command.ReadConfig:
        if (this.#has(Can.ReadConfig)) this.#say(this.config.slice())
        return
      case Command.WriteConfig:
        if (this.#has(Can.WriteConfig)) this.config.set(read.bytes(configBytes))
        return
      case Command.ResetLow:
      case Command.ResetHigh:
        this.#options.target.swd.reset(command[0] === Command.ResetLow)
        return
      case Command.TrstLow:
        this.#options.target.jtag?.reset()
        return
      case Command.Io2:
        await this.#io(command, false)
        return
      case Command.Io3:
        if (this.#options.hardware % 1_000_000 >= firstWithIo3 * 10_000) await this.#io(command, true)
    }
  }

  #say(answer: Uint8Array): void {
    this.#answers.push(answer)
    this.#waiting()
  }

  #sayWord(value: number): void {
    this.#say(new ByteWriter().u32le(value).done())
  }

  #sayVersion(): void {
    const text = new Uint8Array(versionBytes)
    text.set(new TextEncoder().encode(this.#options.firmware))
    const length = new ByteWriter().u16le(versionBytes).done()
    if (!this.#options.saysLengthFirst) this.#say(concat(length, text))
    else {
      this.#say(length)
      this.#say(text)
    }
  }

  #capabilities(): Uint8Array {
    const bytes = new Uint8Array(capabilitiesExBytes)
    for (const bit of this.#options.capabilities) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7))
    return bytes
  }

  #setSpeed(kHz: number): void {
    const { baseHz, leastDivider } = this.#options
    const divider = Math.ceil(baseHz / (Math.max(1, kHz) * 1000))
    this.#hz = baseHz / Math.max(leastDivider, divider)
  }

  /** One connection more, or this one less, and all of them in a list. */
  #registration(read: ByteReader): Uint8Array {
    const isNew = read.u8() === register
    const entry = read.bytes(entryBytes - timestampBytes).slice()
    const [wanted = 0] = [entry.at(-2)]
    const handle = isNew ? wanted || this.#freeHandle() : 0
    if (!isNew) this.#connections.delete(wanted)
    else if (handle > 0) this.#connections.set(handle, entry.with(entry.length - 2, handle))
    const list = [...this.#connections.values()].map((one) => concat(one, new Uint8Array(timestampBytes)))
    const head = new ByteWriter().u16le(handle).u16le(list.length).u16le(entryBytes).u16le(0).done()
    const answer = concat(head, ...list)
    return concat(answer, new Uint8Array(Math.max(0, registrationBytes - answer.length)))
  }

  /** 0: there are as many as it takes. */
  #freeHandle(): number {
    for (let handle = 1; handle <= mostConnections; handle++)
      if (!this.#connections.has(handle)) return handle
    return 0
  }

  #selectInterface(which: number): void {
    if (!this.#has(Can.SelectInterface)) return
    const { interfaces } = this.#options
    if (which === whichInterfaces)
      return this.#sayWord(interfaces.reduce<number>((bits, one) => bits | (1 << one), 0))
    this.#sayWord(this.#interface)
    if (which !== whichNow && interfaces.some((one) => one === which)) this.#interface = which
  }

  /** What is sampled on the last clocks that nobody needs is as good as any. */
  async #io(command: Uint8Array, hasStatus: boolean): Promise<void> {
    const beginning = this.#beginnings
    const count = (command[2] ?? 0) | ((command[3] ?? 0) << 8)
    const bytes = Math.ceil(count / 8)
    const status = hasStatus ? [0] : []
    if (2 * bytes + frameBytes > this.#options.memoryBytes) {
      this.#say(concat(new Uint8Array(bytes), Uint8Array.from(hasStatus ? [notEnoughMemory] : [])))
      return
    }
    const [a, b] = [command.subarray(4, 4 + bytes), command.subarray(4 + bytes)]
    const sampled = new Uint8Array(bytes)
    for (let i = 0; i < count; i++) {
      const level = this.#clock(bitOf(a, i), bitOf(b, i))
      sampled[i >> 3] = (sampled[i >> 3] ?? 0) | (level << (i & 7))
    }
    await this.#bus?.clock.sleep((count * 1000) / this.#hz)
    if (this.#beginnings === beginning) this.#say(concat(sampled, Uint8Array.from(status)))
  }

  #clock(a: number, b: number): number {
    if (this.#interface === Interface.Swd) return this.#swd.clock(a === 1, b)
    return this.#options.target.jtag?.clock(a, b) ?? 1
  }
}

const bitOf = (bytes: Uint8Array, i: number): number => ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1

/** As SEGGER leaves it, with what a user may have set. Layout: libjaylink, `libjaylink/device.c`. */
export function practiceConfig(): Uint8Array {
  const config = blank(configBytes)
  config.set([0, 0, 0, 0, 0, 0, 0, 0]) // USB address 0, no power at start
  config.set([0x78, 0x56, 0x34, 0xc7, 0x22, 0x00], 0x30) // a MAC, last byte first
  return config
}
