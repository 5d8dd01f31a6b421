/** Which device is the one that was told to start anew, among those that are plugged in. Pure. */
import type { LinkFilter, Seen } from '#core/programmer.ts'
import type { Attached } from '#transport/devices.ts'
import type { JobView } from './view.ts'

interface Present {
  readonly attached: Attached
}

/**
 * One that was not there before, unless it stays, and is what it should be; of several the one with its serial number. A boot loader may
 * have another number than its application; what comes back as what it was has the same.
 * Undefined: none, or several that nobody can tell apart; then the user chooses.
 * @param before keys of what was plugged in when it was told
 */
export function awaitedAmong<P extends Present>(
  present: readonly P[],
  { restart, seen: [last] }: Pick<JobView, 'restart' | 'seen'>,
  before: readonly string[],
): P | undefined {
  if (!restart?.isUnderWay) return undefined
  const possible = present.filter(
    ({ attached: { key, seen } }) =>
      (restart.stays || !before.includes(key)) && isOneOf(restart.as, seen) && !isOtherOfItsKind(seen, last),
  )
  const serial = serialOf(last)
  const same =
    serial === undefined ? [] : possible.filter(({ attached }) => serialOf(attached.seen) === serial)
  const [found, ...others] = same.length > 0 ? same : possible
  return others.length > 0 ? undefined : found
}

function isOtherOfItsKind(seen: Seen, last: Seen | undefined): boolean {
  const [serial, before] = [serialOf(seen), serialOf(last)]
  const isOfItsKind = seen.vendorId === last?.vendorId && seen.productId === last?.productId
  return isOfItsKind && serial !== undefined && before !== undefined && serial !== before
}

/** What tells two of a kind apart; undefined: nothing does. */
export const serialOf = (seen: Seen | undefined): string | undefined =>
  seen?.link === 'usb' ? seen.serial : undefined

/** As a browser's chooser would offer it. */
export const isOneOf = (filters: readonly LinkFilter[], seen: Seen): boolean =>
  filters.some((filter) =>
    'vendorId' in filter
      ? filter.vendorId === seen.vendorId && [undefined, seen.productId].includes(filter.productId)
      : 'usagePage' in filter
        ? seen.link === 'hid' &&
          seen.collections.some(
            ({ usagePage, usage }) => usagePage === filter.usagePage && usage === filter.usage,
          )
        : seen.link === 'usb' &&
          seen.interfaces.some(
            ({ classCode, subclass }) => classCode === filter.classCode && subclass === filter.subclassCode,
          ),
  )
