import { describe, expect, test } from 'vitest'
import { EchoSerialTwin, EchoUsbTwin } from '#bench/test-twins.ts'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from './devices.ts'

function bench(granted = false) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted })
  const serial = new TwinSerialBus({ clock, granted })
  return { clock, usb, serial, devices: new Devices({ usb, serial }, clock) }
}

/** A browser that answers every question in the same way. */
const answering = (error: DOMException) =>
  Object.assign(new EventTarget(), {
    getDevices: () => Promise.reject(error),
    requestDevice: () => Promise.reject(error),
  }) as unknown as USB

describe('listing', () => {
  test('tells what was seen of each device', async () => {
    const { devices, usb, serial } = bench(true)
    usb.plug(new EchoUsbTwin({ serial: '42' }))
    serial.plug(new EchoSerialTwin())
    serial.plug(Object.assign(new EchoSerialTwin(), { usb: undefined }))
    expect((await devices.list()).map(({ seen }) => seen)).toEqual([
      {
        ...{ link: 'usb', vendorId: 0xcafe, productId: 0xbeef, deviceClass: 0xff, deviceVersion: [1, 0, 4] },
        ...{ manufacturer: 'Echoes', product: 'Echo', serial: '42' },
        interfaces: [
          { number: 0, classCode: 0xff, subclass: 1, protocol: 2, name: 'Bulk' },
          { number: 1, classCode: 3, subclass: 0, protocol: 0 },
          { number: 2, classCode: 10, subclass: 0, protocol: 0 },
        ],
      },
      { link: 'serial', vendorId: 0x2341, productId: 0x0043 },
      { link: 'serial', vendorId: undefined, productId: undefined },
    ])
  })

  test('keeps the key of a device as long as it is plugged in', async () => {
    const { devices, usb } = bench(true)
    const port = usb.plug(new EchoUsbTwin())
    usb.plug(new EchoUsbTwin())
    const keys = async () => (await devices.list()).map(({ key }) => key)
    const first = await keys()
    expect(new Set(first).size).toBe(2)
    expect(await keys()).toEqual(first)
    await port.unplug()
    await port.replug()
    expect(await keys()).not.toContain(first[0])
  })

  test('without the APIs nothing is listed, and asking says so', async () => {
    const devices = new Devices({})
    expect(devices.can).toEqual({ usb: false, serial: false, hid: false })
    expect(await devices.list()).toEqual([])
    await expect(devices.request('serial', [])).rejects.toMatchObject({
      code: 'browser-unsupported',
      detail: { api: 'serial' },
    })
  })
})

test('a link waits on the clock that was handed in before the first was opened', async () => {
  const { clock, usb, devices } = bench(true)
  usb.plug(new EchoUsbTwin()).faults = { hangAt: 1 }
  const waits: number[] = []
  devices.clock = new (class extends VirtualClock {
    override after(ms: number, run: () => void) {
      waits.push(ms)
      return clock.after(ms, run)
    }
  })()
  const [attached] = await devices.list()
  const link = attached?.link === 'usb' ? await attached.open() : undefined
  const setup = { requestType: 'vendor', recipient: 'device', request: 1, value: 0, index: 0 } as const
  await expect(link?.controlIn(setup, 4, { timeoutMs: 700 })).rejects.toMatchObject({ code: 'timeout' })
  expect(waits).toContain(700)
})

describe('asking', () => {
  test('gives the device that was chosen, and lists it from then on', async () => {
    const { devices, usb, serial } = bench()
    usb.plug(new EchoUsbTwin())
    serial.plug(new EchoSerialTwin())
    expect(await devices.list()).toEqual([])
    const chosen = await devices.request('usb', [{ vendorId: 0xcafe }])
    const port = await devices.request('serial', [{ vendorId: 0x2341, productId: 0x0043 }])
    expect((await devices.list()).map(({ key }) => key)).toEqual([chosen?.key, port?.key])
    await chosen?.forget()
    await port?.forget()
    expect(await devices.list()).toEqual([])
  })

  test('choosing nothing is not an error', async () => {
    const { devices, usb } = bench()
    usb.plug(new EchoUsbTwin())
    expect(await devices.request('usb', [{ vendorId: 1 }])).toBeUndefined()
    expect(await devices.request('serial', [])).toBeUndefined()
  })

  test('a chooser that never showed was blocked by a policy', async () => {
    const blocked = { code: 'blocked-by-policy', detail: { api: 'usb' } }
    for (const error of [
      new DOMException('No device selected.', 'NotFoundError'),
      new DOMException('Access to the feature "usb" is disallowed by permissions policy.', 'SecurityError'),
    ]) {
      const devices = new Devices({ usb: answering(error) })
      await expect(devices.request('usb', [])).rejects.toMatchObject(blocked)
    }
  })

  test('a click that was too long ago is to be made again', async () => {
    const message = 'Must be handling a user gesture to show a permission request.'
    const devices = new Devices({ usb: answering(new DOMException(message, 'SecurityError')) })
    await expect(devices.request('usb', [])).rejects.toMatchObject({ code: 'click-needed' })
  })

  test('an API that the page may not use lists nothing and hides nothing else', async () => {
    const { serial, clock } = bench()
    const usb = answering(new DOMException('disallowed by permissions policy', 'SecurityError'))
    const devices = new Devices({ usb, serial }, clock)
    serial.plug(new EchoSerialTwin())
    const port = await devices.request('serial', [])
    expect((await devices.list()).map(({ key }) => key)).toEqual([port?.key])
  })
})

test('changes are told until nobody listens any more', async () => {
  const { devices, usb, serial } = bench(true)
  let changes = 0
  const end = devices.onChange(() => changes++)
  const port = usb.plug(new EchoUsbTwin())
  const plugged = serial.plug(new EchoSerialTwin())
  await Promise.resolve()
  expect(changes).toBe(2)
  await port.unplug()
  await plugged.unplug()
  expect(changes).toBe(4)
  end()
  await port.replug()
  await Promise.resolve()
  expect(changes).toBe(4)
})
