/**
 * An ST-Link on the bus: frames of 16 bytes, what follows them, and answers, whoever it is that answers: its firmware or
 * its boot loader. Sources: as `packets.ts`.
 */
import type { Clock } from '#core/time.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { frameBytes } from './packets.ts'

/** What runs on its chip. */
export interface TwinProgram {
  /** Of what it was given to send behind this frame, in bytes; 0: nothing. */
  follows(frame: Uint8Array): number
  /** Its answer, if there is one. Takes its time on `clock`. */
  answer(frame: Uint8Array, bytes: Uint8Array, clock: Clock): Promise<Uint8Array | 'stall' | undefined>
}

export interface DeviceOptions {
  readonly descriptors: UsbDescriptors
  readonly speed: 'full' | 'high'
  /** What starts when it gets power; it may hand over to another by `runs`. */
  readonly starts: (device: StLinkTwin) => TwinProgram
  /** What its power brings up instead, where its flash decides. */
  readonly powersUpAs?: () => UsbTwin
  /** Of what is on its wires, too; undefined: there is none any more. */
  readonly onPower: (clock: Clock | undefined) => void
}

export class StLinkTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed: 'full' | 'high'
  readonly descriptors: UsbDescriptors
  /** What answers now. */
  runs: TwinProgram
  readonly #options: DeviceOptions
  #bus: TwinBus | undefined
  #working: Promise<unknown> = Promise.resolve()
  #answers: (Uint8Array | 'stall')[] = []
  /** A frame that is not complete without the bytes behind it. */
  #begun: { readonly frame: Uint8Array; readonly parts: Uint8Array[]; left: number } | undefined
  /** Called when there is an answer, or nobody to give one. */
  #heard: () => void = () => undefined

  constructor(options: DeviceOptions) {
    this.#options = options
    this.speed = options.speed
    this.descriptors = options.descriptors
    this.runs = options.starts(this)
  }

  /** Where it is plugged in, for who goes and comes back. */
  get bus(): TwinBus | undefined {
    return this.#bus
  }

  powersUpAs(): UsbTwin {
    return this.#options.powersUpAs?.() ?? this
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.runs = this.#options.starts(this)
    this.reset()
    this.#options.onPower(bus.clock)
  }

  unplugged(): void {
    this.#bus = undefined
    this.#heard()
    this.#options.onPower(undefined)
  }

  /** What it does on its wires goes on; what it was about to say is gone. */
  reset(): void {
    this.#answers = []
    this.#begun = undefined
  }

  control(setup: SetupPacket): Promise<TwinAnswer> {
    const isForIt = (setup.requestType & 0x60) === 0 && (setup.requestType & 0x80) === 0
    return Promise.resolve(isForIt ? new Uint8Array() : 'stall')
  }

  /** The next one is taken when it has done what was asked before. */
  async bulkOut(_: number, bytes: Uint8Array): Promise<TwinAnswer> {
    const bus = this.#bus
    await this.#working
    if (!bus || bus !== this.#bus) return 'broken'
    const begun = this.#begun
    if (begun) {
      begun.parts.push(bytes.slice(0, begun.left))
      begun.left -= bytes.length
    } else {
      const frame = new Uint8Array(frameBytes)
      frame.set(bytes.subarray(0, frameBytes))
      this.#begun = { frame, parts: [], left: this.runs.follows(frame) }
    }
    if ((this.#begun?.left ?? 0) <= 0) this.#working = this.#work(bus)
    return new Uint8Array()
  }

  async bulkIn(endpoint: number): Promise<TwinAnswer> {
    if (endpoint !== 1) return 'silent'
    for (;;) {
      const bus = this.#bus
      if (!bus) return 'broken'
      const answer = this.#answers.shift()
      if (answer) return answer
      await new Promise<void>((resolve) => (this.#heard = resolve))
      if (bus !== this.#bus) return 'broken'
    }
  }

  async #work(bus: TwinBus): Promise<void> {
    const begun = this.#begun
    this.#begun = undefined
    if (!begun) return
    const bytes = Uint8Array.from(begun.parts.flatMap((part) => [...part]))
    const answer = await this.runs.answer(begun.frame, bytes, bus.clock)
    if (bus !== this.#bus || answer === undefined) return
    this.#answers.push(answer)
    this.#heard()
  }
}
