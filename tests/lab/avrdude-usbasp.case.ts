/** avrdude, as Debian ships it, through a USBasp: every memory of three chips, and the wrong chip. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { random, type LabCase } from './lab-case.ts'

const chips = [
  { id: 'usbasp:atmega328p', part: 'm328p', flash: 32_768, eeprom: 1024, lfuse: 0xe2, lock: 0xcf },
  { id: 'usbasp:pair', part: 'm8', flash: 8192, eeprom: 512, lfuse: 0xe4, lock: 0xcf },
  { id: 'usbasp:attiny85', part: 't85', flash: 8192, eeprom: 512, lfuse: 0xe2, lock: 0xfe },
] as const

const wholeChips = chips.map(({ id, part, flash, eeprom, lfuse, lock }): LabCase => ({
  name: `avrdude, ${id}: flash, EEPROM, fuse and lock bits`,
  twins: [{ id }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const [program, values] = [random(flash), random(eeprom)]
    await guest.put('/tmp/flash.bin', program)
    await guest.put('/tmp/eeprom.bin', values)
    // 1 MHz from the factory: avrdude does not slow down by itself
    const avrdude = `avrdude -q -q -c usbasp -p ${part} -B 10`
    await guest.do(
      `${avrdude} -U flash:w:/tmp/flash.bin:r -U eeprom:w:/tmp/eeprom.bin:r -U lfuse:w:${String(lfuse)}:m`,
      300_000,
    )
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
    assert(equal(twin.memory('eeprom'), values), 'the EEPROM is not what was written')
    assert.equal(twin.memory('fuses')[0], lfuse)

    await guest.do(`${avrdude} -U flash:r:/tmp/read.bin:r -U lock:w:${String(lock)}:m`, 200_000)
    assert(equal(await guest.get('/tmp/read.bin'), program), 'avrdude read something else')
    assert.equal((twin.memory('lock')[0] ?? 0) & 0x03, lock & 0x03)
  },
}))

const wrongChip: LabCase = {
  name: 'avrdude, usbasp:atmega328p: refuses the name of another chip',
  twins: [{ id: 'usbasp:atmega328p' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    await guest.put('/tmp/flash.bin', random(512))
    const { code, output } = await guest.run('avrdude -c usbasp -p m8 -U flash:w:/tmp/flash.bin:r')
    assert.notEqual(code, 0)
    assert.match(output, /expected signature for ATmega8 is 1E 93 07/i)
    assert(equal(twin.memory('flash'), before), 'the flash was changed')
  },
}

export default [...wholeChips, wrongChip]
