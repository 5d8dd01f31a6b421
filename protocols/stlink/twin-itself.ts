/**
 * The whole of an ST-Link: its boot loader, and what that starts. It is what its flash holds: ST's firmware, a Black Magic
 * Probe, or nothing but its boot loader. A V2 waits in its boot loader whenever it gets power; a V2-1 and a V3 start what
 * they hold, and go back when they are told. Sources: as `twin-loader.ts`.
 */
import { hexBytes } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import type { UsbTwin } from '#bench/twin.ts'
import { startedBy, type Started } from './images.ts'
import type { Version } from './packets.ts'
import { Application, type ApplicationOptions } from './twin-application.ts'
import { stLinkDescriptors, type Described } from './twin-descriptors.ts'
import { StLinkTwin, type TwinProgram } from './twin-device.ts'
import { ForeignTwin } from './twin-foreign.ts'
import { Loader, type LoaderChip } from './twin-loader.ts'

export interface ItselfOptions extends Pick<ApplicationOptions, 'target' | 'volts'> {
  readonly chip: LoaderChip
  /** ST's firmware on the bus; of a V2 the boot loader looks the same. */
  readonly application: Described
  readonly loader: Described
  readonly versionOf: (name: string, productId: number) => Version
  /** Of ST's firmware that it had last: its boot loader tells it. */
  readonly version: string
  readonly onPower: (clock: Clock | undefined) => void
}

/** From leaving the bus to being back on it. */
const restartMs = 1500

export class StLinkItself {
  /** On the bus as its boot loader; of a V2 also as ST's firmware. */
  readonly loader: StLinkTwin
  /** As it is plugged in: what its power brings up. */
  readonly whole: StLinkTwin
  readonly #options: ItselfOptions
  #version: Version
  #clock: Clock | undefined
  /** As ST's firmware, last. */
  #running: StLinkTwin | undefined

  constructor(options: ItselfOptions) {
    const { versionOf, version, application, loader } = options
    this.#options = options
    this.#version = versionOf(version, application.productId)
    const starts = (device: StLinkTwin) => this.#loaderOn(device)
    this.loader = this.#device(loader, starts)
    this.whole = this.#device(loader, starts, this.powersUpAs)
  }

  get #isV2(): boolean {
    return this.#options.chip.protocol === 1
  }

  get #holds(): Started | undefined {
    const { flash } = this.#options.chip
    return startedBy(flash.bytes, flash.address)
  }

  /** What it is when it gets power. */
  readonly powersUpAs = (): UsbTwin => (this.#isV2 ? this.loader : (this.starts() ?? this.loader))

  /** What its flash makes of it, as another device on the bus; undefined: nothing. */
  readonly starts = (): UsbTwin | undefined => {
    const holds = this.#holds
    const { application, chip } = this.#options
    if (!holds) return undefined
    if (holds.is === 'vendor')
      return (this.#running = this.#device({ ...application, productId: holds.productId }, (device) =>
        this.#applicationOn(device, holds),
      ))
    return new ForeignTwin({
      product: holds.product,
      serial: hexBytes(chip.uid.subarray(0, 4), '').toUpperCase(),
      loader: () => this.loader,
    })
  }

  /** Its supply fails for a moment: what was being written stays half-written, and it starts anew. */
  brownOut(): void {
    this.#options.chip.flash.losePower(this.#clock?.now() ?? Infinity)
    for (const device of [this.loader, this.whole, this.#running])
      device?.bus?.detach({ twin: this.powersUpAs(), ms: restartMs })
  }

  #device(
    described: Described,
    starts: (device: StLinkTwin) => TwinProgram,
    powersUpAs?: () => UsbTwin,
  ): StLinkTwin {
    return new StLinkTwin({
      descriptors: stLinkDescriptors(described),
      speed: described.packetBytes === 512 ? 'high' : 'full',
      starts,
      ...(powersUpAs && { powersUpAs }),
      onPower: (clock) => {
        this.#options.onPower(clock)
        if (!clock) this.#options.chip.flash.losePower(this.#clock?.now() ?? Infinity)
        this.#clock = clock
      },
    })
  }

  #applicationOn(device: StLinkTwin, holds: Extract<Started, { is: 'vendor' }>): TwinProgram {
    const { versionOf, target, volts } = this.#options
    this.#version = versionOf(holds.version, holds.productId)
    const own = { version: this.#version, target, volts }
    const restart = () => leave(device, this.loader)
    return new Application(this.#isV2 ? own : { ...own, restart })
  }

  #loaderOn(device: StLinkTwin): Loader {
    return new Loader({
      chip: this.#options.chip,
      version: (isExtended) => this.#tellVersion(isExtended),
      exit: () => this.#exit(device),
    })
  }

  /** As its firmware would, with the loader's own product id. */
  #tellVersion(isExtended: boolean): Uint8Array {
    const { productId } = this.#options.loader
    const { generation, jtag, swim, mass, bridge, vendorId } = this.#version
    const ids = [vendorId & 0xff, vendorId >> 8, productId & 0xff, productId >> 8]
    if (isExtended) return Uint8Array.from([generation, swim, jtag, mass, bridge, 0, 0, 0, ...ids])
    const word = generation >= 3 ? 0x3000 : (generation << 12) | (jtag << 6) | (mass || swim)
    return Uint8Array.from([word >> 8, word & 0xff, ...ids])
  }

  /** A V2 goes over to ST's firmware where it is; all else is another device. */
  #exit(device: StLinkTwin): void {
    const holds = this.#holds
    if (this.#isV2 && holds?.is === 'vendor') device.runs = this.#applicationOn(device, holds)
    else if (holds) leave(device, this.starts() ?? this.loader)
  }
}

const leave = (from: StLinkTwin, next: UsbTwin): void => from.bus?.detach({ twin: next, ms: restartMs })
