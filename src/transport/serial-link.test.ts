import { describe, expect, test } from 'vitest'
import { EchoSerialTwin } from '#bench/test-twins.ts'
import { TwinSerialBus, type SerialPlugOptions } from '#bench/twin-serial.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from './devices.ts'

async function attached(twin = new EchoSerialTwin(), options?: SerialPlugOptions) {
  const clock = new VirtualClock()
  const serial = new TwinSerialBus({ clock, granted: true })
  const plugged = serial.plug(twin, options)
  const [port] = await new Devices({ serial }, clock).list()
  if (port?.link !== 'serial') throw new Error('not listed')
  return { clock, serial, twin, plugged, port }
}

async function opened(twin?: EchoSerialTwin, baud = 115200) {
  const all = await attached(twin)
  return { ...all, link: await all.port.open(baud) }
}

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i & 0xff)

describe('reading', () => {
  test('gives exactly what was asked for, in whatever portions it came', async () => {
    const { link } = await opened()
    await link.write(bytes(300))
    expect([...(await link.read(2))]).toEqual([0, 1])
    expect([...(await link.read(298))]).toEqual([...bytes(300).slice(2)])
  })

  test('keeps what came when time runs out', async () => {
    const { link, clock } = await opened()
    await link.write(Uint8Array.of(0x14))
    const from = clock.now()
    expect(await code(link.read(2, { timeoutMs: 100 }))).toBe('timeout')
    expect(clock.now() - from).toBe(100)
    await link.write(Uint8Array.of(0x10))
    expect([...(await link.read(2))]).toEqual([0x14, 0x10])
  })

  test('reads asked for at once are answered in order', async () => {
    const { link } = await opened()
    const reads = [link.read(1), link.read(2), link.read(1)]
    await link.write(bytes(4))
    expect((await Promise.all(reads)).map((read) => [...read])).toEqual([[0], [1, 2], [3]])
  })

  test('flush drops what came and was not read', async () => {
    const { link, clock } = await opened()
    await link.write(bytes(10))
    await clock.sleep(50)
    link.flush()
    await link.write(Uint8Array.of(0x55))
    expect([...(await link.read(1))]).toEqual([0x55])
  })

  test('a device that talks without end fills no more than the buffer', async () => {
    const { link, twin, clock, plugged } = await opened(new EchoSerialTwin(2_000_000), 2_000_000)
    for (let i = 0; i < 20; i++) twin.wire?.send(new Uint8Array(10_000), 2_000_000)
    await clock.sleep(2000)
    expect(plugged.transfers.bytesIn).toBeLessThan(80_000)
    await link.read(60_000)
    await link.read(10_000)
  })
})

test('noise that breaks the stream does not end the link', async () => {
  const twin = Object.assign(new EchoSerialTwin(57600), { bridge: 'ftdi' as const })
  const { link, clock } = await opened(twin, 115200)
  twin.wire?.send(bytes(20), 57600)
  expect(await code(link.read(1, { timeoutMs: 50 }))).toBe('timeout')
  twin.wire?.send(Uint8Array.of(7), 115200)
  await clock.sleep(10)
  expect([...(await link.read(1))]).toEqual([7])
})

describe('changing the speed', () => {
  test('opens the port anew, drops what came, and drives DTR and RTS as opening does', async () => {
    const { link, twin } = await opened(new EchoSerialTwin(57600), 115200)
    await link.write(Uint8Array.of(1))
    await link.setBaud(57600)
    expect(link.baud).toBe(57600)
    await link.write(Uint8Array.of(2))
    expect([...(await link.read(1))]).toEqual([2])
    expect(twin.received).toEqual([1, 2])
    expect(twin.signalled.map(({ dtr }) => dtr)).toEqual([true, false, true])
  })
})

describe('signals', () => {
  test('are driven in order', async () => {
    const { link, twin } = await opened()
    expect(await link.signals({ dtr: false, rts: false })).toBe(true)
    expect(await link.signals({ dtr: true })).toBe(true)
    expect(await link.signals({})).toBe(true)
    expect(twin.signalled.map(({ dtr, rts }) => [dtr, rts])).toEqual([
      [true, true],
      [false, false],
      [true, false],
    ])
  })

  test('a device that refuses them is told as false', async () => {
    const { link } = await opened(Object.assign(new EchoSerialTwin(), { refusesSignals: true }))
    expect(await link.signals({ dtr: false })).toBe(false)
    await link.write(Uint8Array.of(1))
    expect([...(await link.read(1))]).toEqual([1])
  })
})

describe('what goes wrong has its code', () => {
  test('a port that cannot be opened is busy', async () => {
    const { port } = await attached(undefined, { refuses: 'open' })
    expect(await code(port.open(9600))).toBe('device-busy')
  })

  test('opening that never answers is a time-out, and what opens too late is closed again', async () => {
    const { port, serial } = await attached()
    const [browsers] = await serial.getPorts()
    if (!browsers) throw new Error('not listed')
    const open = browsers.open.bind(browsers)
    let release: () => void = () => undefined
    const late = new Promise<void>((resolve) => (release = resolve))
    browsers.open = (options) => late.then(() => open(options))
    expect(await code(port.open(9600))).toBe('timeout')
    browsers.open = open
    const close = new Promise((resolve) => {
      const closes = browsers.close.bind(browsers)
      browsers.close = () => {
        browsers.close = closes
        return closes().then(() => resolve(undefined))
      }
    })
    release()
    await close
    expect(await code(port.open(9600))).toBe('ok')
  })

  test('a write that never ends is a time-out, and the port can be closed and opened again', async () => {
    const { link, plugged, port } = await opened()
    plugged.faults = { hangAt: 1 }
    expect(await code(link.write(bytes(3), { timeoutMs: 500 }))).toBe('timeout')
    await link[Symbol.asyncDispose]()
    const again = await port.open(115200)
    await again.write(Uint8Array.of(9))
    expect([...(await again.read(1))]).toEqual([9])
  })
})

describe('unplugging', () => {
  test('ends every waiting and later call with device-gone', async () => {
    const { link, plugged } = await opened()
    const waiting = [code(link.read(1)), code(link.read(1))]
    await plugged.unplug()
    expect(await Promise.all(waiting)).toEqual(['device-gone', 'device-gone'])
    expect(link.gone.aborted).toBe(true)
    for (const call of [link.read(1), link.write(bytes(1)), link.signals({ dtr: true }), link.setBaud(9600)])
      expect(await code(call)).toBe('device-gone')
    await link[Symbol.asyncDispose]()
  })

  test('in the middle of a write is device-gone', async () => {
    const { link, plugged } = await opened()
    plugged.faults = { unplugAt: 2 }
    expect(await code(link.write(bytes(1)))).toBe('ok')
    expect(await code(link.write(bytes(1)))).toBe('device-gone')
  })

  test('plugged in again it is another port, and works', async () => {
    const { link, plugged, serial, clock } = await opened()
    await plugged.unplug()
    await link[Symbol.asyncDispose]()
    await plugged.replug()
    const [port] = await new Devices({ serial }, clock).list()
    if (port?.link !== 'serial') throw new Error('not listed')
    const again = await port.open(115200)
    await again.write(Uint8Array.of(1))
    expect([...(await again.read(1))]).toEqual([1])
  })
})

describe('disposing', () => {
  test('sends what was written, closes the port and drops DTR and RTS', async () => {
    const { link, twin, plugged } = await opened(new EchoSerialTwin(9600), 9600)
    await link.write(bytes(50))
    await link[Symbol.asyncDispose]()
    expect(twin.received).toEqual([...bytes(50)])
    expect(twin.signalled.at(-1)).toMatchObject({ dtr: false, rts: false })
    expect(plugged.port?.readable).toBeNull()
    expect(await code(link.read(1))).toBe('transfer-failed')
    await link[Symbol.asyncDispose]()
  })

  test('ends a waiting read', async () => {
    const { link } = await opened()
    const waiting = code(link.read(1, { timeoutMs: 60_000 }))
    await link[Symbol.asyncDispose]()
    expect(await waiting).toBe('transfer-failed')
  })

  test('opening again ends the older link', async () => {
    const { link, port } = await opened()
    const newer = await port.open(115200)
    expect(await code(link.write(bytes(1)))).toBe('transfer-failed')
    await newer.write(Uint8Array.of(3))
    expect([...(await newer.read(1))]).toEqual([3])
  })
})

describe('even parity', () => {
  class Echo extends EchoSerialTwin {
    parity: string | undefined
    override receive(bytes: Uint8Array, baud: number, parity?: 'none' | 'even'): void {
      this.parity = parity
      this.received.push(...bytes)
      if (baud === this.baud) this.wire?.send(bytes, this.baud, 'even')
    }
  }

  test('makes each byte a bit longer, and stays when the speed changes', async () => {
    const all = await attached(new Echo())
    const link = await all.port.open(9600, { parity: 'even' })
    await link.setBaud(115_200)
    const from = all.clock.now()
    await link.write(bytes(1152))
    await link.read(1152)
    expect(all.clock.now() - from).toBeGreaterThan(110)
    expect(all.twin).toMatchObject({ parity: 'even' })
    expect(link.parity).toBe('even')
  })

  test.each([
    ['ftdi', 'is reported where the bridge does', 'timeout'],
    ['ch340', 'is not noticed by others', 'ok'],
  ] as const)('missing on one side, behind %s, %s', async (bridge, _, expected) => {
    const { port } = await attached(Object.assign(new Echo(), { bridge }))
    const link = await port.open(115_200)
    await link.write(Uint8Array.of(0x03)) // an even number of ones: 0 where a stop bit should be
    expect(await code(link.read(1, { timeoutMs: 100 }))).toBe(expected)
    await link.write(Uint8Array.of(0x01))
    expect([...(await link.read(1, { timeoutMs: 100 }))]).toEqual([0x01])
  })
})
