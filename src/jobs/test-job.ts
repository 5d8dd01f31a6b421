/** What the tests of jobs begin with: a store and a computer without a browser, its practice bench, a chip in use, and the steps up to the point. */
import { deleteDB } from 'idb'
import { PracticeBench } from '#bench/bench.ts'
import type { PracticeImage } from '#bench/practice-images.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import type { MemoryId, Segment } from '#core/programmer.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { Backups } from '#store/backups.ts'
import { Certificates } from '#store/certificates.ts'
import { openDatabase, type Database } from '#store/db.ts'
import type { JournalEntry, Wanted } from '#store/journal.ts'
import { Keys } from '#store/keys.ts'
import { Devices, type Attached } from '#transport/devices.ts'
import { parse } from '#worker/client.ts'
import { verifyCertificate, type Certificate } from './certificate.ts'
import { wantedFromFile } from './choose.ts'
import { Job, type JobServices, type JobView, type Surroundings } from './job.ts'
import { code, TestChip, TestProgrammer } from './test-patient.ts'

const name = 'job-test'

export class TestHouse implements AsyncDisposable {
  readonly clock = new VirtualClock()
  readonly bench = new PracticeBench({ clock: this.clock })
  readonly devices = new Devices(this.bench, this.clock)
  readonly db: Database
  readonly services: JobServices
  readonly surroundings: Surroundings
  readonly views: JobView[] = []
  /** Jobs of the journal that a page is on. */
  readonly held = new Set<string>()

  private constructor(db: Database) {
    this.db = db
    const free = { [Symbol.asyncDispose]: () => Promise.resolve() }
    this.surroundings = {
      battery: () => Promise.resolve({ charging: true, level: 1 }),
      storageRoom: () => Promise.resolve(1e9),
      persist: () => Promise.resolve(true),
      guarded: (work) => work(),
      lock: () => Promise.resolve(free),
      hold: (id) => Promise.resolve(this.#hold(id)),
      build: '1.2.3+abcdef0',
    }
    this.services = {
      backups: new Backups(db),
      certificates: new Certificates(db),
      keys: new Keys(db),
      surroundings: this.surroundings,
      clock: this.clock,
      onChange: (view) => this.views.push(view),
    }
  }

  static open = async (): Promise<TestHouse> => new TestHouse(await openDatabase(name))

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench.clear()
    this.db.close()
    await deleteDB(name)
  }

  #hold(id: string): AsyncDisposable | undefined {
    if (this.held.has(id)) return undefined
    this.held.add(id)
    return {
      [Symbol.asyncDispose]: () => {
        this.held.delete(id)
        return Promise.resolve()
      },
    }
  }

  /** The only device that is plugged in, when it is there. */
  async theOne(): Promise<Attached> {
    for (let tries = 0; tries < 30; tries++) {
      const [attached, ...others] = await this.devices.list()
      if (others.length > 0) throw new Error('more than one device is plugged in')
      if (attached) return attached
      await this.clock.sleep(100)
    }
    throw new Error('nothing is plugged in')
  }

  /** Up to the plan. */
  async planned(programmer: TestProgrammer, what = wanted(), job = new Job(this.services)): Promise<Job> {
    await job.connect(programmer)
    await job.backUp()
    await job.choose(what)
    return job
  }

  /** Unplugged when its write comes to this operation. */
  async interrupted(
    at = 'program flash 0x60',
    job = new Job(this.services),
    programmer = new TestProgrammer(usedChip()),
  ) {
    await this.planned(programmer, wanted(), job)
    programmer.before = (_, operation) => {
      if (operation === at) programmer.unplug()
    }
    await job.write([])
    return { job, chip: programmer.chip }
  }

  /** The newest. */
  async entry(): Promise<JournalEntry> {
    const [entry] = await this.services.backups.journal.list()
    if (!entry) throw new Error('the journal is empty')
    return entry
  }

  /** The page went without a word, and another one goes on with what the journal has. */
  async reopened(): Promise<Job> {
    this.held.clear()
    return Job.reopen(this.services, await this.entry())
  }

  async certificateOf({ view }: Job): Promise<Certificate> {
    const stored = await this.services.certificates.get(view.certificateId ?? '')
    return (await verifyCertificate(stored?.json ?? '')).certificate
  }
}

/** All that its plan asks for. */
export const consents = ({ view }: Job): string[] => view.plan?.consequences.map(({ id }) => id) ?? []

/** As it comes out of its HEX file. @throws when there is no such image */
export async function wantedImage(image: PracticeImage | undefined, chip?: string): Promise<Wanted> {
  if (!image) throw new Error('no such practice image')
  const file = new Blob([formatIntelHex(image.build())])
  return wantedFromFile({ kind: 'practice', file, name: `${image.name}.hex`, ...(chip && { chip }) }, parse)
}

export const image = code(100, 77)

export const wanted = (
  contents: Partial<Record<MemoryId, Segment[]>> = { flash: [{ address: 0, bytes: image }] },
): Wanted => ({
  contents: new Map(Object.entries(contents) as [MemoryId, Segment[]][]),
  source: { kind: 'file', name: 'new.hex', version: undefined, sha256: 'ab'.repeat(32), sizeBytes: 300 },
  firmware: undefined,
})

export function usedChip(changes: Partial<Record<MemoryId, Uint8Array>> = {}): TestChip {
  const used = blank(512)
  used.set(code(200))
  return new TestChip({ flash: used, eeprom: code(12, 33), lock: Uint8Array.of(0xcf), ...changes })
}
