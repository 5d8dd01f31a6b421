/**
 * An AVR with USB in its DFU boot loader, of three makes: Arduino's build, which all Uno and Mega boards have, LUFA's,
 * which others have, and Atmel's own. Requests are answered in any state, and what an answer is about is what the last
 * command was. Sources: ArduinoCore-avr, `Arduino-usbdfu.c`, and its published image behind a kernel; LUFA,
 * `BootloaderDFU.c`; dfu-programmer 0.6.1, `atmel.c`, for what Atmel's does; the chips' data sheets for times.
 */
import { blank, ByteWriter, concat } from '#core/bytes.ts'
import type { Range } from '#core/programmer.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import type {
  Dials,
  SetupPacket,
  Twin,
  TwinAnswer,
  TwinBus,
  TwinPatient,
  UsbDescriptors,
  UsbTwin,
} from '#bench/twin.ts'
import { Command, packetBytes, parseAddressed, suffixBytes, Target } from './flip-packets.ts'
import { formatStatus, Request, State, type StatusName } from './packets.ts'
import { TwinFlash } from '#bench/twin-flash.ts'

export interface FlipTwinOptions {
  readonly part: AvrPart
  readonly productId: number
  readonly build: 'arduino' | 'lufa' | 'atmel'
  readonly bootBytes: number
  /** In both from 0 on; the rest is blank. */
  readonly flash: Uint8Array
  readonly eeprom: Uint8Array
  readonly texts?: { readonly manufacturer: string; readonly product: string; readonly serial: string }
  /** What is in the flash, started. */
  readonly starts?: (flash: Uint8Array) => Twin | undefined
}

const atmel = 0x03eb
const version = 0x20
const identity = [0xdc, 0xfb] as const
/** What Arduino's build finds behind its signature. */
const garbage = 0x41
/** Page erase, and page write (SPM). */
const spmMs = 4.1
const eepromByteMs = 3.4
const watchdogMs = 256
const startMs = 300
const transferBytes = 0x0c00
const setConfiguration = 9
const ok = new Uint8Array()

export class FlipTwin implements UsbTwin, TwinPatient {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  readonly flash: TwinFlash
  readonly eeprom: Uint8Array
  onWork: (ms: number) => void = () => undefined
  readonly #options: FlipTwinOptions
  readonly #isLocked: boolean
  #bus: TwinBus | undefined
  #state: State = State.Idle
  #status: StatusName = 'OK'
  /** The last one; an upload answers it. */
  #command: Uint8Array = ok
  #answer = 0
  #start = 0
  #end = 0
  #page64K = 0
  #isSecure = false
  #isLeaving = false
  /** Of Atmel's: it takes the command, and holds back what follows it. */
  #erasing: Promise<void> | undefined

  constructor(options: FlipTwinOptions, dials: Dials = {}) {
    const { part, flash, eeprom } = options
    this.#options = options
    this.#isLocked = dials.locked ?? false
    const { bytes: length, pageBytes } = part.flash
    const pages = Array.from({ length: length / pageBytes }, (_, i): Range => ({
      address: i * pageBytes,
      length: pageBytes,
    }))
    const programMsPerKib = (spmMs * 1024) / pageBytes
    this.flash = new TwinFlash(pages, { eraseMs: () => spmMs, programMsPerKib }, flash, dials)
    this.flash.onWork = (ms) => this.onWork(ms)
    this.eeprom = blank(part.eeprom.bytes)
    this.eeprom.set(eeprom)
    this.descriptors = descriptorsOf(options)
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#state = State.Idle
    this.#status = 'OK'
    this.#command = ok
    this.#page64K = 0
    this.#isSecure = this.#isLocked
    this.#isLeaving = false
    this.#erasing = undefined
  }

  unplugged(): void {
    if (this.#bus) this.flash.losePower(this.#bus.clock.now())
    this.#bus = undefined
  }

  brownOut(): void {
    const bus = this.#bus
    this.unplugged()
    bus?.detach({ twin: this, ms: startMs })
  }

  /** Which its states do not hear of. */
  reset(): void {
    this.#isLeaving = false
  }

  async control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    if ((setup.requestType & 0x60) === 0) return setup.request === setConfiguration ? ok : 'stall'
    if ((setup.requestType & 0x7f) !== 0x21) return 'stall'
    await this.#erasing
    switch (setup.request) {
      case Request.Download:
        return this.#download(bytes)
      case Request.Upload:
        return this.#upload(setup.length)
      case Request.GetStatus:
        return this.#getStatus()
      case Request.GetState:
        return Uint8Array.of(this.#state)
      case Request.ClearStatus:
        this.#status = 'OK' // and nothing else: its state stays
        return ok
      case Request.Abort:
        this.#state = State.Idle
        return ok
      default:
        return 'stall'
    }
  }

  #getStatus(): TwinAnswer {
    const pollMs = this.#options.build === 'atmel' ? 1 : 0
    return formatStatus({ status: this.#status, pollMs, state: this.#state })
  }

  #fail(status: StatusName): 'stall' {
    this.#state = State.Error
    this.#status = status
    return 'stall'
  }

  // ---- commands ---------------------------------------------------------------------------------

  async #download(bytes: Uint8Array): Promise<TwinAnswer> {
    if (bytes.length === 0) {
      if (this.#isLeaving) this.#leave(this.#command[2] === 0x01 ? 0 : watchdogMs)
      if (this.#state === State.DownloadIdle) this.#state = State.Idle
      return ok
    }
    this.#command = bytes.slice(0, 6)
    const [command, group] = bytes
    if (this.#isSecure && !this.#isAllowed(bytes)) return this.#fail('WRITE')
    switch (command) {
      case Command.Program:
        return this.#program(bytes)
      case Command.Read:
        return this.#prepare(bytes)
      case Command.Write:
        if (group === 0x00 && bytes[2] === 0xff) return this.#erase()
        this.#isLeaving = group === 0x03
        return ok
      case Command.Info:
        return this.#info(bytes)
      case Command.Select:
        if (group === 0x03) this.#page64K = bytes[3] ?? 0
        else if (this.#options.build === 'atmel') this.#page64K = bytes[2] ?? 0
        return ok
      default:
        return ok
    }
  }

  /** Until everything was erased; Atmel's then refuses a reading only when it is fetched. */
  #isAllowed([command, group, which]: Uint8Array): boolean {
    const isErase = command === Command.Write && group === 0x00 && which === 0xff
    return (
      isErase || command === Command.Info || (this.#options.build === 'atmel' && command !== Command.Program)
    )
  }

  #info([, group, index = 0]: Uint8Array): TwinAnswer {
    const { part, build } = this.#options
    const signature: readonly number[] = part.signature
    const [first, ...rest] = build === 'arduino' ? signature : [0x58, ...signature]
    const known: readonly (readonly [number, number, number | undefined])[] = [
      ...[version, ...identity].map((value, i) => [0x00, i, value] as const),
      [0x01, 0x30, first],
      [0x01, 0x31, rest[0]],
      build === 'arduino' ? [0x01, 0x32, rest[1]] : [0x01, 0x60, rest[1]],
      [0x01, 0x61, rest[2]],
    ]
    const value = known.find(([in_, at]) => in_ === group && at === index)?.[2]
    if (value === undefined && build !== 'arduino') {
      this.#fail('ADDRESS')
      return ok
    }
    this.#answer = value ?? garbage
    return ok
  }

  #prepare(bytes: Uint8Array): TwinAnswer {
    const addressed = parseAddressed(bytes)
    if (!addressed) return ok
    if (addressed.target === Target.BlankCheck) return this.#blankCheck(addressed.start, addressed.end)
    if (addressed.target !== Target.ReadFlash && addressed.target !== Target.ReadEeprom) return ok
    this.#start = addressed.start
    this.#end = addressed.end
    this.#state = State.UploadIdle
    return ok
  }

  /** Only Atmel's looks at what it is asked for; the others always check all that the application can have. */
  #blankCheck(start: number, end: number): TwinAnswer {
    const [from, to] =
      this.#options.build === 'atmel'
        ? [this.#absolute(start), this.#absolute(end) + 1]
        : [0, this.#applicationBytes]
    const at = this.flash.bytes.subarray(from, to).findIndex((byte) => byte !== 0xff)
    if (at < 0) return ok
    this.#start = (from + at) & 0xffff
    this.#fail('CHECK_ERASED')
    return ok
  }

  #upload(length: number): TwinAnswer {
    const [, target] = this.#command
    if (this.#state !== State.UploadIdle) {
      if (this.#state !== State.Error || target !== Target.BlankCheck) return Uint8Array.of(this.#answer)
      const at = new ByteWriter()
      return (this.#options.build === 'atmel' ? at.u16be(this.#start) : at.u16le(this.#start)).done()
    }
    if (this.#isSecure) return this.#fail('FILE')
    const count = this.#end - this.#start + 1
    this.#state = State.Idle
    if (target === Target.ReadEeprom)
      return Uint8Array.from(
        { length: Math.min(count, length) },
        (_, i) => this.eeprom[(this.#start + i) % this.eeprom.length] ?? 0xff,
      )
    const words = count & ~1
    return this.flash.read(this.#absolute(this.#start), Math.min(words, length))
  }

  // ---- changes ----------------------------------------------------------------------------------

  async #program(bytes: Uint8Array): Promise<TwinAnswer> {
    const addressed = parseAddressed(bytes)
    if (!addressed) return ok
    const { target, start, end } = addressed
    const isFlash = target === Target.ProgramFlash
    if (!isFlash && target !== Target.ProgramEeprom) return ok
    const at = packetBytes + (start % packetBytes)
    const count = end - start + 1
    if (count <= 0 || at + count > bytes.length) return 'silent' // it waits for the rest
    const wanted = bytes.subarray(at, at + count)
    this.#state = bytes.length - at - count >= suffixBytes ? State.DownloadIdle : this.#state
    const isThere = isFlash
      ? await this.#programFlash(start, wanted)
      : await this.#programEeprom(start, wanted)
    if (isFlash) this.#start = end
    return isThere ? ok : 'broken'
  }

  /**
   * Word by word into the page buffer, which is written when a page's worth has come. Where that is not a page of the
   * flash, things go wrong as they do in the chip.
   */
  async #programFlash(start: number, bytes: Uint8Array): Promise<boolean> {
    const { pageBytes } = this.#options.part.flash
    const first = this.#absolute(start)
    for (let at = 0; at < bytes.length; at += pageBytes) {
      const part = bytes.subarray(at, (at + pageBytes) & ~1)
      const address = first + at - ((first + at) % pageBytes)
      const buffer = blank(pageBytes)
      for (const [i, byte] of part.entries()) buffer[(first + at + i) % pageBytes] = byte
      if (this.#options.build !== 'atmel' && !(await this.#erasePage(address))) return false
      if (!(await this.#writePage(address, buffer))) return false
    }
    return true
  }

  async #programEeprom(start: number, bytes: Uint8Array): Promise<boolean> {
    for (const [i, byte] of bytes.entries()) {
      if (!(await this.#works(eepromByteMs))) return false
      this.eeprom[(start + i) % this.eeprom.length] = byte
    }
    return true
  }

  async #erase(): Promise<TwinAnswer> {
    if (this.#options.build !== 'atmel') return (await this.#erasePages()) ? ok : 'broken'
    this.#erasing = this.#erasePages().then(() => (this.#erasing = undefined))
    return ok
  }

  /** Arduino's writes what it has erased once more, as blank. */
  async #erasePages(): Promise<boolean> {
    const { part, build } = this.#options
    for (let address = 0; address < this.#applicationBytes; address += part.flash.pageBytes) {
      if (!(await this.#erasePage(address))) return false
      if (build === 'arduino' && !(await this.#writePage(address, blank(part.flash.pageBytes)))) return false
    }
    this.#isSecure = false
    return true
  }

  /** The boot section's lock bits keep it. */
  #erasePage(address: number): Promise<boolean> {
    const clock = this.#bus?.clock
    return this.#works(clock && this.#isOurs(address) ? this.flash.erase(address, clock) : 0)
  }

  #writePage(address: number, bytes: Uint8Array): Promise<boolean> {
    const clock = this.#bus?.clock
    return this.#works(clock && this.#isOurs(address) ? this.flash.program(address, bytes, clock) : 0)
  }

  #isOurs = (address: number): boolean => address < this.#applicationBytes

  get #applicationBytes(): number {
    return this.#options.part.flash.bytes - this.#options.bootBytes
  }

  #absolute = (address: number): number =>
    (this.#page64K * 0x1_0000 + address) % this.#options.part.flash.bytes

  /** False: it lost its power meanwhile. */
  async #works(ms: number): Promise<boolean> {
    const bus = this.#bus
    await bus?.clock.sleep(ms)
    return bus !== undefined && bus === this.#bus
  }

  #leave(ms: number): void {
    const bus = this.#bus
    const next = this.#options.starts?.(this.flash.bytes)
    bus?.clock.after(ms, () => {
      if (bus === this.#bus) bus.detach(next && { twin: next, ms: startMs })
    })
  }
}

// ---- descriptors ----------------------------------------------------------------------------------

/** Arduino's names a string 1 that it does not have. */
function descriptorsOf({ build, productId, texts }: FlipTwinOptions): UsbDescriptors {
  const isAtmel = build === 'atmel'
  const functional = Uint8Array.of(9, 0x21, 3, 0, 0, transferBytes & 0xff, transferBytes >> 8, 0x00, 0x01)
  const own = isAtmel
    ? Uint8Array.of(9, 4, 0, 0, 0, 0, 0, 0, 0)
    : concat(Uint8Array.of(9, 4, 0, 0, 0, 0xfe, 1, 2, 0), functional)
  return {
    device: new ByteWriter()
      .bytes([18, 1, 0x10, 0x01, 0, 0, 0, packetBytes])
      .u16le(atmel)
      .u16le(productId)
      .u16le(0)
      .bytes(texts ? [1, 2, 3, 1] : [0, 1, 0, 1])
      .done(),
    configuration: concat(
      new ByteWriter()
        .bytes([9, 2])
        .u16le(9 + own.length)
        .bytes([1, 1, 0, 0x80, 50])
        .done(),
      own,
    ),
    strings: texts ? { 1: texts.manufacturer, 2: texts.product, 3: texts.serial } : {},
    missing: 'stall',
  }
}
