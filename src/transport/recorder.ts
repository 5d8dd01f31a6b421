/**
 * What went over the wires lately: always on, in memory only, and bounded; the oldest go first. For a bug report, for
 * Wireshark.
 */
import type { Parity, Seen } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { ControlSetup } from './links.ts'

export interface Timed {
  /** Which wire, numbered from 1 in the order of their opening. */
  readonly wire: number
  /** Milliseconds on the recorder's clock: when it began and when it had ended. */
  readonly from: number
  readonly at: number
  /** The code of the error that it ended with. */
  readonly error?: string
}

/** One transfer; endpoint 0 has a setup. */
export interface UsbEvent extends Timed {
  readonly kind: 'usb'
  readonly endpoint: number
  readonly direction: 'in' | 'out'
  readonly setup?: ControlSetup
  /** Asked for (IN) or to be sent (OUT). */
  readonly length: number
  /** Received (IN) or sent (OUT). */
  readonly bytes: Uint8Array
}

/** What `selectAlternate` puts on the wire: SET_INTERFACE (USB 2.0, 9.4.10). */
export const setInterface = (interfaceNumber: number, setting: number): ControlSetup => ({
  ...{ requestType: 'standard', recipient: 'interface', request: 11 },
  ...{ value: setting, index: interfaceNumber },
})

/** What `clearHalt` puts on the wire: CLEAR_FEATURE with ENDPOINT_HALT (USB 2.0, 9.4.1). */
export const clearFeature = (direction: 'in' | 'out', endpoint: number): ControlSetup => ({
  ...{ requestType: 'standard', recipient: 'endpoint', request: 1 },
  ...{ value: 0, index: endpoint | (direction === 'in' ? 0x80 : 0) },
})

export interface UsbReset extends Timed {
  readonly kind: 'reset'
}

/** Without its id. */
export interface HidEvent extends Timed {
  readonly kind: 'report'
  readonly direction: 'in' | 'out'
  readonly reportId: number
  readonly bytes: Uint8Array
}

export interface SerialBytes extends Timed {
  readonly kind: 'sent' | 'received'
  readonly baud: number
  readonly length: number
  readonly bytes: Uint8Array
}

export interface SerialLines extends Timed {
  readonly kind: 'signals'
  readonly dtr?: boolean
  readonly rts?: boolean
}

export interface SerialSpeed extends Timed {
  readonly kind: 'baud'
  readonly baud: number
  /** Absent: none. */
  readonly parity?: Parity
}

export type WireEvent = UsbEvent | UsbReset | HidEvent | SerialBytes | SerialLines | SerialSpeed

export interface RecordedWire {
  readonly wire: number
  readonly seen: Seen
}

export interface Recorded {
  /** Of the events that are left, oldest first. */
  readonly wires: readonly RecordedWire[]
  readonly events: readonly WireEvent[]
  /** How many are gone. */
  readonly dropped: number
}

/** Of an event beside its bytes, about. */
const eventBytes = 100

export class Recorder {
  readonly clock: Clock
  readonly #mostBytes: number
  readonly #wires: RecordedWire[] = []
  /** In the order in which they began. Those before `#first` are gone. */
  #places: Place[] = []
  #first = 0
  #bytes = 0
  #dropped = 0

  /** `mostBytes`: what it keeps, default 8 MiB. */
  constructor(clock: Clock, mostBytes = 8 << 20) {
    this.clock = clock
    this.#mostBytes = mostBytes
  }

  /** A wire that is open now. */
  begin(seen: Seen): number {
    const wire = this.#wires.length + 1
    this.#wires.push({ wire, seen })
    return wire
  }

  /** Something begins now: what this gives is told how it was, once it has ended. */
  place(): (event: WireEvent) => void {
    const place: Place = { event: undefined, isGone: false }
    this.#places.push(place)
    return (event) => {
      if (place.isGone) return
      place.event = event
      this.#bytes += costOf(event)
      this.#shorten()
    }
  }

  add(event: WireEvent): void {
    this.place()(event)
  }

  #shorten(): void {
    while (this.#bytes > this.#mostBytes) {
      const place = this.#places[this.#first++] as Place
      place.isGone = true
      if (!place.event) continue // what has not ended is not told any more
      this.#bytes -= costOf(place.event)
      place.event = undefined
      this.#dropped++
    }
    if (this.#first * 2 < this.#places.length) return
    this.#places = this.#places.slice(this.#first)
    this.#first = 0
  }

  get recorded(): Recorded {
    const events = this.#places.flatMap(({ event }) => event ?? [])
    const left = new Set(events.map(({ wire }) => wire))
    return { wires: this.#wires.filter(({ wire }) => left.has(wire)), events, dropped: this.#dropped }
  }
}

interface Place {
  /** Undefined: it has not ended, or is gone. */
  event: WireEvent | undefined
  isGone: boolean
}

const costOf = (event: WireEvent): number => eventBytes + ('bytes' in event ? event.bytes.length : 0)
