/**
 * Arduino boards whose boot loader is gone: brought back over the six-pin header beside the chip. Chips: `boards.txt`
 * of ArduinoCore-avr, and those of clones.
 */
import type { Rescues } from '#core/programmer.ts'

export default [
  {
    sheet: 'arduino',
    name: 'Arduino',
    by: 'isp',
    chips: ['8', '168', '168P', '328', '328P', '328PB'].map((name) => `ATmega${name}`),
    homes: [
      'https://github.com/arduino/ArduinoCore-avr/tree/master/bootloaders',
      'https://github.com/Optiboot/optiboot/releases',
    ],
  },
] satisfies Rescues
