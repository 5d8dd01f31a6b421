/**
 * One job from end to end, as the application does it, on a twin from the shelf: identify → open → read
 * twice → store → plan → write → read back. The store, the jobs, the drivers and the transport are the real
 * ones; only the device is not.
 */
import { PracticeBench, type Plugged } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Contents, MemoryId, Patient, Programmer, Way } from '#core/programmer.ts'
import { Progress, type ProgressEvent } from '#core/progress.ts'
import { acknowledge, atRisk, readContents, type ReadContents } from '#jobs/backup.ts'
import { flash } from '#jobs/flash.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { layoutOf, planFlash, type Memories, type Plan } from '#jobs/plan.ts'
import { verifyRead } from '#jobs/verify.ts'
import { Backups, type Receipt } from '#store/backups.ts'
import type { Database } from '#store/db.ts'
import { Devices, type Attached } from '#transport/devices.ts'

export interface Rig {
  readonly clock: VirtualClock
  readonly bench: PracticeBench
  readonly devices: Devices
  readonly plugged: Plugged
  readonly backups: Backups
  /** Which way is gone; undefined: the first. */
  readonly by: Way['by'] | undefined
}

export async function setUp(id: string, db: Database, dials?: Dials, by?: Way['by']): Promise<Rig> {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const devices = new Devices(bench, clock)
  return { clock, bench, devices, plugged: await bench.plug(id, dials), backups: new Backups(db), by }
}

export const wayOf = ({ by }: Pick<Rig, 'by'>, { ways }: Programmer): Way | undefined =>
  by === undefined ? ways[0] : ways.find((way) => way.by === by)

/** The one that is plugged in, or will be in a moment; `but`: with another key. */
async function theOne(
  { devices }: Pick<Rig, 'devices'>,
  { clock }: Context,
  but?: string,
): Promise<Attached> {
  for (let tries = 0; tries < 50; tries++) {
    const [attached] = await devices.list()
    if (attached && attached.key !== but) return attached
    await clock.sleep(100)
  }
  throw new FlashError('device-gone', { during: 'looking for it' })
}

/** Identifies what is plugged in and opens it; with its boot loader, where that is the only way. */
export async function openFirst(
  rig: Pick<Rig, 'devices' | 'plugged'>,
  ctx: Context,
  but?: string,
): Promise<Programmer> {
  const attached = await theOne(rig, ctx, but)
  const candidate = candidateFor(attached.seen, rig.plugged.entry.protocol)
  if (!candidate) throw new Error('nothing that anybody recognises is plugged in')
  const programmer = await openProgrammer(attached, candidate, ctx)
  if (programmer.ways.length > 0 || !programmer.restart) return programmer
  try {
    await programmer.restart.run(ctx)
  } finally {
    await programmer[Symbol.asyncDispose]()
  }
  return openFirst(rig, ctx, attached.key)
}

/** A stored backup: what a job that failed leaves to the next one. */
export interface Saved {
  readonly receipt: Receipt
  readonly contents: Memories
}

export interface JobOptions {
  readonly signal?: AbortSignal
  readonly listen?: (event: ProgressEvent) => void
  /** From a job before: what must survive. */
  readonly saved?: Saved | undefined
  readonly onSaved?: (saved: Saved) => void
}

/** Runs the whole job; a programmer that was opened is closed again whatever happens. */
export async function wholeJob(rig: Rig, options: JobOptions = {}): Promise<Plan> {
  const { signal, listen = () => undefined } = options
  const root = Progress.root(listen)
  const steps = root.steps({ open: 1, read: 10, write: 20 })
  const ctx = new Context({ clock: rig.clock, progress: root, ...(signal && { signal }) })
  const programmer = await openFirst(rig, ctx.under(steps.open))
  try {
    steps.open.finish()
    const way = wayOf(rig, programmer)
    if (!way) throw new Error('no way to anything')
    const connect = (within: Context) => way.connect(within)

    const { patient, read } = await readOnce(connect, ctx.under(steps.read))
    steps.read.finish()
    const present = contentsOf(read)
    const kept = options.saved?.contents ?? present
    const saved = { receipt: options.saved?.receipt ?? (await store(rig, patient, read)), contents: kept }
    options.onSaved?.(saved)

    const layout = layoutOf(patient)
    const rule = { outside: 'keep', reserved: 'skip' } as const
    const plan = planFlash({ layout, present, kept, wanted: firmwareFor(patient, kept), rule })
    const risks = atRisk(read.unreadable, patient)
    const end = await flash(
      {
        connect,
        plan,
        safety: risks.length > 0 ? acknowledge(risks, saved.receipt) : saved.receipt,
        beforeFirstChange: () => Promise.resolve(),
      },
      ctx.under(steps.write),
    )
    if (end === 'left') await readBack(rig, plan, ctx.under(Progress.silent()))
    root.finish()
    return plan
  } finally {
    await programmer[Symbol.asyncDispose]()
  }
}

/** What has left with all that was written is found again. */
async function readBack(rig: Rig, { expected }: Plan, ctx: Context): Promise<void> {
  await using programmer = await openFirst(rig, ctx)
  await using patient = await wayOf(rig, programmer)?.connect(ctx)
  if (!patient) throw new Error('no way to anything')
  const { memories } = await readContents(patient, ctx)
  await verifyRead(patient, expected, contentsOf({ memories }), ctx, () => undefined)
}

async function readOnce(
  connect: (ctx: Context) => Promise<Patient>,
  ctx: Context,
): Promise<{ patient: Patient; read: ReadContents }> {
  const patient = await connect(ctx)
  try {
    return { patient, read: await readContents(patient, ctx) }
  } finally {
    await patient[Symbol.asyncDispose]()
  }
}

async function store(
  { backups, plugged }: Rig,
  { kind, chip, facts }: Patient,
  { memories, unreadable }: ReadContents,
): Promise<Receipt> {
  const { receipt } = await backups.add({
    origin: {
      programmer: { model: plugged.entry.name, facts: [] },
      way: { to: 'target', by: 'contract' },
      patient: { kind, chip, facts, serial: undefined },
    },
    firmware: undefined,
    memories,
    unreadable,
  })
  return receipt
}

export const contentsOf = ({ memories }: Pick<ReadContents, 'memories'>): Memories =>
  new Map(memories.map(({ id, bytes }) => [id, bytes]))

/**
 * New bytes that differ from the old ones in both directions: the beginning of the flash up to the middle of
 * a page, a page in its middle, and some EEPROM where it can be had.
 */
function firmwareFor({ memories }: Patient, kept: Memories): Contents {
  const wanted = new Map<MemoryId, { address: number; bytes: Uint8Array }[]>()
  for (const memory of memories) {
    const { id, address, length, pageBytes, reserved } = memory
    const old = memory.writeOnly ? blank(length) : kept.get(id) // which nobody can know
    if (!memory.program || !old || (id !== 'flash' && id !== 'eeprom')) continue
    const changed = (offset: number, bytes: number) => ({
      address: address + offset,
      bytes: Uint8Array.from({ length: bytes }, (_, i) => ~(old[offset + i] ?? 0) ^ (i & 0x0f)),
    })
    /** A boot loader at the beginning stays. */
    const first = reserved.find((range) => range.address === address)
      ? reserved.reduce((sum, range) => sum + range.length, 0)
      : 0
    const middle = (length >> 1) - ((length >> 1) % pageBytes)
    if (memory.writeOnly) wanted.set(id, [changed(0, Math.floor(pageBytes * 2.5))])
    else
      wanted.set(
        id,
        id === 'flash'
          ? [changed(first, Math.floor(pageBytes * 2.5)), changed(middle, pageBytes)]
          : [changed(0, 3)],
      )
  }
  return wanted
}
