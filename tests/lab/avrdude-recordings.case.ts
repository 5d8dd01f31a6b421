/** Short jobs of avrdude whose every word is kept, see `recording.ts`. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { whileHeldOpen, type LabCase } from './lab-case.ts'

/** The same in every run, so that a new recording differs only where something has changed. */
const bytes = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 73 + (i >> 8)) & 0xff)

const record = (id: string, name: string, avrdude: string, flash: number, before = ''): LabCase => ({
  name: `avrdude, ${id}: for the recording ${name}`,
  twins: [{ id }],
  recordAs: { program: 'avrdude 7.1', name },
  async run({ guest, twins: [twin], report }) {
    assert(twin)
    await guest.put('/tmp/flash.bin', bytes(flash))
    await guest.do(`${before}\navrdude -q -q ${avrdude} -U flash:w:/tmp/flash.bin:r`, 120_000)
    assert(equal(twin.memory('flash').slice(0, flash), bytes(flash)), 'the flash is not what was written')
    report({ transfers: twin.port.count })
  },
})

export default [
  record('usbasp:attiny13', 'avrdude-attiny13', '-c usbasp -p t13', 1024),
  record('stk500:uno', 'avrdude-uno', '-c arduino -P /dev/ttyACM0 -b 115200 -p m328p -D', 1024),
  record(
    'stk500:arduino-isp-atmega8',
    'avrdude-arduino-isp',
    '-c stk500v1 -P /dev/ttyACM0 -b 19200 -p m8',
    512,
    whileHeldOpen('/dev/ttyACM0'),
  ),
]
