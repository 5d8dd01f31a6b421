/**
 * What a reference tool said to a twin and what that answered, kept in the protocol's folder as
 * `NAME.recording.json` and replayed in `npm test`: the twin stays true without the guest.
 *
 * A USB device is recorded at its pipes. A serial one at its line, because how a bridge cuts bytes into packets
 * is a matter of time.
 */
import { fromHex, hexBytes } from '#core/bytes.ts'
import type { Parity } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { SerialTwin, SerialWire, Twin, UsbTwin } from '#bench/twin.ts'
import { UsbPort, type Transfer } from './usb-port.ts'
import { parseSetup, setupBytes, Status } from './usbip-packets.ts'

export interface Recording {
  /** `avrdude 7.1`. */
  readonly program: string
  /** `protocol:variant`. */
  readonly twin: string
  readonly events: readonly RecordedEvent[]
}

/** Bytes are hex; `at` is in milliseconds from the start. */
export type RecordedEvent =
  /** One transfer: [setup] and what was sent, or how much was asked for and what came. */
  | {
      readonly at: number
      readonly endpoint: number
      readonly setup?: string
      readonly out?: string
      readonly length?: number
      readonly in?: string
      readonly status?: Status
    }
  /** The host set its lines, or sent bytes. */
  | { readonly at: number; readonly dtr: boolean; readonly rts: boolean }
  | { readonly at: number; readonly sent: string; readonly baud: number; readonly parity?: Parity }
  /** The device sent bytes; older recordings do not say at which speed. */
  | { readonly at: number; readonly answered: string; readonly baud?: number; readonly parity?: Parity }

/** Longer than any device takes for a transfer. */
const patienceMs = 10_000

const rounded = (ms: number): number => Math.round(ms * 10) / 10
const packed = (bytes: Uint8Array): string => hexBytes(bytes, '')

/** Standard requests are the kernel's own, and the same for every tool. */
const isStandard = ({ setup }: Transfer): boolean => setup !== undefined && (setup.requestType & 0x60) === 0

/** Without what was given up: when a host does that is its own affair. */
export function recordUsb(port: UsbPort, events: RecordedEvent[]): void {
  port.listen((transfer) => {
    if (isStandard(transfer) || transfer.status === Status.Unlinked) return
    const { from, endpoint, setup, direction, bytes, length, status } = transfer
    events.push({
      ...{ at: rounded(from), endpoint },
      ...(setup && { setup: packed(setupBytes(setup)) }),
      ...(direction === 'out' ? { out: packed(bytes) } : { length, in: packed(bytes) }),
      ...(status !== 0 && { status }),
    })
  })
}

const framing = (parity: Parity = 'none') => (parity === 'none' ? {} : { parity })

/** The same twin, with its line listened to. */
export function recordSerial(twin: SerialTwin, events: RecordedEvent[]): SerialTwin {
  let wire: SerialWire | undefined
  const now = () => rounded(wire?.clock.now() ?? 0)
  const { link, usb, bridge, refusesSignals } = twin
  const recorded = (other: SerialTwin) => recordSerial(other, events)
  const self: SerialTwin = {
    ...{ link, usb, bridge, ...(refusesSignals && { refusesSignals }) },
    powersUpAs() {
      const other = twin.powersUpAs?.() ?? twin
      return other === twin ? self : recorded(other)
    },
    plugged(inner) {
      wire = inner
      twin.plugged({
        clock: inner.clock,
        send(bytes, baud, parity) {
          events.push({ at: now(), answered: packed(bytes), baud, ...framing(parity) })
          inner.send(bytes, baud, parity)
        },
        detach: (next) => inner.detach(next && { ...next, twin: recorded(next.twin) }),
      })
    },
    unplugged() {
      twin.unplugged?.()
    },
    lineCoding(baud) {
      twin.lineCoding?.(baud)
    },
    receive(bytes, baud, parity) {
      events.push({ at: now(), sent: packed(bytes), baud, ...framing(parity) })
      twin.receive(bytes, baud, parity)
    },
    signals(dtr, rts) {
      events.push({ at: now(), dtr, rts })
      twin.signals(dtr, rts)
    },
  }
  return self
}

/** Says the host's part again at its times. Gives what the twin's part was now and then. */
export async function replay(
  { events }: Recording,
  twin: Twin,
  clock: Clock,
): Promise<{ readonly now: string; readonly then: string }> {
  return twin.link === 'usb' ? replayUsb(events, twin, clock) : replaySerial(events, twin, clock)
}

async function replayUsb(events: readonly RecordedEvent[], twin: UsbTwin, clock: Clock) {
  const port = new UsbPort(twin, clock)
  const [now, then]: [string[], string[]] = [[], []]
  for (const [sequence, event] of events.entries()) {
    if (!('endpoint' in event)) continue
    await until(event.at, clock)
    const out = fromHex(event.out ?? '')
    const direction = event.out === undefined ? 'in' : 'out'
    const setup = parseSetup(fromHex(event.setup ?? '00'.repeat(8)))
    const length = direction === 'in' ? (event.length ?? 0) : out.length
    const urb = { kind: 'submit', sequence, endpoint: event.endpoint, direction, setup, length } as const
    const patience = new AbortController()
    const stop = clock.after(patienceMs, () => patience.abort())
    const answered = await port.present?.submit(urb, out, patience.signal)
    stop()
    const line = (answer: string, status: number | 'gone') =>
      `${String(sequence)} ${event.setup ?? ''} ${answer} ${String(status)}`
    const received = direction === 'in' && answered ? packed(answered.bytes) : ''
    now.push(line(received, answered?.status ?? 'gone'))
    then.push(line(event.in ?? '', event.status ?? Status.Ok))
  }
  return { now: now.join('\n'), then: then.join('\n') }
}

/** `after`: so many events of the host. */
interface Answer {
  readonly after: number
  readonly bytes: string
  readonly baud: number | undefined
}

async function replaySerial(events: readonly RecordedEvent[], whole: SerialTwin, clock: Clock) {
  const twin = whole.powersUpAs?.() ?? whole
  const [now, then]: [Answer[], Answer[]] = [[], []]
  const knowsBaud = events.some((event) => 'answered' in event && event.baud !== undefined)
  let after = 0
  twin.plugged({
    clock,
    send: (bytes, baud) => now.push({ after, bytes: packed(bytes), baud: knowsBaud ? baud : undefined }),
    detach: () => undefined, // what it comes back as is for another line
  })
  for (const event of events) {
    if ('answered' in event) {
      then.push({ after, bytes: event.answered, baud: event.baud })
      continue
    }
    await until(event.at, clock)
    after++
    if ('sent' in event) twin.receive(fromHex(event.sent), event.baud, event.parity)
    else if ('dtr' in event) twin.signals(event.dtr, event.rts)
  }
  await clock.sleep(1000) // the last answer
  return { now: inLines(now), then: inLines(then) }
}

/** A line for each question and speed: into how many pieces an answer falls is a matter of time. */
function inLines(answers: readonly Answer[]): string {
  const lines = new Map<string, string>()
  for (const { after, bytes, baud } of answers) {
    const head = `after ${String(after)}${baud === undefined ? '' : ` at ${String(baud)} baud`}: `
    lines.set(head, (lines.get(head) ?? '') + bytes)
  }
  return [...lines].map((line) => line.join('')).join('\n')
}

const until = (at: number, clock: Clock): Promise<void> => clock.sleep(Math.max(0, at - clock.now()))
