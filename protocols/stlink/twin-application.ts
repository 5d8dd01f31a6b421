/**
 * An ST-Link's firmware: its commands, and what it does on the debug wires for each. It plays every version by its number:
 * what came later is unknown to it. Sources: as `packets.ts` (what is answered since when: `stlink_usb_version`).
 */
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import { Command, Debug, Enter, Item, Mode, Nrst, Status, type Lines, type Version } from './packets.ts'
import type { TwinProgram } from './twin-device.ts'
import { DebugLines, type Wired } from './twin-lines.ts'

/** What is at the end of its wires; it has its power from the probe. */
export interface WiredChip extends Wired {
  power(clock: Clock): void
  losePower(): void
}

export interface ApplicationOptions {
  readonly version: Version
  readonly target: WiredChip
  /** At the pin that measures the target; 0: nothing is connected there. */
  readonly volts: number
  /** `F9`: into its own boot loader; absent: it has no such way, as a V2. */
  readonly restart?: () => void
}

/** The first version that knows it: V2, V3. What is not here all do that are played. */
const since: Readonly<Record<number, readonly [v2: number, v3: number]>> = {
  [Debug.GetLastRwStatus2]: [15, 0],
  [Debug.SwdSetFreq]: [22, Infinity],
  [Debug.JtagSetFreq]: [24, Infinity],
  [Debug.ReadDapReg]: [24, 0],
  [Debug.WriteDapReg]: [24, 0],
  [Debug.ReadMem16]: [26, 0],
  [Debug.WriteMem16]: [26, 0],
  [Debug.InitAp]: [28, 0],
  [Debug.CloseApDbg]: [28, 0],
  [Debug.RwMiscOut]: [32, 2],
  [Debug.RwMiscIn]: [32, 2],
  [Debug.SetComFreq]: [Infinity, 0],
  [Debug.GetComFreq]: [Infinity, 0],
}
const swdDivisorsHz: Readonly<Record<number, number>> = {
  ...{ 0: 4_000_000, 1: 1_800_000, 2: 1_200_000, 3: 950_000, 7: 480_000, 15: 240_000, 31: 125_000 },
  ...{ 40: 100_000, 79: 50_000, 158: 25_000, 265: 15_000, 798: 5000 },
}
const jtagDivisorsHz: Readonly<Record<number, number>> = {
  ...{ 2: 18_000_000, 4: 9_000_000, 8: 4_500_000, 16: 2_250_000, 32: 1_125_000, 64: 562_000 },
  ...{ 128: 281_000, 256: 140_000 },
}
/** The first number of a command about speeds says which lines it is about. */
const linesOf = (number: number): Lines => (number === 1 ? 'JTAG' : 'SWD')
const v3KHz: Readonly<Record<Lines, readonly number[]>> = {
  SWD: [24_000, 8000, 3300, 1000, 200, 50, 5],
  JTAG: [21_333, 16_000, 12_000, 8000, 4000, 1000, 500, 125],
}
const startHz = { v2: 1_800_000, v3: 1_000_000 } as const
/** Of a V2. */
const jtagStartHz = 1_125_000
const ReferenceReading = 1500

const Core = { Aircr: 0xe000_ed0c, Dhcsr: 0xe000_edf0, Dcrsr: 0xe000_edf4, Dcrdr: 0xe000_edf8 } as const
const resetRequest = 0x05fa_0004
const dhcsr = { halt: 0xa05f_0003, run: 0xa05f_0001, step: 0xa05f_0005 } as const
const halted = 1 << 17
const [running, stopped] = [0x80, 0x81]
const writeRegister = 0x1_0000
const allRegisters = 21
const mostBytes = 6144
const identification = 0xfc
const debugPort = 0xffff

/** By what memory commands do. */
const reads: Readonly<Record<number, 1 | 2 | 4>> = {
  [Debug.ReadMem8]: 1,
  [Debug.ReadMem16]: 2,
  [Debug.ReadMem32]: 4,
}
const writes: Readonly<Record<number, 1 | 2 | 4>> = {
  [Debug.WriteMem8]: 1,
  [Debug.WriteMem16]: 2,
  [Debug.WriteMem32]: 4,
}

export class Application implements TwinProgram {
  readonly #options: ApplicationOptions
  readonly #lines: DebugLines
  #mode: number = Mode.Mass
  /** Which lines it was told to take last. */
  #taken: Lines = 'SWD'
  readonly #hz: Record<Lines, number>
  /** Of the transfer before; told once. */
  #lastStatus: number = Status.Ok
  #lastAddress = 0
  #openAps = new Set<number>()
  /** Values and statuses of the row before. */
  #row: { readonly values: number[]; readonly statuses: number[] } = { values: [], statuses: [] }

  constructor(options: ApplicationOptions) {
    this.#options = options
    this.#lines = new DebugLines(options.target)
    const hz = this.#isV3 ? startHz.v3 : startHz.v2
    this.#hz = { SWD: hz, JTAG: this.#isV3 ? hz : jtagStartHz }
  }

  get #isV3(): boolean {
    return this.#options.version.generation >= 3
  }

  follows(frame: Uint8Array): number {
    const [command, op = 0] = frame
    if (command !== Command.Debug || !this.#knows(op)) return 0
    const read = new ByteReader(frame.subarray(2))
    const first = read.u32le()
    if (op === Debug.RwMiscOut) return ((first + 3) & ~3) + 4 * first
    return op in writes ? read.u16le() : 0
  }

  async answer(frame: Uint8Array, bytes: Uint8Array, clock: Clock): Promise<Uint8Array | undefined> {
    this.#lines.bits = 0
    const answer = this.#answerTo(frame, bytes)
    await clock.sleep((this.#lines.bits * 1000) / this.#hz[this.#taken])
    return answer
  }

  #answerTo(frame: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
    const [command = 0, op = 0] = frame
    switch (command) {
      case Command.GetVersion:
        return this.#version()
      case Command.GetVersionEx:
        return this.#isV3 ? this.#versionEx() : status(Status.Unknown)
      case Command.GetCurrentMode:
        return Uint8Array.of(this.#mode, 0)
      case Command.GetTargetVoltage: {
        const reading = Math.round((this.#options.volts * ReferenceReading) / 2.4)
        return new ByteWriter().u32le(ReferenceReading).u32le(reading).done()
      }
      case Command.RestartLoader:
        return this.#restart(op)
      case Command.Swim:
        return undefined
      case Command.Dfu:
        return op === 7 ? undefined : status(Status.Unknown)
      case Command.Debug:
        return this.#debug(op, frame, bytes)
      default:
        return status(Status.Unknown)
    }
  }

  #version(): Uint8Array {
    const { generation, jtag, swim, mass, vendorId, productId } = this.#options.version
    const word = generation >= 3 ? 0x3000 : (generation << 12) | (jtag << 6) | (mass || swim)
    return new ByteWriter().u16be(word).u16le(vendorId).u16le(productId).done()
  }

  #versionEx(): Uint8Array {
    const { generation, jtag, swim, mass, bridge, vendorId, productId } = this.#options.version
    const numbers = [generation, swim, jtag, mass, bridge, 0, 0, 0]
    return new ByteWriter().bytes(numbers).u16le(vendorId).u16le(productId).done()
  }

  /** 0: whether it can; 1: it goes. */
  #restart(op: number): Uint8Array | undefined {
    const { restart } = this.#options
    if (op === 0) return status(restart ? Status.Ok : 0x21)
    if (op === 1) restart?.()
    return restart ? undefined : status(Status.Unknown)
  }

  #knows(op: number): boolean {
    const { jtag } = this.#options.version
    const [v2, v3] = since[op] ?? [0, 0]
    return jtag >= (this.#isV3 ? v3 : v2)
  }

  // ---- the target ---------------------------------------------------------------------------------

  #debug(op: number, frame: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
    const read = new ByteReader(frame.subarray(2))
    if (!this.#knows(op)) return status(Status.Unknown)
    if (op in reads || op in writes) return this.#memory(op, read, bytes)
    switch (op) {
      case Debug.Enter:
        return this.#enter(read.u8())
      case Debug.Exit:
        this.#mode = Mode.Mass
        this.#openAps.clear()
        return undefined
      case Debug.ReadIdcodes: {
        const found = this.#mode === Mode.Debug ? this.#lines.readIdcodes() : undefined
        const [first = 0, second = 0] = found ?? []
        return withWords(found ? Status.Ok : Status.IdcodeError, first, second)
      }
      case Debug.GetStatus:
        return Uint8Array.of((this.#word(Core.Dhcsr).value & halted) !== 0 ? stopped : running, 0)
      case Debug.ForceDebug:
        return status(this.#put(Core.Dhcsr, dhcsr.halt))
      case Debug.RunCore:
        return status(this.#put(Core.Dhcsr, dhcsr.run))
      case Debug.StepCore:
        return status(this.#put(Core.Dhcsr, dhcsr.step))
      case Debug.ResetSys:
        return status(this.#put(Core.Aircr, resetRequest))
      case Debug.ReadReg: {
        const { value, status } = this.#register(read.u8())
        return withWords(status, value)
      }
      case Debug.WriteReg: {
        const [index, value] = [read.u8(), read.u32le()]
        this.#put(Core.Dcrdr, value)
        return status(this.#put(Core.Dcrsr, writeRegister | index))
      }
      case Debug.ReadAllRegs: {
        const all = Array.from({ length: allRegisters }, (_, index) => this.#register(index).value)
        return withWords(this.#register(0).status, ...all)
      }
      case Debug.WriteDebugReg:
        return status(this.#put(read.u32le(), read.u32le()))
      case Debug.ReadDebugReg: {
        const { value, status } = this.#word(read.u32le())
        return withWords(status, value)
      }
      case Debug.GetLastRwStatus:
        return status(this.#told())
      case Debug.GetLastRwStatus2: {
        const address = this.#lastAddress
        return withWords(this.#told(), address, 0)
      }
      case Debug.DriveNrst:
        return this.#nrst(read.u8())
      case Debug.SwdSetFreq:
        return this.#setHz('SWD', swdDivisorsHz[read.u16le()])
      case Debug.JtagSetFreq:
        return this.#setHz('JTAG', jtagDivisorsHz[read.u16le()])
      case Debug.SetComFreq: {
        const [lines] = [linesOf(read.u8()), read.u8()]
        return this.#setKHz(lines, read.u32le())
      }
      case Debug.GetComFreq: {
        const lines = linesOf(read.u8())
        const all = v3KHz[lines]
        const ten = Array.from({ length: 10 }, (_, i) => all[i] ?? 0)
        return withWords(Status.Ok, this.#hz[lines] / 1000, all.length, ...ten)
      }
      case Debug.InitAp:
        this.#openAps.add(read.u8())
        return status(Status.Ok)
      case Debug.CloseApDbg:
        return status(this.#openAps.delete(read.u8()) ? Status.Ok : Status.BadAp)
      case Debug.ReadDapReg: {
        const [ap, address] = [read.u16le(), read.u16le()]
        if (!this.#isOpen(ap, address)) return withWords(Status.BadAp, 0)
        const { value, status } = this.#lines.readRegister(ap, address)
        return withWords(status, value)
      }
      case Debug.WriteDapReg: {
        const [ap, address, value] = [read.u16le(), read.u16le(), read.u32le()]
        return status(
          this.#isOpen(ap, address) ? this.#lines.writeRegister(ap, address, value) : Status.BadAp,
        )
      }
      case Debug.RwMiscOut:
        this.#doRow(read.u32le(), bytes)
        return undefined
      case Debug.RwMiscIn: {
        const { values, statuses } = this.#row
        const writer = new ByteWriter()
        for (const word of [...values, ...statuses]) writer.u32le(word)
        return writer.done()
      }
      default:
        return status(Status.Unknown)
    }
  }

  #enter(how: number): Uint8Array {
    const isJtag = how === Enter.Jtag || how === Enter.JtagWithReset
    if (!isJtag && how !== Enter.Swd) return status(Status.CommandError)
    this.#taken = isJtag ? 'JTAG' : 'SWD'
    if (!this.#lines.connect(this.#taken))
      return status(isJtag ? Status.UnknownJtagChain : Status.IdcodeError)
    this.#mode = Mode.Debug
    return status(how === Enter.JtagWithReset ? this.#put(Core.Aircr, resetRequest) : Status.Ok)
  }

  #nrst(level: number): Uint8Array {
    if (level === Nrst.High) this.#lines.reset(false)
    else this.#lines.reset(true)
    if (level > Nrst.High) this.#lines.reset(false) // a pulse
    return status(Status.Ok)
  }

  #setHz(lines: Lines, hz: number | undefined): Uint8Array {
    if (hz === undefined) return status(Status.BadFrequency)
    this.#hz[lines] = hz
    return status(Status.Ok)
  }

  #setKHz(lines: Lines, kHz: number): Uint8Array {
    const chosen = v3KHz[lines].find((one) => one <= kHz)
    if (chosen === undefined) return withWords(Status.BadFrequency, 0)
    this.#hz[lines] = chosen * 1000
    return withWords(Status.Ok, chosen)
  }

  #isOpen(ap: number, address: number): boolean {
    return (
      ap === debugPort || address === identification || this.#openAps.has(ap) || !this.#knows(Debug.InitAp)
    )
  }

  #memory(op: number, read: ByteReader, bytes: Uint8Array): Uint8Array | undefined {
    const [address, length, ap] = [read.u32le(), read.u16le(), read.u8()]
    const [reading, writing] = [reads[op], writes[op]]
    const width = reading ?? writing ?? 4
    const most = width > 1 ? mostBytes : this.#isV3 ? 512 : 64
    const isAligned = address % width === 0 && length % width === 0
    const refusal = length > most ? Status.CommandError : isAligned ? undefined : Status.AlignmentError
    this.#lastAddress = address
    if (this.#mode !== Mode.Debug) this.#lastStatus = Status.CommandError
    else if (refusal !== undefined) this.#lastStatus = refusal
    else if (writing) this.#lastStatus = this.#lines.write(address, bytes, writing, ap)
    else {
      const { bytes, status } = this.#lines.read(address, length, width, ap)
      this.#lastStatus = status
      // a single byte comes with another one
      return length === 1 ? Uint8Array.of(bytes[0] ?? 0, 0) : bytes
    }
    return writing ? undefined : new Uint8Array(Math.max(length, 2))
  }

  #told(): number {
    const status = this.#lastStatus
    this.#lastStatus = Status.Ok
    return status
  }

  /** Item by item, those behind one that was refused, too. */
  #doRow(count: number, bytes: Uint8Array): void {
    const words = new ByteReader(bytes.subarray((count + 3) & ~3))
    const row: { values: number[]; statuses: number[] } = { values: [], statuses: [] }
    let [address, ap] = [0, 0]
    for (const item of bytes.subarray(0, count)) {
      const word = words.u32le()
      let done: { value: number; status: number } = { value: 0, status: Status.Ok }
      if (item === Item.Address) address = word
      else if (item === Item.Ap) ap = word
      else if (item === Item.Write) done = { value: 0, status: this.#put(address, word, ap) }
      else if (item === Item.Read) done = this.#word(word, ap)
      else done = { value: 0, status: Status.CommandError }
      row.values.push(done.value)
      row.statuses.push(done.status)
    }
    this.#row = row
  }

  #register(index: number): { value: number; status: number } {
    this.#put(Core.Dcrsr, index)
    return this.#word(Core.Dcrdr)
  }

  #word(address: number, ap = 0): { value: number; status: number } {
    if (this.#mode !== Mode.Debug) return { value: 0, status: Status.CommandError }
    const { bytes, status } = this.#lines.read(address, 4, 4, ap)
    return { value: new ByteReader(bytes).u32le(), status }
  }

  #put(address: number, value: number, ap = 0): number {
    if (this.#mode !== Mode.Debug) return Status.CommandError
    return this.#lines.write(address, new ByteWriter().u32le(value).done(), 4, ap)
  }
}

const status = (status: number): Uint8Array => Uint8Array.of(status, 0)

/** A status, filled up to a word, and words. */
function withWords(status: number, ...words: readonly number[]): Uint8Array {
  const writer = new ByteWriter().u32le(status)
  for (const word of words) writer.u32le(word)
  return writer.done()
}
