import { describe, expect, test, vi } from 'vitest'
import { EchoUsbTwin, type EchoOptions } from './test-twins.ts'
import { TwinUsb, type PlugOptions } from './twin-usb.ts'
import { VirtualClock } from './virtual-clock.ts'

const vendor = (request: number, recipient: USBRecipient = 'device') =>
  ({ requestType: 'vendor', recipient, request, value: 0, index: 0 }) as const
const descriptor = (type: number, index: number) =>
  ({
    requestType: 'standard',
    recipient: 'device',
    request: 6,
    value: (type << 8) | index,
    index: 0,
  }) as const
const bytesOf = (result: USBInTransferResult) => [...new Uint8Array(result.data?.buffer ?? new ArrayBuffer())]
const rejection = (name: string, message: string | RegExp) =>
  expect.objectContaining({ name, message: expect.stringMatching(message) as string }) as unknown

async function opened(options: EchoOptions & PlugOptions = {}) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const twin = new EchoUsbTwin(options)
  const port = usb.plug(twin, options)
  const [device] = await usb.getDevices()
  if (!device) throw new Error('not listed')
  await device.open()
  return { clock, usb, twin, port, device }
}

async function claimed(options?: EchoOptions) {
  const all = await opened(options)
  await all.device.claimInterface(0)
  return all
}

describe('grants', () => {
  const filters = [{ vendorId: 0xcafe }]

  test('a device is listed once it was chosen, and the chooser takes the first match', async () => {
    const usb = new TwinUsb({ clock: new VirtualClock() })
    usb.plug(new EchoUsbTwin({ productId: 1 }))
    usb.plug(new EchoUsbTwin({ productId: 2 }))
    expect(await usb.getDevices()).toEqual([])
    const chosen = await usb.requestDevice({ filters: [{ vendorId: 0xcafe, productId: 2 }] })
    expect(chosen.productId).toBe(2)
    expect(await usb.getDevices()).toEqual([chosen])
  })

  test('choosing nothing is a NotFoundError, a wrong filter a TypeError', async () => {
    const usb = new TwinUsb({ clock: new VirtualClock() })
    await expect(usb.requestDevice({ filters })).rejects.toEqual(
      rejection('NotFoundError', 'No device selected.'),
    )
    await expect(usb.requestDevice({ filters: [{ productId: 1 }] })).rejects.toThrow(TypeError)
  })

  test('a grant outlives unplugging only with a serial number', async () => {
    for (const [serial, survives] of [
      ['0001', true],
      [undefined, false],
    ] as const) {
      const usb = new TwinUsb({ clock: new VirtualClock() })
      const port = usb.plug(new EchoUsbTwin(serial === undefined ? {} : { serial }))
      const first = await usb.requestDevice({ filters })
      await port.unplug()
      expect(await usb.getDevices()).toEqual([])
      await port.replug()
      const listed = await usb.getDevices()
      expect(listed.length === 1).toBe(survives)
      expect(listed).not.toContain(first)
    }
  })

  test('forgetting a device takes it off the list', async () => {
    const usb = new TwinUsb({ clock: new VirtualClock() })
    usb.plug(new EchoUsbTwin({ serial: '1' }))
    const device = await usb.requestDevice({ filters })
    await device.forget()
    expect(await usb.getDevices()).toEqual([])
  })

  test('events tell of granted devices only', async () => {
    const usb = new TwinUsb({ clock: new VirtualClock() })
    const events: string[] = []
    for (const type of ['connect', 'disconnect'] as const)
      (usb as USB).addEventListener(type, ({ device }) => events.push(`${type} ${String(device.productId)}`))
    const port = usb.plug(new EchoUsbTwin({ productId: 1, serial: '1' }))
    usb.plug(new EchoUsbTwin({ productId: 2 }))
    await usb.requestDevice({ filters: [{ vendorId: 0xcafe, productId: 1 }] })
    await port.unplug()
    await port.replug()
    await Promise.resolve()
    expect(events).toEqual(['disconnect 1', 'connect 1'])
  })
})

describe('descriptors', () => {
  test('the raw bytes become the W3C shape', async () => {
    const { device } = await opened({ serial: '42' })
    expect(device).toMatchObject({
      ...{ vendorId: 0xcafe, productId: 0xbeef, deviceClass: 0xff, manufacturerName: 'Echoes' },
      ...{ productName: 'Echo', serialNumber: '42' },
      ...{ deviceVersionMajor: 1, deviceVersionMinor: 0, deviceVersionSubminor: 4 },
      ...{ usbVersionMajor: 1, usbVersionMinor: 1, usbVersionSubminor: 0 },
    })
    expect(device.configuration?.interfaces).toMatchObject([
      {
        interfaceNumber: 0,
        claimed: false,
        alternate: {
          interfaceClass: 0xff,
          interfaceName: 'Bulk',
          endpoints: [
            { endpointNumber: 1, direction: 'in', type: 'bulk', packetSize: 64 },
            { endpointNumber: 2, direction: 'out', type: 'bulk', packetSize: 64 },
          ],
        },
      },
      { interfaceNumber: 1, alternate: { interfaceClass: 3 } },
      { interfaceNumber: 2, alternate: { interfaceClass: 10 } },
    ])
  })

  test('standard requests are answered from them, missing strings as the device does', async () => {
    const { device, twin } = await opened()
    expect(bytesOf(await device.controlTransferIn(descriptor(1, 0), 18))).toEqual([
      ...twin.descriptors.device,
    ])
    expect(bytesOf(await device.controlTransferIn(descriptor(2, 0), 4))).toHaveLength(4)
    expect(bytesOf(await device.controlTransferIn(descriptor(3, 0), 255))).toEqual([4, 3, 9, 4])
    expect(bytesOf(await device.controlTransferIn(descriptor(3, 4), 255))).toEqual([
      ...[10, 3, 0x42, 0, 0x75, 0, 0x6c, 0, 0x6b, 0],
    ])
    expect((await device.controlTransferIn(descriptor(3, 9), 255)).status).toBe('stall')
    const vusb = await opened({ missing: 'empty' })
    const answer = await vusb.device.controlTransferIn(descriptor(3, 9), 255)
    expect([answer.status, ...bytesOf(answer)]).toEqual(['ok'])
  })
})

describe('states', () => {
  test('nothing works before it is opened', async () => {
    const usb = new TwinUsb({ clock: new VirtualClock(), granted: true })
    usb.plug(new EchoUsbTwin())
    const [device] = await usb.getDevices()
    const closed = rejection('InvalidStateError', 'must be opened first')
    await expect(device?.controlTransferIn(vendor(1), 1)).rejects.toEqual(closed)
    await expect(device?.claimInterface(0)).rejects.toEqual(closed)
    await expect(device?.reset()).rejects.toEqual(closed)
    await expect(device?.close()).resolves.toBeUndefined()
  })

  test('an unconfigured device must be configured first', async () => {
    const { device } = await opened({ configured: false })
    expect(device.configuration).toBeNull()
    await expect(device.claimInterface(0)).rejects.toEqual(rejection('InvalidStateError', 'configuration'))
    await expect(device.selectConfiguration(7)).rejects.toEqual(rejection('NotFoundError', 'not supported'))
    await device.selectConfiguration(1)
    await device.claimInterface(0)
    expect(device.configuration?.interfaces[0]?.claimed).toBe(true)
  })

  test('transfers and interface requests need a claim, device requests do not', async () => {
    const { device } = await opened()
    await expect(device.transferIn(1, 1)).rejects.toEqual(rejection('NotFoundError', 'endpoint'))
    await expect(device.transferIn(0, 1)).rejects.toEqual(rejection('IndexSizeError', 'out of range'))
    const request = vendor(2, 'interface')
    await expect(device.controlTransferOut(request)).rejects.toEqual(
      rejection('InvalidStateError', 'not been claimed'),
    )
    await device.controlTransferOut(vendor(2), Uint8Array.of(1))
    await device.claimInterface(0)
    await device.controlTransferOut(request)
    await device.transferIn(1, 1)
    await expect(device.transferIn(2, 1)).rejects.toEqual(rejection('NotFoundError', 'endpoint'))
    await device.releaseInterface(0)
    await expect(device.transferIn(1, 1)).rejects.toEqual(rejection('NotFoundError', 'endpoint'))
  })

  test('protected classes and interfaces of a kernel driver cannot be claimed', async () => {
    const { device } = await opened()
    await expect(device.claimInterface(1)).rejects.toEqual(rejection('SecurityError', 'protected class'))
    await expect(device.claimInterface(2)).rejects.toEqual(rejection('NetworkError', 'Unable to claim'))
    await expect(device.claimInterface(3)).rejects.toEqual(rejection('NotFoundError', 'not supported'))
  })

  test('a refused device node is a SecurityError, an interface held elsewhere a NetworkError', async () => {
    await expect(opened({ refuses: 'open' })).rejects.toEqual(rejection('SecurityError', 'Access denied.'))
    const { device } = await opened({ refuses: 'claim' })
    await expect(device.claimInterface(0)).rejects.toEqual(rejection('NetworkError', 'Unable to claim'))
  })

  test('two changes at once are refused', async () => {
    const { device } = await opened()
    const claiming = device.claimInterface(0)
    await expect(device.close()).rejects.toEqual(rejection('InvalidStateError', 'in progress'))
    await claiming
  })
})

describe('transfers', () => {
  test('bytes go both ways, and are counted', async () => {
    const { device, port } = await claimed()
    await device.controlTransferOut(vendor(2), Uint8Array.of(1, 2, 3))
    expect(bytesOf(await device.controlTransferIn(vendor(1), 2))).toEqual([1, 2])
    expect(await device.transferOut(2, Uint8Array.of(9, 8))).toEqual({ status: 'ok', bytesWritten: 2 })
    expect(bytesOf(await device.transferIn(1, 64))).toEqual([9, 8])
    expect(port.transfers).toEqual({ count: 4, control: 2, bulkIn: 1, bulkOut: 1, bytesIn: 4, bytesOut: 5 })
  })

  test('a stall and an answer that is too long are statuses, not exceptions', async () => {
    const { device } = await claimed()
    expect(await device.controlTransferIn(vendor(99), 1)).toMatchObject({ status: 'stall' })
    await device.transferOut(2, new Uint8Array(10))
    expect(await device.transferIn(1, 4)).toMatchObject({ status: 'babble' })
  })

  test('a stalled bulk endpoint stays halted until it is cleared', async () => {
    const { device, port } = await claimed()
    await device.transferOut(2, Uint8Array.of(1))
    port.faults = { stallAt: 1 }
    const status = async () => (await device.transferIn(1, 64)).status
    expect([await status(), await status()]).toEqual(['stall', 'stall'])
    await device.clearHalt('in', 1)
    expect(await status()).toBe('ok')
  })

  test('no valid handshake is a transfer error', async () => {
    const { device, twin } = await opened()
    twin.nextAnswer = 'broken'
    await expect(device.controlTransferIn(vendor(1), 1)).rejects.toEqual(
      rejection('NetworkError', 'A transfer error has occurred.'),
    )
  })

  test('an endless transfer blocks its pipe until the port is reset', async () => {
    const { device, twin, clock } = await opened()
    twin.nextAnswer = 'silent'
    const outcomes: string[] = []
    const note = (name: string) => (error: DOMException) => outcomes.push(`${name} ${error.name}`)
    const first = device.controlTransferIn(vendor(1), 1).catch(note('first'))
    const second = device.controlTransferIn(vendor(1), 1).catch(note('second'))
    await clock.sleep(60_000)
    expect(outcomes).toEqual([])
    await device.reset()
    await Promise.all([first, second])
    expect(outcomes).toEqual(['first NetworkError', 'second NetworkError'])
    expect(twin.resets).toBe(1)
    expect((await device.controlTransferIn(vendor(1), 1)).status).toBe('ok')
  })

  test('closing cancels what is under way', async () => {
    const { device, twin } = await opened()
    twin.nextAnswer = 'silent'
    const pending = expect(device.controlTransferIn(vendor(1), 1)).rejects.toEqual(
      rejection('AbortError', 'cancelled'),
    )
    await device.close()
    await pending
  })

  test('a low-speed device needs a millisecond for each packet of eight bytes', async () => {
    const { device, clock } = await opened({ speed: 'low' })
    const from = clock.now()
    await device.controlTransferOut(vendor(2), new Uint8Array(64))
    expect(clock.now() - from).toBe(2 + 8)
    await device.controlTransferIn(vendor(1), 20)
    expect(clock.now() - from).toBe(2 + 8 + 2 + 3)
  })
})

describe('faults of the wire, counted from when they are set', () => {
  test('a short answer lacks its last byte', async () => {
    const { device, port } = await opened()
    await device.controlTransferOut(vendor(2), Uint8Array.of(1, 2, 3))
    port.faults = { shortAt: 2 }
    expect(bytesOf(await device.controlTransferIn(vendor(1), 3))).toEqual([1, 2, 3])
    expect(bytesOf(await device.controlTransferIn(vendor(1), 3))).toEqual([1, 2])
    expect(bytesOf(await device.controlTransferIn(vendor(1), 3))).toEqual([1, 2, 3])
  })

  test('a twin that loses its power hears of it once', async () => {
    const { port, twin } = await opened()
    const unplugged = vi.fn()
    Object.assign(twin, { unplugged })
    await Promise.all([port.unplug(), port.unplug()])
    expect(unplugged).toHaveBeenCalledOnce()
  })

  test('unplugging first breaks the transfer, then the device is gone', async () => {
    const { device, port, usb, clock, twin } = await opened()
    port.faults = { unplugAt: 1 }
    let told = false
    usb.addEventListener('disconnect', () => (told = true))
    const broken = rejection('NetworkError', 'A transfer error has occurred.')
    await expect(device.controlTransferIn(vendor(1), 1)).rejects.toEqual(broken)
    await expect(device.controlTransferIn(vendor(1), 1)).rejects.toEqual(broken)
    expect(told).toBe(false)
    await clock.sleep(100)
    expect(told).toBe(true)
    const gone = rejection('NotFoundError', 'The device was disconnected.')
    await expect(device.controlTransferIn(vendor(1), 1)).rejects.toEqual(gone)
    await expect(device.open()).rejects.toEqual(gone)
    expect(device.opened).toBe(false)
    expect(twin.requests).toEqual([])
  })
})

test('a device that detaches comes back as another one', async () => {
  const { usb, twin, clock, device } = await opened({ serial: '1' })
  const seen: string[] = []
  const heard: USB = usb
  heard.addEventListener('connect', ({ device }) => seen.push(`+${String(device.productId)}`))
  heard.addEventListener('disconnect', ({ device }) => seen.push(`-${String(device.productId)}`))
  twin.bus?.detach({ twin: new EchoUsbTwin({ productId: 7 }), ms: 300 })
  await clock.sleep(200)
  expect(await usb.getDevices()).toEqual([])
  await clock.sleep(200)
  const [back] = await usb.getDevices()
  expect(back?.productId).toBe(7)
  expect(seen).toEqual([`-${String(device.productId)}`, '+7'])
})
