/**
 * A recording without what is somebody's own: serial numbers, and the bytes of long transfers. What says how a device is
 * spoken to stays: short transfers (nothing could be told without them; where a programmer moves single bytes,
 * those are in them), descriptors, the frame of an answer, blank memory, and the words that drivers look for. So a
 * driver to whom it is replayed takes the same way, up to a write, whose plan follows from what was read.
 */
import { isBlank } from '#core/bytes.ts'
import type { AnswerHead, Seen, WordsOf } from '#core/programmer.ts'
import type { Recorded, WireEvent } from './recorder.ts'

/** As much as an STK500's sign-on takes. Longer ones may be firmware. */
export const mostSaid = 9
/** What commands begin with. */
export const headSaid = 5

/** STRING of GET_DESCRIPTOR (USB 2.0, 9.6.7). */
const stringDescriptor = 3

type Said = Extract<WireEvent, { bytes: Uint8Array }>

/** By which drivers tell who is there. */
export interface OwnWords {
  /** Words of published firmware, and serial numbers that are none; one that two transfers share is lost. */
  readonly marks: readonly string[]
  /** How many bytes of each answer are the device's own words. */
  readonly headOf: (seen: Seen) => AnswerHead
  /** Which of them, where that says more. */
  readonly wordsOf?: (seen: Seen) => WordsOf | undefined
}
const nothing: OwnWords = { marks: [], headOf: () => 0 }

export function withoutContents(
  { wires, events, dropped }: Recorded,
  { marks, headOf, wordsOf }: OwnWords = nothing,
): Recorded {
  const heads = new Map(wires.map(({ wire, seen }) => [wire, headOf(seen)]))
  /** On each wire, what was said last. */
  const said = new Map<number, Uint8Array>()
  const saidOn = (wire: number): Uint8Array => said.get(wire) ?? new Uint8Array()
  const headAt = (wire: number): number => {
    const head = heads.get(wire) ?? 0
    return typeof head === 'number' ? head : head(saidOn(wire))
  }
  const words = new Map(wires.map(({ wire, seen }) => [wire, wordsOf?.(seen)]))
  const ownSerial = (seen: Seen) =>
    'serial' in seen && !marks.includes(seen.serial ?? '') ? seen.serial : undefined
  const serialOf = new Map(wires.map(({ wire, seen }) => [wire, ownSerial(seen)]))
  const ends = endsOfAnswers(events)
  /** On each line, of what came since the computer said something: read in pieces it is still one transfer. */
  const heard = new Map<number, number>()
  const isOwn = (event: Said): boolean => {
    const { wire, kind, bytes } = event
    if (kind === 'usb' && event.setup?.requestType === 'standard')
      return event.setup.value >> 8 === stringDescriptor && isText(bytes, serialOf.get(wire))
    if (kind === 'sent' || ('direction' in event && event.direction === 'out')) said.set(wire, bytes)
    if (kind === 'sent') heard.delete(wire)
    if (kind === 'report') return saidIn(bytes) > mostSaid
    if (kind !== 'received') return bytes.length > mostSaid
    const total = (heard.get(wire) ?? 0) + bytes.length
    heard.set(wire, total)
    return total > mostSaid
  }
  return {
    dropped,
    wires: wires.map(({ wire, seen }) => ({
      wire,
      seen: ownSerial(seen) === undefined ? seen : { ...seen, serial: undefined },
    })),
    events: events.map((event) =>
      'bytes' in event && isOwn(event)
        ? {
            ...event,
            bytes:
              (isAnswer(event) ? words.get(event.wire) : undefined)?.(event.bytes, saidOn(event.wire)) ??
              emptied(event, ends.has(event), marks, headAt(event.wire)),
          }
        : event,
    ),
  }
}

const isAnswer = (event: Said): boolean =>
  (event.kind === 'report' || (event.kind === 'usb' && event.setup === undefined)) && event.direction === 'in'

/** `isEnd`: its last byte is not of what was asked for. `head`: so many bytes of it are not either. */
function emptied(event: Said, isEnd: boolean, marks: readonly string[], head: number): Uint8Array {
  const { bytes } = event
  const left = new Uint8Array(bytes.length)
  if (event.kind === 'sent' || ('direction' in event && event.direction === 'out')) {
    left.set(bytes.subarray(0, headSaid))
    return left
  }
  const content = isEnd ? bytes.subarray(0, -1) : bytes
  if (isBlank(content)) return bytes
  if (isEnd) left.set(bytes.subarray(-1), content.length)
  left.set(content.subarray(0, head))
  const text = new TextDecoder('latin1').decode(content)
  for (const mark of marks)
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1))
      left.set(content.subarray(at, at + mark.length), at)
  return left
}

/** The last of what was received on each line before the computer said something else. */
function endsOfAnswers(events: readonly WireEvent[]): ReadonlySet<WireEvent> {
  const last = new Map<number, WireEvent>()
  const ends: WireEvent[] = []
  for (const event of events) {
    const before = last.get(event.wire)
    if (event.kind === 'received' && event.bytes.length > 0) last.set(event.wire, event)
    if (event.kind !== 'sent' || !before) continue
    ends.push(before)
    last.delete(event.wire)
  }
  return new Set([...ends, ...last.values()])
}

/** A report has one length whatever is in it. */
export const saidIn = (report: Uint8Array): number => report.findLastIndex((byte) => byte !== 0) + 1

/** As a string descriptor has it: UTF-16, after two bytes. */
const isText = (bytes: Uint8Array, text: string | undefined): boolean =>
  text !== undefined && new TextDecoder('utf-16le').decode(bytes.subarray(2)) === text
