/**
 * RP2040 and RP2350 in BOOTSEL mode, as their ROMs behave: what they check in which order, what they stall, what they say
 * afterwards. An RP2040 acknowledges an erase that it has refused, and says that all is well; an RP2350 stalls and says why.
 * Measured on the RP2040's own ROM (B1); for the RP2350 from its published source. Code that is to be run is not.
 * Sources: pico-bootrom-rp2040, `usb_boot_device.c`, `async_task.c`; pico-bootrom-rp2350, `nsboot_usb_client.c`,
 * `nsboot_async_task.c`, `varm_checked_flash.c`.
 */
import { concat, equal } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, TwinBus, TwinPatient, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import type { TwinFlash } from '#bench/twin-flash.ts'
import { flashAddress, mostFlashBytes, pageBytes, sectorBytes } from '#chips/rp2-chips.ts'
import {
  askFlash,
  askTable,
  Command,
  Endpoint,
  formatFlashInfo,
  formatStatus,
  formatTableInfo,
  isIn,
  parseCommand,
  Request,
  statusBytes,
  type CommandBlock,
  type StatusName,
} from './packets.ts'
import { bootselDescriptors, type Strings } from './twin-descriptors.ts'

export interface BootselOptions {
  readonly chip: 'RP2040' | 'RP2350'
  readonly flash: TwinFlash
  readonly strings: Strings
  /** At 0x13 of its ROM. */
  readonly romVersion: number
  /** RP2350: its flash is divided by a partition table. */
  readonly hasTable?: boolean
  /** RP2350: addresses of flash that its partition table lets nobody read or write. */
  readonly forbids?: (address: number) => boolean
  /** As what it comes back when it is started, and what power makes of it; undefined: what it holds is not started. */
  readonly runs?: () => UsbTwin | undefined
}

const restartMs = 300
const rom = { length: 0x2000, versionAt: 0x13 }
const ok = new Uint8Array()
const standardType = 0x60

/** Argument bytes of each command. */
const argumentBytes: Readonly<Record<BootselOptions['chip'], Readonly<Record<number, number>>>> = {
  RP2040: { 1: 1, 2: 12, 3: 8, 4: 8, 5: 8, 6: 0, 7: 0, 8: 4, 9: 4 },
  RP2350: { 1: 1, 2: 12, 3: 8, 4: 8, 5: 8, 6: 0, 7: 0, 8: 4, 9: 4, 10: 16, 11: 16, 12: 5, 13: 5 },
}

const number = (command: number): number => command & 0x7f
const Id = {
  exclusive: number(Command.ExclusiveAccess),
  reboot: number(Command.Reboot),
  erase: number(Command.FlashErase),
  read: number(Command.Read),
  write: number(Command.Write),
  exec: number(Command.Exec),
  vectorize: number(Command.VectorizeFlash),
  reboot2: number(Command.Reboot2),
  info: number(Command.GetInfo),
  otpRead: number(Command.OtpRead),
  otpWrite: number(Command.OtpWrite),
} as const

/** What follows a command. */
type Phase =
  | { readonly is: 'command' }
  | { readonly is: 'giving'; rest: Uint8Array }
  | { readonly is: 'taking'; address: number; left: number }
  /** An empty packet, IN after OUT data or none; there from `at` on. */
  | { readonly is: 'ending'; readonly at: number }
  /** Any packet OUT. */
  | { readonly is: 'given' }
  /** Refused in the middle: nothing until a reset. */
  | { readonly is: 'broken-off' }

export class BootselTwin implements UsbTwin, TwinPatient {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  readonly #options: BootselOptions
  #bus: TwinBus | undefined
  #phase: Phase = { is: 'command' }
  #halted = { in: false, out: false }
  #status: { token: number; status: StatusName; command: number; busy: boolean } = noStatus
  #isRebooting = false

  constructor(options: BootselOptions) {
    this.#options = options
    this.descriptors = bootselDescriptors(options.chip, options.strings)
  }

  set onWork(listener: (ms: number) => void) {
    this.#options.flash.onWork = listener
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#isRebooting = false
    this.#reset()
  }

  unplugged(): void {
    if (this.#bus) this.#options.flash.losePower(this.#bus.clock.now())
    this.#bus = undefined
  }

  /** What it holds decides what it comes back as. */
  brownOut(): void {
    const bus = this.#bus
    this.unplugged()
    bus?.detach({ twin: this.#options.runs?.() ?? this, ms: restartMs })
  }

  reset(): void {
    this.#reset()
  }

  #reset(): void {
    this.#phase = { is: 'command' }
    this.#halted = { in: false, out: false }
    this.#status = noStatus
  }

  control({ requestType, request, length }: SetupPacket): Promise<TwinAnswer> {
    const answer = (): TwinAnswer => {
      if ((requestType & standardType) === 0) return ok
      if (requestType === 0x41 && request === Request.Reset) {
        this.#reset()
        return ok
      }
      if (requestType !== 0xc1 || request !== Request.Status || length !== statusBytes) return 'stall'
      const { token, status, command, busy } = this.#status
      return formatStatus(token, status, command, busy)
    }
    return Promise.resolve(answer())
  }

  async bulkOut(endpoint: number, bytes: Uint8Array): Promise<TwinAnswer> {
    if (endpoint !== Endpoint.Out) return 'silent'
    if (this.#halted.out) return 'stall'
    const phase = this.#phase
    if (phase.is === 'taking') return this.#take(phase, bytes)
    if (phase.is === 'given') {
      this.#phase = { is: 'command' }
      return ok
    }
    if (phase.is !== 'command') return 'silent'
    const command = parseCommand(bytes)
    if (command) this.#begin(command)
    else this.#halt('in', 'out')
    return ok // it has taken the packet, and halts behind it
  }

  async bulkIn(endpoint: number, length: number): Promise<TwinAnswer> {
    if (endpoint !== Endpoint.In) return 'silent'
    if (this.#halted.in) return 'stall'
    const phase = this.#phase
    if (phase.is === 'giving') {
      const part = phase.rest.slice(0, length)
      phase.rest = phase.rest.subarray(length)
      if (phase.rest.length > 0) return part
      this.#phase = { is: 'given' }
      this.#status = { ...this.#status, busy: false }
      return part
    }
    if (phase.is !== 'ending') return 'silent'
    const leftMs = phase.at - (this.#bus?.clock.now() ?? 0)
    if (leftMs > 0) await this.#bus?.clock.sleep(leftMs)
    if (this.#phase !== phase) return 'silent' // aborted meanwhile
    this.#phase = { is: 'command' }
    this.#status = { ...this.#status, busy: false }
    return ok
  }

  // ---- commands ---------------------------------------------------------------------------------

  #begin({ token, command, args, transferBytes }: CommandBlock): void {
    const { chip } = this.#options
    const id = number(command)
    const refuse = (status: StatusName) => {
      this.#status = { ...this.#status, status, busy: false }
      this.#halt('in', 'out')
    }
    this.#status = { token, command, status: 'OK', busy: true }
    const wanted = argumentBytes[chip][id]
    if (wanted === undefined) return refuse('UNKNOWN_CMD')
    if (args.length !== wanted) return refuse('INVALID_CMD_LENGTH')
    const range = wanted >= 8 ? { address: u32(args, 0), length: u32(args, 4) } : { address: 0, length: 0 }
    if (id === Id.reboot && chip === 'RP2040') return this.#reboot(u32(args, 8))
    if (id === Id.reboot2) return this.#reboot(u32(args, 4))
    if (transferBytes !== this.#dataBytes(id, range.length, args, transferBytes))
      return refuse('INVALID_TRANSFER_LENGTH')
    const isUnknown = [Id.reboot, Id.exec, Id.vectorize].some((one) => one === id)
    if (chip === 'RP2350' && isUnknown) return this.#fail('UNKNOWN_CMD', 'in')
    if (id === Id.read) return this.#read(range.address, range.length, isIn(command))
    if (id === Id.info) return this.#tellInfo(args, transferBytes)
    if (id === Id.otpRead || id === Id.otpWrite) return this.#fail('NOT_PERMITTED', 'in')
    if (id === Id.write) {
      this.#phase = { is: 'taking', address: range.address, left: range.length }
      return
    }
    this.#phase = { is: 'ending', at: this.#now() }
    if (id === Id.erase) this.#erase(range.address, range.length)
  }

  /** Of the data phase, as the command's own arguments say. */
  #dataBytes(id: number, length: number, args: Uint8Array, asked: number): number {
    if (id === Id.read || id === Id.write) return length
    if (id === Id.info) return asked <= 256 ? asked : 0
    if (id === Id.otpRead || id === Id.otpWrite) return u16(args, 2) * (args[4] ? 2 : 4)
    return 0
  }

  #reboot(delayMs: number): void {
    this.#isRebooting = true
    this.#phase = { is: 'ending', at: this.#now() }
    this.#bus?.clock.after(delayMs, () => {
      this.#bus?.detach({ twin: this.#options.runs?.() ?? this, ms: restartMs })
    })
  }

  #read(address: number, length: number, isIn: boolean): void {
    const parts: Uint8Array[] = []
    for (let at = 0; at < length; at += pageBytes) {
      const count = Math.min(pageBytes, length - at)
      const part = this.#readChunk(address + at, count)
      if (typeof part === 'string') return this.#fail(part, 'in')
      parts.push(part)
    }
    this.#phase =
      length === 0 || !isIn ? { is: 'ending', at: this.#now() } : { is: 'giving', rest: concat(...parts) }
  }

  #readChunk(address: number, length: number): Uint8Array | StatusName {
    if (this.#isRebooting) return 'REBOOTING'
    if (address + length <= rom.length) return this.#rom().slice(address, address + length)
    const isBad = this.#refused(address, length, pageBytes)
    if (isBad !== undefined) return isBad
    const { flash } = this.#options
    return flash.read(flash.address + ((address - flashAddress) % flash.bytes.length), length)
  }

  /** What is in a flash command's way, checked as the ROMs do. */
  #refused(address: number, length: number, unit: number): StatusName | undefined {
    const { forbids = () => false } = this.#options
    const isFlash = address >= flashAddress && address + length <= flashAddress + mostFlashBytes
    if (!isFlash) return 'INVALID_ADDRESS'
    if (address % unit !== 0) return 'BAD_ALIGNMENT'
    return forbids(address) ? 'NOT_PERMITTED' : undefined
  }

  #rom(): Uint8Array {
    const bytes = new Uint8Array(rom.length)
    bytes.set([0x4d, 0x75, 0x01, this.#options.romVersion], rom.versionAt - 3) // "Mu"
    return bytes
  }

  #tellInfo(args: Uint8Array, asked: number): void {
    const { hasTable = false } = this.#options
    const answers = [
      [askFlash.args, formatFlashInfo(mostFlashBytes)],
      [askTable.args, formatTableInfo(hasTable)],
    ] as const
    const answer = answers.find(([question]) => equal(question, args))?.[1]
    if (!answer) return this.#fail('INVALID_ARG', 'in')
    if (asked < answer.length) return this.#fail('BUFFER_TOO_SMALL', 'in')
    this.#phase = { is: 'giving', rest: concat(answer, new Uint8Array(asked - answer.length)) }
  }

  /** Sector by sector; refused, an RP2040 says that all is well. */
  #erase(address: number, length: number): void {
    const { flash, chip } = this.#options
    const isWhole = address % sectorBytes === 0 && length % sectorBytes === 0
    const refused = isWhole ? this.#refused(address, length, sectorBytes) : 'BAD_ALIGNMENT'
    const status = this.#isRebooting ? 'REBOOTING' : refused
    if (status !== undefined) {
      if (chip === 'RP2350') this.#fail(status, 'in')
      return
    }
    let ms = 0
    const bus = this.#bus
    for (let at = address; bus && at < address + length; at += sectorBytes)
      ms += flash.erase(flash.address + ((at - flashAddress) % flash.bytes.length), bus.clock)
    this.#phase = { is: 'ending', at: this.#now() + ms }
  }

  /** Pages as they come; it takes no more while it writes one. */
  async #take(phase: Phase & { is: 'taking' }, bytes: Uint8Array): Promise<TwinAnswer> {
    const { flash } = this.#options
    const count = Math.min(bytes.length, phase.left)
    for (let at = 0; at < count; at += pageBytes) {
      const part = bytes.subarray(at, Math.min(at + pageBytes, count))
      const refused = this.#isRebooting ? 'REBOOTING' : this.#refused(phase.address, part.length, pageBytes)
      if (refused !== undefined) {
        this.#fail(refused, 'out')
        return 'stall'
      }
      const bus = this.#bus
      if (!bus) return 'silent'
      const to = flash.address + ((phase.address - flashAddress) % flash.bytes.length)
      await bus.clock.sleep(flash.program(to, part, bus.clock))
      if (this.#phase !== phase) return 'silent' // aborted meanwhile
      phase.address += part.length
      phase.left -= part.length
    }
    if (phase.left === 0) this.#phase = { is: 'ending', at: this.#now() }
    return ok
  }

  /** An RP2350 halts what would end the command, too. */
  #fail(status: StatusName, data: 'in' | 'out'): void {
    this.#status = { ...this.#status, status, busy: false }
    this.#phase = { is: 'broken-off' }
    if (this.#options.chip === 'RP2350') this.#halt('in', 'out')
    else this.#halt(data)
  }

  #halt(...ends: readonly ('in' | 'out')[]): void {
    for (const end of ends) this.#halted[end] = true
  }

  #now(): number {
    return this.#bus?.clock.now() ?? 0
  }
}

const noStatus = { token: 0, status: 'OK', command: 0, busy: false } as const

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
const u32 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0
