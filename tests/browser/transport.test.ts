/**
 * The wire in a real Chrome: its own `usb` and `serial` as far as they go without a device, and the tests of
 * twins and links again, because streams, events and timers are the browser's here.
 */
import { describe, expect, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { browserSource, Devices } from '#transport/devices.ts'
import '../../src/bench/virtual-clock.test.ts'
import '../../src/bench/twin-usb.test.ts'
import '../../src/bench/twin-serial.test.ts'
import '../../src/bench/bench.test.ts'
import '../../src/transport/devices.test.ts'
import '../../src/transport/serial-link.test.ts'
import '../../src/transport/usb-link.test.ts'

const nameOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as Error).name,
  )

describe('this browser', () => {
  test('has all APIs, and nothing is allowed at first', async () => {
    const devices = new Devices(browserSource())
    expect(devices.can).toEqual({ usb: true, serial: true, hid: true })
    expect(await devices.list()).toEqual([])
    const end = devices.onChange(() => undefined)
    end()
  })

  test('asking without a click asks for a click, and is not the user’s choice', async () => {
    const devices = new Devices(browserSource())
    for (const api of ['usb', 'serial', 'hid'] as const)
      await expect(devices.request(api, [])).rejects.toMatchObject({ code: 'click-needed' })
  })

  test('the twins have the members that the page’s own objects have', async () => {
    const bench = new PracticeBench({ clock: new VirtualClock() })
    await bench.plug('usbasp:attiny13')
    await bench.plug('stk500:uno')
    const [device] = await bench.usb.getDevices()
    const [port] = await bench.serial.getPorts()
    const pairs = [
      ['USB', bench.usb],
      ['USBDevice', device],
      ['Serial', bench.serial],
      ['SerialPort', port],
    ] as const
    for (const [name, twin] of pairs) {
      const own = (globalThis as unknown as Record<string, { prototype: object }>)[name]
      const members = Object.getOwnPropertyNames(own?.prototype).filter((one) => one !== 'constructor')
      expect(
        members.filter((one) => !(one in (twin as object))),
        name,
      ).toEqual([])
    }
  })

  test('a call without filters is refused alike', async () => {
    const { usb } = new PracticeBench({ clock: new VirtualClock() })
    const none = undefined as unknown as USBDeviceRequestOptions
    expect(await nameOf(usb.requestDevice(none))).toBe(await nameOf(navigator.usb.requestDevice(none)))
  })
})
