/**
 * The USB chip of Arduino's Uno and Mega, whose own boot loader is gone too: brought back over the six pins beside the
 * USB socket. Chips: the readme of `firmwares/atmegaxxu2` in ArduinoCore-avr.
 */
import type { Rescues } from '#core/programmer.ts'

export default [
  {
    sheet: 'arduino-usb',
    name: 'Arduino USB',
    by: 'isp',
    chips: ['ATmega16U2', 'ATmega8U2'],
    homes: ['https://github.com/arduino/ArduinoCore-avr/tree/master/firmwares/atmegaxxu2'],
  },
] satisfies Rescues
