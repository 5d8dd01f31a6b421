/**
 * A bug report as it comes back from its user: anything can be in that file, so all of it is checked and bounded before
 * `replay.ts` plays it. `report.ts` writes it.
 */
import * as z from 'zod/mini'
import { fromHex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { WireEvent } from './recorder.ts'
import type { Report } from './report.ts'

const most = {
  text: 20_000,
  lines: 10_000,
  wires: 10_000,
  events: 500_000,
  interfaces: 256,
  hex: 2 ** 22,
  fileBytes: 2 ** 26,
}

const text = z.string().check(z.maxLength(most.text))
const optionalText = z.optional(text)
const u8 = z.int().check(z.minimum(0), z.maximum(0xff))
const u16 = z.int().check(z.minimum(0), z.maximum(0xffff))
const number = z.int().check(z.minimum(0), z.maximum(2 ** 31))
const ms = z.number().check(z.minimum(0), z.maximum(2 ** 40))
const isHex = (text: string): boolean => text.length % 2 === 0 && !/[^0-9a-f]/i.test(text)
const bytes = z.pipe(
  z.string().check(z.refine((text) => text.length <= most.hex && isHex(text))),
  z.transform(fromHex),
)

const reports = z.array(z.object({ id: u8, bytes: number })).check(z.maxLength(most.interfaces))
const seen = z.discriminatedUnion('link', [
  z.object({
    ...{ link: z.literal('usb'), vendorId: u16, productId: u16, deviceClass: u8 },
    deviceVersion: z.tuple([u8, u8, u8]),
    ...{ manufacturer: optionalText, product: optionalText, serial: optionalText },
    interfaces: z
      .array(z.object({ number: u8, classCode: u8, subclass: u8, protocol: u8, name: optionalText }))
      .check(z.maxLength(most.interfaces)),
  }),
  z.object({
    ...{ link: z.literal('hid'), vendorId: u16, productId: u16, product: optionalText },
    collections: z
      .array(z.object({ usagePage: u16, usage: u16, inputs: reports, outputs: reports }))
      .check(z.maxLength(most.interfaces)),
  }),
  z.object({ link: z.literal('serial'), vendorId: z.optional(u16), productId: z.optional(u16) }),
])

const setup = z.object({
  requestType: z.enum(['standard', 'class', 'vendor']),
  recipient: z.enum(['device', 'interface', 'endpoint', 'other']),
  ...{ request: u8, value: u16, index: u16 },
})

const timed = { wire: number, from: ms, at: ms, error: optionalText }
const event = z.discriminatedUnion('kind', [
  z.object({
    ...{ ...timed, kind: z.literal('usb'), endpoint: u8, direction: z.enum(['in', 'out']) },
    ...{ setup: z.optional(setup), length: number, bytes },
  }),
  z.object({ ...timed, kind: z.literal('reset') }),
  z.object({
    ...{ ...timed, kind: z.literal('report'), direction: z.enum(['in', 'out']), reportId: u8, bytes },
  }),
  z.object({ ...timed, kind: z.enum(['sent', 'received']), baud: number, length: number, bytes }),
  z.object({
    ...{ ...timed, kind: z.literal('signals') },
    ...{ dtr: z.optional(z.boolean()), rts: z.optional(z.boolean()) },
  }),
  z.object({
    ...{ ...timed, kind: z.literal('baud'), baud: number },
    parity: z.optional(z.enum(['none', 'even'])),
  }),
])

const report = z.object({
  ...{ format: z.literal('reflasher-report'), version: z.literal(1) },
  ...{ savedAt: z.iso.datetime(), build: text, browser: text, contents: z.boolean(), dropped: number },
  log: z.array(text).check(z.maxLength(most.lines)),
  wires: z.array(z.object({ wire: number, seen })).check(z.maxLength(most.wires)),
  events: z.array(event).check(z.maxLength(most.events)),
})

export interface Replayable extends Omit<Report, 'events'> {
  readonly events: readonly WireEvent[]
}

/** @throws `bad-file` with the place */
export function parseReport(file: Uint8Array): Replayable {
  const bad = (found: string, cause?: unknown) =>
    new FlashError('bad-file', { format: 'report', why: 'bad-structure', found }, { cause })
  if (file.length > most.fileBytes) throw new FlashError('bad-file', { format: 'report', why: 'too-large' })
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file))
  } catch (cause) {
    throw bad('not JSON', cause)
  }
  const parsed = report.safeParse(json)
  if (parsed.success) return parsed.data as Replayable // JSON has no undefined: absent keys stand for it
  throw bad(parsed.error.issues[0]?.path.map(String).join('.') ?? '')
}
