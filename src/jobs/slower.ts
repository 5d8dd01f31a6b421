/** Whether a slower clock may mend what went wrong. */
import type { JobView } from './view.ts'

/** What programmers choose by themselves is this or more: USBasp 1.04 takes 375 kHz, 1.07 and later begin at 1.5 MHz. */
const automaticHz = 375_000

/** The next slower speed of the same way; undefined: it does not look like too fast a clock, or there is none. */
export function slowerHz({ error, programmer, patient, halfWritten }: JobView): number | undefined {
  const isUnsteady =
    error?.is('backup-mismatch') ||
    (halfWritten && error?.is('target-changed')) || // read once only, so that a misread looks like another unit
    (error?.is('verify-mismatch') && [undefined, 'bad-contact', 'not-written'].includes(error.detail.likely))
  const speeds = programmer?.ways[programmer.way]?.speedsHz
  const nowHz = programmer?.speedHz ?? patient?.speedHz ?? automaticHz
  return isUnsteady ? speeds?.find((hz) => hz < nowHz) : undefined
}
