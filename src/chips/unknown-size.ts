/** Whether an image fits a flash that does not say how large it is. Pure. */
import { hex } from '#core/bytes.ts'
import type { Check, Range } from '#core/programmer.ts'

export interface UnknownSize {
  /** Bytes that the smallest chip of its kind has. */
  readonly least: number
  readonly why: 'size-protected' | 'size-blank' | 'size-claimed'
}

/** `flash`: as the largest of its kind has it, and the image fits that. `end`: behind the image's last byte. */
export function checkUnknownSize(flash: Range, end: number, { least, why }: UnknownSize): Check {
  const needed = end - flash.address
  const isSure = needed <= least
  const values = { memory: 'flash', last: hex(Math.max(0, end - 1), 8), needed: String(needed) }
  return {
    code: 'size-fits',
    result: isSure ? 'passed' : 'warning',
    values: {
      ...{ ...values, why: isSure ? 'size-smallest' : why },
      ...{ least: String(least), available: String(flash.length) },
    },
  }
}
