/**
 * `UsbLink` over a `USBDevice`: one queue, a time limit for every transfer, errors translated. Bulk transfers may be under
 * way together; the browser keeps those of one endpoint in order. All else waits for them, and they for all else.
 *
 * It claims an interface only when a transfer needs one: requests to the device itself need no claim, and
 * what is not claimed cannot be held by somebody else. It knows no protocol.
 */
import { hex } from '#core/bytes.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { SeenUsb } from '#core/programmer.ts'
import { isAbortedWithin, within, type Clock } from '#core/time.ts'
import { fromOpening, fromTransfer, goneError } from './access.ts'
import type { ControlSetup, Io, UsbLink } from './links.ts'
import { Queue } from './queue.ts'

const defaultTimeoutMs = 5000
/** Linux gives up its own requests after as long. */
const systemTimeoutMs = 5000
/** An unplugged device first fails a transfer; the browser's event comes later, on a busy computer up to this much. */
const goneNoticeMs = 2000

/** Opens and configures `device`. Errors: `permission-denied`, `device-busy`, `device-gone`, `timeout`. */
export async function openUsb(device: USBDevice, usb: USB, seen: SeenUsb, clock: Clock): Promise<UsbLink> {
  const link = new BrowserUsbLink(device, usb, seen, clock)
  try {
    await link.open()
    return link
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

class BrowserUsbLink implements UsbLink {
  readonly seen: SeenUsb
  readonly #device: USBDevice
  readonly #usb: USB
  readonly #clock: Clock
  readonly #gone = new AbortController()
  readonly #queue = new Queue()
  readonly #claiming = new Map<number, Promise<void>>()
  /** The time-out after which the transfer is still pending in the browser. */
  #spent: FlashError<'timeout'> | undefined
  #closed = false

  constructor(device: USBDevice, usb: USB, seen: SeenUsb, clock: Clock) {
    this.#device = device
    this.#usb = usb
    this.seen = seen
    this.#clock = clock
    usb.addEventListener('disconnect', this.#onDisconnect)
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  async open(): Promise<void> {
    const opening = this.#device.open()
    try {
      await this.#opening(opening)
    } catch (error) {
      // Who opens too late is closed again: nobody waits for it any more.
      void opening.then(() => this.#device.close()).catch(() => undefined)
      throw error
    }
    const [first] = this.#device.configurations
    if (!this.#device.configuration && first)
      await this.#opening(this.#device.selectConfiguration(first.configurationValue))
  }

  async controlIn(setup: ControlSetup, length: number, io?: Io): Promise<Uint8Array> {
    const during = describe('IN', setup)
    const result = await this.#transfer(during, io, async () => {
      if (setup.recipient === 'interface') await this.#claim(setup.index & 0xff)
      return this.#device.controlTransferIn(setup, length)
    })
    return received(result, during)
  }

  async controlOut(setup: ControlSetup, bytes: Uint8Array = new Uint8Array(), io?: Io): Promise<void> {
    const during = describe('OUT', setup)
    const result = await this.#transfer(during, io, async () => {
      if (setup.recipient === 'interface') await this.#claim(setup.index & 0xff)
      return this.#device.controlTransferOut(setup, bytes.slice())
    })
    checkSent(result, bytes, during)
  }

  async bulkIn(endpoint: number, length: number, io?: Io): Promise<Uint8Array> {
    const during = `endpoint ${String(endpoint)} IN`
    const result = await this.#bulk(during, io, async () => {
      await this.#claim(this.#interfaceOf('in', endpoint))
      return this.#device.transferIn(endpoint, length)
    })
    return received(result, during)
  }

  async bulkOut(endpoint: number, bytes: Uint8Array, io?: Io): Promise<void> {
    const during = `endpoint ${String(endpoint)} OUT`
    const copy = bytes.slice()
    const result = await this.#bulk(during, io, async () => {
      await this.#claim(this.#interfaceOf('out', endpoint))
      return this.#device.transferOut(endpoint, copy)
    })
    checkSent(result, bytes, during)
  }

  selectAlternate(interfaceNumber: number, setting: number): Promise<void> {
    const during = `setting ${String(setting)} of interface ${String(interfaceNumber)}`
    return this.#transfer(during, { timeoutMs: systemTimeoutMs + 1000 }, async () => {
      await this.#claim(interfaceNumber)
      const from = this.#clock.now()
      try {
        await this.#device.selectAlternateInterface(interfaceNumber, setting)
      } catch (error) {
        // The system waits itself, and the browser tells no silence from a refusal.
        if (this.#clock.now() - from < systemTimeoutMs) throw error
        throw new FlashError('timeout', { during, timeoutMs: systemTimeoutMs }, { cause: error })
      }
    })
  }

  clearHalt(direction: USBDirection, endpoint: number): Promise<void> {
    const during = `clearing endpoint ${String(endpoint)} ${direction.toUpperCase()}`
    return this.#transfer(during, { timeoutMs: systemTimeoutMs + 1000 }, async () => {
      await this.#claim(this.#interfaceOf(direction, endpoint))
      await this.#device.clearHalt(direction, endpoint)
    })
  }

  reset(): Promise<void> {
    return this.#queue.run(async () => {
      await this.#limited('resetting the port', undefined, () => this.#device.reset())
      this.#spent = undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#usb.removeEventListener('disconnect', this.#onDisconnect)
    if (this.gone.aborted || !this.#device.opened) return
    try {
      await within(this.#device.close(), this.#clock, 'closing the device', defaultTimeoutMs, this.gone)
    } catch {
      // it is gone or stuck: there is nothing more to release, and disposing must not hide the real error
    }
  }

  readonly #onDisconnect = ({ device }: USBConnectionEvent) => {
    if (device === this.#device) this.#lose('the disconnect event')
  }

  #lose(during: string, cause?: unknown): void {
    if (!this.gone.aborted) this.#gone.abort(goneError(during, cause))
  }

  #transfer<T>(during: string, io: Io | undefined, start: () => Promise<T>): Promise<T> {
    return this.#queue.run(() => this.#unlessSpent(during, io, start))
  }

  #bulk<T>(during: string, io: Io | undefined, start: () => Promise<T>): Promise<T> {
    return this.#queue.together(() => this.#unlessSpent(during, io, start))
  }

  #unlessSpent<T>(during: string, io: Io | undefined, start: () => Promise<T>): Promise<T> {
    const spent = this.#spent
    if (spent) throw new FlashError('timeout', spent.detail, { cause: spent })
    return this.#limited(during, io, start)
  }

  async #limited<T>(during: string, io: Io | undefined, start: () => Promise<T>): Promise<T> {
    this.gone.throwIfAborted()
    if (this.#closed) throw new FlashError('transfer-failed', { during: `${during} on a closed link` })
    try {
      return await within(start(), this.#clock, during, io?.timeoutMs ?? defaultTimeoutMs, this.gone)
    } catch (error) {
      if (isFlashError(error, 'timeout')) this.#spent = error
      throw error instanceof FlashError ? error : await this.#translate(error, during)
    }
  }

  async #translate(error: unknown, during: string): Promise<FlashError> {
    const translated = fromTransfer(error, during)
    if (translated.is('device-gone')) this.#lose(during, error)
    if (translated.is('transfer-failed', 'stalled'))
      await isAbortedWithin(this.gone, goneNoticeMs, this.#clock)
    return this.gone.aborted ? (this.gone.reason as FlashError) : translated
  }

  async #claim(number: number): Promise<void> {
    const found = this.#device.configuration?.interfaces.find((one) => one.interfaceNumber === number)
    if (found?.claimed) return
    const claiming =
      this.#claiming.get(number) ??
      this.#opening(this.#device.claimInterface(number)).finally(() => this.#claiming.delete(number))
    this.#claiming.set(number, claiming)
    await claiming
  }

  #interfaceOf(direction: USBDirection, endpoint: number): number {
    const found = this.#device.configuration?.interfaces.find(({ alternate }) =>
      alternate.endpoints.some((one) => one.endpointNumber === endpoint && one.direction === direction),
    )
    if (found) return found.interfaceNumber
    const status = `no endpoint ${String(endpoint)} ${direction.toUpperCase()}`
    throw new FlashError('device-refused', { during: 'looking for an endpoint', status })
  }

  async #opening(work: Promise<void>): Promise<void> {
    try {
      await within(work, this.#clock, 'opening the device', defaultTimeoutMs, this.gone)
    } catch (error) {
      const translated = fromOpening(error, 'usb', this.seen)
      if (translated.is('device-gone')) this.#lose('opening the device', error)
      throw translated
    }
  }
}

const describe = (direction: 'IN' | 'OUT', { requestType, request }: ControlSetup): string =>
  `${requestType} request ${hex(request)} ${direction}`

function received({ status, data }: USBInTransferResult, during: string): Uint8Array {
  checkStatus(status, during)
  return data ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array()
}

function checkSent({ status, bytesWritten }: USBOutTransferResult, bytes: Uint8Array, during: string): void {
  checkStatus(status, during)
  if (bytesWritten !== bytes.length)
    throw new FlashError('short-transfer', { during, expected: bytes.length, found: bytesWritten })
}

function checkStatus(status: USBTransferStatus | undefined, during: string): void {
  if (status === 'stall') throw new FlashError('stalled', { during })
  if (status !== 'ok') throw new FlashError('transfer-failed', { during })
}
