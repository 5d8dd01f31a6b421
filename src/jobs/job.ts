/**
 * The main job as a state machine without a screen: connect, back up, choose, check, plan, write, prove.
 *
 * It knows programmers, the store and files through the layers below; it knows no browser object and no
 * text. The screen gets immutable snapshots (`JobView`) and calls the methods. Everything outside that it
 * needs from the computer comes in through `Surroundings`. Methods resolve when their step is over, and
 * never throw: what went wrong is in `view.error`.
 */
import type { Context, Log } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { KnownFirmware, MemoryId, Patient, Programmer, Unreadable } from '#core/programmer.ts'
import { systemClock, type Clock } from '#core/time.ts'
import type { Backup, Backups, Receipt } from '#store/backups.ts'
import type { Certificates } from '#store/certificates.ts'
import type { JournalEntry, Wanted } from '#store/journal.ts'
import type { Keys } from '#store/keys.ts'
import type { Attached } from '#transport/devices.ts'
import { acknowledge, atRisk, contentsOf, readContents, readOnce } from './backup.ts'
import { issueCertificate } from './certificate.ts'
import { checkAll } from './check.ts'
import { faultOf, ruleFor } from './choose.ts'
import { Connection, originOf, patientView, type ConnectOptions } from './connection.ts'
import { flash, release } from './flash.ts'
import { recogniseFirmware } from './identify.ts'
import { layoutOf, planFlash, planLines, type Memories, type Plan, type PlanRule } from './plan.ts'
import { proofFor, proveByReading, proveRunning, type ProofResult } from './prove.ts'
import { certificateOf, entryOf, outcomeOf } from './record.ts'
import { nothingYet, Runner, unnamed } from './runner.ts'
import type { JobView, Surroundings } from './view.ts'

export * from './view.ts'
export type { ConnectOptions } from './connection.ts'
export type { ProofResult, ProofWanted } from './prove.ts'
export type { Wanted, WantedSource } from '#store/journal.ts'

export interface JobServices {
  readonly backups: Backups
  readonly certificates: Certificates
  readonly keys: Keys
  readonly surroundings: Surroundings
  readonly onChange: (view: JobView) => void
  readonly clock?: Clock
  readonly log?: Log
  /** On the practice bench: backups and certificates then say so. */
  readonly practice?: boolean
}

const wireTrouble = ['timeout', 'stalled', 'short-transfer', 'transfer-failed', 'unexpected-answer'] as const

export class Job {
  readonly #services: JobServices
  readonly #log: Log
  readonly #runner: Runner
  #connection: Connection | undefined
  #source: Attached | Programmer | undefined
  #connectOptions: ConnectOptions = {}
  /** As it was met last; disposed, so only for its pure parts. */
  #patient: Patient | undefined
  /** What must survive: the contents of the backup. */
  #kept: Memories = new Map()
  /** What is in the patient, as read last. */
  #present: Memories = new Map()
  #bytesPerSecond: number | undefined
  #acknowledged: readonly Unreadable[] = []
  #consents: readonly string[] = []
  #isRuleChosen = false

  constructor(services: JobServices) {
    this.#services = services
    this.#log = services.log ?? (() => undefined)
    this.#runner = new Runner({
      clock: services.clock ?? systemClock,
      log: this.#log,
      onChange: services.onChange,
      presence: () => (this.#connection ? (this.#connection.isGone ? 'gone' : 'here') : 'none'),
    })
  }

  /**
   * A job from the journal: its write began and was not seen to end. It waits for its device
   * (`resumeAfterReplug`) and then goes on from what is really in the patient.
   * @throws `backup-corrupt` when the backup that is needed for that is gone
   */
  static async reopen(services: JobServices, entry: JournalEntry): Promise<Job> {
    const job = new Job(services)
    const { backups } = services
    await backups.receiptFor(entry.backupId)
    const backup = await backups.get(entry.backupId)
    job.#kept = contentsOf(backup)
    job.#acknowledged = entry.acknowledged
    job.#consents = entry.consents
    job.#isRuleChosen = true
    job.#connectOptions = { ends: entry.way }
    job.#runner.again = () => job.#resume()
    job.#runner.set({
      id: entry.id,
      step: 'write',
      done: ['connect', 'back-up', 'choose', 'check', 'plan'],
      firmware: backup?.firmware,
      backup,
      wanted: entry.wanted,
      rule: entry.rule,
      halfWritten: true,
    })
    return job
  }

  get view(): JobView {
    return this.#runner.view
  }

  // ---- the steps ---------------------------------------------------------------------------------

  /** Opens the programmer, unless it is open already, and finds out what is behind it. */
  connect(source: Attached | Programmer, options: ConnectOptions = {}): Promise<void> {
    this.#connectOptions = options
    return this.#runner.run('connect', async (ctx) => {
      this.#acknowledged = this.#consents = []
      this.#isRuleChosen = false
      // A half-written patient keeps its entry in the journal; what comes now is another job.
      const id = this.view.halfWritten ? crypto.randomUUID() : this.view.id
      this.#runner.set({ ...nothingYet, id })
      await this.#openAndReach(source, ctx)
      this.#runner.done('connect', 'back-up')
    })
  }

  /** Reads everything twice and stores it; or, with a backup made, records what was acknowledged. */
  async backUp({ acknowledged = [] }: { acknowledged?: readonly Unreadable[] } = {}): Promise<void> {
    this.#acknowledged = [...this.#acknowledged, ...acknowledged]
    const { backup } = this.view
    if (!backup) return this.#runner.run('back-up', (ctx) => this.#backUp(ctx))
    this.#runner.set({ unacknowledged: this.#unacknowledged(backup.unreadable), step: 'choose' })
  }

  /** Checks and plan follow by themselves. */
  choose(wanted: Wanted): Promise<void> {
    const { rule } = this.view
    this.#consents = []
    this.#runner.set({ wanted, rule: this.#isRuleChosen ? rule : ruleFor(this.view.firmware, wanted) })
    return this.#checkAndPlan()
  }

  /** Plans again by another rule. */
  planWith(rule: Partial<PlanRule>): Promise<void> {
    this.#isRuleChosen = true
    this.#consents = []
    this.#runner.set({ rule: { ...this.view.rule, ...rule } })
    return this.#checkAndPlan()
  }

  /** `consents`: the ids of all `plan.consequences`. */
  write(consents: readonly string[]): Promise<void> {
    this.#consents = [...this.#consents, ...consents]
    return this.#runner.run(
      'write',
      (ctx) => this.#write(ctx),
      () => this.#resume(),
    )
  }

  /** With the device that was plugged in by itself; without: by reading again. */
  prove(attached?: Attached): Promise<void> {
    return this.#runner.run('prove', async (ctx) => {
      const firmware = this.view.wanted?.firmware
      if (!attached || !firmware?.appears) return this.#certify(await this.#proveByReading(ctx))
      // A serial port or a device that proves itself has to be free for that.
      if (attached.key === this.#connection?.key) await this.#letGo()
      return this.#certify(await proveRunning(attached, firmware, ctx))
    })
  }

  /** Ends without a proof, and the certificate says so. */
  finishUnproven(): Promise<void> {
    return this.#runner.run('prove', () => {
      const expected = this.view.wanted?.source.name ?? ''
      return this.#certify({ kind: 'none', expected, found: '', facts: [] })
    })
  }

  /** Asks the running step to stop; it stops where that is safe. */
  stop(): void {
    this.#runner.stop()
  }

  /** Tries again what failed or was stopped. A write goes on from what is in the patient now. */
  async retry(): Promise<void> {
    const { error } = this.view
    const source = this.#source
    // After trouble on the wire the link may be spent; opening the device anew ends it.
    if (error?.is(...wireTrouble) && source && !('ways' in source)) await this.resumeAfterReplug(source)
    else await this.#runner.again?.()
  }

  /** The device is back: opens it again and goes on where the job was broken off. */
  async resumeAfterReplug(attached: Attached | Programmer): Promise<void> {
    const { again } = this.#runner
    if (this.view.running) return
    await this.#runner.run(this.view.step, (ctx) => this.#openAndReach(attached, ctx))
    if (this.view.error) this.#runner.again = again
    else await again?.()
  }

  /** Stops, waits for the end and lets the programmer go. */
  async close(): Promise<void> {
    this.stop()
    await this.#runner.ended
    await this.#letGo()
  }

  // ---- connecting --------------------------------------------------------------------------------

  async #openAndReach(source: Attached | Programmer, ctx: Context): Promise<void> {
    const steps = ctx.progress.steps({ open: 1, reach: 1 })
    await this.#open(source, ctx.under(steps.open))
    steps.open.finish()
    // Only met and let go again: nothing is held while the user reads.
    const patient = await this.#meet(ctx.under(steps.reach))
    this.#runner.set({
      patient: patientView(patient, this.#connection),
      unacknowledged: this.#unacknowledged(patient.unreadable),
    })
    await release(patient, ctx)
  }

  async #open(source: Attached | Programmer, ctx: Context): Promise<void> {
    await this.#letGo()
    this.#source = source
    const options = this.#connectOptions
    const connection = await Connection.open(source, options, this.#services.surroundings, ctx)
    this.#connection = connection
    this.#connectOptions = { ...options, way: undefined, ends: connection.ends }
    connection.programmer.gone.addEventListener('abort', () => {
      if (this.#connection === connection) this.#runner.set({})
    })
    this.#runner.set({ programmer: connection.view })
  }

  /** Goes the way to the patient; it must be the one that was backed up. Whoever meets it releases it. */
  readonly #meet = async (ctx: Context): Promise<Patient> => {
    if (!this.#connection) throw new FlashError('device-gone', {})
    const patient = await this.#connection.connect(ctx)
    const expected = this.view.backup?.origin.patient.kind ?? patient.kind
    if (patient.kind === expected) return (this.#patient = patient)
    await release(patient, ctx)
    throw new FlashError('target-changed', { expected, found: patient.kind })
  }

  async #letGo(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    try {
      await connection?.[Symbol.asyncDispose]()
    } catch (error) {
      this.#log(`closing the programmer failed: ${String(error)}`) // it is gone, or will be when the page is
    }
  }

  // ---- backing up --------------------------------------------------------------------------------

  async #backUp(ctx: Context): Promise<void> {
    const { reach, store, ...passes } = ctx.progress.steps({ reach: 3, read: 45, confirm: 45, store: 7 })
    this.#askForPersistence()
    const patient = await this.#meet(ctx.under(reach))
    try {
      reach.finish()
      const { memories, unreadable, bytesPerSecond } = await readContents(patient, ctx, passes)
      this.#bytesPerSecond = bytesPerSecond
      const firmware = await this.#recognise(memories.find(({ id }) => id === 'flash')?.bytes)
      const { backup } = await this.#services.backups.add({
        origin: originOf(patient, this.#connection, this.#services.practice),
        firmware,
        memories,
        unreadable,
      })
      store.finish()
      this.#kept = this.#present = contentsOf(backup)
      this.#runner.set({
        patient: patientView(patient, this.#connection),
        firmware,
        backup,
        unacknowledged: this.#unacknowledged(unreadable),
      })
      this.#runner.done('back-up', 'choose')
    } finally {
      await release(patient, ctx)
    }
  }

  /** Nothing waits for it: a browser may ask the user, who may never answer. */
  #askForPersistence(): void {
    this.#services.surroundings.persist().then(
      (isPersistent) => this.#log(`storage is ${isPersistent ? '' : 'not '}persistent`),
      (error: unknown) => this.#log(`asking for persistent storage failed: ${String(error)}`),
    )
  }

  #recognise(flash: Uint8Array | undefined): Promise<KnownFirmware | undefined> {
    const address = this.#patient?.memories.find(({ id }) => id === 'flash')?.address ?? 0
    return flash
      ? recogniseFirmware([{ address, bytes: flash }], this.#patient?.chip, this.#log)
      : Promise.resolve(undefined)
  }

  #unacknowledged(unreadable: readonly Unreadable[]): readonly Unreadable[] {
    const risks = this.#patient ? atRisk(unreadable, this.#patient) : []
    return risks.filter(({ memory }) => !this.#acknowledged.some((one) => one.memory === memory))
  }

  // ---- checking and planning ---------------------------------------------------------------------

  #checkAndPlan(): Promise<void> {
    this.#runner.set({ checks: undefined, plan: undefined, outcome: undefined, proof: undefined })
    return this.#runner.run('check', async (ctx) => {
      this.#runner.done('back-up', 'check')
      if (this.view.halfWritten) await this.#readPresent(ctx)
      const checks = await this.#check()
      this.#runner.done('choose', 'check')
      this.#runner.set({ checks })
      if (checks.some(({ result }) => result === 'refused')) return
      this.#runner.done('check', 'plan')
      this.#plan()
      this.#runner.done('plan', 'write')
    })
  }

  async #check(): Promise<NonNullable<JobView['checks']>> {
    const { wanted, backup, rule, firmware } = this.view
    const patient = this.#patient
    if (!wanted || !backup || !patient) throw new FlashError('bug', { during: 'checking without a backup' })
    const { backups, surroundings } = this.#services
    const [isProven, restored, known, battery, storageRoom] = await Promise.all([
      this.#receiptFor(backup).then(Boolean),
      wanted.source.backupId === undefined ? undefined : backups.get(wanted.source.backupId),
      faultOf(wanted),
      surroundings.battery(),
      surroundings.storageRoom(),
    ])
    return checkAll({
      ...{ patient, wanted, rule, backup, isProven, restored, known, battery, storageRoom },
      layout: layoutOf(patient),
      present: this.#present,
      kept: this.#kept,
      presentFirmware: firmware,
    })
  }

  /** The receipt, or undefined when the store does not hold any more what it should. */
  async #receiptFor(backup: Backup): Promise<Receipt | undefined> {
    try {
      return await this.#services.backups.receiptFor(backup.id, backup.sha256)
    } catch (error) {
      if (!(error instanceof FlashError) || !error.is('backup-corrupt')) throw error
      this.#log(error.message)
      return undefined
    }
  }

  #plan(): Plan {
    const { wanted, rule, checks = [] } = this.view
    const patient = this.#patient
    if (!wanted || !patient) throw new FlashError('bug', { during: 'planning without an image' })
    const plan = planFlash({
      ...{ rule, checks, wanted: wanted.contents, present: this.#present, kept: this.#kept },
      layout: layoutOf(patient),
      readBytesPerSecond: this.#bytesPerSecond,
    })
    for (const line of planLines(plan)) this.#log(line)
    this.#runner.set({ plan })
    return plan
  }

  // ---- writing -----------------------------------------------------------------------------------

  async #write(ctx: Context): Promise<void> {
    const { plan, backup, wanted } = this.view
    if (!plan || !backup || !wanted) throw new FlashError('bug', { during: 'writing without a plan' })
    const missing = plan.consequences.filter(({ id }) => !this.#consents.includes(id))
    if (missing.length > 0 || this.view.unacknowledged.length > 0)
      throw new FlashError('bug', {
        during: `writing without consent to ${missing.map(({ id }) => id).join(', ')}`,
      })
    const receipt = await this.#services.backups.receiptFor(backup.id, backup.sha256)
    const safety = this.#acknowledged.length > 0 ? acknowledge(this.#acknowledged, receipt) : receipt
    const startedAt = new Date().toISOString()
    const beforeFirstChange = async () => {
      const [acknowledged, consents] = [this.#acknowledged, this.#consents]
      await this.#services.backups.journal.open(
        entryOf(this.view, backup, wanted, { acknowledged, consents }),
      )
      this.#runner.set({ halfWritten: true })
    }
    const done = await this.#services.surroundings.guarded(() =>
      flash({ connect: this.#meet, plan, safety, beforeFirstChange }, ctx),
    )
    this.#present = new Map([...this.#present, ...plan.expected])
    await this.#services.backups.journal.close(this.view.id)
    this.#runner.set({
      halfWritten: false,
      outcome: await outcomeOf(startedAt, done, backup, plan),
      proofWanted: proofFor(wanted.firmware),
    })
    this.#runner.done('write', 'prove')
  }

  /** After an interruption: what is in the patient now is read, planned again against the same backup, and finished. */
  #resume(): Promise<void> {
    return this.#runner.run('write', async (ctx) => {
      if (!this.view.halfWritten) return this.#write(ctx)
      const { read, [unnamed]: rest } = ctx.progress.steps({ read: 1, [unnamed]: 3 })
      await this.#readPresent(ctx.under(read))
      if (!this.view.checks) this.#runner.set({ checks: await this.#check() })
      const plan = this.#plan()
      if (plan.consequences.every(({ id }) => this.#consents.includes(id))) await this.#write(ctx.under(rest))
    })
  }

  async #readPresent(ctx: Context): Promise<void> {
    const patient = await this.#meet(ctx)
    try {
      const { memories } = await readOnce(patient, ctx)
      this.#present = new Map(memories.map(({ id, bytes }): [MemoryId, Uint8Array] => [id, bytes]))
    } finally {
      await release(patient, ctx)
    }
  }

  // ---- proving -----------------------------------------------------------------------------------

  #proveByReading(ctx: Context): Promise<ProofResult> {
    const { plan } = this.view
    if (!plan) throw new FlashError('bug', { during: 'proving without a plan' })
    return proveByReading(this.#meet, plan.patientKind, plan.expected, ctx)
  }

  async #certify(proof: ProofResult): Promise<void> {
    const { keys, certificates, surroundings } = this.#services
    const content = certificateOf(this.view, {
      ...{ proof, steps: this.#runner.record, consents: this.#consents, build: surroundings.build },
      speedHz: this.#connectOptions.speedHz,
      after: await this.#recognise(this.view.plan?.expected.get('flash')),
    })
    const { json } = await issueCertificate(content, keys)
    const { id, issuedAt, programmer, patient } = content
    await certificates.add({
      ...{ id, issuedAt, json },
      programmer: programmer.model,
      chip: patient.chip,
      firmware: content.source.name,
      backupId: content.before.backupId,
    })
    this.#runner.set({ proof, certificateId: id })
    this.#runner.done('prove', 'prove')
  }
}
