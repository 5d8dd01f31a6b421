import { describe, expect, test } from 'vitest'
import { EchoUsbTwin, type EchoOptions } from '#bench/test-twins.ts'
import { TwinUsb, type PlugOptions } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from './devices.ts'
import type { ControlSetup, UsbLink } from './links.ts'

const put = { requestType: 'vendor', recipient: 'device', request: 2, value: 0, index: 0 } as const
const get: ControlSetup = { ...put, request: 1 }
const unknown: ControlSetup = { ...put, request: 99 }

async function attached(options: EchoOptions & PlugOptions = {}) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const twin = new EchoUsbTwin(options)
  const port = usb.plug(twin, options)
  const [device] = await new Devices({ usb }, clock).list()
  if (device?.link !== 'usb') throw new Error('not listed')
  return { clock, usb, twin, port, device }
}

async function opened(options?: EchoOptions & PlugOptions) {
  const all = await attached(options)
  return { ...all, link: await all.device.open() }
}

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )

test('bytes go both ways on control and bulk pipes', async () => {
  const { link } = await opened()
  await link.controlOut(put, Uint8Array.of(1, 2, 3))
  expect([...(await link.controlIn(get, 8))]).toEqual([1, 2, 3])
  await link.bulkOut(2, Uint8Array.of(4, 5))
  expect([...(await link.bulkIn(1, 64))]).toEqual([4, 5])
})

test('requests to the device claim nothing, a bulk transfer claims its own interface only', async () => {
  const { link, port } = await opened()
  const claims = () => port.device?.configuration?.interfaces.map(({ claimed }) => claimed)
  await link.controlOut(put, Uint8Array.of(1))
  expect(claims()).toEqual([false, false, false])
  await link.bulkIn(1, 64)
  expect(claims()).toEqual([true, false, false])
})

test('an alternate setting is claimed, selected on the device, and refused where there is none', async () => {
  const { link, twin, port } = await opened()
  await link.selectAlternate(0, 1)
  expect(twin.requests.at(-1)).toMatchObject({ requestType: 1, request: 11, value: 1, index: 0 })
  const [first] = port.device?.configuration?.interfaces ?? []
  expect([first?.claimed, first?.alternate.alternateSetting]).toEqual([true, 1])
  expect(await code(link.selectAlternate(0, 0))).toBe('stalled') // this device has no way back
  expect(await code(link.selectAlternate(0, 7))).toBe('transfer-failed')
})

test('an unconfigured device is configured', async () => {
  const { link } = await opened({ configured: false })
  await link.bulkOut(2, Uint8Array.of(1))
})

test('calls made at once run one after another, in order', async () => {
  const { link, twin } = await opened()
  const calls = [1, 2, 3].map((byte) => link.controlOut({ ...put, value: byte }, Uint8Array.of(byte)))
  const failing = code(link.controlIn(unknown, 1))
  const last = link.controlIn(get, 1)
  await Promise.all(calls)
  expect(await failing).toBe('stalled')
  expect([...(await last)]).toEqual([3])
  expect(twin.requests.map(({ request, value }) => [request, value])).toEqual([
    ...[1, 2, 3].map((value) => [2, value]),
    [99, 0],
    [1, 0],
  ])
})

describe('bulk transfers made at once', () => {
  const reads = (link: UsbLink, count: number) =>
    Array.from({ length: count }, () => code(link.bulkIn(1, 64, { timeoutMs: 700 })))

  test('are under way together, and take the time of the longer direction', async () => {
    const { link, clock } = await opened()
    await link.bulkIn(1, 64) // claims
    const from = clock.now()
    const writes = [1, 2, 3, 4].map((byte) => link.bulkOut(2, Uint8Array.of(byte)))
    await Promise.all([...writes, ...reads(link, 4)])
    expect(clock.now() - from).toBe(4)
    expect([...(await link.bulkIn(1, 64))]).toEqual([4])
  })

  test('claim once, and what is for the device alone waits for them', async () => {
    const { link, port } = await opened()
    const kinds: string[] = []
    port.onTransfer = (_, kind) => kinds.push(kind)
    await Promise.all([...reads(link, 2), link.controlOut(put, Uint8Array.of(1)), ...reads(link, 1)])
    expect(kinds.map((kind) => kind.split(' ')[0])).toEqual(['in1', 'in1', 'request', 'in1'])
  })

  test('have each their error when one hangs, and the link is spent', async () => {
    const { link, port } = await opened()
    port.faults = { hangAt: 1 }
    expect(await Promise.all(reads(link, 3))).toEqual(['timeout', 'timeout', 'timeout'])
    expect(await code(link.controlIn(get, 1))).toBe('timeout')
    await link.reset()
    expect(await code(link.bulkIn(1, 64))).toBe('ok')
  })

  test('stall together, and end together when it is unplugged', async () => {
    const { link, port } = await opened()
    port.faults = { stallAt: 1 }
    expect(await Promise.all(reads(link, 2))).toEqual(['stalled', 'stalled'])
    await link.clearHalt('in', 1)
    port.faults = { unplugAt: 2 }
    expect(await Promise.all(reads(link, 3))).toEqual(['ok', 'device-gone', 'device-gone'])
  })
})

describe('what goes wrong has its code', () => {
  test('opening: no rights, and an interface that another program holds', async () => {
    const { device } = await attached({ refuses: 'open' })
    await expect(device.open()).rejects.toMatchObject({
      code: 'permission-denied',
      detail: { api: 'usb', vendorId: 0xcafe, productId: 0xbeef },
    })
    const { link } = await opened({ refuses: 'claim' })
    expect(await code(link.bulkIn(1, 1))).toBe('device-busy')
    expect(await code(link.controlOut(put, Uint8Array.of(1)))).toBe('ok')
  })

  test('a stall, an answer that is too long, no handshake, an endpoint that is not there', async () => {
    const { link, twin } = await opened()
    expect(await code(link.controlIn(unknown, 1))).toBe('stalled')
    await link.bulkOut(2, new Uint8Array(10))
    expect(await code(link.bulkIn(1, 4))).toBe('transfer-failed')
    twin.nextAnswer = 'broken'
    expect(await code(link.controlIn(get, 1))).toBe('transfer-failed')
    expect(await code(link.bulkIn(7, 4))).toBe('device-refused')
    expect(await code(link.controlIn(get, 1))).toBe('ok')
  })

  test('a protected interface is refused, not a bug', async () => {
    const { link } = await opened()
    expect(await code(link.controlIn({ ...get, recipient: 'interface', index: 1 }, 1))).toBe(
      'permission-denied',
    )
  })
})

describe('a transfer that never ends', () => {
  test('is a time-out, and the link is spent until it is reset', async () => {
    const { link, port, clock } = await opened()
    port.faults = { hangAt: 1 }
    const from = clock.now()
    const waiting = [code(link.controlIn(get, 1, { timeoutMs: 700 })), code(link.controlIn(get, 1))]
    expect(await Promise.all(waiting)).toEqual(['timeout', 'timeout'])
    expect(clock.now() - from).toBe(700)
    expect(port.transfers.count).toBe(1)
    await link.reset()
    expect(await code(link.controlOut(put, Uint8Array.of(7)))).toBe('ok')
    expect([...(await link.controlIn(get, 1))]).toEqual([7])
  })

  test('has five seconds when nothing else is said', async () => {
    const { link, port, clock } = await opened()
    port.faults = { hangAt: 1 }
    const from = clock.now()
    expect(await code(link.controlIn(get, 1))).toBe('timeout')
    expect(clock.now() - from).toBe(5000)
  })
})

describe('unplugging', () => {
  test('ends every waiting and later call with one and the same error', async () => {
    const { link, port } = await opened()
    port.faults = { unplugAt: 2 }
    const calls = [1, 2, 3, 4].map((byte) => link.controlOut(put, Uint8Array.of(byte)))
    const errors = await Promise.allSettled([...calls])
    expect(link.gone.aborted).toBe(true)
    expect(link.gone.reason).toMatchObject({ code: 'device-gone' })
    expect(errors.map((one) => (one.status === 'rejected' ? (one.reason as unknown) : 'ok'))).toEqual([
      'ok',
      ...new Array<unknown>(3).fill(link.gone.reason),
    ])
    await expect(link.reset()).rejects.toBe(link.gone.reason)
    await link[Symbol.asyncDispose]()
  })

  test('is told from a broken transfer on a computer that is busy', async () => {
    const { link, port } = await opened({ noticeMs: 1500 })
    port.faults = { unplugAt: 1 }
    expect(await code(link.controlIn(get, 1))).toBe('device-gone')
  })

  test('while nothing is under way is noticed too', async () => {
    const { link, port } = await opened()
    await port.unplug()
    expect(link.gone.aborted).toBe(true)
    expect(await code(link.controlIn(get, 1))).toBe('device-gone')
  })

  test('of a neighbour means nothing', async () => {
    const { link, usb } = await opened()
    await usb.plug(new EchoUsbTwin()).unplug()
    expect(link.gone.aborted).toBe(false)
  })

  test('before opening is device-gone', async () => {
    const { device, port } = await attached()
    await port.unplug()
    expect(await code(device.open())).toBe('device-gone')
  })
})

test('disposing closes the device and ends what is under way', async () => {
  const { link, port } = await opened()
  port.faults = { hangAt: 1 }
  const pending = code(link.controlIn(get, 1))
  await link[Symbol.asyncDispose]()
  expect(port.device?.opened).toBe(false)
  expect(await pending).toBe('transfer-failed')
  expect(await code(link.controlIn(get, 1))).toBe('transfer-failed')
  await link[Symbol.asyncDispose]()
})

test('opening that never answers ends by itself, and what opens too late is closed again', async () => {
  const { device, usb } = await attached()
  const [browsers] = await usb.getDevices()
  if (!browsers) throw new Error('not listed')
  const open = browsers.open.bind(browsers)
  let release: () => void = () => undefined
  const late = new Promise<void>((resolve) => (release = resolve))
  browsers.open = () => late.then(open)
  expect(await code(device.open())).toBe('timeout')
  const close = new Promise((resolve) => {
    const closes = browsers.close.bind(browsers)
    browsers.close = () => closes().then(() => resolve(undefined))
  })
  release()
  await close
  expect(browsers.opened).toBe(false)
})

test('opening again ends the older link', async () => {
  const { link, device } = await opened()
  const newer: UsbLink = await device.open()
  expect(await code(link.controlIn(get, 1))).toBe('transfer-failed')
  expect(await code(newer.controlOut(put, Uint8Array.of(1)))).toBe('ok')
})
