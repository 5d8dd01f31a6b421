/**
 * The application's own `Job`, from connect to certificate, on a twin from the shelf, with somebody before the
 * screen who does what `view.next` says. Store, journal, drivers and transport are the real ones; the device, the
 * database's disk and the page around the job can fail.
 */
import { IDBFactory } from 'fake-indexeddb'
import { PracticeBench, type Plugged } from '#bench/bench.ts'
import type { Dials, TwinPatient } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { equal } from '#core/bytes.ts'
import { isFlashError, type ErrorCode } from '#core/errors.ts'
import type { MemoryId, Segment } from '#core/programmer.ts'
import type { ProgressEvent } from '#core/progress.ts'
import { Clock } from '#core/time.ts'
import { verifyCertificate } from '#jobs/certificate.ts'
import { sha256 } from '#firmware/hash.ts'
import { wantedFromBackup } from '#jobs/choose.ts'
import { Job, type ConnectOptions, type JobServices, type JobView, type Wanted } from '#jobs/job.ts'
import type { Memories } from '#jobs/plan.ts'
import { Backups, type Backup } from '#store/backups.ts'
import { Certificates } from '#store/certificates.ts'
import { openDatabase, type Database } from '#store/db.ts'
import { Keys } from '#store/keys.ts'
import { Devices, type Attached } from '#transport/devices.ts'
import { Rising } from './rising.ts'

/** What the device holds at the beginning, and what the person wants of it. */
export interface Scene {
  readonly id: string
  readonly dials: Dials
  /** The patient is the programmer's own chip, not what is behind it. */
  readonly itself?: true
  /** Absent: as it comes from the shelf. */
  readonly holds?: Memories | undefined
  /** In the store at the beginning, and to be restored; absent: a few bytes are changed. */
  readonly restores?: Backup | undefined
}

/** Whose memories a job changes, and how its power fails. */
interface Subject extends Pick<Plugged, 'memory'> {
  readonly patient?: TwinPatient | undefined
}

/** Time as a page has it: none any more when the page is gone. */
class PageClock extends Clock {
  readonly #clock: Clock
  isGone = false
  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }
  now(): number {
    return this.#clock.now()
  }
  after(ms: number, run: () => void): () => void {
    return this.#clock.after(ms, () => {
      if (!this.isGone) run()
    })
  }
}

interface Page {
  readonly db: Database
  readonly clock: PageClock
  readonly devices: Devices
  readonly services: JobServices
  readonly gone: Promise<'gone'>
  readonly leave: () => void
}

/** The memories of a twin that a job reads or changes. */
const memoryIds: readonly MemoryId[] = ['flash', 'eeprom', 'fuses', 'lock']
export const contentOf = ({ memory }: Pick<Plugged, 'memory'>): Memories =>
  new Map(memoryIds.map((id) => [id, memory(id).slice()]))

/** More presses than that, and the job goes round in circles. */
const mostPresses = 16
/** A device that lost its power is back by then. */
const comesBackMs = 3000

export class JobRig {
  readonly clock: VirtualClock
  readonly bench: PracticeBench
  readonly scene: Scene
  readonly plugged: Plugged
  /** Whose memories the job is about. */
  readonly subject: Subject
  /** What the device held at the beginning. */
  readonly former: Memories
  /** What must never be, and was. */
  readonly wrong: string[] = []
  readonly codes: ErrorCode[] = []
  job!: Job
  page!: Page
  /** Chooses another thing than the scene's. */
  instead: ((backup: Backup) => Wanted) | undefined
  /** How the person comes by what is wanted; `worker-ended` is told, and it is tried again. */
  read: (wanted: Wanted) => Wanted | Promise<Wanted> = (wanted) => wanted
  /** What else the person does before each press; as above. */
  beforePress: (view: JobView) => Promise<void> = () => Promise.resolve()
  readonly #database: IDBFactory
  readonly #heard = new Set<string>()
  /** Of the step that runs. */
  #rising: Rising | undefined
  #event: ProgressEvent | undefined
  readonly #witness: Backups
  #evidence: Promise<void> | undefined

  private constructor(
    scene: Scene,
    bench: PracticeBench,
    plugged: Plugged,
    database: IDBFactory,
    witness: Backups,
  ) {
    this.scene = scene
    this.clock = bench.clock
    this.bench = bench
    this.plugged = plugged
    this.#database = database
    this.#witness = witness
    const subject = scene.itself ? plugged.itself : plugged
    if (!subject) throw new Error(`${scene.id} cannot be flashed itself`)
    this.subject = subject
    for (const [id, bytes] of scene.holds ?? []) subject.memory(id).set(bytes)
    this.former = contentOf(subject)
  }

  static async setUp(scene: Scene): Promise<JobRig> {
    const database = new IDBFactory()
    globalThis.indexedDB = database
    const witness = new Backups(await openDatabase())
    const bench = new PracticeBench({ clock: new VirtualClock() })
    const plugged = await bench.plug(scene.id, scene.dials)
    const rig = new JobRig(scene, bench, plugged, database, witness)
    if (scene.restores) await witness.restoreRemoved({ backup: scene.restores })
    await rig.open()
    return rig
  }

  /** A page is opened: with the journal's job, if there is one. */
  async open(): Promise<void> {
    globalThis.indexedDB = this.#database
    const db: Database = await openDatabase()
    let leave: () => void = () => undefined
    const gone = new Promise<'gone'>((resolve) => (leave = () => resolve('gone')))
    const clock = new PageClock(this.clock)
    const locks = new Set<string>()
    const services: JobServices = {
      backups: new Backups(db),
      certificates: new Certificates(db),
      keys: new Keys(db),
      clock,
      onChange: (view) => this.#look(view),
      surroundings: {
        battery: () => Promise.resolve({ charging: true, level: 1 }),
        storageRoom: () => Promise.resolve(1e9),
        persist: () => Promise.resolve(true),
        guarded: (work) => work(),
        hold: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
        lock: (name) => {
          if (locks.has(name)) return Promise.resolve(undefined)
          locks.add(name)
          return Promise.resolve({
            [Symbol.asyncDispose]: () => {
              locks.delete(name)
              return Promise.resolve()
            },
          })
        },
        build: 'test',
      },
    }
    const devices = new Devices(this.bench, clock)
    this.page = { db, clock, devices, services, gone, leave }
    this.#rising = undefined
    const [entry] = await services.backups.journal.list()
    this.job = entry ? await Job.reopen(services, entry) : new Job(services)
  }

  /** The page ends here and now: its job, link and database are left as they are. */
  leave(): void {
    this.page.clock.isGone = true
    this.plugged.reload()
    this.page.leave()
  }

  content(): Memories {
    return contentOf(this.subject)
  }

  async newJob(): Promise<void> {
    await this.job.close()
    this.job = new Job(this.page.services)
  }

  /** What the main button does, until there is nothing left, an error, or no page. */
  async press(): Promise<'nothing' | 'error' | 'gone'> {
    for (let presses = 0; presses < mostPresses; presses++) {
      if (this.job.view.next === 'nothing') return 'nothing'
      const pressed = this.#pressOnce().catch((error: unknown) => {
        if (!isFlashError(error, 'worker-ended')) throw error
        this.codes.push(error.code)
      })
      if ((await Promise.race([pressed, this.page.gone])) === 'gone') return 'gone'
      const { error } = this.job.view
      if (!error) continue
      this.codes.push(error.code)
      if (error.is('bug')) throw error.cause instanceof Error ? error.cause : error
      return 'error'
    }
    throw new Error(`the job goes round in circles: ${this.job.view.next}`)
  }

  async #pressOnce(): Promise<void> {
    const { job } = this
    const { next, plan } = job.view
    await this.beforePress(job.view)
    this.#pressReset(job.view)
    if (next === 'connect') await job.connect(await this.#device(), this.#way)
    else if (next === 'back-up') await job.backUp()
    else if (next === 'acknowledge') await job.backUp({ acknowledged: job.view.unacknowledged })
    else if (next === 'choose' || next === 'choose-again')
      await job.choose(await this.read(this.#wanted(job.view)))
    else if (next === 'write') await job.write(plan?.consequences.map(({ id }) => id) ?? [])
    else if (next === 'prove') await job.prove(job.view.hasLeft ? await this.#appearing() : undefined)
    else if (next === 'retry') await job.retry()
    else if (next === 'restart') await job.restart()
    else if (next === 'replug' || next === 'find') await job.resumeAfterReplug(await this.#device())
    else throw new Error(`nobody knows what to do: ${next}`)
  }

  /** Of a chip whose boot loader has stopped listening, as its error says. */
  #pressReset({ error }: JobView): void {
    if (error?.is('device-silent') && error.detail.by === 'boot-pins') this.plugged.patient?.brownOut()
  }

  get #way(): ConnectOptions {
    const family = this.plugged.entry.protocol
    return this.scene.itself ? { family, ends: { to: 'itself', by: 'bootloader' } } : { family }
  }

  async #device(): Promise<Attached> {
    await this.plugged.replug()
    return this.#appearing()
  }

  async #appearing(): Promise<Attached> {
    const until = this.clock.now() + comesBackMs
    for (;;) {
      const [attached] = await this.page.devices.list()
      if (attached) return attached
      if (this.clock.now() > until) throw new Error('the device stays away')
      await this.clock.sleep(100)
    }
  }

  #wanted({ backup, patient }: JobView): Wanted {
    if (this.instead && backup) return this.instead(backup)
    const { restores } = this.scene
    if (restores) return wantedFromBackup(restores)
    const writable = patient?.memories.filter((memory) => memory.writable) ?? []
    const contents = writable.flatMap(({ id, address: base, pageBytes, length }): [MemoryId, Segment[]][] => {
      const old = this.former.get(id)
      if (!old || (id !== 'flash' && id !== 'eeprom')) return []
      const changed = (offset: number, count: number) => ({
        address: base + offset,
        bytes: old.slice(offset, offset + count).map((byte, i) => byte ^ (i < 4 ? 0 : 0xa5)),
      })
      const middle = (length >> 1) - ((length >> 1) % pageBytes)
      return [
        [
          id,
          id === 'flash'
            ? [changed(0, Math.floor(pageBytes * 1.5)), changed(middle, pageBytes)]
            : [changed(0, 6)],
        ],
      ]
    })
    return {
      contents: new Map(contents),
      source: { kind: 'file', name: 'a.hex', version: undefined, sha256: 'ab'.repeat(32), sizeBytes: 100 },
      firmware: undefined,
    }
  }

  // ---- what must be true at any time -------------------------------------------------------------

  #look({ backup, running }: JobView): void {
    if (backup && !this.#heard.has(backup.id)) {
      this.#heard.add(backup.id)
      for (const { id, bytes } of backup.memories) this.#compare(id, bytes)
    }
    if (!running) this.#rising = undefined
    if (!running?.event || running.event === this.#event) return
    this.#event = running.event
    this.#rising ??= new Rising()
    this.#rising.hear(running.event)
    this.wrong.push(...this.#rising.wrong.splice(0))
  }

  /** A backup that was just stored against the chip: bits that do not exist read as 1. */
  #compare(id: MemoryId, bytes: Uint8Array): void {
    const real = this.subject.memory(id).subarray(0, bytes.length)
    if (!equal(real, bytes)) this.wrong.push(`a backup with another ${id} than the chip has`)
  }

  /** To be called at every transfer: nothing changes before its backup and the journal have it. */
  watch(): void {
    if (this.#evidence) return
    const isSame = [...this.former].every(([id, bytes]) => equal(this.subject.memory(id), bytes))
    if (!isSame) this.#evidence = this.#askForEvidence()
  }

  async #askForEvidence(): Promise<void> {
    const entries = await this.#witness.journal.list()
    if (!entries.some(({ stage }) => stage === 'writing'))
      this.wrong.push('a write that is not in the journal')
    for (const { backupId } of entries) await this.#witness.receiptFor(backupId)
  }

  /** That there was a backup and a journal when the first byte changed, and that all backups still prove themselves. */
  async evidence(): Promise<void> {
    await this.#evidence
    for (const { id, sha256 } of await this.#witness.list()) await this.#witness.receiptFor(id, sha256)
  }

  /** The certificate of the job, checked against the chip; and nothing is left to be finished. */
  async certified(): Promise<void> {
    const { certificateId = '', hasLeft } = this.job.view
    const proof = hasLeft ? 'running-version' : 'read-again'
    const { certificate, signature } = await verifyCertificate(
      (await this.page.services.certificates.get(certificateId))?.json ?? '',
    )
    if (signature !== 'valid' || certificate.proof.kind !== proof)
      this.wrong.push(`a certificate that is ${signature}, by ${certificate.proof.kind}`)
    for (const { id, sha256: said, length } of certificate.after.memories)
      if (said !== (await sha256(this.subject.memory(id).slice(0, length))))
        this.wrong.push(`a certificate with another ${id} than the chip has`)
  }
}
