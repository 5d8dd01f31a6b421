/** What the kernel makes of several devices, and of one that comes back as another. */
import assert from 'node:assert/strict'
import { EchoSerialTwin, EchoUsbTwin } from '#bench/test-twins.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
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

/**
 * A HID device of four-byte reports: none of our twins says anything on an interrupt pipe. (CDC ACM boards and a CH340 have
 * one, for changes of modem lines that no board connects.)
 */
class Keypad implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly #report = [
    ...[0x06, 0, 0xff, 0x09, 1, 0xa1, 1], // a collection of a vendor's own
    ...[0x15, 0, 0x26, 0xff, 0, 0x75, 8, 0x95, 4, 0x09, 1, 0x81, 2, 0xc0], // four bytes of input
  ]
  readonly descriptors: UsbDescriptors = {
    device: Uint8Array.from([18, 1, 0x10, 1, 0, 0, 0, 8, 0xfe, 0xca, 0xad, 0xde, 0, 1, 0, 0, 0, 1]),
    configuration: Uint8Array.from([
      ...[9, 2, 34, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 1, 3, 0, 0, 0],
      ...[9, 0x21, 0x11, 1, 0, 1, 0x22, this.#report.length, 0, 7, 5, 0x81, 3, 4, 0, 10],
    ]),
    strings: {},
    missing: 'stall',
  }
  #press: ((report: Uint8Array) => void) | undefined
  readonly #pressed: Uint8Array[] = []

  press(...report: number[]): void {
    const bytes = Uint8Array.from(report)
    if (this.#press) this.#press(bytes)
    else this.#pressed.push(bytes)
    this.#press = undefined
  }
  plugged(): void {
    this.#pressed.length = 0
  }
  reset(): void {
    this.#pressed.length = 0
  }
  control({ request, value }: SetupPacket): Promise<TwinAnswer> {
    const [getDescriptor, setIdle, reportDescriptor] = [6, 0x0a, 0x22]
    if (request === getDescriptor && value >> 8 === reportDescriptor)
      return Promise.resolve(Uint8Array.from(this.#report))
    return Promise.resolve(request === setIdle ? new Uint8Array() : 'stall')
  }
  bulkIn(): Promise<TwinAnswer> {
    const waiting = this.#pressed.shift()
    return waiting ? Promise.resolve(waiting) : new Promise((resolve) => (this.#press = resolve))
  }
}

const interrupts: LabCase = {
  name: 'the kernel, a keypad: hears its interrupt pipe, whenever it says something',
  twins: [{ id: 'usbasp:attiny13' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const keypad = new Keypad()
    twin.port.plug(keypad)
    await guest.attach(1)
    const reading = guest.do(
      'exec 3</dev/hidraw0; : >/tmp/opened; for i in 1 2 3; do head -c 4 <&3 | od -An -tx1; done',
    )
    await guest.do('until [[ -e /tmp/opened ]]; do sleep 0.1; done')
    for (const report of [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10, 11, 12],
    ])
      keypad.press(...report)
    assert.deepEqual((await reading).trim().split(/\s*\n\s*/), ['01 02 03 04', '05 06 07 08', '09 0a 0b 0c'])
  },
}

/** Debian's own `usbip`, which knows our server by the protocol alone. */
const userTool: LabCase = {
  name: 'usbip, usbasp:attiny13 and stk500:uno: lists both, lets one go and attaches it again',
  twins: [{ id: 'usbasp:attiny13' }, { id: 'stk500:uno' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(256)
    await guest.put('/tmp/flash.bin', program)
    const list = await guest.do('usbip list -r 10.0.2.100')
    assert.match(list, /1-1: .*\(16c0:05dc\)/)
    assert.match(list, /1-2: .*\(2341:0043\)/)
    // That the one before has let it go, the server knows a moment later.
    await guest.do(
      `isThere() { grep -qs 05dc /sys/bus/usb/devices/*/idProduct; }
      usbip detach -p 0 || exit 1
      while isThere; do sleep 0.1; done
      until usbip attach -r 10.0.2.100 -b 1-1; do sleep 0.2; done
      until isThere; do sleep 0.1; done
      udevadm settle --timeout=10
      avrdude -q -q -c usbasp -p t13 -B 10 -U flash:w:/tmp/flash.bin:r || exit 1
      usbip detach -p 0 || exit 1
      while isThere; do sleep 0.1; done`,
    )
    assert(equal(twin.memory('flash').slice(0, 256), program), 'the flash is not what was written')
  },
}

export default [together, another, touched, interrupts, userTool]
