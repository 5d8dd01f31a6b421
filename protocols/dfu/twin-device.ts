/**
 * A device in DFU mode: its descriptors and its state machine (DFU 1.1, appendix A.1), strict, with what boot loaders do
 * differently: an erase or a write begins with the GETSTATUS that follows it, and the flash stands still meanwhile, so a
 * request that comes too early is held back until it is over. What it holds, and how blocks reach it, is its content.
 * Sources: DFU 1.1; ST, UM0424 and AN3156; what dfu-util needs of a device.
 */
import type { Clock } from '#core/time.ts'
import type { SetupPacket, TwinAnswer, TwinBus, TwinPatient, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { formatStatus, Request, State, type StatusName } from './packets.ts'
import { Attribute, loaderDescriptors, type Named } from './twin-descriptors.ts'
import type { TwinFlash } from '#bench/twin-flash.ts'

/** What a block does. */
export interface Pending {
  /** Begins, and gives the ms that it takes; a status other than OK ends it in dfuERROR. */
  start(clock: Clock): number
  readonly status: StatusName
  /** Afterwards it starts anew. */
  readonly restarts?: true
}

export const refused = (status: StatusName): Pending => ({ status, start: () => 0 })

/** What is behind the alternate settings. */
export interface TwinContent {
  readonly flash: TwinFlash
  /** Of the settings. */
  readonly names: readonly string[]
  /** `bcdDFUVersion`. */
  readonly version: number
  /** An empty block in dfuIDLE is taken, as the end of a download. */
  readonly leavesFromIdle: boolean
  restart(): void
  /** Undefined: there is no such block. `isFirst`: since dfuIDLE. */
  take(block: number, bytes: Uint8Array, setting: number, isFirst: boolean): Pending | undefined
  /** Fewer bytes than asked for are the end. */
  give(block: number, length: number, setting: number, isFirst: boolean): Uint8Array | StatusName
}

export interface DfuTwinOptions extends Named {
  readonly transferBytes: number
  readonly content: TwinContent
  /** As what it comes back when it leaves; absent: what it holds has no USB. */
  readonly runs?: (() => UsbTwin) | undefined
  /** When a download has ended. Default: it leaves; after a reset it starts that, or has to be told so again. */
  readonly manifests?: 'leaves' | 'starts at a reset' | 'waits for a reset' | 'stays'
  /** The waiting time that it tells for what takes so many ms. */
  readonly tellMs?: (ms: number) => number
  /** Asked before that, it refuses, as the specification lets it. */
  readonly refusesEarly?: boolean
}

const restartMs = 500
/** It answers before. */
const leaveMs = 20
const manifestMs = 50
const ok = new Uint8Array()
const Standard = { SetConfiguration: 9, SetInterface: 11 } as const

export class DfuTwin implements UsbTwin, TwinPatient {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  readonly #options: DfuTwinOptions
  #bus: TwinBus | undefined
  #state: State = State.Idle
  #status: StatusName = 'OK'
  #setting = 0
  #pending: Pending | undefined
  #busyUntil = 0
  #busyEnds: StatusName = 'OK'

  constructor(options: DfuTwinOptions) {
    this.#options = options
    const { content, transferBytes, manifests } = options
    const ends = manifests === 'stays' ? Attribute.ManifestationTolerant : Attribute.WillDetach
    this.descriptors = loaderDescriptors(options, content.names, {
      attributes: Attribute.Download | Attribute.Upload | ends,
      transferBytes,
      version: content.version,
    })
  }

  set onWork(listener: (ms: number) => void) {
    this.#options.content.flash.onWork = listener
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#restart()
  }

  unplugged(): void {
    if (this.#bus) this.#options.content.flash.losePower(this.#bus.clock.now())
    this.#bus = undefined
  }

  /** Its supply fails for a moment: the host sees it go and come back. */
  brownOut(): void {
    const bus = this.#bus
    this.unplugged()
    bus?.detach({ twin: this.#options.runs?.() ?? this, ms: restartMs })
  }

  reset(): void {
    const isOver = this.#state === State.Manifest || this.#state === State.ManifestWaitReset
    if (isOver && this.#options.manifests === 'starts at a reset') this.#leave()
    else this.#restart()
  }

  #restart(): void {
    this.#toIdle()
    this.#options.content.restart()
    this.#setting = 0
    this.#busyUntil = 0
  }

  async control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    if ((setup.requestType & 0x60) === 0) return this.#standard(setup)
    if ((setup.requestType & 0x7f) !== 0x21) return 'stall'
    if (setup.request === Request.GetStatus) return this.#getStatus()
    if (setup.request === Request.GetState) return Uint8Array.of(this.#state)
    if (this.#state === State.ManifestWaitReset) return 'stall'
    switch (setup.request) {
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
    if (request === Standard.SetConfiguration) return ok
    if (request !== Standard.SetInterface || value >= this.#options.content.names.length) return 'stall'
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
    const pollMs = clock ? await this.#moveOn(clock) : 0
    if (pollMs === undefined) return this.#fail('STALLEDPKT')
    return formatStatus({ status: this.#status, pollMs, state: this.#state })
  }

  /** What GETSTATUS does besides telling. Gives the time to wait; undefined: it was asked too early. */
  async #moveOn(clock: Clock): Promise<number | undefined> {
    const { tellMs = (ms) => ms, refusesEarly = false, manifests = 'leaves' } = this.#options
    switch (this.#state) {
      case State.DownloadSync: {
        const ms = this.#pending?.start(clock) ?? 0
        this.#busyUntil = clock.now() + ms
        this.#busyEnds = this.#pending?.status ?? 'OK'
        if (this.#pending?.restarts) clock.after(ms, () => this.#bus?.detach({ twin: this, ms: restartMs }))
        this.#pending = undefined
        this.#state = State.DownloadBusy
        return Math.ceil(tellMs(ms))
      }
      case State.ManifestSync:
        this.#state = State.Manifest
        this.#busyUntil = clock.now() + manifestMs
        if (manifests === 'leaves') clock.after(leaveMs, () => this.#leave())
        return manifestMs
      case State.DownloadBusy:
      case State.Manifest: {
        const leftMs = this.#busyUntil - clock.now()
        if (leftMs > 0 && refusesEarly) return undefined
        if (leftMs > 0) await clock.sleep(leftMs)
        if (this.#state === State.Manifest)
          this.#state = manifests === 'stays' ? State.Idle : State.ManifestWaitReset
        else {
          this.#state = this.#busyEnds === 'OK' ? State.DownloadIdle : State.Error
          this.#status = this.#busyEnds
        }
        return 0
      }
      default:
        return 0
    }
  }

  #leave(): void {
    const next = this.#options.runs?.()
    this.#bus?.detach(next && { twin: next, ms: restartMs })
  }

  #download(block: number, bytes: Uint8Array): TwinAnswer {
    const { content, transferBytes } = this.#options
    const isFirst = this.#state === State.Idle
    if (!isFirst && this.#state !== State.DownloadIdle) return this.#fail('STALLEDPKT')
    if (bytes.length === 0) {
      if (isFirst && !content.leavesFromIdle) return this.#fail('STALLEDPKT')
      this.#state = State.ManifestSync
      return ok
    }
    const pending = content.take(block, bytes, this.#setting, isFirst)
    if (bytes.length > transferBytes || !pending) return this.#fail('STALLEDPKT')
    this.#pending = pending
    this.#state = State.DownloadSync
    return ok
  }

  #upload(block: number, length: number): TwinAnswer {
    const isFirst = this.#state === State.Idle
    if (!isFirst && this.#state !== State.UploadIdle) return this.#fail('STALLEDPKT')
    const bytes = this.#options.content.give(block, length, this.#setting, isFirst)
    if (typeof bytes === 'string') return this.#fail(bytes)
    this.#state = bytes.length < length ? State.Idle : State.UploadIdle
    return bytes
  }
}
