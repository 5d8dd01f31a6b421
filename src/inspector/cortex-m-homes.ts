/**
 * Where chips with a Cortex-M have their flash and SRAM: from where a program is linked and where its stack ends
 * follows for whom it can be. Several makers share an address, so this never says more than a family. Sources:
 * the memory maps of the makers' reference manuals.
 */

interface Home {
  readonly chips: string
  readonly flash: readonly [from: number, to: number]
  readonly stack?: readonly [from: number, to: number]
}

const homes: readonly Home[] = [
  { chips: 'STM32, GD32, APM32, CH32F, AT32', flash: [0x0800_0000, 0x0820_0000] },
  { chips: 'RP2040', flash: [0x1000_0000, 0x1100_0000], stack: [0x2000_0000, 0x2004_2000] },
  { chips: 'RP2350', flash: [0x1000_0000, 0x1200_0000], stack: [0x2004_2001, 0x2008_2000] },
  { chips: 'SAM3X, SAM3U', flash: [0x0008_0000, 0x0018_0000], stack: [0x2000_0000, 0x2010_0000] },
  { chips: 'SAM3S, SAM4, SAM E70', flash: [0x0040_0000, 0x0060_0000] },
  { chips: 'LPC43xx, LPC18xx', flash: [0x1a00_0000, 0x1b08_0000] },
  { chips: 'LPC43xx, LPC18xx (SPIFI, RAM)', flash: [0x1400_0000, 0x1800_0000] },
  { chips: 'i.MX RT', flash: [0x6000_0000, 0x7000_0000] },
  { chips: 'STM32 (external flash)', flash: [0x9000_0000, 0xa000_0000] },
  { chips: 'LPC', flash: [0x0000_0000, 0x0010_0000], stack: [0x1000_0000, 0x1020_0000] },
  { chips: 'Kinetis', flash: [0x0000_0000, 0x0020_0000], stack: [0x1fff_0000, 0x1fff_ffff] },
  {
    chips: 'nRF5, SAM D, Kinetis, EFM32, LPC, NuMicro, RA',
    flash: [0x0000_0000, 0x0020_0000],
    stack: [0x2000_0000, 0x2020_0000],
  },
]

/** Chips that have flash at `base` and SRAM up to `stack`. */
export const homeOf = (base: number, stack: number): string | undefined =>
  homes.find(
    (home) =>
      base >= home.flash[0] &&
      base < home.flash[1] &&
      (!home.stack || (stack >= home.stack[0] && stack <= home.stack[1])),
  )?.chips
