/**
 * The devices of a bug report, without the devices: they answer what a driver asks as it was answered then, so a user's
 * bug becomes a test. What was not asked then has no answer, and the device counts as gone. A driver that reads zeros
 * of an emptied report may ask in another order: that answers also with what comes earlier in it.
 */
import { equal } from '#core/bytes.ts'
import { FlashError, type ErrorCode } from '#core/errors.ts'
import type { Parity, SeenHid, SeenSerial, SeenUsb } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { Attached } from './devices.ts'
import type {
  ControlSetup,
  Framing,
  HidLink,
  HidReport,
  Io,
  SerialLink,
  SerialSignals,
  UsbLink,
} from './links.ts'
import {
  clearFeature,
  setInterface,
  type HidEvent,
  type Recorded,
  type RecordedWire,
  type UsbEvent,
  type WireEvent,
} from './recorder.ts'
import type { Report } from './report.ts'
import { headSaid, mostSaid, saidIn } from './without-contents.ts'

/** Each opening gives the next wire that was recorded of this device. */
export function replayed(
  { wires, events, contents }: Pick<Recorded, 'wires' | 'events'> & Pick<Report, 'contents'>,
  clock: Clock,
): Attached[] {
  const byDevice = new Map<string, RecordedWire[]>()
  for (const one of wires) {
    const key = JSON.stringify(one.seen)
    byDevice.set(key, [...(byDevice.get(key) ?? []), one])
  }
  return [...byDevice.values()].flatMap((openings, i): Attached[] => {
    const left = [...openings]
    const next = (): Tape => {
      const opening = left.shift()
      if (!opening) throw ended('opening it once more')
      return new Tape(
        events.filter(({ wire }) => wire === opening.wire),
        clock,
        !contents,
      )
    }
    const device = { key: `replayed-${String(i + 1)}`, forget: () => Promise.resolve() }
    const { seen } = openings[0] ?? {}
    if (seen?.link === 'usb')
      return [{ ...device, link: 'usb', seen, open: () => promised(() => new ReplayedUsb(seen, next())) }]
    if (seen?.link === 'hid')
      return [{ ...device, link: 'hid', seen, open: () => promised(() => new ReplayedHid(seen, next())) }]
    if (seen?.link === 'serial')
      return [
        {
          ...{ ...device, link: 'serial', seen },
          open: (baud, framing) => promised(() => new ReplayedSerial(seen, next(), baud, framing)),
        },
      ]
    return []
  })
}

const promised = <T>(make: () => T): Promise<T> => new Promise((resolve) => resolve(make()))

const ended = (during: string) => new FlashError('device-gone', { during: `replaying: ${during}` })

/** What a transfer can end with; another code is of a newer version. */
const endings: readonly ErrorCode[] = [
  'device-gone',
  'timeout',
  'stalled',
  'short-transfer',
  'transfer-failed',
]
const longestMs = 60_000

/** The events of one opening, in their order. */
class Tape {
  readonly clock: Clock
  readonly gone = new AbortController()
  readonly #events: readonly WireEvent[]
  readonly #mayRewind: boolean
  #at = 0

  constructor(events: readonly WireEvent[], clock: Clock, mayRewind: boolean) {
    this.#events = events
    this.clock = clock
    this.#mayRewind = mayRewind
  }

  /** The next event that is like this, which may skip others: a changed driver may ask less. */
  find<E extends WireEvent>(isLike: (event: WireEvent) => event is E): E | undefined {
    for (const from of this.#mayRewind ? [this.#at, 0] : [this.#at]) {
      for (let i = from; i < this.#events.length; i++) {
        const event = this.#events[i]
        if (!event || !isLike(event)) continue
        this.#at = i + 1
        return event
      }
    }
    return undefined
  }

  /** What was received from here up to the next thing that the host did, and how that ended. */
  received(): { readonly bytes: number[]; readonly ending: WireEvent | undefined } {
    const bytes: number[] = []
    for (let event = this.#events[this.#at]; event?.kind === 'received'; event = this.#events[this.#at]) {
      this.#at++
      for (const byte of event.bytes) bytes.push(byte)
      if (event.error !== undefined && event.error !== 'timeout') return { bytes, ending: event }
    }
    return { bytes, ending: undefined }
  }

  /** Takes the time that it took, and ends as it ended. */
  async play({ from, at, error }: WireEvent, during: string): Promise<void> {
    const tookMs = Math.min(Math.max(0, at - from), longestMs)
    await this.clock.sleep(tookMs)
    if (error === undefined) return
    const code = endings.find((one) => one === error) ?? 'transfer-failed'
    const detail = { during, timeoutMs: tookMs, expected: 0, found: 0 }
    const failure = new FlashError(code, detail)
    if (code === 'device-gone') this.gone.abort(failure)
    throw failure
  }

  /** Nothing like this was recorded. */
  refuse(during: string): never {
    const failure = ended(during)
    this.gone.abort(failure)
    throw failure
  }
}

const isSame = (a: ControlSetup | undefined, b: ControlSetup | undefined): boolean =>
  JSON.stringify(a, keys) === JSON.stringify(b, keys)
const keys = ['requestType', 'recipient', 'request', 'value', 'index']

class ReplayedUsb implements UsbLink {
  readonly seen: SeenUsb
  readonly #tape: Tape

  constructor(seen: SeenUsb, tape: Tape) {
    this.seen = seen
    this.#tape = tape
  }

  get gone(): AbortSignal {
    return this.#tape.gone.signal
  }

  controlIn(setup: ControlSetup, length: number): Promise<Uint8Array> {
    return this.#transfer(0, 'in', length, setup)
  }
  async controlOut(setup: ControlSetup, bytes: Uint8Array = new Uint8Array()): Promise<void> {
    await this.#transfer(0, 'out', bytes.length, setup)
  }
  bulkIn(endpoint: number, length: number): Promise<Uint8Array> {
    return this.#transfer(endpoint, 'in', length)
  }
  async bulkOut(endpoint: number, bytes: Uint8Array): Promise<void> {
    await this.#transfer(endpoint, 'out', bytes.length)
  }

  async selectAlternate(interfaceNumber: number, setting: number): Promise<void> {
    await this.#transfer(0, 'out', 0, setInterface(interfaceNumber, setting))
  }

  async clearHalt(direction: 'in' | 'out', endpoint: number): Promise<void> {
    await this.#transfer(0, 'out', 0, clearFeature(direction, endpoint))
  }

  /** Long transfers may be emptied, so what is sent is compared by its length. */
  async #transfer(
    endpoint: number,
    direction: 'in' | 'out',
    length: number,
    setup?: ControlSetup,
  ): Promise<Uint8Array> {
    const during = `${direction} ${String(endpoint)} ${JSON.stringify(setup ?? {})}, ${String(length)} bytes`
    const event = this.#tape.find(
      (one): one is UsbEvent =>
        one.kind === 'usb' &&
        one.endpoint === endpoint &&
        one.direction === direction &&
        one.length === length &&
        isSame(one.setup, setup),
    )
    if (!event) return this.#tape.refuse(during)
    await this.#tape.play(event, during)
    return event.bytes.slice()
  }

  async reset(): Promise<void> {
    const event = this.#tape.find((one): one is WireEvent & { kind: 'reset' } => one.kind === 'reset')
    if (event) await this.#tape.play(event, 'a reset')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

class ReplayedHid implements HidLink {
  readonly seen: SeenHid
  readonly #tape: Tape

  constructor(seen: SeenHid, tape: Tape) {
    this.seen = seen
    this.#tape = tape
  }

  get gone(): AbortSignal {
    return this.#tape.gone.signal
  }

  async sendReport({ id, bytes }: HidReport): Promise<void> {
    const compared = saidIn(bytes) > mostSaid ? headSaid : bytes.length // as much as an emptied one keeps
    const event = this.#tape.find(
      (one): one is HidEvent =>
        one.kind === 'report' &&
        one.direction === 'out' &&
        one.reportId === id &&
        one.bytes.length === bytes.length &&
        equal(one.bytes.subarray(0, compared), bytes.subarray(0, compared)),
    )
    if (!event) return this.#tape.refuse(`sending report ${String(id)}`)
    await this.#tape.play(event, 'a report')
  }

  async readReport(): Promise<HidReport> {
    const event = this.#tape.find((one): one is HidEvent => one.kind === 'report' && one.direction === 'in')
    if (!event) return this.#tape.refuse('reading a report')
    await this.#tape.play(event, 'reading a report')
    return { id: event.reportId, bytes: event.bytes.slice() }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

class ReplayedSerial implements SerialLink {
  readonly seen: SeenSerial
  baud: number
  readonly parity: Parity
  readonly #tape: Tape
  /** Received and not read. */
  #received: ReturnType<Tape['received']> = { bytes: [], ending: undefined }

  constructor(seen: SeenSerial, tape: Tape, baud: number, { parity = 'none' }: Framing = {}) {
    this.seen = seen
    this.#tape = tape
    this.baud = baud
    this.parity = parity
  }

  get gone(): AbortSignal {
    return this.#tape.gone.signal
  }

  async setBaud(baud: number): Promise<void> {
    this.baud = baud
    const event = this.#tape.find(
      (one): one is WireEvent & { kind: 'baud' } => one.kind === 'baud' && one.baud === baud,
    )
    if (event) await this.#heard(event, 'the speed')
  }

  async signals({ dtr, rts }: SerialSignals): Promise<boolean> {
    const event = this.#tape.find(
      (one): one is WireEvent & { kind: 'signals' } =>
        one.kind === 'signals' && one.dtr === dtr && one.rts === rts,
    )
    if (!event || event.error === 'refused') return event === undefined
    await this.#heard(event, 'the signals')
    return true
  }

  async write(bytes: Uint8Array): Promise<void> {
    const compared = bytes.length > mostSaid ? headSaid : bytes.length // as much as an emptied one keeps
    const event = this.#tape.find(
      (one): one is WireEvent & { kind: 'sent' } =>
        one.kind === 'sent' &&
        one.length === bytes.length &&
        equal(one.bytes.subarray(0, compared), bytes.subarray(0, compared)),
    )
    if (!event) return this.#tape.refuse(`writing ${String(bytes.length)} bytes`)
    await this.#heard(event, 'a write')
  }

  async #heard(event: WireEvent, during: string): Promise<void> {
    this.#received = { bytes: [], ending: undefined }
    await this.#tape.play(event, during)
    this.#received = this.#tape.received()
  }

  async read(length: number, { timeoutMs = 5000 }: Io = {}): Promise<Uint8Array> {
    const { bytes, ending } = this.#received
    if (bytes.length >= length) return Uint8Array.from(bytes.splice(0, length))
    if (ending) await this.#tape.play(ending, 'a read')
    await this.#tape.clock.sleep(Math.min(timeoutMs, longestMs))
    throw new FlashError('timeout', { during: 'replaying a read', timeoutMs })
  }

  /** What was dropped then was not recorded. */
  flush(): void {
    return
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}
