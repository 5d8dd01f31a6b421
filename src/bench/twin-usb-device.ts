/**
 * A USB twin as the page's `USBDevice`: states, claims, endpoints, transfers and their time on the wire.
 *
 * It rejects with the names and for the reasons of Chrome's `usb_device.cc`. Transfers on one endpoint run
 * one after another; one that never ends blocks its endpoint until `reset()` or `close()`, as on a bus.
 */
import { isFlashError } from '#core/errors.ts'
import { within, type Clock } from '#core/time.ts'
import { flipped } from './twin-line.ts'
import {
  answerControl,
  asConfiguration,
  parseConfiguration,
  parseDevice,
  type ConfigurationDescriptor,
} from './twin-usb-descriptors.ts'
import { packetsOf, reportMs, wireMs } from './twin-usb-time.ts'
import type { TwinAnswer, UsbTwin, WireFaults } from './twin.ts'

export interface TwinTransfers {
  count: number
  control: number
  bulkIn: number
  bulkOut: number
  bytesIn: number
  bytesOut: number
}

/** What the device needs of the port it is in. */
export interface TwinUsbPort {
  readonly transfers: TwinTransfers
  readonly faults: WireFaults
  nextTransfer(kind: string): number
  unplug(): Promise<void>
}

export interface TwinUsbDeviceOptions {
  readonly clock: Clock
  readonly timed: boolean
  readonly refuses: 'open' | 'claim' | undefined
  readonly configured: boolean
}

/** Opening, configuring, claiming: a system call and a way through the browser's processes. */
const stateChangeMs = 1
const resetMs = 50
/** For a `lateAt`. */
export const lateMs = 15_000

/** Audio, HID, mass storage, smart card, video, audio/video, wireless controller. */
const protectedClasses = new Set([0x01, 0x03, 0x08, 0x0b, 0x0e, 0x10, 0xe0])
/** Bound by a kernel driver (cdc_acm): communications and their data. */
const kernelClasses = new Set([0x02, 0x0a])

const requestTypes = { standard: 0, class: 1, vendor: 2 } as const
const recipients = { device: 0, interface: 1, endpoint: 2, other: 3 } as const

const invalidState = (message: string) => new DOMException(message, 'InvalidStateError')
const notFound = (message: string) => new DOMException(message, 'NotFoundError')
const networkError = (message: string) => new DOMException(message, 'NetworkError')
const transferError = () => networkError('A transfer error has occurred.')
const goneError = () => notFound('The device was disconnected.')

type Key = 'control' | `in${number}` | `out${number}`
export type Outcome = { readonly status: USBTransferStatus; readonly bytes: Uint8Array }

export class TwinUsbDevice implements USBDevice {
  readonly usbVersionMajor: number
  readonly usbVersionMinor: number
  readonly usbVersionSubminor: number
  readonly deviceClass: number
  readonly deviceSubclass: number
  readonly deviceProtocol: number
  readonly vendorId: number
  readonly productId: number
  readonly deviceVersionMajor: number
  readonly deviceVersionMinor: number
  readonly deviceVersionSubminor: number
  readonly manufacturerName: string | null
  readonly productName: string | null
  readonly serialNumber: string | null
  readonly configurations: USBConfiguration[]
  readonly forget: () => Promise<void>
  opened = false

  readonly twin: UsbTwin
  readonly #port: TwinUsbPort
  readonly #options: TwinUsbDeviceOptions
  readonly #controlPacketSize: number
  readonly #layout: ConfigurationDescriptor
  /** plugged → unplugged (the wire is dead) → disconnected (the browser knows); abandoned: its page is no more. */
  #state: 'plugged' | 'unplugged' | 'disconnected' | 'abandoned' = 'plugged'
  #configured: boolean
  #changing = false
  readonly #changingInterfaces = new Set<number>()
  /** Claimed interfaces with their selected alternate setting. */
  readonly #claimed = new Map<number, number>()
  readonly #halted = new Set<Key>()
  readonly #busy = new Map<Key, Promise<unknown>>()
  readonly #pending = new Set<(error: DOMException) => void>()

  constructor(twin: UsbTwin, port: TwinUsbPort, options: TwinUsbDeviceOptions, forget: () => void) {
    const device = parseDevice(twin.descriptors)
    const version = (bcd: number) => [bcd >> 8, (bcd >> 4) & 0xf, bcd & 0xf] as const
    ;[this.usbVersionMajor, this.usbVersionMinor, this.usbVersionSubminor] = version(device.usbVersion)
    ;[this.deviceVersionMajor, this.deviceVersionMinor, this.deviceVersionSubminor] = version(
      device.deviceVersion,
    )
    this.deviceClass = device.deviceClass
    this.deviceSubclass = device.deviceSubclass
    this.deviceProtocol = device.deviceProtocol
    this.vendorId = device.vendorId
    this.productId = device.productId
    this.manufacturerName = device.manufacturer ?? null
    this.productName = device.product ?? null
    this.serialNumber = device.serial ?? null
    this.#controlPacketSize = device.packetSize
    this.#layout = parseConfiguration(twin.descriptors)
    this.configurations = [asConfiguration(this.#layout, this.#claimed)]
    this.twin = twin
    this.#port = port
    this.#options = options
    this.#configured = options.configured
    this.forget = () => {
      forget()
      return this.opened ? this.close() : Promise.resolve()
    }
  }

  get configuration(): USBConfiguration | null {
    return this.#configured ? (this.configurations[0] ?? null) : null
  }

  // ---- states -----------------------------------------------------------------------------------

  async open(): Promise<void> {
    this.#ensureSteady()
    if (this.opened) return
    await this.#change(() => {
      if (this.#options.refuses === 'open') throw new DOMException('Access denied.', 'SecurityError')
      this.opened = true
    })
  }

  async close(): Promise<void> {
    this.#ensureSteady()
    if (!this.opened) return
    this.#rejectPending(new DOMException('The transfer was cancelled.', 'AbortError'))
    await this.#change(() => {
      this.opened = false
      this.#claimed.clear()
    })
  }

  async selectConfiguration(value: number): Promise<void> {
    this.#ensureOpen()
    if (value !== this.#layout.value)
      throw notFound('The configuration value provided is not supported by the device.')
    if (this.#configured) return
    await this.#change(() => {
      this.#configured = true
      this.#claimed.clear()
    })
  }

  async claimInterface(number: number): Promise<void> {
    const { alternates } = this.#interface(number)
    if (this.#claimed.has(number)) return
    const has = (classes: ReadonlySet<number>) => alternates.some((one) => classes.has(one.interfaceClass))
    await this.#changeInterface(number, () => {
      if (has(protectedClasses))
        throw new DOMException('The requested interface implements a protected class.', 'SecurityError')
      if (this.#options.refuses === 'claim' || has(kernelClasses))
        throw networkError('Unable to claim interface.')
      this.#claimed.set(number, 0)
    })
  }

  async releaseInterface(number: number): Promise<void> {
    this.#interface(number)
    if (!this.#claimed.has(number)) return
    await this.#changeInterface(number, () => this.#claimed.delete(number))
  }

  async selectAlternateInterface(number: number, setting: number): Promise<void> {
    const { alternates } = this.#interface(number)
    this.#ensureClaimed(number)
    if (!alternates.some((one) => one.alternateSetting === setting))
      throw notFound(
        'The alternate setting provided is not supported by the device in its current configuration.',
      )
    await this.#changeInterface(number, async () => {
      const setup = { requestType: 1, request: 11, value: setting, index: number, length: 0 } // SET_INTERFACE
      const kind = `setting ${String(setting)} of interface ${String(number)}`
      const ask = () => answerControl(this.twin, setup, new Uint8Array())
      const asked = this.#transfer('control', 0, ask, kind)
      const { status } = await within(asked, this.#options.clock, kind, kernelMs).catch((error: unknown) => {
        if (isFlashError(error, 'timeout')) return { status: 'stall' }
        throw error
      })
      if (status !== 'ok') throw networkError('Unable to set device interface.')
      this.#claimed.set(number, setting)
    })
  }

  async clearHalt(direction: USBDirection, endpoint: number): Promise<void> {
    this.#endpoint(direction, endpoint)
    await this.#settle(this.#options.clock.sleep(stateChangeMs))
    this.#halted.delete(`${direction}${endpoint}`)
  }

  /** Port reset. It ends whatever is under way. */
  async reset(): Promise<void> {
    this.#ensureOpen()
    this.#rejectPending(transferError())
    this.#halted.clear()
    await this.#settle(
      this.#options.clock.sleep(resetMs).then(() => {
        if (this.#state === 'plugged') this.twin.reset()
      }),
    )
  }

  // ---- transfers --------------------------------------------------------------------------------

  async controlTransferIn(setup: USBControlTransferParameters, length: number): Promise<USBInTransferResult> {
    const { status, bytes } = await this.#control(setup, 0x80, new Uint8Array(), length)
    return inResult(status, bytes)
  }

  async controlTransferOut(
    setup: USBControlTransferParameters,
    data?: BufferSource,
  ): Promise<USBOutTransferResult> {
    const bytes = data ? copy(data) : new Uint8Array()
    const { status } = await this.#control(setup, 0, bytes, bytes.length)
    return { status, bytesWritten: bytes.length }
  }

  async transferIn(endpoint: number, length: number): Promise<USBInTransferResult> {
    const { packetSize } = this.#endpoint('in', endpoint)
    const { status, bytes } = await this.#transfer(`in${endpoint}`, length, async () => {
      const answer = await this.twin.bulkIn?.(endpoint, length)
      if (answer instanceof Uint8Array) await this.#wire(packetsOf(answer.length, packetSize))
      return answer ?? 'broken'
    })
    return inResult(status, bytes)
  }

  async transferOut(endpoint: number, data: BufferSource): Promise<USBOutTransferResult> {
    const { packetSize } = this.#endpoint('out', endpoint)
    const bytes = copy(data)
    const { status } = await this.#transfer(`out${endpoint}`, 0, async (number) => {
      this.#port.transfers.bytesOut += bytes.length
      await this.#wire(packetsOf(bytes.length, packetSize))
      return (await this.twin.bulkOut?.(endpoint, this.#sent(bytes, number))) ?? 'broken'
    })
    return { status, bytesWritten: status === 'ok' ? bytes.length : 0 }
  }

  isochronousTransferIn(): Promise<USBIsochronousInTransferResult> {
    return Promise.reject(notFound('The specified endpoint is not isochronous.'))
  }
  isochronousTransferOut(): Promise<USBIsochronousOutTransferResult> {
    return Promise.reject(notFound('The specified endpoint is not isochronous.'))
  }

  // ---- what the system's own driver does: it needs no claim, and a frame carries one packet -----

  /** @internal */
  systemIn(endpoint: number, length: number, packetSize: number): Promise<Outcome> {
    return this.#transfer(`in${endpoint}`, length, async () => {
      const answer = await this.twin.bulkIn?.(endpoint, length)
      if (answer instanceof Uint8Array) await this.#frames(packetsOf(answer.length, packetSize))
      return answer ?? 'broken'
    })
  }

  /** @internal */
  systemOut(endpoint: number, bytes: Uint8Array, packetSize: number): Promise<Outcome> {
    return this.#transfer(`out${endpoint}`, 0, async (number) => {
      this.#port.transfers.bytesOut += bytes.length
      await this.#frames(packetsOf(bytes.length, packetSize))
      return (await this.twin.bulkOut?.(endpoint, this.#sent(bytes, number))) ?? 'broken'
    })
  }

  /** @internal What is under way on this endpoint is given up, and its halt ends. */
  systemGivesUp(direction: USBDirection, endpoint: number): void {
    this.#busy.delete(`${direction}${endpoint}`)
    this.#halted.delete(`${direction}${endpoint}`)
  }

  /** @internal May the page's user open it? */
  get isRefused(): boolean {
    return this.#options.refuses === 'open'
  }

  /** @internal */
  get layout(): ConfigurationDescriptor {
    return this.#layout
  }

  // ---- the port's side --------------------------------------------------------------------------

  /** The wire is dead, the browser does not know yet. */
  unplugged(): void {
    this.#state = 'unplugged'
    this.twin.unplugged?.()
    this.#rejectPending(transferError())
  }

  /** The page that had it is gone: nothing is answered any more, and what was under way ends on the bus. */
  abandoned(): void {
    this.#state = 'abandoned'
    this.#pending.clear()
  }

  disconnected(): void {
    this.#state = 'disconnected'
    this.opened = false
    this.#claimed.clear()
    this.#rejectPending(goneError())
  }

  // ---- within -----------------------------------------------------------------------------------

  async #control(
    { requestType, recipient, request, value, index }: USBControlTransferParameters,
    direction: 0 | 0x80,
    out: Uint8Array,
    length: number,
  ): Promise<Outcome> {
    this.#ensureOpen()
    if (recipient === 'interface') {
      this.#interface(index & 0xff)
      this.#ensureClaimed(index & 0xff)
    } else if (recipient === 'endpoint') this.#endpoint(index & 0x80 ? 'in' : 'out', index & 0xf)
    const type = direction | (requestTypes[requestType] << 5) | recipients[recipient]
    return this.#transfer(
      'control',
      length,
      async (number) => {
        this.#port.transfers.bytesOut += out.length
        const setupAndStatus = 2
        await this.#wire(setupAndStatus + packetsOf(out.length, this.#controlPacketSize, 0))
        const answer = await answerControl(
          this.twin,
          { requestType: type, request, value, index, length },
          this.#sent(out, number),
        )
        if (direction && answer instanceof Uint8Array)
          await this.#wire(packetsOf(answer.length, this.#controlPacketSize, 0))
        return answer
      },
      `request ${String(request)} of ${String(type)}, ${String(length)} bytes`,
    )
  }

  /** One transfer with its faults, in its endpoint's queue; an IN answer is at most `length` bytes. */
  #transfer(
    key: Key,
    length: number,
    run: (number: number) => Promise<TwinAnswer>,
    kind: string = key,
  ): Promise<Outcome> {
    const { transfers, faults } = this.#port
    const number = this.#port.nextTransfer(kind)
    if (key === 'control') transfers.control++
    else if (key.startsWith('in')) transfers.bulkIn++
    else transfers.bulkOut++

    const answered = async (): Promise<Outcome> => {
      if (this.#state !== 'plugged') throw transferError()
      if (number === faults.unplugAt) {
        void this.#port.unplug()
        throw transferError()
      }
      if (number === faults.stallAt && key !== 'control') this.#halted.add(key)
      const answer =
        number === faults.hangAt
          ? 'silent'
          : number === faults.stallAt || this.#halted.has(key)
            ? 'stall'
            : await run(number)
      if (answer === 'silent') return forever()
      if (answer === 'broken') throw transferError()
      if (answer === 'stall') {
        if (key !== 'control') this.#halted.add(key)
        return { status: 'stall', bytes: new Uint8Array() }
      }
      if (number === faults.lateAt) await this.#options.clock.sleep(lateMs)
      const whole = number === faults.flipAt ? flipped(answer, number) : answer
      const bytes = number === faults.shortAt ? whole.slice(0, -1) : whole
      if (!key.startsWith('out') && bytes.length > length)
        return { status: 'babble', bytes: new Uint8Array() }
      transfers.bytesIn += bytes.length
      return { status: 'ok', bytes }
    }
    const before = this.#busy.get(key) ?? Promise.resolve()
    const work = before.then(answered, answered)
    this.#busy.set(key, work)
    return this.#settle(work)
  }

  #sent(bytes: Uint8Array, number: number): Uint8Array {
    return number === this.#port.faults.flipOutAt ? flipped(bytes, number) : bytes
  }

  /** `work`, unless unplugging, `close` or `reset` ends it first. */
  #settle<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject)
      const unlessAbandoned =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          if (this.#state !== 'abandoned') settle(value)
        }
      work.then(unlessAbandoned(resolve), unlessAbandoned(reject)).finally(() => this.#pending.delete(reject))
    })
  }

  #rejectPending(error: DOMException): void {
    this.#busy.clear()
    for (const reject of this.#pending) reject(error)
    this.#pending.clear()
  }

  async #change(apply: () => void): Promise<void> {
    this.#changing = true
    try {
      await this.#settle(this.#options.clock.sleep(stateChangeMs))
      apply()
    } finally {
      this.#changing = false
    }
  }

  async #changeInterface(number: number, apply: () => unknown): Promise<void> {
    if (this.#changingInterfaces.has(number))
      throw invalidState('An operation that changes interface state is in progress.')
    this.#changingInterfaces.add(number)
    try {
      await this.#settle(this.#options.clock.sleep(stateChangeMs))
      await apply()
    } finally {
      this.#changingInterfaces.delete(number)
    }
  }

  async #frames(count: number): Promise<void> {
    if (this.#options.timed) await this.#options.clock.sleep(reportMs(this.twin.speed, count))
  }

  async #wire(packets: number): Promise<void> {
    if (this.#options.timed && packets > 0) await this.#options.clock.sleep(wireMs(this.twin.speed, packets))
  }

  #ensureSteady(): void {
    if (this.#state === 'disconnected') throw goneError()
    if (this.#changing) throw invalidState('An operation that changes the device state is in progress.')
    if (this.#changingInterfaces.size > 0)
      throw invalidState('An operation that changes interface state is in progress.')
  }

  #ensureOpen(): void {
    this.#ensureSteady()
    if (!this.opened) throw invalidState('The device must be opened first.')
  }

  #ensureConfigured(): void {
    if (this.#state === 'disconnected') throw goneError()
    if (!this.opened) throw invalidState('The device must be opened first.')
    if (!this.#configured) throw invalidState('The device must have a configuration selected.')
  }

  #interface(number: number): ConfigurationDescriptor['interfaces'][number] {
    this.#ensureConfigured()
    const found = this.#layout.interfaces.find((one) => one.number === number)
    if (!found)
      throw notFound(
        'The interface number provided is not supported by the device in its current configuration.',
      )
    return found
  }

  #ensureClaimed(number: number): void {
    if (!this.#claimed.has(number)) throw invalidState('The specified interface has not been claimed.')
  }

  #endpoint(direction: USBDirection, number: number): USBEndpoint {
    this.#ensureConfigured()
    if (number < 1 || number > 15)
      throw new DOMException('The specified endpoint number is out of range.', 'IndexSizeError')
    const found = this.#layout.interfaces
      .flatMap(({ number, alternates }) =>
        alternates.filter((one) => one.alternateSetting === this.#claimed.get(number)),
      )
      .flatMap(({ endpoints }) => endpoints)
      .find((one) => one.endpointNumber === number && one.direction === direction)
    if (!found)
      throw notFound('The specified endpoint is not part of a claimed and selected alternate interface.')
    return found
  }
}

/** Linux waits for an answer to its own requests as long. */
const kernelMs = 5000
const forever = () => new Promise<never>(() => undefined)

/** At least one, an empty packet; `least` 0 where no data stage is no packet. */
function inResult(status: USBTransferStatus, bytes: Uint8Array): USBInTransferResult {
  const data = new DataView(bytes.slice().buffer)
  return { status, data }
}

function copy(data: BufferSource): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    : new Uint8Array(data).slice()
}
