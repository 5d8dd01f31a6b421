/** What is called damaged, as far as it still says so itself. */
import type { Damaged } from '#store/damage.ts'
import { moment } from './format.ts'
import { m } from './generated/messages.js'

/** `Mill 7, 31 Jan 2026, 14:02`; without a name of its own by its id. */
export function damagedName({ id, name, at = '' }: Damaged): string {
  const time = Number.isNaN(Date.parse(at)) ? undefined : moment(at)
  return [name ?? m.damaged_nameless({ id: id.slice(0, 8) }), time].filter(Boolean).join(', ')
}

export const damagedText = (one: Damaged): string =>
  one.store === 'certificates'
    ? m.damaged_certificate({ name: damagedName(one) })
    : one.store === 'backups'
      ? m.damaged_backup({ name: damagedName(one) })
      : m.interrupted_damaged_name({ name: damagedName(one) })
