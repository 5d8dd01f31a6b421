/**
 * Puts serial twins behind the W3C shape `Serial`, behaving as Chrome on Linux does: grants, unplugging,
 * plugging in again. The port itself is `twin-serial-port.ts`.
 *
 * A grant lasts over unplugging only where the bridge has a serial number, which a CH340 and a chip's own USB have not.
 */
import type { Clock } from '#core/time.ts'
import { TwinSerialPort } from './twin-serial-port.ts'
import type { Comeback, SerialTwin, WireFaults } from './twin.ts'

export interface TwinSerialOptions {
  readonly clock: Clock
  /** Everything is granted without a chooser, as an administrator's policy does. */
  readonly granted?: boolean
}

export interface SerialPlugOptions {
  /** `open`: the device node is not readable or another program has it; the browser cannot tell. */
  readonly refuses?: 'open'
}

export interface SerialTransfers {
  writes: number
  /** Portions that the page was given. */
  reads: number
  bytesIn: number
  bytesOut: number
}

/** From the cable's end to the browser's event; the streams fail at once. */
const noticeMs = 20
/** How long a person looks at a chooser that has nothing to choose. */
const chooserMs = 1000

export class TwinSerialBus extends EventTarget implements Serial {
  onconnect: ((event: Event) => unknown) | null = null
  ondisconnect: ((event: Event) => unknown) | null = null
  readonly options: TwinSerialOptions
  readonly #plugged = new Set<PluggedSerial>()
  /** Ports on the bus, and twins whose bridge has a serial number. */
  readonly #grants = new Set<TwinSerialPort | SerialTwin>()

  constructor(options: TwinSerialOptions) {
    super()
    this.options = options
  }

  /** Powers the twin up; a port that the page already has a grant for announces itself. */
  plug(twin: SerialTwin, options: SerialPlugOptions = {}): PluggedSerial {
    const plugged = new PluggedSerial(this, twin, options)
    this.#plugged.add(plugged)
    return plugged
  }

  getPorts(): Promise<SerialPort[]> {
    return Promise.resolve(this.#ports().filter((port) => this.#isGranted(port)))
  }

  /** Chooses the first match. */
  async requestPort({ filters = [] }: SerialPortRequestOptions = {}): Promise<SerialPort> {
    for (const { usbVendorId, usbProductId } of filters) {
      if (usbVendorId === undefined && usbProductId === undefined)
        throw new TypeError('A filter cannot be empty.')
      if (usbVendorId === undefined)
        throw new TypeError('A filter containing a usbProductId must also contain a usbVendorId.')
    }
    const port = this.#ports().find(
      ({ twin: { usb } }) =>
        filters.length === 0 ||
        filters.some(
          ({ usbVendorId, usbProductId }) =>
            usbVendorId === usb?.vendorId && (usbProductId ?? usb?.productId) === usb?.productId,
        ),
    )
    if (!port) {
      await this.options.clock.sleep(chooserMs)
      throw new DOMException('No port selected by the user.', 'NotFoundError')
    }
    this.#grants.add(grantKey(port))
    return port
  }

  /** @internal */
  arrived(port: TwinSerialPort): void {
    if (!this.#isGranted(port)) return
    queueMicrotask(() => {
      this.#dispatch('connect', port)
    })
  }

  /** @internal */
  left(port: TwinSerialPort): void {
    if (this.#isGranted(port)) this.#dispatch('disconnect', port)
    this.#grants.delete(port)
  }

  /** @internal */
  forgot(port: TwinSerialPort): void {
    this.#grants.delete(grantKey(port))
  }

  #ports(): TwinSerialPort[] {
    return [...this.#plugged].flatMap(({ port }) => port ?? [])
  }

  #isGranted(port: TwinSerialPort): boolean {
    return this.options.granted === true || this.#grants.has(grantKey(port))
  }

  /** On the port and then here, as it bubbles in the browser: with the port as its target. */
  #dispatch(type: 'connect' | 'disconnect', port: TwinSerialPort): void {
    for (const receiver of [port, this] as const) {
      const event = Object.defineProperty(new Event(type), 'target', { value: port })
      receiver.dispatchEvent(event)
      receiver[`on${type}`]?.(event)
    }
  }
}

const grantKey = (port: TwinSerialPort): TwinSerialPort | SerialTwin =>
  port.twin.bridge === 'ch340' || port.twin.bridge === 'native' ? port : port.twin

/** One socket of the computer with a twin in it; one that comes back as another port stays in its socket. */
export class PluggedSerial {
  /** What was transferred since it was plugged in. */
  readonly transfers: SerialTransfers = { writes: 0, reads: 0, bytesIn: 0, bytesOut: 0 }
  /** Called at the beginning of every write with its number since it was plugged in, and what kind it is of. */
  onTransfer: (count: number, kind: string) => void = () => undefined
  readonly #bus: TwinSerialBus
  readonly #twin: SerialTwin
  readonly #options: SerialPlugOptions
  #port: TwinSerialPort | undefined
  #isInserted = true
  #leaving = Promise.resolve()
  #faults: WireFaults = {}
  #faultsFrom = 0

  constructor(bus: TwinSerialBus, twin: SerialTwin, options: SerialPlugOptions) {
    this.#bus = bus
    this.#twin = twin
    this.#options = options
    this.#attach(twin)
  }

  /** As the page sees it; undefined while it is unplugged or re-enumerating. */
  get port(): TwinSerialPort | undefined {
    return this.#port
  }

  get faults(): WireFaults {
    return this.#faults
  }
  /**
   * Counted in writes of the page from now on. A serial line has no stall: such a write is lost. Of the
   * answer to the `shortAt`th write one of the first four bytes is lost, a different one for each number.
   */
  set faults(faults: WireFaults) {
    this.#faults = faults
    this.#faultsFrom = this.transfers.writes
  }

  /** Resolves when the page has been told. */
  unplug(): Promise<void> {
    this.#isInserted = false
    this.#detach()
    return this.#leaving
  }

  /** Plugs in again what was plugged in at first, powered up anew; also when it went by itself and for good. */
  async replug(): Promise<void> {
    await this.#leaving
    if (this.#port) return
    this.#isInserted = true
    this.#attach(this.#twin)
  }

  /**
   * The page ends in the middle of everything, and another one comes: the system closes the line, and the new page
   * has an object of its own for the port.
   */
  reload(): void {
    if (!this.#port) return
    this.#port.abandoned()
    this.#port = this.#asPort(this.#port.twin)
  }

  /** @internal The number of the write that begins, as the faults count. */
  nextWrite(kind: string): number {
    this.onTransfer(++this.transfers.writes, kind)
    return this.transfers.writes - this.#faultsFrom
  }

  #attach(next: SerialTwin): void {
    const twin = next.powersUpAs?.() ?? next
    const port = this.#asPort(twin)
    this.#port = port
    twin.plugged({
      clock: this.#bus.options.clock,
      send: (bytes, baud, parity = 'none') => {
        if (this.#port?.twin === twin) this.#port.sent(bytes, baud, parity)
      },
      detach: (next) => {
        if (this.#port?.twin === twin) this.#detach(next)
      },
    })
    this.#bus.arrived(port)
  }

  #asPort(twin: SerialTwin): TwinSerialPort {
    const { clock } = this.#bus.options
    const port = new TwinSerialPort(twin, this, { clock, refuses: this.#options.refuses }, () => {
      this.#bus.forgot(port)
    })
    return port
  }

  #detach(next?: Comeback<SerialTwin>): void {
    const port = this.#port
    this.#port = undefined
    if (port) this.#leaving = this.#leave(port, next)
  }

  async #leave(port: TwinSerialPort, next?: Comeback<SerialTwin>): Promise<void> {
    const { clock } = this.#bus.options
    port.lost()
    port.twin.unplugged?.()
    await clock.sleep(noticeMs)
    port.disconnected()
    this.#bus.left(port)
    if (!next) return
    await clock.sleep(next.ms - noticeMs)
    if (this.#isInserted && !this.#port) this.#attach(next.twin)
  }
}
