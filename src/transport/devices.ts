/**
 * The devices the user has shown to this page: list them, ask for another, hear of changes, open one. The
 * only file that names `navigator.usb`, `navigator.hid` and `navigator.serial`; twins come in through the same shapes. The
 * links are loaded when a device is opened first: the first page only lists.
 */
import { FlashError, toFlashError, type DeviceApi } from '#core/errors.ts'
import type { LinkFilter, SeenHid, SeenReport, SeenSerial, SeenUsb } from '#core/programmer.ts'
import { systemClock, type Clock } from '#core/time.ts'
import type { HidLink, SerialPortHandle, UsbLink } from './links.ts'
import type { RecordedLinks } from './recorded-links.ts'

interface AttachedDevice {
  /** Stays the same as long as the device stays plugged in. */
  readonly key: string
  /** Takes the permission back; the device is listed no more. */
  forget(): Promise<void>
}

export interface AttachedUsb extends AttachedDevice {
  readonly link: 'usb'
  readonly seen: SeenUsb
  open(): Promise<UsbLink>
}

export interface AttachedSerial extends AttachedDevice, SerialPortHandle {
  readonly link: 'serial'
}

export interface AttachedHid extends AttachedDevice {
  readonly link: 'hid'
  readonly seen: SeenHid
  open(): Promise<HidLink>
}

export type Attached = AttachedUsb | AttachedSerial | AttachedHid

export interface Source {
  readonly usb?: USB | undefined
  readonly serial?: Serial | undefined
  readonly hid?: HID | undefined
}

/** Of this browser. */
export const browserSource = (): Source => ({
  usb: 'usb' in navigator ? navigator.usb : undefined,
  serial: 'serial' in navigator ? navigator.serial : undefined,
  hid: 'hid' in navigator ? navigator.hid : undefined,
})

export class Devices {
  /** Which of them this browser has. */
  readonly can: Readonly<Record<DeviceApi, boolean>>
  /** What everything that waits for these devices waits on; links as it is when the first of them is opened. */
  clock: Clock
  readonly #source: Source
  /** Hears all that goes over the links, from the first that is opened. */
  recording: RecordedLinks | undefined
  readonly #keys = new WeakMap<object, string>()
  /** A device has one link: opening it anew ends the older one, so a retry always can. */
  readonly #links = new WeakMap<object, AsyncDisposable>()
  #lastKey = 0

  constructor(source: Source, clock: Clock = systemClock) {
    this.#source = source
    this.clock = clock
    const { usb, serial, hid } = source
    this.can = { usb: usb !== undefined, serial: serial !== undefined, hid: hid !== undefined }
  }

  /** What is plugged in and allowed. */
  async list(): Promise<Attached[]> {
    const { usb, serial, hid } = this.#source
    const devices = await usb?.getDevices().catch(noneWhenBlocked)
    const ports = await serial?.getPorts().catch(noneWhenBlocked)
    const hids = await hid?.getDevices().catch(noneWhenBlocked)
    return [
      ...(usb && devices ? devices.map((device) => this.#usb(device, usb)) : []),
      ...(hid && hids ? hids.map((device) => this.#hid(device, hid)) : []),
      ...(ports ?? []).filter(isConnected).map((port) => this.#serial(port)),
    ]
  }

  /**
   * Opens the browser's chooser; needs a user gesture. `undefined`: nothing was chosen. Errors:
   * `browser-unsupported`, `blocked-by-policy`, `click-needed`.
   */
  async request(api: DeviceApi, filters: readonly LinkFilter[]): Promise<Attached | undefined> {
    const { usb, serial, hid } = this.#source
    const askedAt = this.clock.now()
    try {
      if (api === 'usb' && usb)
        return this.#usb(await usb.requestDevice({ filters: filters.filter(isOfUsb) }), usb)
      if (api === 'serial' && serial)
        return this.#serial(await serial.requestPort({ filters: filters.flatMap(asPortFilters) }))
      if (api === 'hid' && hid) {
        const chosen = await hid.requestDevice({ filters: filters.filter(isOfHid) })
        const device = chosen.find(takesReports) ?? chosen[0]
        if (device) return this.#hid(device, hid)
        const { fromEmptyChooser } = await import('./access.ts')
        const blocked = fromEmptyChooser(api, this.clock.now() - askedAt)
        if (blocked) throw blocked
        return undefined
      }
    } catch (error) {
      const { fromChooser } = await import('./access.ts')
      const translated = fromChooser(error, api, this.clock.now() - askedAt)
      if (!translated) return undefined
      throw translated
    }
    throw new FlashError('browser-unsupported', { api })
  }

  /** Tells of every allowed device that comes or goes. Returns what ends it. */
  onChange(listener: () => void): () => void {
    const { usb, serial, hid } = this.#source
    const heard = [usb, serial, hid].filter((one) => one !== undefined)
    for (const one of heard)
      for (const type of ['connect', 'disconnect']) one.addEventListener(type, listener)
    return () => {
      for (const one of heard)
        for (const type of ['connect', 'disconnect']) one.removeEventListener(type, listener)
    }
  }

  async #recording(): Promise<RecordedLinks> {
    const { RecordedLinks } = await import('./recorded-links.ts')
    return (this.recording ??= new RecordedLinks(this.clock))
  }

  #usb(device: USBDevice, usb: USB): AttachedUsb {
    const seen = seenUsb(device)
    return {
      link: 'usb',
      key: this.#key(device),
      seen,
      open: () => this.#only(device, async () => (await this.#recording()).usb(device, usb, seen)),
      forget: () => device.forget(),
    }
  }

  #hid(device: HIDDevice, hid: HID): AttachedHid {
    const seen = seenHid(device)
    return {
      link: 'hid',
      key: this.#key(device),
      seen,
      open: () => this.#only(device, async () => (await this.#recording()).hid(device, hid, seen)),
      forget: () => device.forget(),
    }
  }

  #serial(port: SerialPort): AttachedSerial {
    const { usbVendorId: vendorId, usbProductId: productId } = port.getInfo()
    const seen: SeenSerial = { link: 'serial', vendorId, productId }
    return {
      link: 'serial',
      key: this.#key(port),
      seen,
      open: (baud, framing) =>
        this.#only(port, async () => (await this.#recording()).serial(port, seen, baud, framing)),
      forget: () => port.forget(),
    }
  }

  #key(device: object): string {
    const key = this.#keys.get(device) ?? `device-${String(++this.#lastKey)}`
    this.#keys.set(device, key)
    return key
  }

  async #only<L extends AsyncDisposable>(device: object, open: () => Promise<L>): Promise<L> {
    await this.#links.get(device)?.[Symbol.asyncDispose]()
    const link = await open()
    this.#links.set(device, link)
    return link
  }
}

/** Blocked by a policy of the page: it lists nothing; `request` says why. */
function noneWhenBlocked(error: unknown): never[] {
  if (error instanceof DOMException && error.name === 'SecurityError') return []
  throw toFlashError(error, 'listing devices')
}

/** Browsers before `SerialPort.connected` (Chrome 130) list what is connected only. */
const isConnected = ({ connected }: Partial<SerialPort>): boolean => connected !== false

function seenUsb(device: USBDevice): SeenUsb {
  const { vendorId, productId, deviceClass, manufacturerName, productName, serialNumber } = device
  const { deviceVersionMajor, deviceVersionMinor, deviceVersionSubminor } = device
  const [first] = device.configurations
  return {
    ...{ link: 'usb', vendorId, productId, deviceClass },
    deviceVersion: [deviceVersionMajor, deviceVersionMinor, deviceVersionSubminor],
    manufacturer: manufacturerName ?? undefined,
    product: productName ?? undefined,
    serial: serialNumber ?? undefined,
    interfaces: ((device.configuration ?? first)?.interfaces ?? []).map(({ interfaceNumber, alternate }) => ({
      number: interfaceNumber,
      classCode: alternate.interfaceClass,
      subclass: alternate.interfaceSubclass,
      protocol: alternate.interfaceProtocol,
      ...(alternate.interfaceName && { name: alternate.interfaceName }),
    })),
  }
}

function seenHid({ vendorId, productId, productName, collections }: HIDDevice): SeenHid {
  return {
    ...{ link: 'hid', vendorId, productId, product: productName === '' ? undefined : productName },
    collections: collections.map(({ usagePage = 0, usage = 0, inputReports, outputReports }) => ({
      ...{ usagePage, usage, inputs: seenReports(inputReports), outputs: seenReports(outputReports) },
    })),
  }
}

const seenReports = (reports: readonly HIDReportInfo[] = []): SeenReport[] =>
  reports.map(({ reportId = 0, items = [] }) => ({
    id: reportId,
    bytes: Math.ceil(
      items.reduce((bits, { reportSize = 0, reportCount = 0 }) => bits + reportSize * reportCount, 0) / 8,
    ),
  }))

/** Of a device with several HID interfaces each is one of its own. */
const takesReports = ({ collections }: HIDDevice): boolean =>
  collections.some(({ outputReports = [] }) => outputReports.length > 0)

type ById = Extract<LinkFilter, { vendorId: number }>
const isOfUsb = (filter: LinkFilter): filter is ById | Extract<LinkFilter, { classCode: number }> =>
  !('usagePage' in filter)
const isOfHid = (filter: LinkFilter): filter is ById | Extract<LinkFilter, { usagePage: number }> =>
  !('classCode' in filter)

/** Ports have no classes. */
const asPortFilters = (filter: LinkFilter): SerialPortFilter[] =>
  'vendorId' in filter
    ? [
        {
          usbVendorId: filter.vendorId,
          ...(filter.productId === undefined ? {} : { usbProductId: filter.productId }),
        },
      ]
    : []
