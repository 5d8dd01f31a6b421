/** A serial twin behind its bridge, at the pipes. */
import { describe, expect, it } from 'vitest'
import { EchoSerialTwin } from '#bench/test-twins.ts'
import type { SetupPacket } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { asUsb } from './serial-bridges.ts'
import { UsbPort } from './usb-port.ts'
import { Status } from './usbip-packets.ts'

const none = new Uint8Array()
const never = new AbortController().signal
const noSetup: SetupPacket = { requestType: 0, request: 0, value: 0, index: 0, length: 0 }

/** The data pipes of the CDC ACM bridge. */
class Desk {
  readonly clock = new VirtualClock()
  readonly port: UsbPort
  readonly twin: EchoSerialTwin
  #sequence = 0

  constructor(twin = new EchoSerialTwin()) {
    this.twin = twin
    this.port = new UsbPort(asUsb(twin), this.clock)
  }

  control(request: number, bytes: Uint8Array, requestType = 0x21) {
    const setup = { ...noSetup, requestType, request, length: bytes.length }
    return this.#submit(0, 'out', bytes.length, bytes, setup)
  }
  out(bytes: Uint8Array) {
    return this.#submit(4, 'out', bytes.length, bytes)
  }
  in(length: number) {
    return this.#submit(3, 'in', length)
  }
  setBaud(baud: number) {
    const coding = new Uint8Array(7)
    new DataView(coding.buffer).setUint32(0, baud, true)
    return this.control(0x20, coding)
  }
  #submit(
    endpoint: number,
    direction: 'in' | 'out',
    length: number,
    bytes: Uint8Array = none,
    setup = noSetup,
  ) {
    const urb = { kind: 'submit', sequence: ++this.#sequence, endpoint, direction, setup, length } as const
    return this.port.present?.submit(urb, bytes, never) ?? Promise.resolve(undefined)
  }
}

describe('what a host asks for', () => {
  it('is more at once than fits on a stack', async () => {
    const desk = new Desk(new EchoSerialTwin(1_000_000))
    await desk.setBaud(1_000_000)
    const much = new Uint8Array(150_000)
    // the second is queued behind the first
    const both = await Promise.all([desk.out(much), desk.out(much)])
    expect(both.map((answered) => answered?.status)).toEqual([Status.Ok, Status.Ok])
    await desk.clock.sleep(10)
    expect(desk.twin.received.length).toBe(300_000)
  })

  it.each([
    ['cdc-acm', 0x20, 7],
    ['cp210x', 0x1e, 4],
  ] as const)('is no speed at all: %s refuses', async (bridge, request, length) => {
    const desk = new Desk(Object.assign(new EchoSerialTwin(), { bridge }))
    const requestType = bridge === 'cdc-acm' ? 0x21 : 0x41
    const answered = await desk.control(request, new Uint8Array(length), requestType)
    expect(answered?.status).toBe(Status.Stall)
  })
})

describe('even parity', () => {
  it.each([
    ['cdc-acm', { requestType: 0x21, request: 0x20, bytes: [0, 0xc2, 1, 0, 0, 2, 8] }],
    ['ch340', { requestType: 0x40, request: 0x9a, value: 0x2518, index: 0xdb }],
    ['cp210x', { requestType: 0x41, request: 0x03, value: 0x0820 }],
    ['ftdi', { requestType: 0x40, request: 0x04, value: 0x0208 }],
  ] as const)('is what a driver says to %s', async (bridge, said) => {
    const heard: (string | undefined)[] = []
    const twin = Object.assign(new EchoSerialTwin(), {
      bridge,
      receive: (_: Uint8Array, __: number, parity?: string) => heard.push(parity),
    })
    const usb = asUsb(twin)
    const clock = new VirtualClock()
    usb.plugged({ clock, detach: () => undefined })
    const send = async () => {
      await usb.bulkOut?.(2, Uint8Array.of(1))
      await clock.sleep(10)
    }
    await send()
    const bytes = Uint8Array.from('bytes' in said ? said.bytes : [])
    await usb.control({ ...noSetup, ...said, length: bytes.length }, bytes)
    await send()
    expect(heard).toEqual(['none', 'even'])
  })
})

it('keeps a mistake of the twin for the next transfer', async () => {
  class Faulty extends EchoSerialTwin {
    override receive(): void {
      throw new Error('a mistake')
    }
  }
  const desk = new Desk(new Faulty())
  await desk.out(Uint8Array.of(1))
  await desk.clock.sleep(10)
  expect(await desk.out(Uint8Array.of(2))).toEqual({ status: Status.Broken, bytes: none })
  expect(desk.port.errors).toEqual([new Error('a mistake')])
})

describe('unplugged', () => {
  it('drops what has not arrived, also when it is plugged in again at once', async () => {
    const desk = new Desk(new EchoSerialTwin(9600))
    await desk.out(new Uint8Array(100))
    await desk.clock.sleep(22)
    const arrived = desk.twin.received.length
    expect(arrived).toBeLessThan(25)
    desk.port.unplug()
    desk.port.plug()
    await desk.clock.sleep(1000)
    expect(desk.twin.received.length).toBe(arrived)
    expect(await desk.out(Uint8Array.of(7))).toEqual({ status: Status.Ok, bytes: Uint8Array.of(7) })
    expect(await desk.in(64)).toEqual({ status: Status.Ok, bytes: Uint8Array.of(7) })
  })

  it('keeps nothing for a reader of before', async () => {
    const desk = new Desk(new EchoSerialTwin(9600))
    const before = desk.in(64)
    await desk.clock.sleep(1)
    desk.port.unplug()
    expect(await before).toBeUndefined()
    desk.port.plug()
    await desk.out(Uint8Array.of(7))
    await desk.clock.sleep(10)
    expect(await desk.in(64)).toEqual({ status: Status.Ok, bytes: Uint8Array.of(7) })
  })

  it('comes back as another one, with the packets of its own USB', async () => {
    const chip = (productId: number) =>
      Object.assign(new EchoSerialTwin(8_000_000, { vendorId: 0x2341, productId }), {
        bridge: 'native' as const,
      })
    const desk = new Desk(chip(0x8036))
    desk.twin.wire?.detach({ twin: chip(0x0036), ms: 300 })
    expect(desk.port.present).toBeUndefined()
    await desk.clock.sleep(310)
    const { device, configuration } = desk.port.present?.twin.descriptors ?? {}
    expect(device?.subarray(8, 12)).toEqual(Uint8Array.of(0x41, 0x23, 0x36, 0x00))
    expect(configuration?.slice(-3, -1)).toEqual(Uint8Array.of(16, 0))
    await desk.setBaud(1200)
    await desk.out(Uint8Array.of(7))
    await desk.clock.sleep(10)
    expect(await desk.in(64)).toEqual({ status: Status.Ok, bytes: Uint8Array.of(7) })
  })

  it('breaks what still waits', async () => {
    const clock = new VirtualClock()
    const bridge = asUsb(new EchoSerialTwin(9600))
    bridge.plugged({ clock, detach: () => undefined })
    const writing = bridge.bulkOut?.(4, new Uint8Array(1000))
    const reading = bridge.bulkIn?.(3, 64)
    bridge.unplugged?.()
    expect([await writing, await reading]).toEqual(['broken', 'broken'])
    expect(await bridge.bulkOut?.(4, Uint8Array.of(1))).toBe('broken')
  })
})
