/**
 * Shows USB twins with HID interfaces behind the W3C shape `HID`, behaving as Chrome on Linux does (`blink/.../hid/`,
 * `services/device/hid/`, the WebHID specification): the system's own driver asks an open device for reports again and
 * again, and a report is sent by it. It sees the same bus as `twin-usb.ts`, whose ports count and disturb the transfers.
 */
import { isFlashError } from '#core/errors.ts'
import { within, type Clock } from '#core/time.ts'
import { hidPipes, readCollections, type HidPipes } from './twin-hid-descriptor.ts'
import type { TwinUsbDevice } from './twin-usb-device.ts'
import { chooserMs, grantKey, type TwinUsb } from './twin-usb.ts'

/** Opening and closing: a system call and a way through the browser's processes. */
const stateChangeMs = 1
/** Linux waits so long before it asks a device again that failed to answer (usbhid, `hid_io_error`). */
const againMs = 13
/** After which Linux gives up a report that it sends (usbhid, `usbhid_output_report`). */
const sendMs = 5000

const notAllowed = (message: string) => new DOMException(message, 'NotAllowedError')
const invalidState = (message: string) => new DOMException(message, 'InvalidStateError')

export class TwinHid extends EventTarget implements HID {
  onconnect: ((event: Event) => unknown) | null = null
  ondisconnect: ((event: Event) => unknown) | null = null
  readonly #usb: TwinUsb
  /** Of each USB device, one for each of its HID interfaces. */
  readonly #known = new WeakMap<TwinUsbDevice, Promise<TwinHidDevice[]>>()
  readonly #grants = new Set<TwinUsbDevice | string>()

  constructor(usb: TwinUsb) {
    super()
    this.#usb = usb
    usb.onBus = (what, device) => void this.#heard(what, device)
  }

  override addEventListener(
    type: 'connect' | 'disconnect',
    listener: (event: HIDConnectionEvent) => unknown,
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
    listener: (event: HIDConnectionEvent) => unknown,
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

  async getDevices(): Promise<HIDDevice[]> {
    const granted = this.#usb.devices().filter((device) => this.#isGranted(device))
    return (await Promise.all(granted.map((device) => this.#of(device)))).flat()
  }

  /** Chooses the first match: all HID interfaces of that device. */
  async requestDevice({ filters }: HIDDeviceRequestOptions = { filters: [] }): Promise<HIDDevice[]> {
    for (const device of this.#usb.devices()) {
      const interfaces = await this.#of(device)
      if (!interfaces.some((one) => filters.length === 0 || filters.some((filter) => matches(one, filter))))
        continue
      this.#grants.add(grantKey(device))
      return interfaces
    }
    await this.#usb.options.clock.sleep(chooserMs)
    return []
  }

  async #heard(what: 'came' | 'left', device: TwinUsbDevice): Promise<void> {
    for (const one of await this.#of(device)) {
      if (what === 'left') one.left()
      if (this.#isGranted(device)) this.#dispatch(what === 'came' ? 'connect' : 'disconnect', one)
    }
    if (what === 'left') this.#grants.delete(device)
  }

  #dispatch(type: 'connect' | 'disconnect', device: TwinHidDevice): void {
    const event = Object.assign(new Event(type), { device })
    this.dispatchEvent(event)
    this[`on${type}`]?.(event)
  }

  #of(device: TwinUsbDevice): Promise<TwinHidDevice[]> {
    const known = this.#known.get(device) ?? this.#enumerate(device)
    this.#known.set(device, known)
    return known
  }

  async #enumerate(device: TwinUsbDevice): Promise<TwinHidDevice[]> {
    const found: TwinHidDevice[] = []
    for (const pipes of hidPipes(device.layout)) {
      const collections = await readCollections(device.twin, pipes)
      if (!collections) continue
      const forget = () => this.#grants.delete(grantKey(device))
      found.push(new TwinHidDevice(device, pipes, collections, this.#usb.options.clock, forget))
    }
    return found
  }

  #isGranted(device: TwinUsbDevice): boolean {
    const isShown = this.#usb.options.granted === true && device.twin.chosenAs === 'hid'
    return isShown || this.#grants.has(grantKey(device))
  }
}

class TwinHidDevice extends EventTarget implements HIDDevice {
  oninputreport: ((event: HIDInputReportEvent) => unknown) | null = null
  opened = false
  readonly vendorId: number
  readonly productId: number
  readonly productName: string
  readonly collections: HIDCollectionInfo[]
  readonly #device: TwinUsbDevice
  readonly #pipes: HidPipes
  readonly #clock: Clock
  readonly #forget: () => void
  #isChanging = false
  #hasLeft = false
  /** Each opening has its own: what an earlier one still waits for is nobody's. */
  #opening: object | undefined

  constructor(
    device: TwinUsbDevice,
    pipes: HidPipes,
    collections: HIDCollectionInfo[],
    clock: Clock,
    forget: () => void,
  ) {
    super()
    this.vendorId = device.vendorId
    this.productId = device.productId
    this.productName = device.productName ?? ''
    this.collections = collections
    this.#device = device
    this.#pipes = pipes
    this.#clock = clock
    this.#forget = forget
  }

  async open(): Promise<void> {
    if (this.opened) throw invalidState('The device is already open.')
    await this.#change(() => {
      if (this.#hasLeft || this.#device.isRefused) throw notAllowed('Failed to open the device.')
      this.opened = true
      this.#opening = {}
      void this.#listen(this.#opening)
    })
  }

  async close(): Promise<void> {
    if (!this.opened) return
    await this.#change(() => this.#end())
  }

  async forget(): Promise<void> {
    this.#forget()
    await this.close()
  }

  async sendReport(reportId: number, data: BufferSource): Promise<void> {
    if (!this.opened) throw invalidState('The device must be opened first.')
    const failed = () => notAllowed('Failed to write the report.')
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
      : new Uint8Array(data.slice(0))
    const report = this.collections
      .flatMap(({ outputReports = [] }) => outputReports)
      .find((one) => one.reportId === reportId)
    if (!report || bytes.length > bytesOf(report)) throw failed()
    const packet = reportId === 0 ? bytes : Uint8Array.of(reportId, ...bytes)
    const { endpointNumber, packetSize } = this.#pipes.out
    try {
      const sent = this.#device.systemOut(endpointNumber, packet, packetSize)
      const { status } = await within(sent, this.#clock, 'sending a report', sendMs)
      if (status === 'ok') return
    } catch (error) {
      // the page hears no more than that it failed
      if (isFlashError(error, 'timeout')) this.#device.systemGivesUp('out', endpointNumber)
    }
    throw failed()
  }

  sendFeatureReport(): Promise<void> {
    return Promise.reject(notAllowed('Failed to write the feature report.'))
  }
  receiveFeatureReport(): Promise<DataView> {
    return Promise.reject(notAllowed('Failed to receive the feature report.'))
  }

  override addEventListener(
    type: 'inputreport',
    listener: (event: HIDInputReportEvent) => unknown,
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
    type: 'inputreport',
    listener: (event: HIDInputReportEvent) => unknown,
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

  /** @internal */
  left(): void {
    this.#hasLeft = true
    if (this.opened) this.#end()
  }

  #end(): void {
    this.opened = false
    this.#opening = undefined
    this.#device.systemGivesUp('in', this.#pipes.in.endpointNumber)
  }

  async #change(apply: () => void): Promise<void> {
    if (this.#isChanging) throw invalidState('An operation that changes the device state is in progress.')
    this.#isChanging = true
    try {
      await this.#clock.sleep(stateChangeMs)
      apply()
    } finally {
      this.#isChanging = false
    }
  }

  /** A stall is cleared and asked again, what failed is asked again a little later, as the system's driver does. */
  async #listen(opening: object): Promise<void> {
    const { endpointNumber, packetSize } = this.#pipes.in
    const hasIds = this.collections.some(({ inputReports = [] }) =>
      inputReports.some((one) => one.reportId !== 0),
    )
    const reports = this.collections.flatMap(({ inputReports = [] }) => inputReports)
    const most = Math.max(packetSize, ...reports.map(bytesOf)) + (hasIds ? 1 : 0)
    while (this.#opening === opening) {
      const outcome = await this.#device.systemIn(endpointNumber, most, packetSize).catch(() => undefined)
      if (this.#opening !== opening) return
      if (outcome?.status !== 'ok') {
        await this.#clock.sleep(outcome?.status === 'stall' ? stateChangeMs : againMs)
        if (this.#opening === opening) this.#device.systemGivesUp('in', endpointNumber)
        continue
      }
      if (outcome.bytes.length === 0) continue
      const [first = 0] = outcome.bytes
      const bytes = hasIds ? outcome.bytes.slice(1) : outcome.bytes.slice()
      this.#dispatch(hasIds ? first : 0, new DataView(bytes.buffer))
    }
  }

  #dispatch(reportId: number, data: DataView): void {
    const event = Object.assign(new Event('inputreport'), { device: this, reportId, data })
    this.dispatchEvent(event)
    this.oninputreport?.(event)
  }
}

const bytesOf = ({ items = [] }: HIDReportInfo): number =>
  Math.ceil(
    items.reduce((bits, { reportSize = 0, reportCount = 0 }) => bits + reportSize * reportCount, 0) / 8,
  )

function matches({ vendorId, productId, collections }: TwinHidDevice, filter: HIDDeviceFilter): boolean {
  const same = (wanted: unknown, found: unknown) => wanted === undefined || wanted === found
  return (
    same(filter.vendorId, vendorId) &&
    same(filter.productId, productId) &&
    (filter.usagePage === undefined ||
      collections.some((one) => one.usagePage === filter.usagePage && same(filter.usage, one.usage)))
  )
}
