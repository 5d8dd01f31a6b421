/**
 * Which twins are tried how hard. Whole jobs run on all of them. Of each kind the one with the smallest patient is
 * disturbed at every part of a job; the others once in each way. A kind is a protocol on one link with the same dials, the
 * same way to the patient, the same loader there, and a patient that runs by itself or not.
 */
import { PracticeBench, shelf } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import type { FactName, Way } from '#core/programmer.ts'
import { Devices } from '#transport/devices.ts'
import { openFirst } from './rig.ts'

export interface Variant {
  readonly id: string
  readonly name: string
  readonly dials: Dials
  /** The way that is gone, where it is not its first one. */
  readonly by?: Way['by']
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
/** Probes that reach the same chip by other wires, too: one of each protocol. */
export const otherWires: readonly Variant[] = ['cmsis-dap:jtag', 'jlink:v9-stm32f103', 'stlink:v2'].flatMap(
  (id) =>
    patients.flatMap((one) => (one.id === id ? [{ ...one, name: `by JTAG: ${one.name}`, by: 'jtag' }] : [])),
)
export const impostors: readonly Variant[] = all.filter(({ flashBytes }) => flashBytes === 0)

/** One of each kind, in its smallest size. */
export async function smallestOfEachKind(): Promise<readonly Variant[]> {
  const best = new Map<string, Variant>()
  for (const { id, name, has } of patients) {
    const variant = await look(id, name, has.includes('chip') ? smallestChip : {})
    const kind = await kindOf(variant)
    const known = best.get(kind)
    if (!known || variant.flashBytes < known.flashBytes) best.set(kind, variant)
  }
  return [...best.values()]
}

async function kindOf({ id, has, dials }: Variant): Promise<string> {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id, dials)
  const devices = new Devices(bench, clock)
  await using programmer = await openFirst({ devices, plugged }, new Context({ clock }))
  const [way] = programmer.ways
  const factOf = (name: FactName) => programmer.facts.find((fact) => fact.name === name)?.value
  const loader = way?.to === 'itself' ? [factOf('bootloader'), factOf('protocol')] : undefined
  return JSON.stringify([
    plugged.entry.protocol,
    plugged.link,
    has.filter((dial) => !/version|locked/i.test(dial)).sort(), // what it says or hides makes no other kind
    [way?.to, way?.by, loader],
    plugged.runsByItself,
  ])
}
