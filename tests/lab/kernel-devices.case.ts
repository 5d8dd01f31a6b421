/** What the kernel makes of several devices, and of one that comes back as another. */
import assert from 'node:assert/strict'
import { EchoUsbTwin } from '#bench/test-twins.ts'
import { equal } from '#core/bytes.ts'
import { random, type LabCase } from './lab-case.ts'

const together: LabCase = {
  name: 'avrdude, usbasp:attiny13 and stk500:uno: both are written at once',
  twins: [{ id: 'usbasp:attiny13' }, { id: 'stk500:uno' }],
  async run({ guest, twins }) {
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

export default [together, another]
