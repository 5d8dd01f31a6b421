/** What a microcontroller is by the sizes of its sectors: all that a DfuSe device says of its chip; and how long they take. */
import type { Range } from '#core/programmer.ts'

/** For estimates: a kibibyte erased and written through a boot loader, from data sheets of STM32F1 to F4. */
export const kibibyteMs = 40
/** An erase of all; longest on the largest chips. */
export const unprotectionMs = 20_000

/** `Patient.kind` of what is known only by the USB ids of its boot loader and its sectors. */
export const dfuseKind = (core: 'cortex-m' | 'risc-v', usbIds: string, sectors: readonly Range[]): string =>
  `${core}:dfu:${usbIds}:${sizesText(sectors)}`

/** `4×16 + 1×64 + 7×128 KiB`, or bytes where they are smaller. */
export function sizesText(sectors: readonly Range[]): string {
  const groups: { count: number; length: number }[] = []
  for (const { length } of sectors) {
    const last = groups.at(-1)
    if (last?.length === length) last.count++
    else groups.push({ count: 1, length })
  }
  const isSmall = groups.some(({ length }) => length % 1024 !== 0)
  const text = groups.map(
    ({ count, length }) => `${String(count)}×${String(isSmall ? length : length / 1024)}`,
  )
  return `${text.join(' + ')} ${isSmall ? 'B' : 'KiB'}`
}
