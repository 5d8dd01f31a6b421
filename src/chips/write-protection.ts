/** Whether a write touches what is protected from it until a setting of the chip is changed. Pure. */
import { hex } from '#core/bytes.ts'
import type { Check, Contents, Range } from '#core/programmer.ts'

/** Nothing where what is wanted there is there already. */
export function checkWriteProtection(
  isProtected: readonly Range[],
  wanted: Contents,
  present: Contents,
): readonly Check[] {
  const hit = isProtected.find((range) => differsWithin(range, wanted, present))
  if (!hit) return []
  const values = { from: hex(hit.address, 8), to: hex(hit.address + hit.length - 1, 8) }
  return [{ code: 'write-protection', result: 'refused', values }]
}

/** Whether what is wanted in these sectors is not there yet. */
function differsWithin({ address, length }: Range, wanted: Contents, present: Contents): boolean {
  const byteAt = (contents: Contents, at: number): number | undefined => {
    const segment = contents
      .get('flash')
      ?.find((one) => at >= one.address && at < one.address + one.bytes.length)
    return segment?.bytes[at - segment.address]
  }
  return (wanted.get('flash') ?? []).some((segment) => {
    const from = Math.max(address, segment.address)
    const to = Math.min(address + length, segment.address + segment.bytes.length)
    for (let at = from; at < to; at++)
      if (byteAt(present, at) !== segment.bytes[at - segment.address]) return true
    return false
  })
}
