/** The port by itself, transfer by transfer: what it answers, counts and tells. */
import { describe, expect, it } from 'vitest'
import { EchoUsbTwin } from '#bench/test-twins.ts'
import type { SetupPacket, TwinAnswer } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { UsbPort } from './usb-port.ts'
import { Status, type Answered, type Submit } from './usbip-packets.ts'

const none = new Uint8Array()
const noSetup: SetupPacket = { requestType: 0, request: 0, value: 0, index: 0, length: 0 }
const never = new AbortController().signal

class Desk {
  readonly twin: EchoUsbTwin
  readonly clock = new VirtualClock()
  readonly port: UsbPort
  #sequence = 0

  constructor(twin = new EchoUsbTwin()) {
    this.twin = twin
    this.port = new UsbPort(twin, this.clock)
  }

  submit(
    urb: Partial<Submit> & Pick<Submit, 'direction'>,
    bytes: Uint8Array = none,
    given = never,
  ): Promise<Answered | undefined> {
    const { length = bytes.length, endpoint = 0, setup = noSetup } = urb
    const whole = { kind: 'submit', sequence: ++this.#sequence, endpoint, setup, ...urb, length } as const
    return this.port.present?.submit(whole, bytes, given) ?? Promise.resolve(undefined)
  }
  in(length: number, given = never) {
    return this.submit({ direction: 'in', endpoint: 1, length }, none, given)
  }
  out(...bytes: number[]) {
    return this.submit({ direction: 'out', endpoint: 2 }, Uint8Array.from(bytes))
  }
}

const ok = (...bytes: number[]): Answered => ({ status: Status.Ok, bytes: Uint8Array.from(bytes) })
const broken: Answered = { status: Status.Broken, bytes: none }

describe('a setting of an interface', () => {
  const select = (setting: number, index: number) =>
    ({
      direction: 'out',
      setup: { requestType: 1, request: 11, value: setting, index, length: 0 },
    }) as const

  it('is for the twin to know where there are several', async () => {
    const desk = new Desk()
    expect(await desk.submit(select(1, 0))).toEqual(ok())
    expect(desk.twin.requests.map(({ request, value }) => [request, value])).toEqual([[11, 1]])
    expect(await desk.submit(select(0, 0))).toEqual({ status: Status.Stall, bytes: none }) // it has no way back
    expect(desk.port.moved.transfers).toBe(0)
  })

  it('is no question where there is one', async () => {
    const desk = new Desk()
    expect(await desk.submit(select(0, 2))).toEqual(ok())
    expect(desk.twin.requests).toEqual([])
  })
})

describe('a twin with an error in it', () => {
  class Faulty extends EchoUsbTwin {
    fails = true
    override bulkIn(endpoint: number, length: number): Promise<TwinAnswer> {
      return this.fails ? Promise.reject(new Error('a mistake')) : super.bulkIn(endpoint, length)
    }
  }

  it('breaks that transfer alone, and its error is kept', async () => {
    const twin = new Faulty()
    const desk = new Desk(twin)
    await desk.out(1, 2)
    expect(await desk.in(2)).toEqual(broken)
    twin.fails = false
    expect(await desk.in(2)).toEqual(ok(1, 2))
    expect(desk.port.errors).toEqual([new Error('a mistake')])
  })
})

describe('listeners', () => {
  it('are all told, until they stop listening', async () => {
    const desk = new Desk()
    const [first, second]: [number[], number[]] = [[], []]
    const stop = desk.port.listen(({ length }) => first.push(length))
    desk.port.listen(({ length }) => second.push(length))
    await desk.out(1, 2)
    stop()
    await desk.out(1)
    expect([first, second]).toEqual([[2], [2, 1]])
  })

  it('disturb no transfer when they throw', async () => {
    const desk = new Desk()
    desk.port.listen(() => {
      throw new Error('the disk is full')
    })
    expect(await desk.out(1)).toEqual(ok(1))
    expect(desk.port.errors).toEqual([new Error('the disk is full')])
  })

  it('hear of transfers without an answer when those end', async () => {
    const desk = new Desk()
    const heard: string[] = []
    desk.port.listen(({ from, at, direction, status }) => {
      heard.push(`${direction} ${String(status)}, ${String(from)} to ${String(at)} ms`)
    })
    desk.port.faults = { hangAt: 1 }
    const [hung, queued] = [new AbortController(), new AbortController()]
    const both = [desk.in(1, hung.signal), desk.in(1, queued.signal)]
    await desk.clock.sleep(5)
    queued.abort()
    await desk.clock.sleep(5)
    hung.abort()
    expect(await Promise.all(both)).toEqual([undefined, undefined])
    desk.port.faults = { unplugAt: 1 }
    expect(await desk.out(1)).toBeUndefined()
    expect(heard).toEqual(['in -104, 5 to 5 ms', 'in -104, 0 to 10 ms', 'out -104, 10 to 10 ms'])
  })
})

describe('a twin that comes back as another one', () => {
  const next = () => ({ twin: new EchoUsbTwin(), ms: 100 })

  it('is there after its time', async () => {
    const desk = new Desk()
    const { twin, ms } = next()
    let returns = 0
    desk.port.onReturn = () => returns++
    desk.twin.bus?.detach({ twin, ms })
    expect(desk.port.present).toBeUndefined()
    await desk.clock.sleep(101)
    expect(desk.port.present?.twin).toBe(twin)
    expect(returns).toBe(1)
  })

  it('stays away when it is unplugged meanwhile', async () => {
    const desk = new Desk()
    desk.twin.bus?.detach(next())
    desk.port.unplug()
    await desk.clock.sleep(1000)
    expect(desk.port.present).toBeUndefined()
  })

  it('does not take the place of what is plugged in meanwhile', async () => {
    const desk = new Desk()
    desk.twin.bus?.detach(next())
    desk.port.plug()
    desk.port.unplug()
    await desk.clock.sleep(1000)
    expect(desk.port.present).toBeUndefined()
  })
})

it('counts faults from when they are set', async () => {
  const desk = new Desk()
  await desk.out(1, 2)
  desk.port.faults = { shortAt: 1 }
  expect(await desk.in(2)).toEqual(ok(1))
  desk.port.faults = { shortAt: 2 }
  expect(await desk.in(2)).toEqual(ok(1, 2))
  expect(await desk.in(2)).toEqual(ok(1))
})

describe('bits on the wire', () => {
  it('flip in what one transfer brings, and in no other', async () => {
    const desk = new Desk()
    await desk.out(0x10, 0x20)
    desk.port.faults = { flipAt: 2 }
    expect(await desk.in(2)).toEqual(ok(0x10, 0x20))
    expect(await desk.in(2)).toEqual(ok(0x10, 0x24))
    expect(await desk.in(2)).toEqual(ok(0x10, 0x20))
  })

  it('flip in what one transfer sends, which the host cannot see', async () => {
    const desk = new Desk()
    desk.port.faults = { flipOutAt: 1 }
    expect(await desk.out(0x10, 0x20)).toEqual(ok(0x10, 0x20))
    expect(await desk.in(2)).toEqual(ok(0x10, 0x22))
    expect(await desk.out(0x10, 0x20)).toEqual(ok(0x10, 0x20))
    expect(await desk.in(2)).toEqual(ok(0x10, 0x20))
  })
})

describe('an answer that is late', () => {
  it('comes after longer than anybody waits, and so does what is behind it', async () => {
    const desk = new Desk()
    await desk.out(1)
    desk.port.faults = { lateAt: 1 }
    const from = desk.clock.now()
    expect(await Promise.all([desk.in(1), desk.in(1)])).toEqual([ok(1), ok(1)])
    expect(desk.clock.now() - from).toBe(15_000)
  })

  it('holds up its pipe, and no other, when the host gives it up', async () => {
    const desk = new Desk()
    await desk.out(1)
    desk.port.faults = { lateAt: 1 }
    const patience = new AbortController()
    const [late, next] = [desk.in(1, patience.signal), desk.in(1)]
    await desk.clock.sleep(5000)
    patience.abort()
    expect(await late).toBeUndefined()
    expect(await desk.out(2)).toEqual(ok(2))
    expect(desk.clock.now()).toBe(5000)
    expect(await next).toEqual(ok(1)) // what the device had said then
    expect(desk.clock.now()).toBe(15_000)
  })

  it('ends with the plug', async () => {
    const desk = new Desk()
    desk.port.faults = { lateAt: 1 }
    const late = desk.in(1)
    desk.port.unplug()
    expect(await late).toBeUndefined()
  })
})

it('takes the question for the first 64 bytes of the device for a reset, and no other', async () => {
  const desk = new Desk()
  const ask = (type: number, length: number) =>
    desk.submit({
      ...{ direction: 'in', length },
      setup: { requestType: 0x80, request: 6, value: type << 8, index: 0, length },
    })
  await ask(2, 64)
  await ask(1, 18)
  expect(desk.twin.resets).toBe(0)
  await ask(1, 64)
  expect(desk.twin.resets).toBe(1)
})
