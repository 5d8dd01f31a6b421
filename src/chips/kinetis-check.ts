/**
 * The flash configuration field of a Kinetis, as a write would leave it: whether the chip is closed by it at its next reset,
 * and whether anything opens it again. Pure. Source: NXP, KL26 Sub-Family Reference Manual, "Flash Configuration Field
 * Description" and "Flash Security Register" (FSEC).
 */
import { hex, hexBytes } from '#core/bytes.ts'
import type { Check, Contents } from '#core/programmer.ts'

export const fieldAt = 0x400
export const fieldBytes = 16
/** FSEC in it. */
export const securityAt = 0x40c

/** SEC: only 10 is open. */
export const isSecured = (security: number): boolean => (security & 3) !== 2
/** With MEEN of 10 no mass erase opens it, either. */
export const isForGood = (security: number): boolean => isSecured(security) && (security & 0x30) === 0x20

/** Of a flash that is written: `why` open, secured, blank (it is not in the image, and erased), or for-good. */
export function checkSecurity(wanted: Contents, present: Contents): readonly Check[] {
  if (!wanted.has('flash')) return []
  const after = byteAt(wanted, securityAt) ?? byteAt(present, securityAt)
  const before = Array.from({ length: fieldBytes }, (_, i) => byteAt(present, fieldAt + i))
  const isKnown = before.every((byte) => byte !== undefined)
  const values = {
    after: hex(after ?? 0xff, 2),
    before: isKnown ? hexBytes(Uint8Array.from(before), ' ') : '?',
  }
  const say = (result: Check['result'], why: string): readonly Check[] => [
    { code: 'flash-security', result, values: { why, ...values } },
  ]
  if (after === undefined) return say('warning', 'blank')
  if (isForGood(after)) return say('refused', 'for-good')
  return isSecured(after) ? say('warning', after === 0xff ? 'blank' : 'secured') : say('passed', 'open')
}

function byteAt(contents: Contents, at: number): number | undefined {
  const segment = contents
    .get('flash')
    ?.find(({ address, bytes }) => at >= address && at < address + bytes.length)
  return segment?.bytes[at - segment.address]
}
