/** Short jobs of avrdude whose every word is kept, see `recording.ts`. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { sameImage, whileHeldOpen, writing, type LabCase } from './lab-case.ts'

interface Job {
  readonly id: string
  /** Of the recording. */
  readonly name: string
  readonly avrdude: string
  /** Bytes of the image, which is the same in every run: a new recording differs only where something has changed. */
  readonly flash: number
  readonly before?: string
}

export const jobs: readonly Job[] = [
  { id: 'usbasp:attiny13', name: 'avrdude-attiny13', avrdude: '-c usbasp -p t13', flash: 1024 },
  {
    id: 'stk500:uno',
    name: 'avrdude-uno',
    avrdude: '-c arduino -P /dev/ttyACM0 -b 115200 -p m328p -D',
    flash: 1024,
  },
  {
    id: 'stk500:arduino-isp-atmega8',
    name: 'avrdude-arduino-isp',
    avrdude: '-c stk500v1 -P /dev/ttyACM0 -b 19200 -p m8',
    flash: 512,
    before: whileHeldOpen('/dev/ttyACM0'),
  },
]

const record = ({ id, name, avrdude, flash, before = '' }: Job): LabCase => ({
  name: `avrdude, ${id}: for the recording ${name}`,
  twins: [{ id }],
  recordAs: { program: 'avrdude 7.1', name },
  async run({ guest, twins: [twin], measure }) {
    assert(twin)
    const image = sameImage(twin.memory('flash'), flash)
    await guest.put('/tmp/flash.bin', image)
    await measure(writing(image), () =>
      guest.do(`${before}\navrdude -q -q ${avrdude} -U flash:w:/tmp/flash.bin:r`, 120_000),
    )
    assert(equal(twin.memory('flash').slice(0, flash), image), 'the flash is not what was written')
  },
})

export default jobs.map(record)
