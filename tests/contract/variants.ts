/**
 * Which twins are tried how hard. Whole jobs run on all of them. Of each kind (one protocol with the same
 * dials) the one with the smallest patient is disturbed at every part of a job; the others once in each way.
 */
import { PracticeBench, shelf } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'

export interface Variant {
  readonly id: string
  readonly name: string
  readonly dials: Dials
  /** What can be set on it. */
  readonly has: readonly (keyof Dials)[]
  /** 0: there is no patient, because the thing only looks like a programmer. */
  readonly flashBytes: number
}

/** Where the chip can be chosen: the smallest one that is still like the others. */
const smallestChip: Dials = { chip: 'ATtiny13' }

async function look(id: string, name: string, dials: Dials = {}): Promise<Variant> {
  const plugged = await new PracticeBench({ clock: new VirtualClock() }).plug(id, dials)
  return { id, name, dials, has: plugged.entry.dials, flashBytes: plugged.memory('flash').length }
}

const entries = await shelf()
const all = await Promise.all(entries.map(({ id, name }) => look(id, name)))

export const patients: readonly Variant[] = all.filter(({ flashBytes }) => flashBytes > 0)
export const impostors: readonly Variant[] = all.filter(({ flashBytes }) => flashBytes === 0)

/** One of each kind, in its smallest size. */
export const smallest: readonly Variant[] = await pickSmallest()

async function pickSmallest(): Promise<Variant[]> {
  const best = new Map<string, Variant>()
  for (const { id, name, protocol, dials } of entries) {
    const variant = await look(id, name, dials.includes('chip') ? smallestChip : {})
    if (variant.flashBytes === 0) continue
    const kind = `${protocol}: ${[...dials].sort().join(' ')}`
    const known = best.get(kind)
    if (!known || variant.flashBytes < known.flashBytes) best.set(kind, variant)
  }
  return [...best.values()]
}
