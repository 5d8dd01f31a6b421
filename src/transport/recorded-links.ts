/** Links with all that goes over them told to one recorder, however it ends. */
import { toFlashError } from '#core/errors.ts'
import type { SeenHid, SeenSerial, SeenUsb } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { openHid } from './hid-link.ts'
import type { Framing, HidLink, SerialLink, UsbLink } from './links.ts'
import { pcapOf } from './pcap.ts'
import {
  clearFeature,
  Recorder,
  setInterface,
  type Timed,
  type UsbEvent,
  type WireEvent,
} from './recorder.ts'
import { reportOf, type Around, type Report } from './report.ts'
import { openSerial } from './serial-link.ts'
import { openUsb } from './usb-link.ts'
import { withoutContents, type OwnWords } from './without-contents.ts'

export class RecordedLinks {
  readonly #recorder: Recorder

  constructor(clock: Clock) {
    this.#recorder = new Recorder(clock)
  }

  async usb(device: USBDevice, usb: USB, seen: SeenUsb): Promise<UsbLink> {
    return recordedUsb(await openUsb(device, usb, seen, this.#recorder.clock), this.#recorder)
  }

  async hid(device: HIDDevice, hid: HID, seen: SeenHid): Promise<HidLink> {
    return recordedHid(await openHid(device, hid, seen, this.#recorder.clock), this.#recorder)
  }

  async serial(port: SerialPort, seen: SeenSerial, baud: number, framing?: Framing): Promise<SerialLink> {
    const link = await openSerial(port, seen, baud, this.#recorder.clock, framing)
    return recordedSerial(link, this.#recorder)
  }

  /** How many events are remembered. */
  get events(): number {
    return this.#recorder.recorded.events.length
  }

  /** They as a pcapng file, in pieces. Without `contents` as `withoutContents` leaves them. */
  pcapng({ contents }: { contents: boolean }): Uint8Array<ArrayBuffer>[] {
    const { recorded } = this.#recorder
    return pcapOf(contents ? recorded : withoutContents(recorded))
  }

  /** They as a bug report. */
  report(around: Around, ownWords: OwnWords): Report {
    return reportOf(this.#recorder.recorded, around, ownWords)
  }
}

async function telling<T>(
  recorder: Recorder,
  wire: number,
  work: () => Promise<T>,
  tell: (timed: Timed, result: T | undefined) => WireEvent,
): Promise<T> {
  const from = recorder.clock.now()
  const told = recorder.place()
  try {
    const result = await work()
    told(tell({ wire, from, at: recorder.clock.now() }, result))
    return result
  } catch (error) {
    const { code } = toFlashError(error)
    told(tell({ wire, from, at: recorder.clock.now(), error: code }, undefined))
    throw error
  }
}

const none = new Uint8Array()

export function recordedUsb(link: UsbLink, recorder: Recorder): UsbLink {
  const wire = recorder.begin(link.seen)
  const received = (
    event: Pick<UsbEvent, 'endpoint' | 'length' | 'setup'>,
    work: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> =>
    telling(recorder, wire, work, (timed, bytes) => ({
      ...timed,
      ...event,
      kind: 'usb',
      direction: 'in',
      bytes: bytes?.slice() ?? none,
    }))
  const sent = (
    event: Pick<UsbEvent, 'endpoint' | 'setup'>,
    bytes: Uint8Array,
    work: () => Promise<void>,
  ): Promise<void> => {
    const copy = bytes.slice()
    return telling(recorder, wire, work, (timed) => ({
      ...timed,
      ...event,
      kind: 'usb',
      direction: 'out',
      length: copy.length,
      bytes: copy,
    }))
  }
  return {
    seen: link.seen,
    gone: link.gone,
    controlIn: (setup, length, io) =>
      received({ endpoint: 0, setup, length }, () => link.controlIn(setup, length, io)),
    controlOut: (setup, bytes = none, io) =>
      sent({ endpoint: 0, setup }, bytes, () => link.controlOut(setup, bytes, io)),
    bulkIn: (endpoint, length, io) => received({ endpoint, length }, () => link.bulkIn(endpoint, length, io)),
    bulkOut: (endpoint, bytes, io) => sent({ endpoint }, bytes, () => link.bulkOut(endpoint, bytes, io)),
    selectAlternate: (interfaceNumber, setting) =>
      sent({ endpoint: 0, setup: setInterface(interfaceNumber, setting) }, none, () =>
        link.selectAlternate(interfaceNumber, setting),
      ),
    clearHalt: (direction, endpoint) =>
      sent({ endpoint: 0, setup: clearFeature(direction, endpoint) }, none, () =>
        link.clearHalt(direction, endpoint),
      ),
    reset: () =>
      telling(
        recorder,
        wire,
        () => link.reset(),
        (timed) => ({ ...timed, kind: 'reset' }),
      ),
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

export function recordedHid(link: HidLink, recorder: Recorder): HidLink {
  const wire = recorder.begin(link.seen)
  return {
    seen: link.seen,
    gone: link.gone,
    sendReport: ({ id, bytes }, io) => {
      const copy = bytes.slice()
      return telling(
        recorder,
        wire,
        () => link.sendReport({ id, bytes: copy }, io),
        (timed) => ({ ...timed, kind: 'report', direction: 'out', reportId: id, bytes: copy }),
      )
    },
    readReport: (io) =>
      telling(
        recorder,
        wire,
        () => link.readReport(io),
        (timed, report) => ({
          ...{ ...timed, kind: 'report', direction: 'in' },
          ...{ reportId: report?.id ?? 0, bytes: report?.bytes.slice() ?? none },
        }),
      ),
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

export function recordedSerial(link: SerialLink, recorder: Recorder): SerialLink {
  const wire = recorder.begin(link.seen)
  const { parity } = link
  const framing = parity === 'none' ? {} : { parity }
  recorder.add({ ...stamped(recorder, wire), kind: 'baud', baud: link.baud, ...framing })
  return {
    seen: link.seen,
    gone: link.gone,
    parity,
    get baud() {
      return link.baud
    },
    setBaud: (baud) =>
      telling(
        recorder,
        wire,
        () => link.setBaud(baud),
        (timed) => ({ ...timed, kind: 'baud', baud, ...framing }),
      ),
    signals: (signals) =>
      telling(
        recorder,
        wire,
        () => link.signals(signals),
        (timed, taken) => ({
          ...timed,
          ...(taken === false && { error: 'refused' }),
          kind: 'signals',
          ...signals,
        }),
      ),
    read: (length, io) => {
      const { baud } = link
      return telling(
        recorder,
        wire,
        () => link.read(length, io),
        (timed, bytes) => ({
          ...timed,
          ...{ kind: 'received', baud, length, bytes: bytes?.slice() ?? none },
        }),
      )
    },
    write: (bytes, io) => {
      const [{ baud }, copy] = [link, bytes.slice()]
      return telling(
        recorder,
        wire,
        () => link.write(bytes, io),
        (timed) => ({
          ...timed,
          ...{ kind: 'sent', baud, length: copy.length, bytes: copy },
        }),
      )
    },
    flush: () => {
      link.flush()
    },
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

const stamped = ({ clock }: Recorder, wire: number): Timed => ({ wire, from: clock.now(), at: clock.now() })
