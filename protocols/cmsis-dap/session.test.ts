/** Packets to a probe over either link: how large, how many under way, and what is made of what is left from before. */
import { expect, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { TwinHid } from '#bench/twin-hid.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import type { UsbTwin } from '#bench/twin.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices, type Attached, type Source } from '#transport/devices.ts'
import { readConfiguration } from '#transport/usb-descriptors.ts'
import { findPipes } from './descriptors.ts'
import identity, { dapInterface } from './identity.ts'
import { info, Info } from './packets.ts'
import { DapSession } from './session.ts'
import { hidDescriptors, reportDescriptor } from './twin-descriptors.ts'
import { HidProbeTwin } from './twin-hid-probe.ts'
import { BulkWire, ReportWire, type Wire } from './wire.ts'

async function wireTo(device: Attached | undefined): Promise<Wire> {
  if (device?.link === 'hid') return new ReportWire(await device.open())
  if (device?.link !== 'usb') throw new Error('not listed')
  const link = await device.open()
  const pipes = findPipes(await readConfiguration(link), dapInterface(link.seen)?.number ?? -1)
  if (!pipes) throw new Error('no pipes')
  return new BulkWire(link, pipes)
}

async function begun(source: Source, clock: VirtualClock) {
  const [device] = await new Devices(source, clock).list()
  return { device, session: await begin(device) }
}

async function begin(device: Attached | undefined): Promise<DapSession> {
  const session = new DapSession(await wireTo(device))
  await session.begin()
  return session
}

async function opened(id: string) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id)
  return { clock, bench, plugged, ...(await begun(bench, clock)) }
}

/** Asked so often at once, by the milliseconds that one of them takes. */
async function msOfEach({ session, clock }: Awaited<ReturnType<typeof opened>>, count = 100) {
  const from = clock.now()
  const answers = await session.exchangeAll(Array.from({ length: count }, () => info(Info.Protocol)))
  expect(new Set(answers.map(([id]) => id))).toEqual(new Set([0]))
  expect(answers).toHaveLength(count)
  return (clock.now() - from) / count
}

test.each([
  ['cmsis-dap:stm32f103', 64, 1],
  ['cmsis-dap:one-packet', 64, 2], // there, and only then back
  ['cmsis-dap:high-speed', 512, 0.125],
  ['cmsis-dap:daplink-hid', 64, 1],
])('%s: packets of %i bytes, one after at most %d ms and a tenth', async (id, packetBytes, ms) => {
  const opening = await opened(id)
  expect(opening.session.packetBytes).toBe(packetBytes)
  expect(await msOfEach(opening)).toBeLessThan(ms * 1.1)
})

test('Atmel’s EDBG: a HID device with reports of 512 bytes', async () => {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const report = reportDescriptor(512)
  const described = {
    ...{ vendorId: 0x03eb, productId: 0x2111, deviceVersion: 0x0101 },
    ...{ manufacturer: 'Atmel Corp.', product: 'EDBG CMSIS-DAP', serial: 'ATML0000' },
  }
  const target = new TwinStm32f1({ kib: 64 })
  const options = { descriptors: hidDescriptors(described, report, 512), target, texts: {}, packetBytes: 512 }
  const twin: UsbTwin = new HidProbeTwin({ ...options, packets: 1, speed: 'high' }, report)
  usb.plug(twin)
  const { session, device } = await begun({ usb, hid: new TwinHid(usb) }, clock)
  expect(session.packetBytes).toBe(512)
  expect(device && identity.recognise(device.seen)).toMatchObject({ model: 'EDBG CMSIS-DAP', usable: true })
})

test.each(['cmsis-dap:stm32f103', 'cmsis-dap:daplink-hid'])(
  '%s: answers to commands that somebody else gave are passed over',
  async (id) => {
    const { device } = await opened(id)
    const wire = await wireTo(device)
    for (let i = 0; i < 3; i++) await wire.send(info(Info.Firmware))
    const session = await begin(device)
    expect(await session.text(Info.Protocol)).toMatch(/^[12]\./)
  },
)

test('a probe is recognised by its product among HID devices, which say nothing more', () => {
  const seen = { link: 'hid', vendorId: 0x0d28, productId: 0x0204, collections: [] } as const
  const found = identity.recognise({ ...seen, product: 'DAPLink CMSIS-DAP' })
  expect(found).toMatchObject({ model: 'DAPLink', confidence: 'certain' })
  expect(found?.facts.map(({ name }) => name)).toEqual(['model', 'mode', 'usb-id', 'product'])
  expect(identity.recognise({ ...seen, product: 'Keyboard' })).toBeUndefined()
  expect(identity.recognise({ ...seen, product: undefined })).toBeUndefined()
})
