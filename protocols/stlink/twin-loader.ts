/**
 * The boot loader of an ST-Link: it has a key of its own, takes blocks with a checksum, erases and writes above itself, and
 * gives nothing back. What it writes is what its chip then is (`twin-itself.ts`). Sources: as `loader-packets.ts`; what a
 * loader does with a checksum that is wrong is nowhere described: here it refuses the block.
 */
import { ByteReader, ByteWriter, isBlank } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import type { TwinFlash } from '#bench/twin-flash.ts'
import { decrypt, deviceKey, isWhole, unlayered } from './loader-cipher.ts'
import {
  BlockCommand,
  checksum,
  commandBlock,
  configBytes,
  dataBlock,
  formatStatus,
  hardwareBytes,
  identityBytes,
  LoaderCommand,
  loaderMode,
  mostBlockBytes,
  parseDownload,
  State,
  type Protocol,
  type StatusName,
} from './loader-packets.ts'
import { Command } from './packets.ts'
import type { TwinProgram } from './twin-device.ts'

export interface LoaderChip {
  readonly protocol: Protocol
  readonly kib: number
  readonly type: string
  /** 12 bytes. */
  readonly uid: Uint8Array
  /** What `F3 0A` gives first. */
  readonly hardware: number
  readonly config: Uint8Array
  /** From where its firmware begins to the end of the chip. */
  readonly flash: TwinFlash
}

export interface LoaderOptions {
  readonly chip: LoaderChip
  /** Its answers to `F1` and `FB`. */
  readonly version: (extended: boolean) => Uint8Array
  /** Starts what it holds, if that starts. */
  readonly exit: () => void
}

const unknown = Uint8Array.of(0x42, 0)
/** Whose words for a download nobody outside knows: it takes none of these. */
const signedOnly = 4
/** What it takes for a command that changes nothing. */
const commandMs = 1

export class Loader implements TwinProgram {
  readonly #options: LoaderOptions
  readonly #key: Uint8Array
  #pointer = 0
  #status: StatusName = 'OK'
  #state: number = State.Idle
  #busyUntil = 0

  constructor(options: LoaderOptions) {
    const { protocol } = options.chip
    this.#options = options
    this.#key = deviceKey(protocol, this.#keyMaterial())
  }

  /** The buffer of the real one is not guarded: what is longer destroys it, so nobody may ever see this taken. */
  follows(frame: Uint8Array): number {
    const [ask, command] = frame
    if (ask !== Command.Dfu || command !== LoaderCommand.Download) return 0
    const { length } = parseDownload(frame)
    return Math.min(length, mostBlockBytes)
  }

  answer(frame: Uint8Array, bytes: Uint8Array, clock: Clock): Promise<Uint8Array | 'stall' | undefined> {
    return Promise.resolve(this.#answerTo(frame, bytes, clock))
  }

  #answerTo(frame: Uint8Array, bytes: Uint8Array, clock: Clock): Uint8Array | 'stall' | undefined {
    const [ask, command] = frame
    const { chip, version, exit } = this.#options
    if (ask === Command.GetCurrentMode) return Uint8Array.of(loaderMode, chip.protocol)
    if (ask === Command.GetVersion) return version(false)
    if (ask === Command.GetVersionEx && chip.protocol >= 3) return version(true)
    if (ask !== Command.Dfu) return unknown
    switch (command) {
      case LoaderCommand.Identity:
        return this.#identity()
      case LoaderCommand.Config:
        return chip.protocol >= 2 ? chip.config.slice(0, configBytes) : 'stall'
      case LoaderCommand.Hardware:
        return padded(new ByteWriter().u32le(chip.hardware).done(), hardwareBytes)
      case LoaderCommand.GetStatus:
        return this.#tellStatus(clock)
      case LoaderCommand.Download:
        this.#download(frame, bytes, clock)
        return undefined
      case LoaderCommand.Exit:
        exit()
        return undefined
      default:
        return unknown
    }
  }

  #keyMaterial(): Uint8Array {
    const { kib, uid } = this.#options.chip
    return new ByteWriter().u16le(kib).u16le(0xffff).bytes(uid).done()
  }

  #identity(): Uint8Array {
    const { type, uid } = this.#options.chip
    const head = this.#keyMaterial().subarray(0, 4)
    return new ByteWriter()
      .bytes(head)
      .u8(type.charCodeAt(0))
      .bytes(new Uint8Array(identityBytes - head.length - 1 - uid.length))
      .bytes(uid)
      .done()
  }

  #tellStatus(clock: Clock): Uint8Array {
    const left = Math.max(0, Math.ceil(this.#busyUntil - clock.now()))
    if (this.#state === State.Busy && left === 0)
      this.#state = this.#status === 'OK' ? State.DownloadIdle : State.Error
    // while it works nobody hears of an error
    const status = this.#state === State.Busy ? 'OK' : this.#status
    return formatStatus({ status, pollMs: left, state: this.#state })
  }

  #download(frame: Uint8Array, bytes: Uint8Array, clock: Clock): void {
    const download = parseDownload(frame)
    const { protocol } = this.#options.chip
    const isCommand = download.block === commandBlock
    const summed = isCommand || !isWhole(bytes) ? bytes : decrypt(this.#key, bytes)
    this.#state = State.Busy
    this.#busyUntil = clock.now() + commandMs
    if (protocol === signedOnly) this.#status = 'errVENDOR'
    else if (checksum(summed) !== download.checksum || download.length > mostBlockBytes)
      this.#status = 'errVERIFY'
    else if (isCommand) this.#status = this.#command(bytes, clock)
    else if (download.block < dataBlock) this.#status = 'errSTALLEDPKT'
    else this.#status = this.#write(unlayered(protocol, summed), clock)
  }

  #command(bytes: Uint8Array, clock: Clock): StatusName {
    const { protocol, flash } = this.#options.chip
    const read = new ByteReader(bytes)
    const [command, operand] = [read.u8(), read.u32le()]
    if (command === BlockCommand.SetAddress) {
      this.#pointer = operand
      return operand >= flash.address ? 'OK' : 'errTARGET'
    }
    const bySector = protocol >= 3
    if (command !== (bySector ? BlockCommand.EraseSector : BlockCommand.ErasePage)) return 'errSTALLEDPKT'
    const address = bySector ? (f723Sectors[operand] ?? Infinity) : operand
    if (address < flash.address) return 'errTARGET'
    if (!flash.holds(address)) return 'errWRITE'
    this.#busyUntil = clock.now() + flash.erase(address, clock)
    return 'OK'
  }

  /** An STM32F103 programs nothing over what is not erased (PM0075, "Main Flash memory programming"); an STM32F723 clears bits. */
  #write(bytes: Uint8Array, clock: Clock): StatusName {
    const { flash, protocol } = this.#options.chip
    if (this.#pointer < flash.address) return 'errTARGET'
    if (!flash.holds(this.#pointer, bytes.length)) return 'errWRITE'
    const from = this.#pointer - flash.address
    if (protocol < 3 && !isBlank(flash.bytes.subarray(from, from + bytes.length))) return 'errWRITE'
    this.#busyUntil = clock.now() + flash.program(this.#pointer, bytes, clock)
    return 'OK'
  }
}

/** Where the sectors of an STM32F723 begin. */
const f723Sectors = [0, 0x4000, 0x8000, 0xc000, 0x1_0000, 0x2_0000, 0x4_0000, 0x6_0000].map(
  (offset) => 0x0800_0000 + offset,
)

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length)
  whole.set(bytes)
  return whole
}
