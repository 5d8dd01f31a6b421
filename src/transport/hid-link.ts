/**
 * `HidLink` over a `HIDDevice`: reports that come are kept in order, those that are sent go one after another, each with
 * a time limit, errors translated. It knows no protocol.
 *
 * Not together, although the browser would keep their order: what it still holds when a device falls silent nobody can take
 * back, not by closing either, and it would go to the device in the midst of what is said after opening it anew.
 */
import { FlashError, isFlashError } from '#core/errors.ts'
import type { SeenHid } from '#core/programmer.ts'
import { isAbortedWithin, within, type Clock } from '#core/time.ts'
import { fromOpening, fromTransfer, goneError } from './access.ts'
import type { HidLink, HidReport, Io } from './links.ts'
import { Queue } from './queue.ts'

const defaultTimeoutMs = 5000
/** As of USB: an unplugged device first fails a report. */
const goneNoticeMs = 2000
/** More than any system keeps; of a device that talks without being asked the oldest go first. */
const mostKept = 256

/** Opens `device`. Errors: `permission-denied`, `device-busy`, `device-gone`, `timeout`. */
export async function openHid(device: HIDDevice, hid: HID, seen: SeenHid, clock: Clock): Promise<HidLink> {
  const link = new BrowserHidLink(device, hid, seen, clock)
  try {
    await link.open()
    return link
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

class BrowserHidLink implements HidLink {
  readonly seen: SeenHid
  readonly #device: HIDDevice
  readonly #hid: HID
  readonly #clock: Clock
  readonly #gone = new AbortController()
  readonly #sending = new Queue()
  readonly #reading = new Queue()
  /** They came and were not read. */
  readonly #kept: HidReport[] = []
  #heard: () => void = () => undefined
  /** The time-out after which a report may still go. */
  #spent: FlashError<'timeout'> | undefined
  #closed = false

  constructor(device: HIDDevice, hid: HID, seen: SeenHid, clock: Clock) {
    this.#device = device
    this.#hid = hid
    this.seen = seen
    this.#clock = clock
    hid.addEventListener('disconnect', this.#onDisconnect)
    device.addEventListener('inputreport', this.#onReport)
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  async open(): Promise<void> {
    const opening = this.#device.open()
    try {
      await within(opening, this.#clock, 'opening the device', defaultTimeoutMs, this.gone)
    } catch (error) {
      // Who opens too late is closed again: nobody waits for it any more.
      void opening.then(() => this.#device.close()).catch(() => undefined)
      const translated = fromOpening(error, 'hid', this.seen)
      // one that has gone cannot be opened either, and the browser says the same of it
      if (translated.is('permission-denied') && !(await this.#hid.getDevices()).includes(this.#device))
        throw goneError('opening the device', error)
      throw translated
    }
  }

  sendReport({ id, bytes }: HidReport, { timeoutMs = defaultTimeoutMs }: Io = {}): Promise<void> {
    const during = `sending report ${String(id)}`
    const copy = bytes.slice()
    return this.#sending.run(async () => {
      this.#ensureOpen(during)
      const spent = this.#spent
      if (spent) throw new FlashError('timeout', spent.detail, { cause: spent })
      try {
        const sent = this.#device.sendReport(id, copy)
        await within(sent, this.#clock, during, timeoutMs, this.gone)
      } catch (error) {
        if (isFlashError(error, 'timeout')) this.#spent = error
        throw error instanceof FlashError ? error : await this.#translate(error, during)
      }
    })
  }

  readReport({ timeoutMs = defaultTimeoutMs }: Io = {}): Promise<HidReport> {
    const during = 'waiting for a report'
    return this.#reading.run(async () => {
      for (;;) {
        this.#ensureOpen(during)
        const report = this.#kept.shift()
        if (report) return report
        const heard = new Promise<void>((resolve) => (this.#heard = resolve))
        await within(heard, this.#clock, during, timeoutMs, this.gone)
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#hid.removeEventListener('disconnect', this.#onDisconnect)
    this.#device.removeEventListener('inputreport', this.#onReport)
    if (this.gone.aborted || !this.#device.opened) return
    try {
      await within(this.#device.close(), this.#clock, 'closing the device', defaultTimeoutMs, this.gone)
    } catch {
      // it is gone or stuck: there is nothing more to release, and disposing must not hide the real error
    }
  }

  readonly #onReport = ({ reportId, data }: HIDInputReportEvent) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    if (this.#kept.length === mostKept) this.#kept.shift()
    this.#kept.push({ id: reportId, bytes })
    this.#heard()
  }

  readonly #onDisconnect = ({ device }: HIDConnectionEvent) => {
    if (device === this.#device && !this.gone.aborted) this.#gone.abort(goneError('the disconnect event'))
  }

  #ensureOpen(during: string): void {
    this.gone.throwIfAborted()
    if (this.#closed) throw new FlashError('transfer-failed', { during: `${during} on a closed link` })
  }

  /** The browser tells no difference between a stall, a refusal and a device that has gone. */
  async #translate(error: unknown, during: string): Promise<FlashError> {
    const translated = fromTransfer(error, during)
    if (translated.is('transfer-failed')) await isAbortedWithin(this.gone, goneNoticeMs, this.#clock)
    return this.gone.aborted ? (this.gone.reason as FlashError) : translated
  }
}
