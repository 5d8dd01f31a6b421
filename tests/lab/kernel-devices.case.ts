/** What the kernel makes of several devices, and of one that comes back as another. */
import assert from 'node:assert/strict'
import { EchoSerialTwin, EchoUsbTwin } from '#bench/test-twins.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbTwin } from '#bench/twin.ts'
import { ByteReader, equal } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'
import { asUsb } from './serial-bridges.ts'

const together: LabCase = {
  name: 'avrdude, usbasp:attiny13 and stk500:uno: both are written at once',
  twins: [{ id: 'usbasp:attiny13' }, { id: 'stk500:uno' }],
  async run({ guest, twins, random }) {
    const images = [random(1024), random(1024)]
    for (const [i, image] of images.entries()) await guest.put(`/tmp/${String(i)}.bin`, image)
    await guest.do(
      `avrdude -q -q -c usbasp -p t13 -U flash:w:/tmp/0.bin:r & first=$!
      avrdude -q -q -c arduino -P /dev/ttyACM0 -b 115200 -p m328p -D -U flash:w:/tmp/1.bin:r || exit 1
      wait $first`,
      200_000,
    )
    for (const [i, image] of images.entries())
      assert(equal(twins[i]?.memory('flash').slice(0, 1024) ?? new Uint8Array(), image), `twin ${String(i)}`)
  },
}

const another: LabCase = {
  name: 'the kernel, usbasp:attiny13: goes away by itself and comes back under another id',
  twins: [{ id: 'usbasp:attiny13' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const ids = async () =>
      (await guest.do('cd /sys/bus/usb/devices; cat *-*/idVendor *-*/idProduct 2>/dev/null; true')).split(
        '\n',
      )
    assert.deepEqual((await ids()).filter(Boolean), ['16c0', '05dc'])
    twin.port.detach({ twin: new EchoUsbTwin({ productId: 0xb007 }), ms: 500 })
    await guest.do('until grep -qs b007 /sys/bus/usb/devices/*/idProduct; do sleep 0.2; done')
    assert.deepEqual((await ids()).filter(Boolean), ['cafe', 'b007'])
  },
}

/** A board as an Arduino Leonardo is: opened at 1200 baud and closed again it starts its boot loader. */
class TouchedBoard implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly #line = asUsb(new EchoSerialTwin(9600, { vendorId: 0x2341, productId: 0x8036 }))
  readonly descriptors = this.#line.descriptors
  #bus: TwinBus | undefined
  #baud = 0

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#line.plugged(bus)
  }
  unplugged(): void {
    this.#line.unplugged?.()
  }
  reset(): void {
    this.#line.reset()
  }
  control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    const [setLineCoding, setControlLineState] = [0x20, 0x22]
    if (setup.request === setLineCoding) this.#baud = new ByteReader(bytes).u32le()
    if (setup.request === setControlLineState && this.#baud === 1200 && (setup.value & 1) === 0)
      this.#bus?.detach({ twin: new EchoUsbTwin({ productId: 0xb007 }), ms: 500 })
    return this.#line.control(setup, bytes)
  }
  bulkOut(endpoint: number, bytes: Uint8Array): Promise<TwinAnswer> {
    return this.#line.bulkOut?.(endpoint, bytes) ?? Promise.resolve('stall')
  }
  bulkIn(endpoint: number, length: number): Promise<TwinAnswer> {
    return this.#line.bulkIn?.(endpoint, length) ?? Promise.resolve('stall')
  }
}

const touched: LabCase = {
  name: 'the kernel, a board with USB of its own: touched at 1200 baud it comes back as its boot loader',
  twins: [{ id: 'usbasp:attiny13' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    twin.port.plug(new TouchedBoard())
    await guest.attach(1)
    await guest.do('stty -F /dev/ttyACM0 1200 hupcl')
    await guest.do('until grep -qs b007 /sys/bus/usb/devices/*/idProduct; do sleep 0.2; done')
  },
}

export default [together, another, touched]
