import { describe, expect, test } from 'vitest'
import { EchoUsbTwin } from '#bench/test-twins.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { ByteReader, hexBytes } from '#core/bytes.ts'
import type { SeenUsb } from '#core/programmer.ts'
import { Devices } from './devices.ts'
import { pcapHeader, pcapOf } from './pcap.ts'
import { recordedUsb } from './recorded-links.ts'
import { Recorder, type UsbEvent, type WireEvent } from './recorder.ts'
import { replayed } from './replay.ts'
import { parseReport } from './report-file.ts'
import { reportOf } from './report.ts'
import { withoutContents } from './without-contents.ts'

const put = { requestType: 'vendor', recipient: 'device', request: 2, value: 0, index: 0 } as const
const get = { ...put, request: 1 } as const
const unknown = { ...put, request: 99 } as const

async function opened() {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const recorder = new Recorder(clock)
  usb.plug(new EchoUsbTwin())
  const devices = new Devices({ usb }, clock)
  const [device] = await devices.list()
  if (device?.link !== 'usb') throw new Error('not listed')
  return { devices, recorder, link: recordedUsb(await device.open(), recorder) }
}

test('all that goes over a link is recorded, also what fails, with its time', async () => {
  const { recorder, link } = await opened()
  const bytes = Uint8Array.of(1, 2, 3)
  await link.controlOut(put, bytes)
  bytes.fill(0) // a driver may use its buffer again
  await link.controlIn(get, 8)
  await expect(link.controlIn(unknown, 1)).rejects.toMatchObject({ code: 'stalled' })
  await link.reset()
  const { wires, events, dropped } = recorder.recorded
  expect(wires).toEqual([{ wire: 1, seen: link.seen }])
  expect(dropped).toBe(0)
  expect(events.map(({ at, from }) => at >= from)).not.toContain(false)
  expect(events).toMatchObject([
    { kind: 'usb', endpoint: 0, direction: 'out', setup: put, bytes: Uint8Array.of(1, 2, 3) },
    { kind: 'usb', endpoint: 0, direction: 'in', setup: get, length: 8, bytes: Uint8Array.of(1, 2, 3) },
    { kind: 'usb', setup: unknown, length: 1, bytes: new Uint8Array(), error: 'stalled' },
    { kind: 'reset' },
  ])
})

test('what is under way together is told in the order in which it began', async () => {
  const { recorder, link } = await opened()
  await Promise.all([link.bulkIn(1, 64), link.bulkOut(2, new Uint8Array(1300)), link.bulkIn(1, 32)])
  expect(recorder.recorded.events).toMatchObject([
    { endpoint: 1, length: 64 },
    { endpoint: 2, length: 1300 },
    { endpoint: 1, length: 32 },
  ])
})

test('what has not ended when its place is given up is not told', () => {
  const recorder = new Recorder(new VirtualClock(), 500)
  const late = recorder.place()
  for (let length = 1; length <= 20; length++) recorder.add(event(length))
  late(event(99))
  expect(recorder.recorded.events).not.toContainEqual(event(99))
  expect(recorder.recorded.events.length + recorder.recorded.dropped).toBe(20)
})

const event = (length: number): UsbEvent => ({
  ...{ kind: 'usb', wire: 1, from: 0, at: 0, endpoint: 1, direction: 'in', length },
  bytes: new Uint8Array(length).fill(length),
})

test('the oldest go when it is full, and it says how many', () => {
  const recorder = new Recorder(new VirtualClock(), 1000)
  for (let length = 1; length <= 50; length++) recorder.add(event(length))
  const { events, dropped } = recorder.recorded
  expect(events.length + dropped).toBe(50)
  expect(events.at(-1)).toEqual(event(50))
  const kept = events.reduce((sum, one) => sum + ('bytes' in one ? one.bytes.length : 0), 0)
  expect(kept).toBeLessThanOrEqual(1000)
  expect(kept).toBeGreaterThan(250)
  recorder.add(event(2000))
  expect(recorder.recorded).toEqual({ wires: [], events: [], dropped: 51 })
})

describe('without contents', () => {
  test('long transfers keep their length, those that were sent their command, and short ones stay', () => {
    const received = { ...event(64), bytes: Uint8Array.from({ length: 64 }, (_, i) => i + 1) }
    const sent = { ...received, direction: 'out' } as const
    const { events } = withoutContents({ wires: [], events: [received, sent, event(8)], dropped: 3 })
    expect(events).toEqual([
      { ...received, bytes: new Uint8Array(64) },
      { ...sent, bytes: Uint8Array.of(1, 2, 3, 4, 5, ...new Uint8Array(59)) },
      event(8),
    ])
  })

  test('no serial number is left, neither of the device nor in its texts; other descriptors stay', () => {
    const descriptor = (value: number, text: string): WireEvent => ({
      ...event(10),
      ...{ endpoint: 0, setup: { ...get, requestType: 'standard', request: 6, value } },
      bytes: Uint8Array.of(2 + text.length * 2, 3, ...Buffer.from(text, 'utf16le')),
    })
    const seen = { link: 'usb', serial: 'SN-42', product: 'DFU' } as SeenUsb
    const [serial, layout] = [descriptor(0x0303, 'SN-42'), descriptor(0x0304, '@Flash/0x08000000/04*016Kg')]
    const configuration = { ...descriptor(0x0200, 'SN-42'), length: 27 }
    const { wires, events } = withoutContents({
      ...{ wires: [{ wire: 1, seen }], dropped: 0 },
      events: [serial, layout, configuration],
    })
    expect(wires).toMatchObject([{ seen: { product: 'DFU', serial: undefined } }])
    expect(events).toEqual([{ ...serial, bytes: new Uint8Array(12) }, layout, configuration])
  })

  const line = { wire: 1, from: 0, at: 0, baud: 9600 } as const
  const received = (bytes: Uint8Array): WireEvent => ({
    ...line,
    ...{ kind: 'received', length: bytes.length, bytes },
  })
  const heard = (pieces: readonly Uint8Array[], marks: readonly string[] = []) =>
    withoutContents(
      { wires: [], events: pieces.map(received), dropped: 0 },
      { marks, headOf: () => 0 },
    ).events.flatMap((one) => ('bytes' in one ? [[...one.bytes]] : []))

  test('what is received byte by byte is one long transfer, emptied from where it is long, but for its end', () => {
    const pieces = Array.from({ length: 12 }, (_, i) => Uint8Array.of(i + 1))
    expect(heard(pieces).flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 12])
  })

  test('blank memory stays blank, and of firmware only the words that a driver looks for', () => {
    const blank = new Uint8Array(16).fill(0xff)
    expect(heard([blank, Uint8Array.of(0x10)])).toEqual([[...blank], [0x10]])
    const page = new TextEncoder().encode('secret AVR ISP secret.')
    expect(heard([page], ['AVR ISP'])).toEqual([
      [...new Uint8Array(7), ...page.subarray(7, 14), ...new Uint8Array(7), 0x2e],
    ])
  })
})

describe('a bug report', () => {
  const seen = { link: 'usb', serial: 'SN-42' } as SeenUsb
  const around = {
    build: 'b',
    browser: 'c',
    log: ['serial SN-42, chip x', 'backup-corrupt {"name":"Mill \\"& Sons"}'],
  }
  const recorded = {
    wires: [{ wire: 1, seen }],
    events: [{ ...event(20), bytes: new Uint8Array(20).fill(7) }],
    dropped: 0,
  }

  test('has by default neither serial numbers nor names nor firmware', () => {
    const json = JSON.stringify(reportOf(recorded, { ...around, contents: false }))
    for (const secret of ['SN-42', 'Mill', 'Sons', '0707070707']) expect(json).not.toContain(secret)
    expect(JSON.stringify(reportOf(recorded, { ...around, contents: true }))).toContain('SN-42')
  })

  test.each([
    ['no JSON', '{'],
    ['another file', '{}'],
    ['an odd digit', '{"format":"reflasher-report","version":1,"events":[{"kind":"reset","wire":1}]}'],
  ])('that is %s is refused', (_, text) => {
    expect(() => parseReport(new TextEncoder().encode(text))).toThrow(
      expect.objectContaining({ code: 'bad-file' }),
    )
  })

  test('ends a replay as the line ended then', async () => {
    const wires = [{ wire: 1, seen: { link: 'serial', vendorId: 1, productId: 2 } as const }]
    const at = { wire: 1, from: 0, at: 0 }
    const events: WireEvent[] = [
      { ...at, kind: 'sent', baud: 9600, length: 1, bytes: Uint8Array.of(1) },
      { ...at, kind: 'received', baud: 9600, length: 2, bytes: new Uint8Array(), error: 'device-gone' },
    ]
    const [port] = replayed({ wires, events, contents: true }, new VirtualClock())
    if (port?.link !== 'serial') throw new Error('no port')
    const link = await port.open(9600)
    await link.write(Uint8Array.of(1))
    await expect(link.read(2)).rejects.toMatchObject({ code: 'device-gone' })
    expect(link.gone.aborted).toBe(true)
  })
})

describe('as a file for Wireshark', () => {
  const blocks = (pieces: readonly Uint8Array[]) => {
    const file = new ByteReader(Uint8Array.from(pieces.flatMap((piece) => [...piece])), 'pcapng')
    const found: { type: number; body: Uint8Array }[] = []
    while (file.rest > 0) {
      const [type, length] = [file.u32le(), file.u32le()]
      found.push({ type, body: file.bytes(length - 12) })
      expect(file.u32le()).toBe(length)
    }
    return found
  }

  test('a transfer is a submission and a completion with the same number', () => {
    const setup = {
      requestType: 'class',
      recipient: 'interface',
      request: 3,
      value: 0x102,
      index: 1,
    } as const
    const one: WireEvent = { ...event(2), endpoint: 0, setup, from: 1500, at: 1501, error: 'stalled' }
    const [section, usb, serial, submitted, completed, ...others] = blocks(pcapOf({ events: [one] }))
    expect([section?.type, usb?.type, serial?.type]).toEqual([0x0a0d_0d0a, 1, 1])
    expect([usb, serial].map((block) => block?.body[0])).toEqual([220, 250])
    expect(others).toEqual([])
    const packet = (block: typeof submitted) => (block?.body ?? new Uint8Array()).subarray(20)
    const [first, second] = [packet(submitted), packet(completed)]
    expect(first.subarray(0, 8)).toEqual(second.subarray(0, 8))
    expect([first[8], second[8]].map((code) => String.fromCharCode(code ?? 0))).toEqual(['S', 'C'])
    expect(hexBytes(first.subarray(40, 48), '')).toBe('a103020101000200')
    expect(new DataView(second.buffer, second.byteOffset).getInt32(28, true)).toBe(-32)
  })

  test('a section says what it is of', () => {
    const [section, ...others] = blocks([pcapHeader('a case: its job'), pcapHeader()])
    expect(hexBytes(section?.body.subarray(16) ?? new Uint8Array(), '')).toBe(
      `01000f00${Buffer.from('a case: its job').toString('hex')}0000000000`,
    )
    expect(others.map(({ type }) => type)).toEqual([1, 1, 0x0a0d_0d0a, 1, 1])
  })

  test('serial bytes have their direction, and the lines their state', () => {
    const wire = { wire: 1, from: 0, at: 2_000_001 }
    const sent = { ...wire, kind: 'sent', baud: 9600, length: 2, bytes: Uint8Array.of(0x30, 0x20) } as const
    const [, , , ...packets] = blocks(
      pcapOf({
        events: [
          { ...wire, kind: 'baud', baud: 9600 },
          sent,
          { ...wire, kind: 'signals', rts: false },
          sent,
          { ...wire, kind: 'signals', dtr: false, error: 'refused' },
          { ...wire, wire: 2, kind: 'signals', dtr: false, rts: false },
          { ...wire, kind: 'received', baud: 9600, length: 1, bytes: Uint8Array.of(0x14) },
          { ...wire, kind: 'baud', baud: 1200 },
          sent,
        ],
      }),
    )
    const at = '000007d0000003e8'
    expect(packets.map(({ body }) => hexBytes(body.subarray(20), ''))).toEqual([
      `${at}0118000030200000`,
      `${at}00100000`,
      `${at}0110000030200000`,
      `${at}00100000`,
      `${at}00000000`,
      `${at}0210000014000000`,
      `${at}0118000030200000`,
    ])
  })

  test('is what all links of the devices said, with contents or without', async () => {
    const { devices, link } = await opened()
    const secret = Uint8Array.from({ length: 40 }, (_, i) => 100 + i)
    await link.controlOut(put, secret)
    const { recording } = devices
    expect(recording?.events).toBe(1)
    const bytesOf = (contents: boolean) =>
      hexBytes(Uint8Array.from((recording?.pcapng({ contents }) ?? []).flatMap((piece) => [...piece])), '')
    expect(bytesOf(true)).toContain(hexBytes(secret, ''))
    expect(bytesOf(false)).not.toContain(hexBytes(secret.subarray(5, 9), ''))
  })
})
