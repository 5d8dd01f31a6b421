/** avrdude, as Debian ships it, on the kernel's own tty: a board by its boot loader, and ArduinoISP. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { whileHeldOpen, type LabCase } from './lab-case.ts'

const tty = (driver: string) => (driver === 'cdc-acm' ? '/dev/ttyACM0' : '/dev/ttyUSB0')

/** One behind each of the four bridges; a whole chip behind two of them, as how it is written does not depend on the bridge. */
const boards = [
  { id: 'stk500:uno', driver: 'cdc-acm', part: 'm328p', baud: 115_200, flash: 32_256 },
  { id: 'stk500:uno-optiboot8', driver: 'cp210x', part: 'm328p', baud: 115_200, flash: 4096 },
  { id: 'stk500:diecimila', driver: 'ftdi_sio', part: 'm168', baud: 19_200, flash: 4096 },
  { id: 'stk500:optiboot-atmega8', driver: 'ch341', part: 'm8', baud: 115_200, flash: 7680 },
].map(({ id, driver, part, baud, flash }): LabCase => ({
  name: `avrdude, ${id} (${driver}): ${String(flash)} bytes of flash`,
  twins: [{ id }],
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(flash)
    const above = twin.memory('flash').slice(flash)
    await guest.put('/tmp/flash.bin', program)
    const avrdude = `avrdude -q -q -c arduino -P ${tty(driver)} -b ${String(baud)} -p ${part} -D`
    await guest.do(`${avrdude} -U flash:w:/tmp/flash.bin:r`, 500_000)
    assert(equal(twin.memory('flash').slice(0, flash), program), 'the flash is not what was written')
    assert(equal(twin.memory('flash').slice(flash), above), 'what is above it has changed')
  },
}))

/**
 * Flash, a fuse and the lock. Not the EEPROM: `-c stk500v1` gives that byte addresses, and the sketch takes all for words
 * (avrdude 7.2 has `arduino_as_isp` for it; Debian ships 7.1).
 */
const arduinoIsp: LabCase = {
  name: 'avrdude, stk500:arduino-isp-atmega8: erase, all of the flash, fuse and lock bits',
  twins: [{ id: 'stk500:arduino-isp-atmega8' }],
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(8192)
    const lfuse = 0xe4
    assert.notEqual(twin.memory('fuses')[0], lfuse)
    await guest.put('/tmp/flash.bin', program)
    await guest.do(
      `${whileHeldOpen('/dev/ttyACM0')}
      avrdude -q -q -c stk500v1 -P /dev/ttyACM0 -b 19200 -p m8 -U flash:w:/tmp/flash.bin:r -U lfuse:w:${String(lfuse)}:m -U lock:w:0xcf:m`,
      500_000,
    )
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
    assert.equal(twin.memory('fuses')[0], lfuse)
    assert.equal((twin.memory('lock')[0] ?? 0) & 0x3f, 0x0f)
  },
}

export default [...boards, arduinoIsp]
