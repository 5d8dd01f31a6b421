/**
 * What a job costs on the wire: transfers, bytes and time, by step. The real drivers and jobs against the
 * twins, on a virtual clock, so the figures are exact and the same on every machine. They measure the plan of
 * the protocol; the browser's own cost of a transfer is not in them.
 */
import 'fake-indexeddb/auto'
import { PracticeBench, type Plugged } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import { Progress } from '#core/progress.ts'
import type { Patient, Programmer } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { readContents } from '#jobs/backup.ts'
import { flash } from '#jobs/flash.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { layoutOf, planFlash } from '#jobs/plan.ts'
import { Backups } from '#store/backups.ts'
import { openDatabase } from '#store/db.ts'
import { Devices } from '#transport/devices.ts'
import { noise, type Bench, type Row } from './measure.ts'

const jobs = [
  'usbasp:atmega328p',
  'usbasp:atmega8',
  'usbasp:pair',
  'stk500:uno',
  'stk500:nano-old',
  'stk500:arduino-isp-atmega328p',
]

/** As large as a USBasp's firmware. */
const imageBytes = 4700

const nothing = { transfers: 0, bytesIn: 0, bytesOut: 0, ms: 0, waits: 0, waitedMs: 0 }
type Cost = typeof nothing

/** `sum + factor * cost`, name by name. */
function add(sum: Cost, cost: Cost, factor = 1): Cost {
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
      // Time limits end early and are no waits.
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

async function wholeJob(id: string): Promise<Row[]> {
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
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error(`${id} is not recognised`)
  await using programmer = await openProgrammer(attached, candidate, context('identify'))
  const way = programmer.ways[0]
  if (!way) throw new Error(`${id} leads nowhere`)
  const identified = await way.connect(context('identify'))
  ledger.book('identify')
  const { receipt, plan } = await backUpAndPlan(programmer, identified, context('back up'))
  ledger.book('back up')
  await identified[Symbol.asyncDispose]()
  await flash(
    { connect: (ctx) => way.connect(ctx), plan, safety: receipt, beforeFirstChange: () => Promise.resolve() },
    context(),
  )
  ledger.book('leave')
  return rowsOf(id, ledger.steps)
}

async function backUpAndPlan({ facts }: Programmer, patient: Patient, ctx: Context) {
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
  const plan = planFlash({
    layout: layoutOf(patient),
    wanted: new Map([['flash', [{ address: 0, bytes: noise(imageBytes) }]]]),
    present: new Map(memories.map(({ id, bytes }) => [id, bytes])),
    rule: { outside: 'keep', reserved: 'refuse' },
  })
  return { receipt, plan }
}

function rowsOf(job: string, steps: ReadonlyMap<string, Cost>): Row[] {
  const all = [...steps].filter(([, { transfers, ms }]) => transfers > 0 || ms > 0)
  const total = all.reduce((sum, [, cost]) => add(sum, cost), nothing)
  return [...all, ['total', total] as const].map(([step, cost]) => ({
    job,
    step,
    transfers: cost.transfers,
    'bytes in': cost.bytesIn,
    'bytes out': cost.bytesOut,
    ms: Math.round(cost.ms),
    waits: cost.waits,
    'waited ms': Math.round(cost.waitedMs),
  }))
}

export default {
  name: 'protocols',
  about: `A whole job with an image of ${imageBytes} bytes; backup twice, full verify. A serial line's transfers are its writes.`,
  run: async () => {
    const rows: Row[] = []
    for (const id of jobs) rows.push(...(await wholeJob(id)))
    return rows
  },
} satisfies Bench
