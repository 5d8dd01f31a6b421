/**
 * The twins against what was measured on the RP2040's own ROM (B1, run in an emulator), and against what the published source
 * of the RP2350's ROM does.
 */
import { describe, expect, test } from 'vitest'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { UsbTwin } from '#bench/twin.ts'
import { blank, equal, hexBytes } from '#core/bytes.ts'
import {
  Command,
  encodeCommand,
  Endpoint,
  askFlash,
  parseStatus,
  rangeArgs,
  reboot2Args,
  Request,
} from './packets.ts'
import shelf from './twin.ts'

const noBytes = new Uint8Array()
const bytesOf = ({ buffer, byteOffset, byteLength }: DataView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

class Host {
  readonly clock = new VirtualClock()
  readonly usb = new TwinUsb({ clock: this.clock, granted: true })
  readonly device: USBDevice
  #token = 0x100

  private constructor(twin: UsbTwin) {
    this.device = this.usb.plug(twin).device as USBDevice
  }

  static async of(twin: UsbTwin): Promise<Host> {
    const host = new Host(twin)
    await host.device.open()
    await host.device.claimInterface(1)
    return host
  }

  async send(command: number, args: Uint8Array = noBytes, transferBytes = 0): Promise<string> {
    const block = encodeCommand({ token: ++this.#token, command, args, transferBytes })
    return this.out(block)
  }
  async out(bytes: Uint8Array): Promise<string> {
    return (await this.device.transferOut(Endpoint.Out, bytes.slice())).status
  }
  async in(length = 64): Promise<string | Uint8Array> {
    const { status, data } = await this.device.transferIn(Endpoint.In, length)
    return status === 'ok' && data ? bytesOf(data) : status
  }
  async status() {
    const { data } = await this.device.controlTransferIn(
      { requestType: 'vendor', recipient: 'interface', request: Request.Status, value: 0, index: 1 },
      16,
    )
    const { token, status } = parseStatus(data ? bytesOf(data) : noBytes)
    return token === this.#token ? status : `of ${String(token)}: ${status}`
  }
  async reset(): Promise<void> {
    await this.device.clearHalt('in', Endpoint.In)
    await this.device.clearHalt('out', Endpoint.Out)
    await this.device.controlTransferOut({
      ...{ requestType: 'vendor', recipient: 'interface', request: Request.Reset, value: 0, index: 1 },
    })
  }
}

function plugged(id: 'rp2040' | 'rp2350') {
  const setup = shelf[id].make()
  const { twin } = setup
  if (twin.link !== 'usb') throw new Error('not on USB')
  return { twin, flash: setup.memory('flash') }
}
const meet = async (id: 'rp2040' | 'rp2350') => {
  const { twin, flash } = plugged(id)
  return { host: await Host.of(twin), flash }
}

test('an RP2040 describes itself as its ROM does', () => {
  const { device, configuration } = plugged('rp2040').twin.descriptors
  expect(hexBytes(device)).toBe('12 01 10 01 00 00 00 40 8a 2e 03 00 00 01 01 02 03 01')
  expect(hexBytes(configuration, '')).toBe(
    [
      '090237000201008 0fa',
      '090400000208065000 07058102400000 07050202400000',
      '0904010002ff000000 07050302400000 07058402400000',
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})

describe.each(['rp2040', 'rp2350'] as const)('%s', (id) => {
  test('reads, erases and writes, each ended by an empty packet the other way', async () => {
    const { host, flash } = await meet(id)
    expect(await host.send(Command.ExclusiveAccess, Uint8Array.of(1))).toBe('ok')
    expect(await host.in()).toEqual(noBytes)
    expect(await host.send(Command.Read, rangeArgs(0x1000_0000, 300), 300)).toBe('ok')
    expect(await host.in(300)).toEqual(flash.slice(0, 300))
    expect(await host.out(noBytes)).toBe('ok')
    const from = host.clock.now()
    await host.send(Command.FlashErase, rangeArgs(0x1000_1000, 8192))
    expect(await host.in()).toEqual(noBytes)
    expect(host.clock.now() - from).toBeGreaterThanOrEqual(90)
    expect(flash.subarray(0x1000, 0x3000)).toEqual(blank(8192))
    const page = Uint8Array.from({ length: 256 }, (_, i) => i)
    await host.send(Command.Write, rangeArgs(0x1000_1100, 256), 256)
    expect(await host.out(page)).toBe('ok')
    expect(await host.in()).toEqual(noBytes)
    expect(flash.subarray(0x1100, 0x1200)).toEqual(page)
    expect(await host.status()).toBe('OK')
  })

  test('writing clears bits and sets none', async () => {
    const { host, flash } = await meet(id)
    const before = flash[0x100] ?? 0
    await host.send(Command.Write, rangeArgs(0x1000_0100, 256), 256)
    await host.out(new Uint8Array(256).fill(0xf0))
    await host.in()
    expect(flash[0x100]).toBe(before & 0xf0)
  })

  test('behind its end it shows its beginning again', async () => {
    const { host, flash } = await meet(id)
    await host.send(Command.Read, rangeArgs(0x1000_0000 + flash.length, 16), 16)
    expect(await host.in(16)).toEqual(flash.slice(0, 16))
  })

  test.each([
    ['of the wrong size', Command.FlashErase, Uint8Array.of(1), 0, 'INVALID_CMD_LENGTH'],
    ['that it does not know', 0x3f, noBytes, 0, 'UNKNOWN_CMD'],
    [
      'with other data than it says',
      Command.Read,
      rangeArgs(0x1000_0000, 256),
      128,
      'INVALID_TRANSFER_LENGTH',
    ],
  ])('a command %s halts both ends', async (_, command, args, transferBytes, status) => {
    const { host } = await meet(id)
    expect(await host.send(command, args, transferBytes)).toBe('ok')
    expect(await host.in()).toBe('stall')
    expect(await host.send(Command.ExitXip)).toBe('stall')
    await host.reset()
    expect(await host.send(Command.ExitXip)).toBe('ok')
    expect(await host.in()).toEqual(noBytes)
    await host.send(command, args, transferBytes)
    expect(await host.status()).toBe(status)
  })

  test('what is no command halts both ends and has no status', async () => {
    const { host } = await meet(id)
    expect(await host.out(new Uint8Array(32))).toBe('ok')
    expect([await host.in(), await host.out(noBytes)]).toEqual(['stall', 'stall'])
    expect(await host.status()).toBe('of 0: OK')
  })

  test.each([
    ['between pages', 0x1000_0010, 'BAD_ALIGNMENT'],
    ['where no flash is', 0x3000_0000, 'INVALID_ADDRESS'],
  ])('reading %s stalls and says why', async (_, address, status) => {
    const { host } = await meet(id)
    await host.send(Command.Read, rangeArgs(address, 64), 64)
    expect(await host.in()).toBe('stall')
    expect(await host.status()).toBe(status)
    await host.reset()
    expect(await host.status()).toBe('of 0: OK')
    await host.send(Command.Read, rangeArgs(0x13, 1), 1)
    expect(await host.in(1)).toEqual(Uint8Array.of(2))
  })
})

describe('an erase that is refused', () => {
  test('is acknowledged by an RP2040 as if it had been done', async () => {
    const { host, flash } = await meet('rp2040')
    const before = flash.slice()
    for (const range of [
      rangeArgs(0x1000_0100, 4096),
      rangeArgs(0x1000_0000, 256),
      rangeArgs(0x3000_0000, 4096),
    ]) {
      await host.send(Command.FlashErase, range)
      expect(await host.in()).toEqual(noBytes)
      expect(await host.status()).toBe('OK')
    }
    expect(equal(flash, before)).toBe(true)
  })

  test('is told by an RP2350', async () => {
    const { host, flash } = await meet('rp2350')
    const before = flash.slice()
    await host.send(Command.FlashErase, rangeArgs(0x1000_0100, 4096))
    expect(await host.in()).toBe('stall')
    expect(await host.status()).toBe('BAD_ALIGNMENT')
    expect(equal(flash, before)).toBe(true)
  })
})

test('an RP2350 tells what flash it is set up for, and an RP2040 does not know the question', async () => {
  const { host } = await meet('rp2350')
  await host.send(Command.GetInfo, askFlash.args, 12)
  expect(await host.in(12)).toEqual(Uint8Array.of(2, 0, 0, 0, 8, 0, 0, 0, 0, 0x0c, 0, 0))
  const other = (await meet('rp2040')).host
  await other.send(Command.GetInfo, askFlash.args, 12)
  expect(await other.in(12)).toBe('stall')
  expect(await other.status()).toBe('UNKNOWN_CMD')
})

test('only an RP2350 knows REBOOT2, and only an RP2040 REBOOT', async () => {
  const { host } = await meet('rp2350')
  await host.send(Command.Reboot, new Uint8Array(12))
  expect(await host.in()).toBe('stall')
  expect(await host.status()).toBe('UNKNOWN_CMD')
  const other = (await meet('rp2040')).host
  await other.send(Command.Reboot2, reboot2Args(500))
  expect(await other.in()).toBe('stall')
  expect(await other.status()).toBe('UNKNOWN_CMD')
})
