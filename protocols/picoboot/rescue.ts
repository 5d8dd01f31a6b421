/** Boards with an RP2040 whose button or USB socket is broken: brought back over their SWD pads. Source: RP2040 data sheet, 2.3.4. */
import type { Rescues } from '#core/programmer.ts'

export default [
  {
    sheet: 'pico',
    name: 'Pico, Debug Probe',
    by: 'swd',
    chips: ['RP2040'],
    homes: ['https://github.com/raspberrypi/debugprobe/releases'],
  },
] satisfies Rescues
