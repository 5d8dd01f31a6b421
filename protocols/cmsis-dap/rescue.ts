/**
 * DAPLink probes whose boot loader is gone too: brought back over the pads of their interface chip, of those chips that are
 * written here. Source: DAPLink, `docs/` and the `daplink_addr.h` of each interface chip.
 */
import type { Rescues } from '#core/programmer.ts'

export default [
  {
    sheet: 'daplink',
    name: 'DAPLink',
    by: 'swd',
    chips: [
      'STM32F10x medium-density',
      'nRF52820',
      'LPC11U35',
      'SAM3U2C',
      'KL26Z',
      'K20DX',
      'KL27Z',
      'K26F',
      'K22F',
    ],
    homes: ['https://github.com/ARMmbed/DAPLink/releases'],
  },
] satisfies Rescues
