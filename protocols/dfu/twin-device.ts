/**
 * A DfuSe device in DFU mode: its state machine (DFU 1.1, appendix A.1), strict, with what ST's boot loaders do
 * differently: an erase or a write begins with the GETSTATUS that follows it, and the flash stands still meanwhile, so a
 * request that comes too early is held back until it is over. Sources: DFU 1.1; ST, UM0424 and AN3156; what dfu-util needs
 * of a device.
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, TwinBus, TwinPatient, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { Command, firstBlock, formatStatus, Request, State, type StatusName } from './packets.ts'
import type { TwinFlash } from './twin-flash.ts'

export interface DfuTwinOptions {
  readonly ids: { readonly vendorId: number; readonly productId: number; readonly deviceVersion: number }
  readonly texts: { readonly manufacturer: string; readonly product: string; readonly serial: string }
  readonly transferBytes: number
  readonly flash: TwinFlash
  /** Names of the alternate settings: the flash first, then what else can be read. */
  readonly flashName: string
  readonly others?: readonly { readonly name: string; readonly address: number; readonly bytes: Uint8Array }[]
  /** Sectors of the flash that nobody may write. */
  readonly mayWrite?: (address: number) => boolean
  /** The waiting time that it tells for what takes so many ms. */
  readonly tellMs?: (ms: number) => number
  /** Asked before that, it refuses, as the specification lets it. */
  readonly refusesEarly?: boolean
  /** Against reading, as it is when plugged in: nothing but lifting that, which erases everything, is allowed. */
  readonly isProtected?: boolean
}

interface Pending {
  /** Begins, and gives the ms that it takes; a status other than OK ends it in dfuERROR. */
  start(): number
  readonly status: StatusName
  /** Afterwards it starts anew. */
  readonly restarts?: true
}

const restartMs = 500
/** It answers before. */
const leaveMs = 20
const attributes = 0x0b // download, upload, will detach
const ok = new Uint8Array()

export class DfuTwin implements UsbTwin, TwinPatient {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  readonly #options: DfuTwinOptions
  #bus: TwinBus | undefined
  #state: State = State.Idle
  #status: StatusName = 'OK'
  #pointer: number
  #setting = 0
  #pending: Pending | undefined
  #busyUntil = 0
  #busyEnds: StatusName = 'OK'
  #isProtected: boolean

  constructor(options: DfuTwinOptions) {
    this.#options = options
    this.#isProtected = options.isProtected ?? false
    this.#pointer = options.flash.address
    this.descriptors = descriptorsOf(options)
  }

  set onWork(listener: (ms: number) => void) {
    this.#options.flash.onWork = listener
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#restart()
  }

  unplugged(): void {
    if (this.#bus) this.#options.flash.losePower(this.#bus.clock.now())
    this.#bus = undefined
  }

  /** Its supply fails for a moment: the host sees it go and come back. */
  brownOut(): void {
    const bus = this.#bus
    this.unplugged()
    bus?.detach({ twin: this, ms: restartMs })
  }

  reset(): void {
    this.#restart()
  }

  #restart(): void {
    this.#state = State.Idle
    this.#status = 'OK'
    this.#pointer = this.#options.flash.address
    this.#setting = 0
    this.#pending = undefined
    this.#busyUntil = 0
  }

  async control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    if ((setup.requestType & 0x60) === 0) return this.#standard(setup)
    if ((setup.requestType & 0x7f) !== 0x21) return 'stall'
    switch (setup.request) {
      case Request.GetStatus:
        return this.#getStatus()
      case Request.GetState:
        return Uint8Array.of(this.#state)
      case Request.ClearStatus:
        return this.#toIdle() // ST's do so in any state
      case Request.Abort:
        return this.#state === State.Error ? this.#fail('STALLEDPKT') : this.#toIdle()
      case Request.Download:
        return this.#download(setup.value, bytes)
      case Request.Upload:
        return this.#upload(setup.value, setup.length)
      default:
        return this.#fail('STALLEDPKT')
    }
  }

  #standard({ request, value }: SetupPacket): TwinAnswer {
    const SetConfiguration = 9
    const SetInterface = 11
    if (request === SetConfiguration) return ok
    if (request !== SetInterface || value > (this.#options.others ?? []).length) return 'stall'
    this.#setting = value
    return ok
  }

  #toIdle(): TwinAnswer {
    this.#state = State.Idle
    this.#status = 'OK'
    this.#pending = undefined
    return ok
  }

  #fail(status: StatusName): 'stall' {
    this.#state = State.Error
    this.#status = status
    this.#pending = undefined
    return 'stall'
  }

  async #getStatus(): Promise<TwinAnswer> {
    const { clock } = this.#bus ?? {}
    const { tellMs = (ms) => ms, refusesEarly = false } = this.#options
    let pollMs = 0
    if (clock && this.#state === State.DownloadSync) {
      const ms = this.#pending?.start() ?? 0
      this.#busyUntil = clock.now() + ms
      this.#busyEnds = this.#pending?.status ?? 'OK'
      if (this.#pending?.restarts) clock.after(ms, () => this.#bus?.detach({ twin: this, ms: restartMs }))
      this.#pending = undefined
      this.#state = State.DownloadBusy
      pollMs = Math.ceil(tellMs(ms))
    } else if (clock && this.#state === State.DownloadBusy) {
      const leftMs = this.#busyUntil - clock.now()
      if (leftMs > 0 && refusesEarly) return this.#fail('STALLEDPKT')
      if (leftMs > 0) await clock.sleep(leftMs)
      this.#state = this.#busyEnds === 'OK' ? State.DownloadIdle : State.Error
      this.#status = this.#busyEnds
    } else if (clock && this.#state === State.ManifestSync) {
      this.#state = State.Manifest
      clock.after(leaveMs, () => this.#bus?.detach()) // to what was written, which has no USB here
    }
    return formatStatus({ status: this.#status, pollMs, state: this.#state })
  }

  #download(block: number, bytes: Uint8Array): TwinAnswer {
    if (this.#state !== State.Idle && this.#state !== State.DownloadIdle) return this.#fail('STALLEDPKT')
    if (bytes.length > this.#options.transferBytes) return this.#fail('STALLEDPKT')
    if (bytes.length === 0) {
      this.#state = State.ManifestSync
      return ok
    }
    if (block === 1) return this.#fail('STALLEDPKT')
    this.#pending = block === 0 ? this.#command(bytes) : this.#write(block, bytes)
    this.#state = State.DownloadSync
    return ok
  }

  #command(bytes: Uint8Array): Pending {
    const [command] = bytes
    const refused = (status: StatusName): Pending => ({ status, start: () => 0 })
    const address = bytes.length === 5 ? new DataView(bytes.slice(1).buffer).getUint32(0, true) : undefined
    const { flash, mayWrite = () => true } = this.#options
    if (command === Command.ReadUnprotect && bytes.length === 1)
      return {
        ...this.#work((clock) => ((this.#isProtected = false), flash.eraseAll(clock))),
        restarts: true,
      }
    if (this.#isProtected) return refused('VENDOR')
    if (command === Command.SetAddress && address !== undefined) {
      if (!this.#regionAt(address)) return refused('TARGET')
      return { status: 'OK', start: () => ((this.#pointer = address), 0) }
    }
    if (command === Command.Erase && bytes.length === 1) return this.#work((clock) => flash.eraseAll(clock))
    if (command === Command.Erase && address !== undefined) {
      if (this.#setting !== 0 || !flash.holds(address) || !mayWrite(address)) return refused('TARGET')
      return this.#work((clock) => flash.erase(address, clock))
    }
    return refused('VENDOR')
  }

  #write(block: number, bytes: Uint8Array): Pending {
    const { flash, transferBytes, mayWrite = () => true } = this.#options
    const address = this.#pointer + (block - firstBlock) * transferBytes
    if (this.#isProtected) return { status: 'VENDOR', start: () => 0 }
    const isAllowed = this.#setting === 0 && flash.holds(address, bytes.length) && mayWrite(address)
    if (!isAllowed) return { status: 'ADDRESS', start: () => 0 }
    return this.#work((clock) => flash.program(address, bytes, clock))
  }

  #work(start: (clock: TwinBus['clock']) => number): Pending {
    return { status: 'OK', start: () => (this.#bus ? start(this.#bus.clock) : 0) }
  }

  #upload(block: number, length: number): TwinAnswer {
    if (this.#state !== State.Idle && this.#state !== State.UploadIdle) return this.#fail('STALLEDPKT')
    if (block === 0)
      return Uint8Array.of(Command.Get, Command.SetAddress, Command.Erase, Command.ReadUnprotect).slice(
        0,
        length,
      )
    if (this.#isProtected) return this.#fail('VENDOR')
    const { transferBytes } = this.#options
    const address = this.#pointer + (block - firstBlock) * transferBytes
    const region = block === 1 ? undefined : this.#regionAt(address)
    if (!region) return this.#fail('ADDRESS')
    const bytes = region.read(address, Math.min(length, region.end - address))
    this.#state = bytes.length < length ? State.Idle : State.UploadIdle
    return bytes
  }

  /** What this setting shows at an address. */
  #regionAt(
    address: number,
  ): { readonly end: number; read(from: number, length: number): Uint8Array } | undefined {
    const { flash, others = [] } = this.#options
    if (this.#setting === 0)
      return flash.holds(address)
        ? { end: flash.address + flash.bytes.length, read: (from, length) => flash.read(from, length) }
        : undefined
    const other = others[this.#setting - 1]
    if (!other || address < other.address || address >= other.address + other.bytes.length) return undefined
    return {
      end: other.address + other.bytes.length,
      read: (from, length) => other.bytes.slice(from - other.address, from - other.address + length),
    }
  }
}

const firstName = 4

function descriptorsOf({
  ids,
  texts,
  transferBytes,
  flashName,
  others = [],
}: DfuTwinOptions): UsbDescriptors {
  const names = [flashName, ...others.map(({ name }) => name)]
  const functional = new ByteWriter()
    .u8(9)
    .u8(0x21)
    .u8(attributes)
    .u16le(255)
    .u16le(transferBytes)
    .u16le(0x011a)
    .done()
  const interfaces = names.map((_, setting) =>
    Uint8Array.of(9, 4, 0, setting, 0, 0xfe, 1, 2, firstName + setting),
  )
  const total = 9 + interfaces.length * 9 + functional.length
  return {
    device: new ByteWriter()
      .bytes([18, 1, 0x00, 0x01, 0, 0, 0, 64])
      .u16le(ids.vendorId)
      .u16le(ids.productId)
      .u16le(ids.deviceVersion)
      .bytes([1, 2, 3, 1])
      .done(),
    configuration: concat(
      new ByteWriter().bytes([9, 2]).u16le(total).bytes([1, 1, 0, 0xc0, 50]).done(),
      ...interfaces,
      functional,
    ),
    strings: Object.fromEntries([
      ...[texts.manufacturer, texts.product, texts.serial].map((text, i) => [i + 1, text] as const),
      ...names.map((name, i) => [firstName + i, name] as const),
    ]),
    missing: 'stall',
  }
}
