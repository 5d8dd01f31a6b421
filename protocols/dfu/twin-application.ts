/**
 * A device that runs its application, with a DFU interface to leave it by: DETACH makes it come back as its boot loader,
 * by itself or after a port reset in time. What its application says of itself is in its flash; when there is none, its
 * power brings up the boot loader. Sources: DFU 1.1, sections 4.2 and 5.1, appendix A.1; Black Magic Debug,
 * `usb_dfu_stub.c`.
 */
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { formatStatus, Request, State } from './packets.ts'

export interface ApplicationOptions {
  readonly loader: UsbTwin
  /** The product name of what is in its flash; undefined: nothing that starts. */
  readonly product: () => string | undefined
  readonly describe: (product: string) => UsbDescriptors
  /** The number of its DFU interface. */
  readonly dfu: number
  /** Else it waits for a port reset, as long as DETACH says. */
  readonly detachesItself: boolean
}

const restartMs = 300
const ok = new Uint8Array()

export class ApplicationTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly #options: ApplicationOptions
  #bus: TwinBus | undefined
  /** Until then a reset makes it go. */
  #detachesUntil = -1

  constructor(options: ApplicationOptions) {
    this.#options = options
  }

  get descriptors(): UsbDescriptors {
    const { describe, product } = this.#options
    return describe(product() ?? '')
  }

  powersUpAs(): UsbTwin {
    return this.#options.product() === undefined ? this.#options.loader : this
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#detachesUntil = -1
  }

  unplugged(): void {
    this.#bus = undefined
  }

  reset(): void {
    const isInTime = this.#bus !== undefined && this.#bus.clock.now() <= this.#detachesUntil
    this.#detachesUntil = -1
    if (isInTime) this.#detach()
  }

  #detach(): void {
    this.#bus?.detach({ twin: this.#options.loader, ms: restartMs })
  }

  control({ requestType, request, value, index }: SetupPacket): Promise<TwinAnswer> {
    const { dfu, detachesItself } = this.#options
    const bus = this.#bus
    // SET_INTERFACE, and what a serial port is told
    if ((requestType & 0x80) === 0 && (index !== dfu || (requestType & 0x60) === 0))
      return Promise.resolve(ok)
    if (index !== dfu) return Promise.resolve('stall')
    if (request === Request.Detach && requestType === 0x21) {
      if (detachesItself) bus?.clock.after(1, () => this.#detach())
      else this.#detachesUntil = (bus?.clock.now() ?? 0) + value
      return Promise.resolve(ok)
    }
    if (request !== Request.GetStatus || requestType !== 0xa1) return Promise.resolve('stall')
    const state = this.#detachesUntil < 0 ? State.AppIdle : State.AppDetach
    return Promise.resolve(formatStatus({ status: 'OK', pollMs: 0, state }))
  }

  bulkOut(): Promise<TwinAnswer> {
    return Promise.resolve(ok)
  }

  bulkIn(): Promise<TwinAnswer> {
    return Promise.resolve('silent')
  }
}
