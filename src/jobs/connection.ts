/**
 * The programmer that a job holds: opened under a lock that no other tab can have, with the way that was
 * chosen from it to the patient. Every phase of the job goes that way anew.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type {
  Fact,
  KnownFirmware,
  Notice,
  Patient,
  Programmer,
  Rescue,
  Restart,
  Seen,
  Way,
} from '#core/programmer.ts'
import { firmwareName } from '#core/versions.ts'
import type { Origin } from '#store/backups.ts'
import type { Attached } from '#transport/devices.ts'
import { candidateFor, openProgrammer, type Candidate } from './identify.ts'
import { layoutOf } from './plan.ts'
import { isOfKind } from './same-unit.ts'
import type { PatientView, ProgrammerView, Surroundings } from './view.ts'

export interface ConnectOptions {
  /** Which of the programmer's ways; default: the first. */
  readonly way?: number | undefined
  /** The way by its ends instead, as it was before a replug. */
  readonly ends?: { readonly to: string; readonly by: string } | undefined
  /** Undefined: automatic. */
  readonly speedHz?: number | undefined
  /** The protocol folder of its driver, where several can be meant; default: the surest. */
  readonly family?: string | undefined
}

/** What has to be gone before the way itself is there. */
interface WayByRestart extends Omit<Way, 'connect'> {
  readonly restart: Restart
}

export class Connection implements AsyncDisposable {
  readonly programmer: Programmer
  readonly key: string | undefined
  readonly model: string
  /** The protocol folder whose driver has it. */
  readonly family: string | undefined
  readonly way: number
  readonly #ways: readonly (Way | WayByRestart)[]
  /** From the next time that the way is gone. */
  speedHz: number | undefined
  readonly #lock: AsyncDisposable | undefined

  private constructor(
    programmer: Programmer,
    { way = 0, ends, speedHz }: ConnectOptions,
    candidate: Candidate | undefined,
    key: string | undefined,
    lock: AsyncDisposable | undefined,
  ) {
    this.programmer = programmer
    this.key = key
    this.model = valueOf(programmer, 'model') ?? candidate?.recognition.model ?? '?'
    this.family = candidate?.identity.id
    const { ways, restart } = programmer
    this.#ways = restart ? [...ways, { to: 'itself', by: 'bootloader', speedsHz: [], restart }] : ways
    this.way = ends ? this.#ways.findIndex(({ to, by }) => to === ends.to && by === ends.by) : way
    this.speedHz = speedHz
    this.#lock = lock
  }

  /**
   * @throws `device-busy` when another tab has it, `device-refused` when nobody can drive it, `wrong-device` when
   * it has not the way of before, and what the driver throws
   */
  static async open(
    source: Attached | Programmer,
    options: ConnectOptions,
    surroundings: Surroundings,
    ctx: Context,
  ): Promise<Connection> {
    if ('ways' in source)
      return new Connection(source, options, undefined, undefined, undefined).#withItsWay(options.ends)
    // What was chosen for one device says nothing of another that was plugged in since.
    const candidate = candidateFor(source.seen, options.family)
    if (!candidate) throw new FlashError('device-refused', { during: 'opening', status: 'not recognised' })
    const lock = await surroundings.lock(lockName(source.seen))
    if (!lock) throw new FlashError('device-busy', { api: source.link, holder: 'other-tab' })
    let programmer: Programmer | undefined
    try {
      programmer = await openProgrammer(source, candidate, ctx)
      return new Connection(programmer, options, candidate, source.key, lock).#withItsWay(options.ends)
    } catch (error) {
      await programmer?.[Symbol.asyncDispose]()
      await lock[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @throws `wrong-device` when the way that was gone before does not begin here */
  #withItsWay(ends: ConnectOptions['ends']): this {
    const isThere = this.way === 0 || this.way in this.#ways // without any way it is still what it is
    if (isThere) return this
    const expected = ends && ends.by !== 'bootloader' ? `Programmer (${ends.by.toUpperCase()})` : 'Bootloader'
    throw new FlashError('wrong-device', { expected, found: this.model })
  }

  get isGone(): boolean {
    return this.programmer.gone.aborted
  }

  /** What the way begins with; what has the rest of it is another device. */
  get restart(): Restart | undefined {
    const way = this.#theWay
    return 'restart' in way ? way.restart : undefined
  }

  /** Goes the way to the patient. */
  readonly connect = async (ctx: Context): Promise<Patient> => {
    const way = this.#theWay
    if ('restart' in way) throw new FlashError('bug', { during: 'going a way that begins with a restart' })
    return way.connect(ctx, this.speedHz)
  }

  get #theWay(): Way | WayByRestart {
    const way = this.#ways[this.way]
    if (!way) throw new FlashError('bug', { during: `going way ${String(this.way)}` })
    return way
  }

  get ends(): Pick<Way, 'to' | 'by'> {
    const { to, by } = this.#theWay
    return { to, by }
  }

  get view(): ProgrammerView {
    const { facts, notices } = this.programmer
    return {
      model: this.model,
      family: this.family,
      facts,
      notices,
      ways: this.#ways.map(({ to, by, speedsHz }) => ({ to, by, speedsHz })),
      way: this.way,
      speedHz: this.speedHz,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.programmer[Symbol.asyncDispose]()
    } finally {
      await this.#lock?.[Symbol.asyncDispose]()
    }
  }
}

const valueOf = ({ facts }: Pick<Patient, 'facts'>, name: Fact['name']): string | undefined =>
  facts.find((fact) => fact.name === name)?.value

/** The same device has the same name in every tab; so have two of a kind without serial numbers. */
function lockName({ link, vendorId, productId, ...seen }: Seen): string {
  const serial = 'serial' in seen ? seen.serial : undefined
  return ['reflasher', link, vendorId, productId, serial].map((part) => String(part ?? '')).join(':')
}

/** `rescue`: what it should be. `firmware`: what it holds, once that was read. */
export function patientView(
  patient: Patient,
  connection: Connection | undefined,
  rescue?: Rescue,
  firmware?: KnownFirmware,
): PatientView {
  const { chip, speedHz, facts, unreadable } = patient
  const { kind, mayBe, memories } = layoutOf(patient)
  const { to, by } = connection?.ends ?? { to: 'target', by: 'isp' }
  const notices = [
    ...(rescue ? [isMeant(chip, rescue)] : []),
    ...patient.notices,
    ...(to === 'target' && firmware ? recognised(firmware) : []),
  ]
  return { to, by, kind, ...(mayBe && { mayBe }), chip, speedHz, facts, notices, unreadable, memories }
}

/** Whether the chip that was found is one that it has. */
function isMeant(chip: string, { name, chips }: Rescue): Notice {
  const isIt = chips.some((one) => chip === one || chip.startsWith(`${one} (`)) // how large it is behind it
  return isIt
    ? { code: 'rescue-chip', level: 'info', values: { name, chip } }
    : { code: 'rescue-other-chip', level: 'warning', values: { name, chip, chips: chips.join(', ') } }
}

/** A programmer has a plug of its own or answers by name; a boot loader alone makes none. */
export const isProgrammer = ({ confidence, appears }: KnownFirmware): boolean =>
  confidence !== 'possible' &&
  (appears?.link === 'usb' || appears?.says?.some(({ name }) => name === 'firmware') === true)

function recognised(firmware: KnownFirmware): Notice[] {
  if (!isProgrammer(firmware)) return []
  return [{ code: 'programmer-recognised', level: 'info', values: { name: firmwareName(firmware) } }]
}

/** Where a backup comes from. */
export function originOf(patient: Patient, connection: Connection | undefined, practice = false): Origin {
  const { kind, chip, facts } = patient
  return {
    ...(practice && { practice }),
    programmer: { model: connection?.model ?? '', facts: connection?.programmer.facts ?? [] },
    way: connection?.ends ?? { to: 'target', by: '' },
    patient: { kind, chip, facts, serial: valueOf(patient, 'serial') },
  }
}

/**
 * Serial numbers tell two of one kind apart, also where nothing of them can be read.
 * @throws `target-changed`
 */
export function refuseOther(patient: Patient, { kind, serial }: Origin['patient']): void {
  const found = valueOf(patient, 'serial')
  if (!isOfKind(patient, kind))
    throw new FlashError('target-changed', { expected: kind, found: patient.kind })
  if (serial !== undefined && found !== undefined && found !== serial)
    throw new FlashError('target-changed', { expected: serial, found })
}
