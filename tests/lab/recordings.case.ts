/** Short jobs of reference tools whose every word is kept, see `recording.ts`. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { sameImage, whileHeldOpen, writing, type LabCase } from './lab-case.ts'

interface Job {
  readonly id: string
  /** Of the recording. */
  readonly name: string
  readonly program: string
  /** Writes /tmp/flash.bin, and looks whether it is there. */
  readonly command: string
  /** Above 1 where it asks in a row whether the flash is ready: it always is then, and each run says the same. */
  readonly clockSpeed?: number
  /** Bytes of the image, which is the same in every run: a new recording differs only where something has changed. */
  readonly flash: number
}

const avrdude = (options: string) => ({
  program: 'avrdude 7.1',
  command: `avrdude -q -q ${options} -U flash:w:/tmp/flash.bin:r`,
})
/** It reads into no file that is there already. */
const dfuUtil = (bytes: number) => ({
  program: 'dfu-util 0.11',
  command: `rm -f /tmp/read.bin
    dfu-util -a 0 -s 0x08000000 -D /tmp/flash.bin &&
    dfu-util -a 0 -s 0x08000000:${String(bytes)} -U /tmp/read.bin && cmp /tmp/flash.bin /tmp/read.bin`,
})
/** It reads back what it has written. */
const dfuProgrammer = (chip: string) => ({
  program: 'dfu-programmer 0.6.1',
  command: `objcopy -I binary -O ihex /tmp/flash.bin /tmp/flash.hex &&
    dfu-programmer ${chip} erase && dfu-programmer ${chip} flash /tmp/flash.hex`,
})
/** Reads back what it has written, block by block. */
const stm32flash = {
  program: 'stm32flash 0.7',
  command: 'stm32flash -b 115200 -w /tmp/flash.bin -v /dev/ttyUSB0',
}
/** Reads back what it has written. */
const stFlash = {
  program: 'st-flash 1.7.0',
  command: 'st-flash write /tmp/flash.bin 0x08000000',
}
const arduinoIsp = avrdude('-c stk500v1 -P /dev/ttyACM0 -b 19200 -p m8')

export const jobs: readonly Job[] = [
  { id: 'usbasp:attiny13', name: 'avrdude-attiny13', flash: 1024, ...avrdude('-c usbasp -p t13') },
  {
    ...{ id: 'stk500:uno', name: 'avrdude-uno', flash: 1024 },
    ...avrdude('-c arduino -P /dev/ttyACM0 -b 115200 -p m328p -D'),
  },
  {
    ...{ id: 'avr109:pro-micro-empty', name: 'avrdude-pro-micro', flash: 4096 },
    ...avrdude('-c avr109 -P /dev/ttyACM0 -p m32u4'),
  },
  {
    ...{ id: 'stk500:arduino-isp-atmega8', name: 'avrdude-arduino-isp', flash: 512 },
    ...{ ...arduinoIsp, command: `${whileHeldOpen('/dev/ttyACM0')}\n${arduinoIsp.command}` },
  },
  { id: 'dfu:stm32f072', name: 'dfu-util-stm32f072', flash: 8192, ...dfuUtil(8192) },
  // its ROM tells the longest times of the data sheet
  { id: 'dfu:stm32f405', name: 'dfu-util-stm32f405', flash: 16_384, ...dfuUtil(16_384) },
  {
    ...{ id: 'dfu:atmega16u2', name: 'dfu-programmer-atmega16u2', flash: 8192 },
    ...dfuProgrammer('atmega16u2'),
  },
  { id: 'stm32-uart:stm32f030', name: 'stm32flash-stm32f030', flash: 16_384, ...stm32flash },
  { id: 'stlink:v2', name: 'st-flash-stm32f103', flash: 16_384, clockSpeed: 4, ...stFlash },
]

const record = ({ id, name, program, command, flash, clockSpeed }: Job): LabCase => ({
  name: `${program.split(' ')[0] ?? ''}, ${id}: for the recording ${name}`,
  twins: [{ id }],
  recordAs: { program, name },
  ...(clockSpeed !== undefined && { clockSpeed }),
  async run({ guest, twins: [twin], measure }) {
    assert(twin)
    const image = sameImage(twin.memory('flash'), flash)
    await guest.put('/tmp/flash.bin', image)
    await measure(writing(image), () => guest.do(command, 120_000))
    assert(equal(twin.memory('flash').slice(0, flash), image), 'the flash is not what was written')
  },
})

export default jobs.map(record)
