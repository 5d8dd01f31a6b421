/**
 * An open J-Link: what it said of itself, and what can be done with it. It knows no target. Sources: as `packets.ts`;
 * OpenOCD, `src/jtag/drivers/jlink.c` (the order of opening).
 */
import { ByteReader, equal, exactly, isBlank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { UsbLink } from '#transport/links.ts'
import type { Pipes } from './descriptors.ts'
import {
  Can,
  capabilitiesExBytes,
  Command,
  configBytes,
  firstWithIo3,
  io,
  only,
  parseCapabilities,
  parseFirmware,
  parseHardwareVersion,
  parseRegistration,
  parseSpeeds,
  parseVoltageMv,
  register,
  registrationBytes,
  selectInterface,
  setSpeed,
  unregister,
  whichInterfaces,
  type Bits,
  type Firmware,
  type HardwareVersion,
  type Interface,
  type Speeds,
} from './packets.ts'
import { JlinkSession } from './session.ts'

const stateBytes = 8
const speedBytes = 6
/** Where it does not say how much it holds. */
const leastMemory = 1024
/** As OpenOCD has it: of each of both lines, with what is kept for the answer's frame. */
const mostLineBytes = 2048
const frameBytes = 16
/** Of two accesses with their idle bits. */
const leastLineBytes = 13

/** What it was asked for once. */
export interface Said {
  readonly firmware: Firmware
  readonly capabilities: ReadonlySet<number>
  readonly hardware: HardwareVersion
  readonly speeds: Speeds | undefined
  /** Bits by interface. */
  readonly interfaces: number
  readonly voltageMv: number
  /** Bytes of each line in one command. */
  readonly lineBytes: number
}

export class JlinkProbe {
  readonly said: Said
  readonly #session: JlinkSession
  readonly #handle: number | undefined
  /** What is set in it, and after how many of its beginnings. */
  #set: { readonly which: Interface; readonly hz: number; readonly resets: number } | undefined
  /** nRESET is to be low. */
  #isHeld = false

  private constructor(session: JlinkSession, said: Said, handle: number | undefined) {
    this.#session = session
    this.said = said
    this.#handle = handle
  }

  static async open(link: UsbLink, pipes: Pipes): Promise<JlinkProbe> {
    const session = new JlinkSession(link, pipes)
    await session.begin()
    const firmware = parseFirmware(session.version)
    let capabilities = parseCapabilities(session.capabilities)
    const has = (bit: Can) => capabilities.has(bit)
    if (has(Can.CapabilitiesEx)) {
      const more = await session.ask(only(Command.CapabilitiesEx), capabilitiesExBytes)
      capabilities = new Set([...capabilities, ...parseCapabilities(more)])
    }
    const hardware = has(Can.HardwareVersion)
      ? parseHardwareVersion(await session.ask(only(Command.HardwareVersion), 4))
      : { type: 0, major: 0, minor: 0, revision: 0 }
    const memory = has(Can.FreeMemory)
      ? new ByteReader(await session.ask(only(Command.FreeMemory), 4)).u32le()
      : leastMemory
    const voltageMv = parseVoltageMv(await session.ask(only(Command.GetState), stateBytes))
    const handle = has(Can.Register) ? await registered(session) : undefined
    const interfaces = has(Can.SelectInterface)
      ? new ByteReader(await session.ask(selectInterface(whichInterfaces), 4)).u32le()
      : 1
    const speeds = has(Can.SpeedInfo)
      ? parseSpeeds(await session.ask(only(Command.GetSpeeds), speedBytes))
      : undefined
    const lineBytes = Math.min(mostLineBytes, Math.floor((memory - frameBytes) / 2))
    const said = { firmware, capabilities, hardware, speeds, interfaces, voltageMv, lineBytes }
    return new JlinkProbe(session, said, handle)
  }

  can = (bit: Can): boolean => this.said.capabilities.has(bit)
  has = (which: Interface): boolean => ((this.said.interfaces >> which) & 1) === 1

  /** Takes the lines as these, at no more than this speed. */
  async take(which: Interface, hz: number): Promise<void> {
    if (this.said.lineBytes < leastLineBytes)
      throw new FlashError('device-refused', { during: 'taking the debug lines', status: 'no memory left' })
    await this.#session.begin()
    this.#set = { which, hz, resets: this.#session.resets }
    if (this.can(Can.SelectInterface)) await this.#session.ask(selectInterface(which), 4)
    await this.reset(this.#isHeld)
    await this.#session.tell(setSpeed(Math.max(1, Math.floor(hz / 1000))))
  }

  /** Gives what was sampled. */
  async io(bits: Bits): Promise<Uint8Array> {
    const set = this.#set
    if (set && set.resets !== this.#session.resets) await this.take(set.which, set.hz)
    const length = Math.ceil(bits.count / 8)
    if (this.said.hardware.major < firstWithIo3) return this.#session.ask(io(Command.Io2, bits), length)
    const answer = await this.#session.ask(io(Command.Io3, bits), length + 1)
    const [status = 0] = answer.subarray(length)
    if (status !== 0)
      throw new FlashError('device-refused', { during: 'sending bits', status: String(status) })
    return answer.subarray(0, length)
  }

  reset(asserted: boolean): Promise<void> {
    this.#isHeld = asserted
    return this.#session.tell(only(asserted ? Command.ResetLow : Command.ResetHigh))
  }

  async readConfig(): Promise<Uint8Array> {
    return exactly(
      configBytes,
      await this.#session.ask(only(Command.ReadConfig), configBytes),
      'reading its configuration',
    )
  }

  /** All of it, and read again. An area in which nothing is, is none that can be written. */
  async writeConfig(config: Uint8Array): Promise<void> {
    if (isBlank(await this.readConfig())) throw new FlashError('write-protected', { memory: 'config' })
    const command = new Uint8Array(1 + configBytes)
    command[0] = Command.WriteConfig
    command.set(config.subarray(0, configBytes), 1)
    await this.#session.tell(command)
    if (equal(await this.readConfig(), config)) return
    throw new FlashError('device-refused', { during: 'writing its configuration', status: 'not kept' })
  }

  /** Lets others have it. */
  async leave(): Promise<void> {
    if (this.#handle !== undefined) await this.#session.ask(unregister(this.#handle), registrationBytes)
  }
}

async function registered(session: JlinkSession): Promise<number> {
  const first = await session.ask(register(), registrationBytes)
  const { handle, length } = parseRegistration(first)
  if (length > registrationBytes) await session.rest(length - registrationBytes)
  return handle
}
