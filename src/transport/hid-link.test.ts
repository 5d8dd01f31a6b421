import { expect, test } from 'vitest'
import { EchoHidTwin } from '#bench/test-twins.ts'
import { TwinHid } from '#bench/twin-hid.ts'
import { TwinUsb, type PlugOptions } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from './devices.ts'

async function attached(options: PlugOptions = {}) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const hid = new TwinHid(usb)
  const twin = new EchoHidTwin()
  const port = usb.plug(twin, options)
  const devices = new Devices({ usb, hid }, clock)
  const [device] = await devices.list()
  if (device?.link !== 'hid') throw new Error('not listed')
  return { clock, usb, hid, twin, port, devices, device }
}

async function opened(options?: PlugOptions) {
  const all = await attached(options)
  return { ...all, link: await all.device.open() }
}

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
const report = (...bytes: number[]) => ({ id: 0, bytes: Uint8Array.from(bytes) })
const firstOf = async (read: Promise<{ bytes: Uint8Array }>) => (await read).bytes[0]

test('what was seen of it: ids, the product, its collections with the sizes of their reports', async () => {
  const { device } = await attached()
  expect(device.seen).toEqual({
    ...{ link: 'hid', vendorId: 0xcafe, productId: 0xb1d0, product: 'HID Echo' },
    collections: [
      { usagePage: 0xff00, usage: 1, inputs: [{ id: 0, bytes: 8 }], outputs: [{ id: 0, bytes: 8 }] },
    ],
  })
})

test('reports go both ways, and are read in the order in which they came', async () => {
  const { link } = await opened()
  for (const byte of [1, 2, 3]) await link.sendReport(report(byte, 9))
  const read = await link.readReport()
  expect(read).toEqual({ id: 0, bytes: Uint8Array.of(1, 9, 0, 0, 0, 0, 0, 0) })
  expect(await Promise.all([firstOf(link.readReport()), firstOf(link.readReport())])).toEqual([2, 3])
})

test('a read that was given up takes nothing: its report is the next one’s', async () => {
  const { link } = await opened()
  expect(await code(link.readReport({ timeoutMs: 10 }))).toBe('timeout')
  await link.sendReport(report(7))
  expect(await firstOf(link.readReport())).toBe(7)
})

test('after a report that may still go nothing more can be sent, until it is opened anew', async () => {
  const { link, port, device } = await opened()
  port.faults = { hangAt: 1 }
  expect(await code(link.sendReport(report(1), { timeoutMs: 10 }))).toBe('timeout')
  expect(await code(link.sendReport(report(2)))).toBe('timeout')
  await port.unplug()
  await port.replug()
  expect(await code(link.sendReport(report(2)))).toBe('device-gone')
  expect(await code(device.open())).toBe('device-gone') // another object stands for it now
})

test('a stall of a report is told as failed; one of the device is cleared by the system', async () => {
  const { link, port } = await opened()
  port.faults = { stallAt: 1 }
  expect(await code(link.sendReport(report(1)))).toBe('transfer-failed')
  const second = await opened()
  await second.link.sendReport(report(4))
  second.port.faults = { stallAt: 1 }
  await second.link.sendReport(report(5)).catch(() => undefined)
  expect(await firstOf(second.link.readReport())).toBe(4)
})

test('who unplugs it ends what waits, and all that comes later', async () => {
  const { link, port } = await opened()
  const waiting = code(link.readReport())
  const unplugged = port.unplug()
  expect(await code(link.sendReport(report(1)))).toBe('device-gone')
  expect(await waiting).toBe('device-gone')
  await unplugged
  expect(link.gone.aborted).toBe(true)
  expect(await code(link.readReport())).toBe('device-gone')
})

test('one that may not be opened says so, with its ids for a rule', async () => {
  const { device } = await attached({ refuses: 'open' })
  await expect(device.open()).rejects.toMatchObject({
    code: 'permission-denied',
    detail: { api: 'hid', vendorId: 0xcafe, productId: 0xb1d0 },
  })
})

test('opened anew it has the link, and the older one is closed', async () => {
  const { link, device } = await opened()
  const newer = await device.open()
  expect(await code(link.sendReport(report(1)))).toBe('transfer-failed')
  await newer.sendReport(report(2))
  expect(await firstOf(newer.readReport())).toBe(2)
})

test('the chooser: by what a collection is for; nothing chosen is nothing, and at once it is a policy', async () => {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock })
  const hid = new TwinHid(usb)
  usb.plug(new EchoHidTwin())
  const devices = new Devices({ usb, hid }, clock)
  expect(await devices.list()).toEqual([])
  expect(await devices.request('hid', [{ usagePage: 0xff01, usage: 1 }])).toBeUndefined()
  const filters = [
    { classCode: 0xff, subclassCode: 0 },
    { usagePage: 0xff00, usage: 1 },
  ] as const
  expect((await devices.request('hid', filters))?.seen).toMatchObject({ product: 'HID Echo' })
  expect((await devices.list()).map(({ link }) => link)).toEqual(['hid'])
  const blocked = Object.assign(new EventTarget(), { requestDevice: () => Promise.resolve([]) })
  const blocking = new Devices({ hid: blocked as unknown as HID }, clock)
  expect(await code(blocking.request('hid', filters))).toBe('blocked-by-policy')
  expect(await code(new Devices({}, clock).request('hid', filters))).toBe('browser-unsupported')
})

test('what went over it is recorded: reports in order, with what they ended with', async () => {
  const { link, devices } = await opened()
  await link.sendReport(report(6))
  await link.readReport()
  await code(link.readReport({ timeoutMs: 10 }))
  const around = { build: '', browser: '', contents: true, log: [] }
  const nothing = { marks: [], headOf: () => 0 }
  const { wires, events } = devices.recording?.report(around, nothing) ?? {}
  expect(wires?.map(({ seen }) => seen.link)).toEqual(['hid'])
  expect(events).toMatchObject([
    { kind: 'report', direction: 'out', reportId: 0, bytes: '06' },
    { kind: 'report', direction: 'in', reportId: 0, bytes: '0600000000000000' },
    { kind: 'report', direction: 'in', error: 'timeout' },
  ])
})
