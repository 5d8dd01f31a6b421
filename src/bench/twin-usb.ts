/**
 * Puts USB twins behind the W3C shape `USB`, behaving as Chrome on Linux does (`blink/.../webusb/`, the
 * WebUSB specification): grants, unplugging, re-enumeration. The device itself is `twin-usb-device.ts`.
 *
 * A grant lasts over unplugging only for a device with a serial number, as in Chrome.
 */
import type { Clock } from '#core/time.ts'
import type { PluggedSerial, TwinSerialBus } from './twin-serial.ts'
import type { Comeback, UsbTwin, WireFaults } from './twin.ts'
import { TwinUsbDevice, type TwinTransfers } from './twin-usb-device.ts'

export interface TwinUsbOptions {
  readonly clock: Clock
  /** Everything is granted without a chooser, as an administrator's policy does. */
  readonly granted?: boolean
  /** False: transfers take no time on the wire. Default true. */
  readonly timed?: boolean
  /** Where those appear that come back as a serial port. */
  readonly ports?: TwinSerialBus
}

export interface PlugOptions {
  /** `open`: the user may not use the device node (udev); `claim`: another program holds its interfaces. */
  readonly refuses?: 'open' | 'claim'
  /** False: the system has selected no configuration. Default true, as on Linux. */
  readonly configured?: boolean
  /** From the cable's end to the browser's event; meanwhile transfers fail with a mere transfer error. Default 20. */
  readonly noticeMs?: number
}

/** How long a person looks at a chooser that has nothing to choose. */
export const chooserMs = 1000

export class TwinUsb extends EventTarget implements USB {
  onconnect: ((event: USBConnectionEvent) => unknown) | null = null
  ondisconnect: ((event: USBConnectionEvent) => unknown) | null = null
  readonly options: TwinUsbOptions
  /** Told of what comes to the bus and leaves it, whoever may use it. */
  onBus: (what: 'came' | 'left', device: TwinUsbDevice) => void = () => undefined
  readonly #ports = new Set<PluggedTwin>()
  /** Objects of devices on the bus, and keys of those with a serial number. */
  readonly #grants = new Set<TwinUsbDevice | string>()

  constructor(options: TwinUsbOptions) {
    super()
    this.options = options
  }

  override addEventListener(
    type: 'connect' | 'disconnect',
    listener: (event: USBConnectionEvent) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void
  override addEventListener(
    type: string,
    listener: unknown,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener as EventListener, options)
  }

  override removeEventListener(
    type: 'connect' | 'disconnect',
    listener: (event: USBConnectionEvent) => unknown,
    options?: boolean | EventListenerOptions,
  ): void
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void
  override removeEventListener(
    type: string,
    listener: unknown,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(type, listener as EventListener, options)
  }

  /** Powers the twin up; a device that the page already has a grant for announces itself. */
  plug(twin: UsbTwin, options: PlugOptions = {}): PluggedTwin {
    const port = new PluggedTwin(this, twin, options)
    this.#ports.add(port)
    return port
  }

  getDevices(): Promise<USBDevice[]> {
    return Promise.resolve(this.devices().filter((device) => this.#isGranted(device)))
  }

  /** Chooses the first match. */
  async requestDevice(options?: USBDeviceRequestOptions): Promise<USBDevice> {
    if (!options) throw new TypeError('1 argument required, but only 0 present.')
    const { filters, exclusionFilters = [] } = options
    for (const filter of [...filters, ...exclusionFilters]) checkFilter(filter)
    const fits = (device: TwinUsbDevice) =>
      (filters.length === 0 || filters.some((filter) => matches(device, filter))) &&
      !exclusionFilters.some((filter) => matches(device, filter))
    const device = this.devices().find(fits)
    if (!device) {
      await this.options.clock.sleep(chooserMs)
      throw new DOMException('No device selected.', 'NotFoundError')
    }
    this.#grants.add(grantKey(device))
    return device
  }

  /** @internal */
  arrived(device: TwinUsbDevice): void {
    this.onBus('came', device)
    if (!this.#isGranted(device)) return
    queueMicrotask(() => {
      this.#dispatch('connect', device)
    })
  }

  /** @internal */
  left(device: TwinUsbDevice): void {
    this.onBus('left', device)
    if (this.#isGranted(device)) this.#dispatch('disconnect', device)
    this.#grants.delete(device)
  }

  /** @internal */
  forgot(device: TwinUsbDevice): void {
    this.#grants.delete(grantKey(device))
  }

  /** All on the bus, whoever may use them. */
  devices(): TwinUsbDevice[] {
    return [...this.#ports].flatMap((port) => port.device ?? [])
  }

  #isGranted(device: TwinUsbDevice): boolean {
    const isShown = this.options.granted === true && device.twin.chosenAs !== 'hid'
    return isShown || this.#grants.has(grantKey(device))
  }

  #dispatch(type: 'connect' | 'disconnect', device: TwinUsbDevice): void {
    const event = Object.assign(new Event(type), { device })
    this.dispatchEvent(event)
    this[`on${type}`]?.(event)
  }
}

/** One port of the computer with a twin in it; a device that comes back as another one stays in its port. */
export class PluggedTwin {
  /** What was transferred since it was plugged in. */
  readonly transfers: TwinTransfers = { count: 0, control: 0, bulkIn: 0, bulkOut: 0, bytesIn: 0, bytesOut: 0 }
  /** Called at the beginning of every transfer with its number since it was plugged in, and what kind it is of. */
  onTransfer: (count: number, kind: string) => void = () => undefined
  readonly #usb: TwinUsb
  readonly #options: PlugOptions
  readonly #twin: UsbTwin
  #device: TwinUsbDevice | undefined
  /** It came back as a serial port. */
  #asPort: PluggedSerial | undefined
  #inserted = true
  #leaving = Promise.resolve()
  #faults: WireFaults = {}
  #faultsFrom = 0

  constructor(usb: TwinUsb, twin: UsbTwin, options: PlugOptions) {
    this.#usb = usb
    this.#options = options
    this.#twin = twin
    this.#attach(twin)
  }

  /** As the page sees it; undefined while it is unplugged or re-enumerating. */
  get device(): TwinUsbDevice | undefined {
    return this.#device
  }

  get faults(): WireFaults {
    return this.#faults
  }
  /** Counted in transfers from now on. */
  set faults(faults: WireFaults) {
    this.#faults = faults
    this.#faultsFrom = this.transfers.count
  }

  /** Resolves when the page has been told. */
  async unplug(): Promise<void> {
    this.#inserted = false
    this.#detach()
    const asPort = this.#asPort
    this.#asPort = undefined
    await Promise.all([this.#leaving, asPort?.unplug()])
  }

  /** Plugs in again what was plugged in at first, powered up anew. */
  async replug(): Promise<void> {
    if (this.#asPort) await this.unplug()
    await this.#leaving
    if (this.#inserted) return
    this.#inserted = true
    this.#attach(this.#twin)
  }

  /**
   * The page ends in the middle of everything, and another one comes: the browser closes the device without asking
   * it, and the new page has an object of its own for it.
   */
  reload(): void {
    const { device } = this
    if (!device) return
    device.abandoned()
    this.#device = this.#asDevice(device.twin)
  }

  /** @internal The number of the transfer that begins, as the faults count. */
  nextTransfer(kind: string): number {
    this.onTransfer(++this.transfers.count, kind)
    return this.transfers.count - this.#faultsFrom
  }

  #attach(next: UsbTwin): void {
    const twin = next.powersUpAs?.() ?? next
    const device = this.#asDevice(twin)
    this.#device = device
    twin.plugged({
      clock: this.#usb.options.clock,
      detach: (next) => {
        if (this.#device?.twin === twin) this.#detach(next)
      },
    })
    this.#usb.arrived(device)
  }

  #asDevice(twin: UsbTwin): TwinUsbDevice {
    const { clock, timed = true } = this.#usb.options
    const { refuses, configured = true } = this.#options
    const device = new TwinUsbDevice(twin, this, { clock, timed, refuses, configured }, () => {
      this.#usb.forgot(device)
    })
    return device
  }

  #detach(next?: Comeback): void {
    const device = this.#device
    this.#device = undefined
    if (device) this.#leaving = this.#leave(device, next)
  }

  async #leave(device: TwinUsbDevice, next?: Comeback): Promise<void> {
    const { clock } = this.#usb.options
    device.unplugged()
    const { noticeMs = 20 } = this.#options
    await clock.sleep(noticeMs)
    device.disconnected()
    this.#usb.left(device)
    if (!next) return
    await clock.sleep(next.ms - noticeMs)
    if (!this.#inserted) return
    if (next.twin.link === 'usb') this.#attach(next.twin)
    else this.#asPort = this.#usb.options.ports?.plug(next.twin)
  }
}

export const grantKey = (device: TwinUsbDevice): TwinUsbDevice | string =>
  device.serialNumber === null
    ? device
    : `${String(device.vendorId)}:${String(device.productId)}:${device.serialNumber}`

function checkFilter(filter: USBDeviceFilter): void {
  const needs = [
    ['productId', 'vendorId'],
    ['subclassCode', 'classCode'],
    ['protocolCode', 'subclassCode'],
  ] as const
  for (const [key, needed] of needs)
    if (filter[key] !== undefined && filter[needed] === undefined)
      throw new TypeError(`A filter containing a ${key} must also contain a ${needed}.`)
}

function matches(device: TwinUsbDevice, filter: USBDeviceFilter): boolean {
  const same = (wanted: unknown, found: unknown) => wanted === undefined || wanted === found
  const classes = [
    [device.deviceClass, device.deviceSubclass, device.deviceProtocol],
    ...device.configurations
      .flatMap(({ interfaces }) => interfaces)
      .flatMap(({ alternates }) => alternates)
      .map((one) => [one.interfaceClass, one.interfaceSubclass, one.interfaceProtocol]),
  ]
  return (
    same(filter.vendorId, device.vendorId) &&
    same(filter.productId, device.productId) &&
    same(filter.serialNumber, device.serialNumber) &&
    classes.some(
      ([classCode, subclass, protocol]) =>
        same(filter.classCode, classCode) &&
        same(filter.subclassCode, subclass) &&
        same(filter.protocolCode, protocol),
    )
  )
}
