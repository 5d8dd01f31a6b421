/** Practice images for STM32 on a serial line: a vector table and filler that says what it is. */
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { flashStart } from '#chips/stm32-parts.ts'
import type { PracticeFirmware } from '#bench/twin.ts'

const image = (chip: string, id: string, length: number): PracticeFirmware => ({
  id: `practice-2-${id}-uart`,
  ...{ name: 'Program 2', chip, version: '2' },
  build: () => [{ address: flashStart, bytes: practiceProgram(flashStart, length, 2) }],
})

export default [
  image('STM32F03x (16 KiB)', 'stm32f030', 6000),
  image('STM32F10x medium-density (64 KiB)', 'stm32f103', 24_000),
  image('STM32F410 (128 KiB)', 'stm32f410', 24_000),
] satisfies readonly PracticeFirmware[]
