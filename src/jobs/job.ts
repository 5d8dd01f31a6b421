/**
 * The main job as a state machine without a screen: connect, back up, choose, check, plan, write, prove.
 *
 * It knows programmers, the store and files through the layers below; it knows no browser object and no
 * text. The screen gets immutable snapshots (`JobView`) and calls the methods. Everything outside that it
 * needs from the computer comes in through `Surroundings`. Methods resolve when their step is over, and
 * never throw: what went wrong is in `view.error`.
 */
import { isBlank } from '#core/bytes.ts'
import type { Context, Log } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { KnownFirmware, MemoryId, Patient, Programmer, Rescue, Unreadable } from '#core/programmer.ts'
import { systemClock, type Clock } from '#core/time.ts'
import type { Backups, Receipt } from '#store/backups.ts'
import type { Certificates } from '#store/certificates.ts'
import { stageOf, type JournalEntry, type Stage, type Wanted } from '#store/journal.ts'
import type { Keys } from '#store/keys.ts'
import type { Attached } from '#transport/devices.ts'
import { acknowledge, atRisk, contentsOf, readContents, type NoBackup } from './backup.ts'
import { issueCertificate } from './certificate.ts'
import { checkAll, renewed, type Computer } from './check.ts'
import { connectedUsb } from './check-content.ts'
import { asWritable, ruleFor } from './choose.ts'
import { circumstancesOf, computerOf } from './circumstances.ts'
import { originOf, patientView, type ConnectOptions } from './connection.ts'
import { flash, release, wireTrouble, type FlashOptions } from './flash.ts'
import { recogniseFirmware } from './identify.ts'
import { Meeting } from './meeting.ts'
import { OpenEntry } from './open-entry.ts'
import {
  goesBeyond,
  hasWork,
  layoutOf,
  planFlash,
  planLines,
  type Memories,
  type Plan,
  type PlanRule,
} from './plan.ts'
import {
  isSameOnBus,
  proofFor,
  proveByReading,
  proveRunning,
  refuseBystander,
  shownAs,
  unproven,
  type Before,
  type ProofResult,
} from './prove.ts'
import { certificateOf, entryOf, outcomeOf } from './record.ts'
import {
  isAsKept,
  pastOf,
  readHalfWritten,
  unfinishedOf,
  viewOf,
  withNewEeprom,
  type Unfinished,
} from './resume.ts'
import { fitted } from './same-unit.ts'
import { nothingYet, notYet, Runner, unnamed } from './runner.ts'
import { slowerHz } from './slower.ts'
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
  /** What the job is to bring back. */
  readonly rescue?: Rescue | undefined
}

export class Job {
  readonly #services: JobServices
  readonly #log: Log
  readonly #runner: Runner
  readonly #device: Meeting
  /** What must survive: the contents of the backup. */
  #kept: Memories = new Map()
  /** What is in the patient, as read last. */
  #present: Memories = new Map()
  #bytesPerSecond: number | undefined
  /** Ids of all backups that were made of this patient. */
  #own: ReadonlySet<string> = new Set()
  #acknowledged: readonly Unreadable[] = []
  #consents: readonly string[] = []
  #isRuleChosen = false
  #unfinished: Unfinished | undefined
  /** Its patient has started it by itself: it is to be read back when that is found. */
  #notReadBack: Memories | undefined
  /** Of a choice from another session: whether it is still the patient that was backed up. */
  #mustLookAgain = false
  readonly #entry: OpenEntry
  #referring: Promise<void> | undefined

  constructor(services: JobServices) {
    this.#services = services
    this.#log = services.log ?? (() => undefined)
    this.#entry = new OpenEntry(services)
    this.#runner = new Runner({
      clock: services.clock ?? systemClock,
      log: this.#log,
      onChange: services.onChange,
      presence: () => this.#device.presence,
    })
    this.#device = new Meeting({ surroundings: services.surroundings, log: this.#log, runner: this.#runner })
  }

  /**
   * A job from the journal, which was not seen to end. It waits for its device (`resumeAfterReplug`) and then goes on
   * from what is really in the patient.
   * @throws `backup-corrupt` when the backup that is needed for that is gone, or another one · `device-busy` when
   * another tab is on it
   */
  static async reopen(services: JobServices, entry: JournalEntry): Promise<Job> {
    const [isPractice, wasPractice] = [services.practice === true, entry.practice === true]
    if (isPractice !== wasPractice)
      throw new FlashError('bug', { during: 'going on with practice on a device, or the other way round' })
    const { backups } = services
    const { rescue } = entry
    await backups.receiptFor(entry.backupId, entry.backupSha256)
    const backup = await backups.get(entry.backupId)
    const job = new Job({ ...services, rescue })
    await job.#entry.takeUp(entry)
    job.#kept = contentsOf(backup)
    job.#own = new Set([entry.backupId])
    job.#acknowledged = entry.acknowledged
    job.#isRuleChosen = true
    job.#device.options = { ends: entry.way, speedHz: entry.speedHz, family: entry.family }
    const stage = stageOf(entry)
    job.#mustLookAgain = stage === 'chosen'
    const isPlanned = stage !== 'chosen' && !entry.instead
    if (isPlanned) job.#consents = entry.consents
    if (stage === 'writing') job.#unfinished = unfinishedOf(entry)
    job.#runner.recall(pastOf(entry))
    job.#runner.again = isPlanned
      ? () => (stage === 'written' ? job.prove() : job.#resume())
      : () => job.#runner.run('check', job.#checkAndPlan)
    job.#runner.set({ ...viewOf(entry), firmware: backup?.firmware, backup })
    return job
  }

  get view(): JobView {
    return this.#runner.view
  }

  // ---- the steps ---------------------------------------------------------------------------------

  /** Opens the programmer, unless it is open already, and finds out what is behind it. */
  async connect(source: Attached | Programmer, options: ConnectOptions = {}): Promise<void> {
    const { rescue } = this.#services
    if (this.view.running) return
    const work = async (ctx: Context) => {
      this.#device.options = rescue ? { ...options, ends: { to: 'target', by: rescue.by } } : options
      this.#acknowledged = this.#consents = []
      this.#isRuleChosen = false
      this.#unfinished = this.#notReadBack = undefined
      const id = this.#entry.isThere ? crypto.randomUUID() : this.view.id
      this.#mustLookAgain = false
      await this.#entry.leave()
      this.#runner.recall()
      this.#runner.set({ ...nothingYet, id, rescue })
      const isThere = await this.#openAndReach(source, ctx)
      if (isThere !== notYet) this.#runner.done('connect', 'back-up')
      return isThere
    }
    await this.#runner.run('connect', work)
    const afterwards = () => Promise.resolve(this.#runner.done('connect', 'back-up'))
    if (this.view.restart && !this.view.error) this.#runner.again = afterwards
  }

  /** Tells it to start anew as another device, which is then to be found (`resumeAfterReplug`). */
  async restart(): Promise<void> {
    const { again } = this.#runner
    await this.#beside(async (ctx) => {
      await this.#device.restart(ctx)
      return notYet
    })
    this.#runner.again = again
  }

  /** Reads everything twice and stores it; or, with a backup made, records what was acknowledged. */
  async backUp({ acknowledged = [] }: { acknowledged?: readonly Unreadable[] } = {}): Promise<void> {
    const { backup, running } = this.view
    if (running) return
    this.#acknowledged = [...this.#acknowledged, ...acknowledged]
    if (!backup) return this.#runner.run('back-up', (ctx) => this.#backUp(ctx))
    this.#runner.set({ unacknowledged: this.#unacknowledged(backup.unreadable), step: 'choose' })
  }

  /** Checks and plan follow by themselves. Not any more when it is written: that is to be proven first. */
  choose(wanted: Wanted): Promise<void> {
    return this.#decide(() => ({
      wanted: this.#device.patient ? asWritable(wanted, layoutOf(this.#device.patient)) : wanted,
      rule: this.#isRuleChosen ? this.view.rule : ruleFor(this.view.firmware, wanted),
    }))
  }

  /** Plans again by another rule. */
  planWith(rule: Partial<PlanRule>): Promise<void> {
    return this.#decide(() => {
      this.#isRuleChosen = true
      return { rule: { ...this.view.rule, ...rule } }
    })
  }

  /** Looks again at this computer's battery and room while a plan waits for its consents: what that changes is in the plan. */
  async lookAround(): Promise<void> {
    const computer = await computerOf(this.#services.surroundings)
    if (this.view.next === 'write') this.#renewChecks(computer)
  }

  /** `consents`: the ids of all `plan.consequences`. */
  async write(consents: readonly string[]): Promise<void> {
    await this.#runner.run(
      'write',
      (ctx) => {
        this.#consents = [...this.#consents, ...consents]
        return this.#writeUnlessAsked(ctx)
      },
      () => this.#resume(),
    )
    await this.#afterWriting()
  }

  /**
   * With the device that was plugged in by itself; without: by reading again. `present`: keys of what was
   * plugged in when the write ended: but for the tool that wrote itself, none is the patient.
   */
  prove(attached?: Attached, present: readonly string[] = []): Promise<void> {
    const { error } = this.view
    const isSpent = error?.is(...wireTrouble)
    return this.#runner.run('prove', async (ctx) => {
      const firmware = this.view.wanted?.firmware
      if (!attached || !firmware?.appears) {
        this.#runner.set({ proofWanted: 'read-again' })
        if (this.#isUnreadable) return this.#certify(unproven(error, this.view.wanted?.source.name ?? ''))
        const source = this.#device.attached
        if (isSpent && source) await this.#device.open(source, ctx) // as in `retry`
        return this.#certify(await this.#proveByReading(ctx))
      }
      const tool = this.#device.attached
      const isToolGone = this.#device.presence !== 'here'
      const to = this.view.backup?.origin.way.to
      if (to && tool)
        refuseBystander(attached, firmware, { to, tool, isToolGone, present, known: this.view.seen })
      // A serial port or a device that proves itself has to be free for that.
      if (attached.key === this.#device.connection?.key) await this.#device.letGo()
      return this.#certify(await proveRunning(attached, firmware, this.#before, ctx))
    })
  }

  /** Ends without a proof; the certificate says so, and what was found instead. */
  finishUnproven(): Promise<void> {
    const { error, wanted } = this.view
    const proof = unproven(error, wanted?.source.name ?? '')
    return this.#runner.run('prove', () => this.#certify(proof))
  }

  /** For the certificate: whose it is. Once that is signed it is too late. Resolves when it outlives the page. */
  refer(reference: string): Promise<void> {
    if (this.view.certificateId) return Promise.resolve()
    this.#runner.set({ reference: reference.slice(0, 200) })
    if (this.view.running) return Promise.resolve() // which may end with the certificate
    return (this.#referring ??= this.#keepReference())
  }

  /** Asks the running step to stop; it stops where that is safe. */
  stop(): void {
    this.#runner.stop()
  }

  /** Tries again what failed or was stopped, or chooses `instead`. A write goes on from what is in the patient now. */
  async retry(instead?: Wanted): Promise<void> {
    const { error, restart } = this.view
    const source = this.#device.attached
    // After trouble on the wire the link may be spent; opening the device anew ends it.
    if (error?.is(...wireTrouble) && source) await this.resumeAfterReplug(source, instead)
    else if (restart) await this.restart()
    else await (instead ? this.choose(instead) : this.#runner.again?.())
  }

  /** Tries again at the next slower speed, from now on: for bad contacts. */
  async retrySlower(): Promise<void> {
    const speedHz = slowerHz(this.view)
    if (speedHz === undefined || this.view.running) return
    this.#log(`going on at ${String(speedHz)} Hz`)
    this.#device.slowDown(speedHz)
    await this.retry()
  }

  /** The device is back: opens it again and goes on where the job was broken off, or chooses `instead`. */
  async resumeAfterReplug(attached: Attached | Programmer, instead?: Wanted): Promise<void> {
    const { seen, restart, halfWritten } = this.view
    // what its erase has started anew may be found before that step has quite ended
    const rest = restart && halfWritten ? () => this.#resume() : undefined
    const again = instead ? () => this.choose(instead) : (this.#runner.again ?? rest)
    if (this.view.running) return
    await this.#beside((ctx) => this.#openAndReach(attached, ctx))
    this.#runner.again = again
    if (!this.view.error) await this.#goOn()
    if (this.view.error?.is('target-changed')) this.#runner.set({ seen }) // another one is not to be looked for
  }

  /** Stops, waits for the end and lets the programmer go. */
  async close(): Promise<void> {
    this.stop()
    await this.#runner.ended
    await this.#device.letGo()
    try {
      await this.#entry.leave()
    } catch (error) {
      this.#log(`the journal could not be tidied up: ${String(error)}`) // the job is offered again, no more
    }
  }

  /** The newest, however fast it is typed. */
  async #keepReference(): Promise<void> {
    let kept: string | undefined
    try {
      while (kept !== this.view.reference && !this.view.running) {
        kept = this.view.reference
        await this.#entry.amend({ reference: kept })
      }
    } catch (error) {
      this.#log(`whose the job is could not be stored: ${String(error)}`) // the certificate has it from the page
    } finally {
      this.#referring = undefined
    }
  }

  // ---- connecting --------------------------------------------------------------------------------

  /** With the device, while another step is on the screen. */
  #beside(work: (ctx: Context) => Promise<unknown>): Promise<void> {
    return this.#runner.run(this.view.step, work, undefined, 'connect')
  }

  /** With what waited for the device, unless that has to become another one first. */
  async #goOn(): Promise<void> {
    if (!this.view.restart) await this.#runner.again?.()
  }

  async #openAndReach(source: Attached | Programmer, ctx: Context): Promise<unknown> {
    const steps = ctx.progress.steps({ open: 1, reach: 1 })
    await this.#device.open(source, ctx.under(steps.open))
    steps.open.finish()
    if (this.view.restart) return notYet
    // Only met and let go again: nothing is held while the user reads.
    const patient = await this.#device.meet(ctx.under(steps.reach))
    this.#runner.set({
      patient: patientView(patient, this.#device.connection, this.view.rescue),
      unacknowledged: this.#unacknowledged(patient.unreadable),
    })
    await release(patient, ctx)
    return undefined
  }

  // ---- backing up --------------------------------------------------------------------------------

  async #backUp(ctx: Context): Promise<void> {
    const { reach, store, ...passes } = ctx.progress.steps({ reach: 3, read: 45, confirm: 45, store: 7 })
    this.#askForPersistence()
    const patient = await this.#device.meet(ctx.under(reach))
    try {
      reach.finish()
      const { memories, unreadable, bytesPerSecond } = await readContents(patient, ctx, passes)
      this.#bytesPerSecond = bytesPerSecond
      const firmware = await this.#recognise(new Map(memories.map(({ id, bytes }) => [id, bytes])))
      const { backup } = await this.#services.backups.add({
        origin: originOf(patient, this.#device.connection, this.#services.practice),
        firmware,
        memories,
        unreadable,
      })
      store.finish()
      this.#own = new Set([backup.id])
      this.#kept = this.#present = contentsOf(backup)
      this.#runner.set({
        patient: patientView(patient, this.#device.connection, this.view.rescue, firmware),
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

  /** By the flash; where it cannot be read, perhaps by the fuses. */
  #recognise(memories: Memories): Promise<KnownFirmware | undefined> {
    const address = this.#device.patient?.memories.find(({ id }) => id === 'flash')?.address ?? 0
    const bytes = memories.get('flash')
    const segments = bytes ? [{ address, bytes }] : []
    return recogniseFirmware(segments, this.#device.patient?.chip, this.#log, memories.get('fuses'))
  }

  #unacknowledged(unreadable: readonly Unreadable[]): readonly Unreadable[] {
    const risks = this.#device.patient ? atRisk(unreadable, this.#device.patient) : []
    return risks.filter(({ memory }) => !this.#acknowledged.some((one) => one.memory === memory))
  }

  // ---- checking and planning ---------------------------------------------------------------------

  /** `change`: what the user decided; it counts only when nothing else runs. */
  async #decide(change: () => Partial<JobView>): Promise<void> {
    if (this.view.outcome) return this.#log('a choice after the write was not heard')
    await this.#runner.run(
      'check',
      (ctx) => {
        this.#consents = []
        this.#runner.set({ ...change(), checks: undefined, plan: undefined, newEeprom: false })
        this.#runner.done('back-up', 'check')
        return this.#checkAndPlan(ctx)
      },
      () => this.#runner.run('check', this.#checkAndPlan),
    )
  }

  readonly #checkAndPlan = async (ctx: Context): Promise<void> => {
    const { halfWritten, wanted, rule } = this.view
    if (halfWritten) {
      const instead = wanted && { wanted, rule }
      if (instead) await this.#entry.amend({ instead, steps: this.#runner.past, ...this.#device.forJournal })
      await this.#readPresent(ctx)
    } else {
      await this.#enter('chosen')
      if (this.#mustLookAgain) await this.#lookAgain(ctx)
      if (this.view.unacknowledged.length > 0) return // of another backup than the one that was gone on with
    }
    if (await this.#isRefused()) return
    this.#runner.done('check', 'plan')
    this.#plan()
    this.#runner.done('plan', 'write')
  }

  async #isRefused(): Promise<boolean> {
    const checks = await this.#check()
    this.#runner.set({ checks })
    if (this.view.step === 'check') this.#runner.done('choose', 'check')
    return checks.some(({ result }) => result === 'refused')
  }

  async #check(): Promise<NonNullable<JobView['checks']>> {
    const { wanted, backup, rule, firmware } = this.view
    const patient = this.#device.patient
    if (!wanted || !backup || !patient) throw new FlashError('bug', { during: 'checking without a backup' })
    return checkAll({
      ...{ patient, wanted, rule, backup },
      ...(await circumstancesOf(wanted, backup, this.#services, this.#log)),
      own: this.#own,
      layout: layoutOf(patient),
      present: this.#present,
      kept: this.#keptOf(patient),
      presentFirmware: firmware,
      way: this.#device.connection?.ends.to ?? 'target',
      family: this.#device.connection?.family,
      usb: connectedUsb(this.view.programmer?.facts ?? []),
    })
  }

  #plan(): Plan {
    const plan = this.#planFrom(this.#present)
    for (const line of planLines(plan)) this.#log(line)
    this.#runner.set({ plan })
    return plan
  }

  #planFrom(present: Memories): Plan {
    const { wanted, rule, checks = [] } = this.view
    const patient = this.#device.patient
    if (!wanted || !patient) throw new FlashError('bug', { during: 'planning without an image' })
    return planFlash({
      ...{ rule, checks, wanted: wanted.contents, present, kept: this.#keptOf(patient) },
      layout: layoutOf(patient),
      readBytesPerSecond: this.#bytesPerSecond,
    })
  }

  readonly #keptOf = (patient: Patient): Memories => fitted(this.#kept, layoutOf(patient))

  /** True: the plan is another one now, and is to be asked for. */
  #renewChecks(computer: Computer): boolean {
    const checks =
      this.#device.patient && renewed(this.view.checks ?? [], computer, layoutOf(this.#device.patient))
    if (!checks) return false
    this.#runner.set({ checks })
    const { consequences = [] } = this.view.plan ?? {}
    const plan = this.#plan()
    return plan.consequences.length > 0 && JSON.stringify(plan.consequences) !== JSON.stringify(consequences)
  }

  // ---- writing -----------------------------------------------------------------------------------

  /** A battery may have emptied since the plan was made. */
  async #writeUnlessAsked(ctx: Context): Promise<unknown> {
    const computer = await computerOf(this.#services.surroundings)
    if (!this.view.plan || !this.#renewChecks(computer)) return this.#write(ctx)
    this.#consents = []
    return notYet
  }

  async #write(ctx: Context): Promise<unknown> {
    const { plan, backup, wanted, rule, halfWritten } = this.view
    if (!plan || !backup || !wanted) throw new FlashError('bug', { during: 'writing without a plan' })
    const missing = plan.consequences.filter(({ id }) => !this.#consents.includes(id))
    if (missing.length > 0 || this.view.unacknowledged.length > 0)
      throw new FlashError('bug', {
        during: `writing without consent to ${missing.map(({ id }) => id).join(', ')}`,
      })
    const safety = this.#safety(await this.#services.backups.receiptFor(backup.id, backup.sha256))
    const startedAt = new Date().toISOString()
    const { erase, programBytes } = plan
    const begun = (this.#unfinished?.wanted === wanted && this.#unfinished.begun) || { erase, programBytes }
    const beforeFirstChange = async () => {
      const wrong = this.#unfinished?.wrong ?? new Map<MemoryId, Uint8Array>()
      const before = this.#present
      await this.#enter('writing', {
        ...(wrong.size > 0 && { wrong }),
        ...(halfWritten && { before }),
        ...((halfWritten || this.#device.patient?.eraseChip?.restarts) && { begun }),
      })
      this.#unfinished = { wanted, rule, before, wrong, begun }
      this.#runner.set({ halfWritten: true })
    }
    const renew = halfWritten ? undefined : this.#renew // what is half-written must stay as it was kept
    const end = await this.#services.surroundings.guarded(() =>
      flash(
        { connect: this.#device.meet, plan, safety, renew, beforeFirstChange, onWrong: this.#onWrong },
        ctx,
      ),
    )
    if (end === 'restarted') {
      await this.#device.startedAnew()
      return notYet
    }
    if (end === 'left') {
      this.#notReadBack = (this.view.plan ?? plan).expected
      this.#runner.set({ isUnread: true })
      await this.#device.hasLeft()
      return notYet
    }
    if (end === 'not-begun') {
      this.#consents = []
      this.#runner.set({ checks: undefined, plan: undefined, newEeprom: true })
      return this.#askAgain(ctx)
    }
    const { plan: written = plan, backup: kept = backup } = this.view
    this.#present = new Map([...this.#present, ...written.expected])
    const patient = this.#device.patient
    const whole = halfWritten && patient ? this.#planFrom(this.#keptOf(patient)) : written
    // of a rest, what was right already when it was read again is told as well
    const all = { ...written, expected: new Map([...whole.expected, ...written.expected]) }
    // the backup itself, put back over a write that was broken off, is no work for what the backup tells; and of a
    // protected chip, which is open since, that does not tell the erase
    const isUntold = !hasWork(whole) || (begun.erase === 'chip' && whole.erase === 'none')
    const outcome = await outcomeOf(startedAt, kept, all, halfWritten && isUntold ? begun : whole)
    await this.#enter('written', { outcome, steps: this.#runner.record })
    this.#unfinished = undefined
    this.#runner.set({
      halfWritten: false,
      newEeprom: false,
      outcome,
      proofWanted: proofFor(wanted.firmware),
    })
    this.#runner.done('write', 'prove')
    return undefined
  }

  readonly #onWrong = async (id: MemoryId, found: Uint8Array): Promise<void> => {
    if (!this.#unfinished) return
    const wrong = new Map([...this.#unfinished.wrong, [id, found]])
    this.#unfinished = { ...this.#unfinished, wrong }
    try {
      await this.#entry.amend({ wrong })
    } catch (error) {
      this.#log(`what was read back could not be stored: ${String(error)}`) // what went wrong matters more
    }
  }

  /** A write that came to another plan than the one that was consented to. */
  async #askAgain(ctx: Context): Promise<typeof notYet> {
    this.#runner.done('back-up', 'check')
    await this.#checkAndPlan(ctx)
    return notYet
  }

  #isConsented({ consequences }: Plan): boolean {
    return consequences.every(({ id }) => this.#consents.includes(id))
  }

  #safety(receipt: Receipt): Receipt | NoBackup {
    return this.#acknowledged.length > 0 ? acknowledge(this.#acknowledged, receipt) : receipt
  }

  /** The patient's program wrote its EEPROM after the backup: now that it stands still, that is saved too. */
  readonly #renew: FlashOptions['renew'] = async (patient, ctx) => {
    const renewed = await this.#saveEeprom(patient, ctx)
    this.#kept = contentsOf(renewed.backup)
    this.#present = new Map([...this.#present, ...[...this.#kept].filter(([id]) => id === 'eeprom')])
    this.#runner.set({ backup: renewed.backup })
    const plan = this.#planFrom(this.#present)
    const { plan: shown = plan } = this.view
    if (goesBeyond(plan, shown) || !this.#isConsented(plan)) return undefined
    return { plan: this.#plan(), safety: this.#safety(renewed.receipt) }
  }

  /** Another backup, the same but for the EEPROM as it is now. */
  async #saveEeprom(patient: Patient, ctx: Context): ReturnType<Backups['add']> {
    const { backup } = this.view
    if (!backup) throw new FlashError('bug', { during: 'saving an EEPROM without a backup' })
    const added = await this.#services.backups.add(await withNewEeprom(patient, backup, ctx))
    this.#own = new Set([...this.#own, added.backup.id])
    return added
  }

  /** After an interruption: what is in the patient now is read, planned again against the same backup, and finished. */
  async #resume(): Promise<void> {
    await this.#runner.run('write', async (ctx) => {
      if (!this.view.halfWritten) return this.view.plan ? this.#write(ctx) : this.#askAgain(ctx)
      const { read, [unnamed]: rest } = ctx.progress.steps({ read: 1, [unnamed]: 3 })
      await this.#readPresent(ctx.under(read))
      const { checks } = this.view
      if (await this.#isRefused()) {
        const { backup } = this.view
        if (backup) await this.#services.backups.receiptFor(backup.id, backup.sha256) // says what is wrong with it
        this.#runner.set({ checks: undefined, plan: undefined })
        return this.#askAgain(ctx) // for what it turned out to be, now that it says so
      }
      const plan = this.#plan()
      // What cannot be read may be another unit's: the consent was to losing what the first one held.
      if (plan.erase === 'chip' && plan.lost.some((id) => !this.#present.has(id))) this.#consents = []
      if (!this.#isConsented(plan)) return notYet
      if (checks) this.#runner.set({ checks }) // of the whole write: its rest may have nothing left to do
      return this.#write(ctx.under(rest))
    })
    await this.#afterWriting()
  }

  /**
   * What is in a half-written patient, if it is still the one that was being written. One that left with all of it and
   * does not hold that is told once: then it is written again.
   */
  async #readPresent(ctx: Context): Promise<void> {
    const [unfinished, kept, written] = [this.#unfinished, this.#kept, this.#notReadBack]
    const serial = this.view.backup?.origin.patient.serial
    if (!unfinished) throw new FlashError('bug', { during: 'reading what nobody wrote' })
    const patient = await this.#device.meet(ctx)
    try {
      const known = { kept, unfinished, written, serial }
      const { memories, hasNewEeprom, mismatch, wrong } = await readHalfWritten(patient, known, ctx)
      if (hasNewEeprom) await this.#saveEeprom(patient, ctx)
      this.#present = memories
      this.#notReadBack = undefined
      this.#runner.set({ isUnread: false })
      for (const [id, found] of wrong) await this.#onWrong(id, found)
      if (mismatch) throw mismatch
    } finally {
      await release(patient, ctx)
    }
  }

  /** Before the first change, in another session than the backup: what is not as it was kept is backed up anew. */
  async #lookAgain(ctx: Context): Promise<void> {
    const { look, [unnamed]: rest } = ctx.progress.steps({ look: 1, [unnamed]: 2 })
    const patient = await this.#device.meet(ctx.under(look))
    let isKept: boolean
    try {
      isKept = await isAsKept(patient, this.#kept, ctx.under(look))
    } finally {
      await release(patient, ctx)
    }
    this.#present = this.#kept
    if (!isKept) {
      this.#acknowledged = [] // of what was backed up then
      await this.#backUp(ctx.under(rest))
      if (this.view.unacknowledged.length === 0) this.#runner.done('choose', 'check')
    }
    this.#mustLookAgain = false
  }

  /** In the journal when it resolves: to be called before this stage is acted on. */
  async #enter(stage: Stage, changes: Partial<JournalEntry> = {}): Promise<void> {
    const given = { acknowledged: this.#acknowledged, consents: this.#consents, steps: this.#runner.past }
    await this.#entry.put({
      ...entryOf(this.view, { ...given, ...this.#device.forJournal }),
      stage,
      ...changes,
    })
  }

  // ---- proving -----------------------------------------------------------------------------------

  get #before(): Before {
    const flash = this.#kept.get('flash')
    const { firmware, backup, seen } = this.view
    if (firmware || !flash)
      return firmware ?? (backup?.origin.way.to === 'itself' ? shownAs(seen) : undefined)
    return isBlank(flash) ? 'blank' : undefined
  }

  /**
   * So that what was written runs and can be asked: at once, where that is the same device on the bus; what does not go by
   * itself is plugged in anew.
   */
  async #afterWriting(): Promise<void> {
    const { outcome, proofWanted, hasLeft, restart, wanted } = this.view
    if (restart) this.#runner.again = () => this.#resume()
    if (!outcome || hasLeft || proofWanted !== 'plug-in-by-itself' || !this.#device.patient?.leave) return
    await this.#runner.run('prove', async (ctx) => {
      const isHere = await this.#leave(ctx)
      const [{ attached }, firmware] = [this.#device, wanted?.firmware]
      if (!isHere || !attached || !firmware || !isSameOnBus(attached, firmware)) return notYet
      return this.#certify(await proveRunning(attached, firmware, this.#before, ctx))
    })
  }

  /** Whether it is still there afterwards. */
  async #leave(ctx: Context): Promise<boolean> {
    try {
      const patient = await this.#device.meet(ctx)
      await patient.leave?.(ctx)
      this.#runner.set({ hasLeft: true })
      return this.#device.presence === 'here'
    } finally {
      await this.#device.letGo()
    }
  }

  /** Whether what was written can be read by nobody. */
  get #isUnreadable(): boolean {
    const { patient, outcome } = this.view
    return (patient?.memories ?? []).some(({ id, writeOnly }) => writeOnly && outcome?.expected.has(id))
  }

  #proveByReading(ctx: Context): Promise<ProofResult> {
    const { backup, outcome } = this.view
    if (!backup || !outcome) throw new FlashError('bug', { during: 'proving before the end' })
    return proveByReading(this.#device.meet, backup.origin.patient.kind, outcome.expected, ctx)
  }

  /** What the patient holds since the write, as far as it is known: also what the write left alone. */
  get #after(): Memories {
    return new Map([...this.#kept, ...this.#present, ...(this.view.outcome?.expected ?? [])])
  }

  async #certify(proof: ProofResult): Promise<void> {
    const { keys, certificates, surroundings } = this.#services
    const content = certificateOf(this.view, {
      ...{ proof, steps: this.#runner.record, consents: this.#consents, build: surroundings.build },
      speedHz: this.#device.options.speedHz,
      after: await this.#recognise(this.#after),
    })
    const { json } = await issueCertificate(content, keys)
    const { id, issuedAt, programmer, patient } = content
    const stored = {
      ...{ id, issuedAt, json },
      programmer: programmer.model,
      chip: patient.chip,
      firmware: content.source.name,
      backupId: content.before.backupId,
    }
    await this.#referring // else it would bring back the entry that this removes
    await certificates.add(stored, this.view.id)
    this.#entry.certified()
    this.#runner.set({ proof, certificateId: id })
    this.#runner.done('prove', 'prove')
  }
}
