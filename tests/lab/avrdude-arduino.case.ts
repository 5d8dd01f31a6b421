/** avrdude, as Debian ships it, on the kernel's own tty: a board by its boot loader, and ArduinoISP. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { random, type LabCase } from './lab-case.ts'

const tty = (id: string) => (id.includes('nano') ? '/dev/ttyUSB0' : '/dev/ttyACM0')

const boards = [
  { id: 'stk500:uno', part: 'm328p', baud: 115_200, flash: 32_256 },
  { id: 'stk500:nano-old', part: 'm328p', baud: 57_600, flash: 30_720 },
].map(({ id, part, baud, flash }): LabCase => ({
  name: `avrdude, ${id}: all of the flash below the boot loader`,
  twins: [{ id }],
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], report }) {
    assert(twin)
    const program = random(flash)
    const loader = twin.memory('flash').slice(flash)
    await guest.put('/tmp/flash.bin', program)
    const avrdude = `avrdude -q -q -c arduino -P ${tty(id)} -b ${String(baud)} -p ${part} -D`
    await guest.do(`${avrdude} -U flash:w:/tmp/flash.bin:r`, 500_000)
    assert(equal(twin.memory('flash').slice(0, flash), program), 'not what was written')
    assert(equal(twin.memory('flash').slice(flash), loader), 'not what was written')
    report({ transfers: twin.port.count })
  },
}))

const arduinoIsp: LabCase = {
  name: 'avrdude, stk500:arduino-isp-atmega8: erase, flash, EEPROM and fuse',
  twins: [{ id: 'stk500:arduino-isp-atmega8' }],
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], report }) {
    assert(twin)
    const [program, values] = [random(8192), random(64)]
    await guest.put('/tmp/flash.bin', program)
    await guest.put('/tmp/eeprom.bin', values)
    await guest.do(
      `avrdude -q -q -c stk500v1 -P ${tty('')} -b 19200 -p m8 -U flash:w:/tmp/flash.bin:r -U eeprom:w:/tmp/eeprom.bin:r -U lfuse:w:0xe4:m`,
      500_000,
    )
    assert(equal(twin.memory('flash'), program), 'not what was written')
    assert(equal(twin.memory('eeprom').slice(0, 64), values), 'not what was written')
    assert.equal(twin.memory('fuses')[0], 0xe4)
    report({ transfers: twin.port.count })
  },
}

export default [...boards, arduinoIsp]
