/**
 * What went over the wires as a bug report: JSON with the session's log, which `replay.ts` plays to a driver without
 * the device. Bytes are hex text.
 */
import { hexBytes } from '#core/bytes.ts'
import type { Recorded, RecordedWire, WireEvent } from './recorder.ts'
import { withoutContents, type OwnWords } from './without-contents.ts'

/** In an event of a report its bytes are hex text. */
type Written<E> = E extends { bytes: Uint8Array } ? Omit<E, 'bytes'> & { readonly bytes: string } : E
export type ReportEvent = Written<WireEvent>

export interface Report {
  readonly format: 'reflasher-report'
  readonly version: 1
  /** ISO 8601, UTC. */
  readonly savedAt: string
  readonly build: string
  readonly browser: string
  /** Whether firmware and serial numbers are in it. */
  readonly contents: boolean
  /** How many events had gone before the first. */
  readonly dropped: number
  readonly log: readonly string[]
  readonly wires: readonly RecordedWire[]
  readonly events: readonly ReportEvent[]
}

/** What a report says beside what was recorded. */
export type Around = Pick<Report, 'build' | 'browser' | 'contents' | 'log'>

export function reportOf(recorded: Recorded, around: Around, ownWords?: OwnWords): Report {
  const { wires, events, dropped } = around.contents ? recorded : withoutContents(recorded, ownWords)
  const serials = recorded.wires.flatMap(({ seen }) => ('serial' in seen && seen.serial ? [seen.serial] : []))
  const nameless = (line: string) =>
    serials
      .reduce((text, serial) => text.replaceAll(serial, '…'), line)
      .replace(/\bserial [^,]+/g, 'serial …')
      .replace(/"name":"(?:[^"\\]|\\.)*"/g, '"name":"…"') // of a backup, as its owner calls it
  return {
    ...{ format: 'reflasher-report', version: 1, savedAt: new Date().toISOString() },
    ...{ ...around, dropped, wires },
    log: around.contents ? around.log : around.log.map(nameless),
    events: events.map((event) =>
      'bytes' in event ? { ...event, bytes: hexBytes(event.bytes, '') } : event,
    ),
  }
}
