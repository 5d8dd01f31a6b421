/** The wire's cost of a whole job by our own driver on a twin, by step, on a virtual clock. */
import 'fake-indexeddb/auto'
import { PracticeBench, type Plugged } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import { Progress } from '#core/progress.ts'
import type { Patient, Programmer } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { readContents } from '#jobs/backup.ts'
import { flash } from '#jobs/flash.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { layoutOf, planFlash } from '#jobs/plan.ts'
import { Backups } from '#store/backups.ts'
import { openDatabase } from '#store/db.ts'
import { Devices } from '#transport/devices.ts'

export const nothing = { transfers: 0, bytesIn: 0, bytesOut: 0, ms: 0, waits: 0, waitedMs: 0 }
export type Cost = typeof nothing

/** `sum + factor * cost`, name by name. */
export function add(sum: Cost, cost: Cost, factor = 1): Cost {
  const entries = Object.entries(sum) as [keyof Cost, number][]
  return Object.fromEntries(entries.map(([name, value]) => [name, value + factor * cost[name]])) as Cost
}

/** Reads the counters, and books what was added to the step that says it did it. */
class Ledger {
  readonly steps = new Map<string, Cost>()
  readonly clock: Clock
  readonly #plugged: Plugged
  readonly #virtual: Clock
  #before: Cost
  #waits = 0
  #waitedMs = 0

  constructor(plugged: Plugged, virtual: Clock) {
    this.#plugged = plugged
    this.#virtual = virtual
    this.#before = this.#read()
    this.clock = {
      now: () => virtual.now(),
      after: () => () => undefined, // what keeps a boot loader awake while nobody asks is no part of the job
      sleep: async (ms, signal) => {
        await virtual.sleep(ms, signal)
        this.#waits++
        this.#waitedMs += ms
      },
    }
  }

  book(step: string): void {
    const now = this.#read()
    this.steps.set(step, add(this.steps.get(step) ?? nothing, add(now, this.#before, -1)))
    this.#before = now
  }

  #read(): Cost {
    const { transfers } = this.#plugged
    const count = 'writes' in transfers ? transfers.writes : transfers.count
    return {
      ...{ transfers: count, bytesIn: transfers.bytesIn, bytesOut: transfers.bytesOut },
      ...{ ms: this.#virtual.now(), waits: this.#waits, waitedMs: this.#waitedMs },
    }
  }
}

/** Identify, back up twice, write this at the start of the flash, verify. Step → cost. */
export async function wholeJob(id: string, image: Uint8Array): Promise<ReadonlyMap<string, Cost>> {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id)
  const ledger = new Ledger(plugged, clock)
  const context = (step?: string) =>
    new Context({
      clock: ledger.clock,
      progress: Progress.root(({ path }) => {
        ledger.book(step ?? path[0] ?? id)
      }),
    })

  const [attached] = await new Devices(bench, clock).list()
  const candidate = attached && candidateFor(attached.seen, id.split(':')[0])
  if (!attached || !candidate) throw new Error(`${id} is not recognised`)
  await using programmer = await openProgrammer(attached, candidate, context('identify'))
  const way = programmer.ways[0]
  if (!way) throw new Error(`${id} leads nowhere`)
  const identified = await way.connect(context('identify'))
  ledger.book('identify')
  const { receipt, plan } = await backUpAndPlan(programmer, identified, image, context('back up'))
  ledger.book('back up')
  await identified[Symbol.asyncDispose]()
  await flash(
    { connect: (ctx) => way.connect(ctx), plan, safety: receipt, beforeFirstChange: () => Promise.resolve() },
    context(),
  )
  ledger.book('leave')
  return ledger.steps
}

async function backUpAndPlan({ facts }: Programmer, patient: Patient, image: Uint8Array, ctx: Context) {
  const { memories, unreadable } = await readContents(patient, ctx)
  const { receipt } = await new Backups(await openDatabase(crypto.randomUUID())).add({
    origin: {
      programmer: { model: 'bench', facts },
      way: { to: 'target', by: 'bench' },
      patient: { kind: patient.kind, chip: patient.chip, facts: patient.facts, serial: undefined },
    },
    firmware: undefined,
    memories,
    unreadable,
  })
  const address = patient.memories.find(({ id }) => id === 'flash')?.address ?? 0
  const plan = planFlash({
    layout: layoutOf(patient),
    wanted: new Map([['flash', [{ address, bytes: image }]]]),
    present: new Map(memories.map(({ id, bytes }) => [id, bytes])),
    rule: { outside: 'keep', reserved: 'refuse' },
  })
  return { receipt, plan }
}
