/**
 * What has lost its DFU boot loader, too. The USB chip of Arduino's Uno and Mega: over the six pins beside the USB socket.
 * Black Magic Probes, and ST-Links that are made one: over their SWD pads. Sources: the readme of `firmwares/atmegaxxu2` in
 * ArduinoCore-avr; `src/platforms/native` and `stlink` of blackmagic.
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
  {
    sheet: 'black-magic',
    name: 'Black Magic Probe',
    by: 'swd',
    chips: ['STM32F10x medium-density'],
    homes: ['https://github.com/blackmagic-debug/blackmagic/releases'],
  },
  {
    sheet: 'st-link',
    name: 'ST-Link as Black Magic Probe',
    by: 'swd',
    chips: ['STM32F10x medium-density'],
    homes: ['https://github.com/blackmagic-debug/blackmagic/releases'],
  },
] satisfies Rescues
