/** avrdude, as Debian ships it, on the kernel's own tty: a board by its boot loader, and ArduinoISP. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { random, whileHeldOpen, type LabCase } from './lab-case.ts'

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
    assert(equal(twin.memory('flash').slice(0, flash), program), 'the flash is not what was written')
    assert(equal(twin.memory('flash').slice(flash), loader), 'the boot loader has changed')
    report({ transfers: twin.port.count })
  },
}))

/**
 * Flash and a fuse. Not the EEPROM: `-c stk500v1` gives that byte addresses, and the sketch takes all for words
 * (avrdude 7.2 has `arduino_as_isp` for it; Debian ships 7.1).
 */
const arduinoIsp: LabCase = {
  name: 'avrdude, stk500:arduino-isp-atmega8: erase, all of the flash, fuse',
  twins: [{ id: 'stk500:arduino-isp-atmega8' }],
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], report }) {
    assert(twin)
    const program = random(8192)
    const lfuse = 0xe4
    await guest.put('/tmp/flash.bin', program)
    await guest.do(
      `${whileHeldOpen('/dev/ttyACM0')}
      avrdude -q -q -c stk500v1 -P /dev/ttyACM0 -b 19200 -p m8 -U flash:w:/tmp/flash.bin:r -U lfuse:w:${String(lfuse)}:m`,
      500_000,
    )
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
    assert.equal(twin.memory('fuses')[0], lfuse)
    report({ transfers: twin.port.count })
  },
}

export default [...boards, arduinoIsp]
