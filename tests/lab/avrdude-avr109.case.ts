/** avrdude, as Debian ships it, on the kernel's own tty: a Leonardo, touched, read and written by its boot loader. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

const tty = '/dev/ttyACM0'
const avrdude = `avrdude -q -q -c avr109 -P ${tty} -p m32u4`
/** What a builder of sketches does before each upload; the port is there again as another device. */
const touch = `stty -F ${tty} 1200 hupcl
  until grep -qs 0036 /sys/bus/usb/devices/*/idProduct && [[ -e ${tty} ]]; do sleep 0.2; done`

const whole: LabCase = {
  name: 'avrdude, avr109:leonardo: touched, then signature, fuses, all of the flash and EEPROM',
  twins: [{ id: 'avr109:leonardo' }],
  clockSpeed: 0.5, // it erases within 5 s, and begins within 8
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(0x7000)
    const eeprom = random(64)
    const loader = twin.memory('flash').slice(0x7000)
    const restOfEeprom = twin.memory('eeprom').slice(eeprom.length)
    await guest.put('/tmp/flash.bin', program)
    await guest.put('/tmp/eeprom.bin', eeprom)
    const said = await guest.do(
      `${touch}
      ${avrdude} -U signature:r:-:h -U lfuse:r:-:h -U hfuse:r:-:h -U efuse:r:-:h -U lock:r:-:h \
        -U flash:w:/tmp/flash.bin:r -U eeprom:w:/tmp/eeprom.bin:r`,
      500_000,
    )
    assert.match(said.toLowerCase(), /0x1e,0x95,0x87\s+0xff\s+0xd8\s+0xfb\s+0xef/)
    assert(equal(twin.memory('flash').slice(0, 0x7000), program), 'the flash is not what was written')
    assert(equal(twin.memory('flash').slice(0x7000), loader), 'the loader has changed')
    assert(equal(twin.memory('eeprom').slice(0, eeprom.length), eeprom), 'the EEPROM is not what was written')
    assert(equal(twin.memory('eeprom').slice(eeprom.length), restOfEeprom), 'the rest of it has changed')
  },
}

export default [whole]
