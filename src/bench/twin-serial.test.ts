import { describe, expect, test } from 'vitest'
import { EchoSerialTwin } from './test-twins.ts'
import { TwinSerialBus } from './twin-serial.ts'
import { VirtualClock } from './virtual-clock.ts'

const rejection = (name: string, message: string) =>
  expect.objectContaining({ name, message: expect.stringContaining(message) as string }) as unknown

async function opened(twin: EchoSerialTwin = new EchoSerialTwin(), baudRate = 115200) {
  const clock = new VirtualClock()
  const bus = new TwinSerialBus({ clock, granted: true })
  const plugged = bus.plug(twin)
  const [port] = await bus.getPorts()
  if (!port) throw new Error('not listed')
  await port.open({ baudRate })
  return { clock, bus, twin, plugged, port }
}

async function send(port: SerialPort, ...bytes: number[]): Promise<void> {
  const writer = port.writable?.getWriter()
  await writer?.write(Uint8Array.from(bytes))
  writer?.releaseLock()
}

async function receive(port: SerialPort, count: number): Promise<number[]> {
  const reader = port.readable?.getReader()
  const bytes: number[] = []
  while (bytes.length < count) bytes.push(...((await reader?.read())?.value ?? []))
  reader?.releaseLock()
  return bytes
}

describe('the line', () => {
  test('bytes go both ways, paced by the baud rate, and are counted', async () => {
    const { clock, port, plugged } = await opened(new EchoSerialTwin(9600), 9600)
    const from = clock.now()
    await send(port, ...new Array<number>(96).fill(7))
    expect(await receive(port, 96)).toEqual(new Array(96).fill(7))
    expect(clock.now() - from).toBeGreaterThanOrEqual(100)
    expect(clock.now() - from).toBeLessThan(105)
    expect(plugged.transfers).toMatchObject({ writes: 1, bytesIn: 96, bytesOut: 96 })
  })

  test('another speed than the twin sends at is noise, the same every time', async () => {
    const twin = new EchoSerialTwin(57600)
    const { port, clock } = await opened(twin, 115200)
    twin.wire?.send(Uint8Array.of(0x14, 0x10), 57600)
    const first = await receive(port, 2)
    expect(first).not.toEqual([0x14, 0x10])
    await clock.sleep(10)
    twin.wire?.send(Uint8Array.of(0x14, 0x10), 57600)
    expect(await receive(port, 2)).toEqual(first)
  })

  test('a bridge that tells of framing errors breaks the stream, and there is a new one', async () => {
    const twin = Object.assign(new EchoSerialTwin(57600), { bridge: 'ftdi' as const })
    const { port } = await opened(twin, 115200)
    const first = port.readable
    twin.wire?.send(Uint8Array.of(1), 57600)
    await expect(first?.getReader().read()).rejects.toEqual(rejection('ParityError', 'Parity'))
    expect(port.readable).not.toBe(first)
    twin.wire?.send(Uint8Array.of(1), 115200)
    expect(await receive(port, 1)).toEqual([1])
  })

  test('a long write waits until the rest fits into the buffer', async () => {
    const { clock, port } = await opened(new EchoSerialTwin(9600), 9600)
    const from = clock.now()
    await send(port, ...new Array<number>(255).fill(1))
    expect(clock.now() - from).toBe(0)
    await send(port, ...new Array<number>(96).fill(1))
    expect(clock.now() - from).toBeCloseTo(100, 0)
  })
})

describe('signals', () => {
  test('opening asserts DTR and RTS, closing drops them, and they can be driven between', async () => {
    const { port, twin } = await opened()
    await port.setSignals({ dataTerminalReady: false })
    await port.setSignals({ requestToSend: false })
    await port.setSignals({ dataTerminalReady: true, requestToSend: true })
    await port.setSignals({ break: true })
    await port.close()
    expect(twin.signalled.map(({ dtr, rts }) => [dtr, rts])).toEqual([
      [true, true],
      [false, true],
      [false, false],
      [true, true],
      [false, false],
    ])
    await expect(port.setSignals({ break: true })).rejects.toEqual(rejection('InvalidStateError', 'closed'))
  })

  test('nothing to set is a TypeError; a device that refuses is a NetworkError and never sees a change', async () => {
    const { port } = await opened()
    await expect(port.setSignals({})).rejects.toThrow(TypeError)
    const caterina = Object.assign(new EchoSerialTwin(), { refusesSignals: true })
    const refusing = await opened(caterina)
    await expect(refusing.port.setSignals({ requestToSend: true })).rejects.toEqual(
      rejection('NetworkError', 'Failed to set control signals.'),
    )
    await refusing.port.close()
    expect(caterina.signalled).toEqual([])
  })
})

describe('states', () => {
  test('open and close are for a closed and an open port', async () => {
    const { port } = await opened()
    await expect(port.open({ baudRate: 9600 })).rejects.toEqual(
      rejection('InvalidStateError', 'already open'),
    )
    await port.close()
    expect([port.readable, port.writable]).toEqual([null, null])
    await expect(port.close()).rejects.toEqual(rejection('InvalidStateError', 'already closed'))
    await expect(port.open({ baudRate: 0 })).rejects.toThrow(TypeError)
    await port.open({ baudRate: 9600 })
    expect(port.readable).not.toBeNull()
  })

  test('a locked stream keeps the port from closing', async () => {
    const { port } = await opened()
    const reader = port.readable?.getReader()
    await expect(port.close()).rejects.toThrow(TypeError)
    reader?.releaseLock()
    await expect(port.close()).resolves.toBeUndefined()
  })

  test('a port that cannot be opened is a NetworkError', async () => {
    const bus = new TwinSerialBus({ clock: new VirtualClock(), granted: true })
    bus.plug(new EchoSerialTwin(), { refuses: 'open' })
    const [port] = await bus.getPorts()
    await expect(port?.open({ baudRate: 9600 })).rejects.toEqual(
      rejection('NetworkError', 'Failed to open serial port.'),
    )
  })
})

describe('plugging', () => {
  test('a lost device breaks both streams at once, and the event bubbles with the port as its target', async () => {
    const { port, plugged, bus } = await opened()
    const targets: unknown[] = []
    bus.addEventListener('disconnect', ({ target }) => targets.push(target))
    const lost = rejection('NetworkError', 'The device has been lost.')
    const reader = port.readable?.getReader()
    const writer = port.writable?.getWriter()
    const pending = expect(reader?.read()).rejects.toEqual(lost)
    const unplugged = plugged.unplug()
    await pending
    await expect(writer?.write(Uint8Array.of(1))).rejects.toEqual(lost)
    expect([port.readable, port.writable]).toEqual([null, null])
    await unplugged
    expect(targets).toEqual([port])
    expect(port.connected).toBe(false)
    expect(await bus.getPorts()).toEqual([])
  })

  test('a grant outlives unplugging where the bridge has a serial number', async () => {
    for (const [bridge, survives] of [
      ['cdc-acm', true],
      ['ch340', false],
      ['native', false],
    ] as const) {
      const bus = new TwinSerialBus({ clock: new VirtualClock() })
      const twin = Object.assign(new EchoSerialTwin(), { bridge })
      const plugged = bus.plug(twin)
      expect(await bus.getPorts()).toEqual([])
      const port = await bus.requestPort({ filters: [{ usbVendorId: 0x2341 }] })
      expect(port.getInfo()).toEqual({ usbVendorId: 0x2341, usbProductId: 0x0043 })
      await plugged.unplug()
      await plugged.replug()
      expect((await bus.getPorts()).length === 1).toBe(survives)
    }
  })

  test('choosing nothing is a NotFoundError', async () => {
    const bus = new TwinSerialBus({ clock: new VirtualClock() })
    bus.plug(new EchoSerialTwin())
    await expect(bus.requestPort({ filters: [{ usbVendorId: 1 }] })).rejects.toEqual(
      rejection('NotFoundError', 'No port selected'),
    )
  })
})

describe('a chip with USB of its own', () => {
  const chip = (productId: number) =>
    Object.assign(new EchoSerialTwin(8_000_000, { vendorId: 0x2341, productId }), {
      bridge: 'native' as const,
    })

  test('is told its speed before its signals, and any is right', async () => {
    const told: unknown[] = []
    const twin = Object.assign(chip(0x8036), {
      lineCoding: (baud: number) => told.push(baud),
      signals: (dtr: boolean, rts: boolean) => told.push([dtr, rts]),
    })
    const { port } = await opened(twin, 1200)
    expect(told).toEqual([1200, [true, true]])
    await send(port, 1, 2, 3)
    expect(await receive(port, 3)).toEqual([1, 2, 3])
  })

  test('goes by itself, breaks what is open, and comes back as another port in the same socket', async () => {
    const { clock, bus, twin, plugged, port } = await opened(chip(0x8036))
    const reader = port.readable?.getReader()
    const loader = chip(0x0036)
    twin.wire?.detach({ twin: loader, ms: 300 })
    await expect(reader?.read()).rejects.toEqual(rejection('NetworkError', 'lost'))
    expect(await bus.getPorts()).toEqual([])
    await clock.sleep(310)
    const [back] = await bus.getPorts()
    expect(back?.getInfo().usbProductId).toBe(0x0036)
    expect(plugged.port).toBe(back)
    twin.wire?.detach() // it is not there any more
    expect(await bus.getPorts()).toEqual([back])
  })

  test('unplugged meanwhile it does not come back; plugged in again, it is what its power makes of it', async () => {
    const { clock, bus, twin, plugged } = await opened(chip(0x8036))
    const loader = chip(0x0036)
    twin.wire?.detach({ twin: loader, ms: 300 })
    await plugged.unplug()
    await clock.sleep(1000)
    expect(await bus.getPorts()).toEqual([])
    Object.assign(twin, { powersUpAs: () => loader })
    await plugged.replug()
    expect((await bus.getPorts())[0]?.getInfo().usbProductId).toBe(0x0036)
  })
})

describe('faults of the wire, counted in writes from when they are set', () => {
  test('a stalled write is lost', async () => {
    const { port, plugged, twin, clock } = await opened()
    plugged.faults = { stallAt: 2 }
    for (const byte of [1, 2, 3]) await send(port, byte)
    await clock.sleep(10)
    expect(twin.received).toEqual([1, 3])
  })

  test('a short answer lacks one byte', async () => {
    const { port, plugged } = await opened()
    plugged.faults = { shortAt: 2 }
    await send(port, 1, 2, 3)
    expect(await receive(port, 3)).toEqual([1, 2, 3])
    await send(port, 4, 5, 6, 7)
    expect(await receive(port, 3)).toEqual([4, 5, 7])
  })

  test('a write that never ends can be aborted by closing', async () => {
    const { port, plugged, clock } = await opened()
    plugged.faults = { hangAt: 1 }
    const writer = port.writable?.getWriter()
    let ended = ''
    const write = writer?.write(Uint8Array.of(1)).catch((error: unknown) => (ended = String(error)))
    await clock.sleep(10_000)
    expect(ended).toBe('')
    writer?.releaseLock()
    await port.close()
    await write
    expect(ended).toContain('The port is closed.')
  })

  test('unplugging at a write breaks it', async () => {
    const { port, plugged, twin } = await opened()
    plugged.faults = { unplugAt: 1 }
    await expect(send(port, 1)).rejects.toEqual(rejection('NetworkError', 'The device has been lost.'))
    expect(twin.received).toEqual([])
  })
})
