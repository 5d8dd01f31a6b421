/** avrdude, as Debian ships it, through a USBasp: every memory of three chips, and the wrong chip. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

/** Fuses as they are to be, each other than before; of the lock those bits that the chip has. */
const chips = [
  {
    ...{ id: 'usbasp:atmega328p', part: 'm328p', flash: 32_768, eeprom: 1024 },
    ...{ fuses: [0xe2, 0xd6, 0xfe], lock: 0xef, lockMask: 0x3f },
  },
  {
    ...{ id: 'usbasp:pair', part: 'm8', flash: 8192, eeprom: 512 },
    ...{ fuses: [0xe4, 0xd1], lock: 0xcf, lockMask: 0x3f },
  },
  {
    ...{ id: 'usbasp:attiny85', part: 't85', flash: 8192, eeprom: 512 },
    ...{ fuses: [0x62, 0xd7, 0xfe], lock: 0xfe, lockMask: 0x03 },
  },
] as const
const fuseNames = ['lfuse', 'hfuse', 'efuse']

const wholeChips = chips.map(({ id, part, flash, eeprom, fuses, lock, lockMask }): LabCase => ({
  name: `avrdude, ${id}: flash, EEPROM, fuses and lock bits`,
  twins: [{ id }],
  timeoutMs: 600_000,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [program, values] = [random(flash), random(eeprom)]
    for (const [i, fuse] of fuses.entries())
      assert.notEqual(twin.memory('fuses')[i], fuse, `${fuseNames[i] ?? ''} would not change`)
    const lockBits = () => (twin.memory('lock')[0] ?? 0) & lockMask
    assert.notEqual(lockBits(), lock & lockMask)
    await guest.put('/tmp/flash.bin', program)
    await guest.put('/tmp/eeprom.bin', values)
    // 1 MHz from the factory: avrdude does not slow down by itself
    const avrdude = `avrdude -q -q -c usbasp -p ${part} -B 10`
    const settings = fuses.map((fuse, i) => `-U ${fuseNames[i] ?? ''}:w:${String(fuse)}:m`).join(' ')
    await guest.do(
      `${avrdude} -U flash:w:/tmp/flash.bin:r -U eeprom:w:/tmp/eeprom.bin:r ${settings}`,
      300_000,
    )
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
    assert(equal(twin.memory('eeprom'), values), 'the EEPROM is not what was written')
    assert.deepEqual([...twin.memory('fuses').slice(0, fuses.length)], [...fuses])

    await guest.do(`${avrdude} -U flash:r:/tmp/read.bin:r -U lock:w:${String(lock)}:m`, 200_000)
    assert(equal(await guest.get('/tmp/read.bin'), program), 'avrdude read something else')
    assert.equal(lockBits(), lock & lockMask)
  },
}))

const wrongChip: LabCase = {
  name: 'avrdude, usbasp:atmega328p: refuses the name of another chip',
  twins: [{ id: 'usbasp:atmega328p' }],
  async run({ guest, twins: [twin], random }) {
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
