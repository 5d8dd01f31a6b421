/**
 * A board that runs what is in its flash: as what it appears is read from there. One made with the SDK can be told to start
 * BOOTSEL mode, which it does in the middle of the request. When the ROM finds nothing to start, power brings up BOOTSEL
 * mode. Sources: pico-sdk, `reset_interface.c`; debugprobe, `usb_descriptors.c`.
 */
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { Play, programIn } from './images.ts'
import { ResetRequest } from './packets.ts'
import type { Chip } from '#chips/rp2-chips.ts'
import { probeDescriptors, stdioDescriptors } from './twin-descriptors.ts'

export interface ProgramOptions {
  readonly chip: Chip['name']
  readonly flash: { readonly bytes: Uint8Array }
  /** Of the flash chip; programs tell it. */
  readonly serial: string
  readonly loader: () => UsbTwin
}

const restartMs = 300
const resetInterface = 2
const ok = new Uint8Array()

export class ProgramTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly #options: ProgramOptions
  #bus: TwinBus | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
  }

  get #program() {
    return programIn(this.#options.chip, this.#options.flash.bytes)
  }

  get descriptors(): UsbDescriptors {
    const { productId, version, product } = this.#program ?? {
      productId: Play.stdio,
      version: 0,
      product: '',
    }
    const { serial } = this.#options
    return productId === Play.probe
      ? probeDescriptors(product, version, serial)
      : stdioDescriptors(productId, product, serial)
  }

  powersUpAs(): UsbTwin {
    return this.#program ? this : this.#options.loader()
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
  }

  unplugged(): void {
    this.#bus = undefined
  }

  reset(): void {
    return
  }

  control({ requestType, request, index }: SetupPacket): Promise<TwinAnswer> {
    const isReset = (requestType & 0x7f) === 0x21 && index === resetInterface
    if (isReset && request === ResetRequest.Bootsel && this.#program?.productId !== Play.probe) {
      const bus = this.#bus
      bus?.clock.after(1, () => bus.detach({ twin: this.#options.loader(), ms: restartMs }))
      return Promise.resolve('silent')
    }
    // what a serial port is told
    return Promise.resolve((requestType & 0x80) === 0 && !isReset ? ok : 'stall')
  }

  bulkOut(): Promise<TwinAnswer> {
    return Promise.resolve(ok)
  }

  bulkIn(): Promise<TwinAnswer> {
    return Promise.resolve('silent')
  }
}
