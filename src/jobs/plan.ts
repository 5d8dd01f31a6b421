/**
 * The plan: every range to keep, erase, program and verify, before the first byte moves. Pure.
 *
 * What is to be in a memory afterwards is what is *kept* (from the backup) with what is *wanted* (from the
 * image) laid over it. What has to be done for that depends only on what is *present*, which after an
 * interruption is neither. So a write that was broken off is planned again like any other.
 */
import { blank, equal, hex, isBlank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type {
  Check,
  ChipErase,
  Contents,
  Memory,
  MemoryId,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'

/** A memory without its abilities, but with what they were. */
export type MemoryLayout = Omit<Memory, 'read' | 'program'> & {
  readonly readable: boolean
  readonly writable: boolean
}

/** A patient without its abilities: what a plan is made from. */
export interface PatientLayout {
  readonly kind: string
  readonly mayBe?: readonly string[]
  readonly memories: readonly MemoryLayout[]
  readonly unreadable: readonly Unreadable[]
  readonly chipErase: Pick<ChipErase, 'erases' | 'ms' | 'lifts'> | undefined
}

/** What the user may decide about a plan. */
export interface PlanRule {
  /** What the image does not mention of the flash, when it mentions any: stays, or is blanked. */
  readonly outside: 'keep' | 'blank'
  /** Parts of the image in a reserved range (the boot loader): no plan, or left out. */
  readonly reserved: 'refuse' | 'skip'
}

/** Whole memories. */
export type Memories = ReadonlyMap<MemoryId, Uint8Array>

export interface PlannedRange extends Range {
  readonly memory: MemoryId
  /**
   * keep: stays as it is and is not touched · refill: is to be as it was, but a chip erase took or takes it,
   * so it is written again from the backup · program: new bytes · blank: erased, and that is all the image asks for
   */
  readonly action: 'keep' | 'refill' | 'program' | 'blank'
  /** Why a kept range is kept. */
  readonly why?: 'same' | 'outside' | 'bootloader'
}

export interface Plan {
  /** `Patient.kind` that this was planned for. */
  readonly patientKind: string
  /** `Patient.mayBe`. */
  readonly mayBe?: readonly string[]
  /** What was in the patient when it was planned, whole memories; absent: could not be read. */
  readonly before: Memories
  /** 'chip': a chip erase comes first. 'none': only bits are cleared, or pages overwrite. */
  readonly erase: 'chip' | 'none'
  /** Each writable memory in full, in order. */
  readonly ranges: readonly PlannedRange[]
  /**
   * What each memory that is written or wanted must hold afterwards, whole; the verify compares all of it. Of a
   * write-only one no more than the image: nobody knows what is behind that.
   */
  readonly expected: Memories
  /** Written memories whose present content no backup has: it is lost. */
  readonly lost: readonly MemoryId[]
  /** Bytes to program and to read back, and the estimate in ms (low, high). */
  readonly programBytes: number
  readonly verifyBytes: number
  readonly estimateMs: readonly [number, number]
  /** What cannot be undone or is dangerous; each needs the user's consent, typed when `typed`. */
  readonly consequences: readonly Consequence[]
}

export interface Consequence {
  /** What `Job.write` wants to hear back: the code, with the place where there can be several. */
  readonly id: string
  readonly code:
    | 'no-backup' // a memory could not be read and will be lost
    | 'fuse-danger'
    | 'lock-bits' // can only be cleared by a chip erase
    | 'one-way' // what the image does to its device when it runs
    | 'protection-lifted' // from then on the chip can be read by anybody
    | 'bootloader-replaced'
    | 'other-device' // a backup of another device
    | 'maybe-other-device' // a backup that nothing ties to this one of its kind
    | 'warning-overridden' // a check warned
  readonly typed: boolean
  readonly values: Readonly<Record<string, string>>
}

export interface PlanRequest {
  readonly layout: PatientLayout
  readonly wanted: Contents
  readonly present: Memories
  /** What must survive, from the backup. Default: what is present. */
  readonly kept?: Memories
  readonly rule: PlanRule
  /** Whose warnings need consent. */
  readonly checks?: readonly Check[]
  /** As measured while reading; undefined: the estimate is wide. */
  readonly readBytesPerSecond?: number | undefined
}

export function layoutOf(patient: Patient): PatientLayout {
  const { kind, mayBe, memories, unreadable, eraseChip } = patient
  return {
    kind,
    ...(mayBe && { mayBe }),
    unreadable,
    chipErase: eraseChip && {
      ...{ erases: eraseChip.erases, ms: eraseChip.ms },
      ...(eraseChip.lifts && { lifts: eraseChip.lifts }),
    },
    memories: memories.map((memory) => {
      const { id, address, length, pageBytes, sectors, pageMs, write, reserved, guard, writeOnly } = memory
      return {
        ...{ id, address, length, pageBytes, pageMs, write, reserved },
        ...(sectors && { sectors }),
        ...(guard && { guard }),
        ...(writeOnly && { writeOnly }),
        ...(memory.locked && { locked: memory.locked }),
        readable: memory.read !== undefined,
        writable: memory.program !== undefined,
      }
    }),
  }
}

/**
 * @throws `does-not-fit` · `write-protected`: the image changes what cannot be changed this way ·
 * `read-protected`: it could not be read back
 */
export function planFlash(request: PlanRequest): Plan {
  const { layout, wanted, present, kept = present, rule } = request
  for (const id of wanted.keys())
    if (!layout.memories.some((memory) => memory.id === id && memory.writable))
      throw new FlashError('write-protected', { memory: id })

  const erases = layout.chipErase?.erases ?? []
  // Bits that hid a memory are not put back: nobody could ever verify or save it again.
  const unlocks = erases.some((id) => !kept.has(id) && layout.memories.some((memory) => memory.id === id))
  const goals = layout.memories
    .filter(({ writable }) => writable)
    .map((memory) => goalOf(memory, request, kept, unlocks && memory.id === 'lock'))
  const mustErase = goals.some(needsErase)
  if (mustErase) refuseWithoutErase(goals, erases)

  const planned = goals.map((goal) => ({ goal, erased: mustErase && erases.includes(goal.memory.id) }))
  const ranges = planned.flatMap(({ goal, erased }) => rangesOf(goal, erased))
  const concerned = planned.filter(({ goal, erased }) => erased || goal.isWanted || isChanged(goal, ranges))
  for (const { goal, erased } of concerned)
    if (!goal.memory.readable && !goal.memory.writeOnly && !erased)
      throw new FlashError('read-protected', { memory: goal.memory.id })

  const lost = concerned.map(({ goal }) => goal.memory.id).filter((id) => !kept.has(id))
  const plan = {
    patientKind: layout.kind,
    ...(layout.mayBe && { mayBe: layout.mayBe }),
    before: present,
    erase: mustErase ? ('chip' as const) : ('none' as const),
    ranges,
    expected: new Map(concerned.map(({ goal }) => [goal.memory.id, goal.expected])),
    lost,
    programBytes: lengthOf(ranges.filter(isWritten)),
    verifyBytes: concerned.reduce(
      (sum, { goal }) => sum + (goal.memory.writeOnly ? 0 : goal.memory.length),
      0,
    ),
  }
  return {
    ...plan,
    estimateMs: estimate(plan, request),
    consequences: [
      ...consequencesOf(lost, ranges, wanted, rule, request.checks ?? []),
      ...(plan.erase === 'chip' && request.layout.chipErase?.lifts ? [protectionLifted] : []),
    ],
  }
}

const isChanged = ({ memory }: Goal, ranges: readonly PlannedRange[]): boolean =>
  ranges.some((range) => range.memory === memory.id && range.action !== 'keep')

/** Whether it changes anything. */
export const hasWork = ({ erase, programBytes }: Pick<Plan, 'erase' | 'programBytes'>): boolean =>
  erase === 'chip' || programBytes > 0

export const isWritten = ({ action }: PlannedRange): boolean => action === 'program' || action === 'refill'

// ---- what a memory is to hold --------------------------------------------------------------------

interface Goal {
  readonly memory: MemoryLayout
  readonly present: Uint8Array | undefined
  readonly kept: Uint8Array | undefined
  readonly expected: Uint8Array
  /** Pages or sectors. */
  readonly units: readonly Range[]
  /** By unit: reserved, in the image, or neither. */
  readonly nature: readonly ('reserved' | 'image' | 'outside')[]
  readonly isWanted: boolean
}

function goalOf(
  memory: MemoryLayout,
  { wanted, present, rule }: PlanRequest,
  keptMemories: Memories,
  unlock: boolean,
): Goal {
  const { id, address: base, length, reserved } = memory
  const segments = wanted.get(id) ?? []
  const kept = keptMemories.get(id)
  const units = unitsOf(memory)
  const nature = units.map((unit): Goal['nature'][number] =>
    reserved.some((range) => overlap(unit, range)) ? 'reserved' : 'outside',
  )
  const within = (bytes: Uint8Array, { address, length }: Range) =>
    bytes.subarray(address - base, address - base + length)

  const expected = unlock || !kept ? blank(length) : kept.slice()
  if (id === 'flash' && segments.length > 0 && rule.outside === 'blank')
    for (const [i, unit] of units.entries()) if (nature[i] !== 'reserved') within(expected, unit).fill(0xff)
  for (const segment of segments) {
    const { address, bytes } = segment
    const end = address + bytes.length
    if (address < base || end > base + length)
      throw new FlashError('does-not-fit', { memory: id, address, length: bytes.length, available: length })
    for (let i = unitAt(units, address), at = address; at < end; i++) {
      const unit = units[i] as Range // it fits
      const next = Math.min(end, unit.address + unit.length)
      const part = bytes.subarray(at - address, next - address)
      if (nature[i] !== 'reserved') {
        expected.set(part, at - base)
        nature[i] = 'image'
      } else if (
        rule.reserved === 'refuse' &&
        !equal(part, within(expected, { address: at, length: part.length }))
      )
        throw new FlashError('write-protected', { memory: id })
      at = next
    }
  }
  const goal = { memory, present: present.get(id), kept, units, isWanted: segments.length > 0 }
  if (!memory.writeOnly) return { ...goal, expected, nature }
  const last = units[nature.lastIndexOf('image')]
  const filled = last ? last.address + last.length : base
  return {
    ...goal,
    expected: expected.subarray(0, filled - base),
    nature: nature.map((what, i) =>
      what === 'outside' && (units[i] as Range).address < filled ? 'image' : what,
    ),
  }
}

const overlap = (a: Range, b: Range): boolean =>
  a.address < b.address + b.length && b.address < a.address + a.length

/** What is written as one: its pages, or its sectors. */
export function unitsOf({
  address,
  length,
  pageBytes,
  sectors,
}: Pick<Memory, 'address' | 'length' | 'pageBytes' | 'sectors'>): readonly Range[] {
  if (sectors) return sectors
  return Array.from({ length: Math.ceil(length / pageBytes) }, (_, i) => ({
    address: address + i * pageBytes,
    length: Math.min(pageBytes, length - i * pageBytes),
  }))
}

/** Those that a range of whole ones is made of. */
export const unitsIn = (units: readonly Range[], { address, length }: Range): readonly Range[] =>
  units.slice(unitAt(units, address), unitAt(units, address + length - 1) + 1)

/** The index of the one that holds an address within them. */
function unitAt(units: readonly Range[], address: number): number {
  let low = 0
  let high = units.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((units[middle] as Range).address <= address) low = middle
    else high = middle
  }
  return low
}

/** Only a set bit needs an erase, and only where writing clears bits; or any change where lock bits refuse. */
function needsErase({ memory, present, expected, isWanted }: Goal): boolean {
  if (memory.write !== 'and' && !memory.locked) return false
  if (!present) return isWanted
  if (memory.locked && !equal(present, expected)) return true
  return expected.some((byte, i) => (byte & ~(present[i] ?? 0)) !== 0)
}

/** A chip erase must be there, must reach every memory that needs it, and must not reach a reserved range. */
function refuseWithoutErase(goals: readonly Goal[], erases: readonly MemoryId[]): void {
  for (const goal of goals) {
    const reaches = erases.includes(goal.memory.id) || (goal.memory.locked && erases.includes('lock'))
    if (reaches ? goal.nature.includes('reserved') : needsErase(goal))
      throw new FlashError('write-protected', { memory: goal.memory.id })
  }
}

// ---- what is done for it -------------------------------------------------------------------------

/** Unit by unit, neighbours of one kind joined. */
function rangesOf(goal: Goal, erased: boolean): PlannedRange[] {
  const ranges: PlannedRange[] = []
  const actions = goal.units.map((_, i) => actionOn(goal, i, erased))
  const { guard } = goal.memory
  if (guard && actions.some(({ action }) => action !== 'keep')) {
    const at = unitAt(goal.units, guard.address)
    actions[at] = { action: newOrOld(goal, at) }
  }
  for (const [i, { address, length }] of goal.units.entries()) {
    const what = actions[i] as Action
    const last = ranges.at(-1)
    if (last && last.action === what.action && last.why === what.why)
      ranges[ranges.length - 1] = { ...last, length: last.length + length }
    else ranges.push({ memory: goal.memory.id, address, length, ...what })
  }
  return ranges
}

type Action = Pick<PlannedRange, 'action' | 'why'>

function actionOn(goal: Goal, index: number, erased: boolean): Action {
  const { address, length } = goal.units[index] as Range
  const offset = address - goal.memory.address
  const unitOf = (bytes: Uint8Array) => bytes.subarray(offset, offset + length)
  const nature = goal.nature[index]
  const expected = unitOf(goal.expected)
  const present = goal.present && unitOf(goal.present)
  if (nature === 'reserved') return { action: 'keep', why: 'bootloader' }
  if (nature === 'outside' && goal.memory.writeOnly) return { action: 'keep', why: 'outside' }
  const same: Action = {
    action: 'keep',
    why: nature === 'image' ? 'same' : 'outside',
  }
  if (erased ? isBlank(expected) : !goal.isWanted && !present) {
    const stays = erased ? present !== undefined && isBlank(present) : true
    return stays ? same : { action: 'blank' }
  }
  if (!erased && present && equal(present, expected)) return same
  return { action: newOrOld(goal, index) }
}

/** Of what is written: whether it comes from the backup. */
function newOrOld({ kept, expected, units, memory }: Goal, index: number): 'refill' | 'program' {
  const { address, length } = units[index] as Range
  const within = (bytes: Uint8Array) => bytes.subarray(address - memory.address).subarray(0, length)
  return kept && equal(within(kept), within(expected)) ? 'refill' : 'program'
}

// ---- what it costs -------------------------------------------------------------------------------

function estimate(
  plan: Pick<Plan, 'erase' | 'ranges' | 'programBytes' | 'verifyBytes'>,
  { layout, readBytesPerSecond }: PlanRequest,
): [number, number] {
  const pagesMs = layout.memories.reduce((sum, { id, pageBytes, pageMs }) => {
    const bytes = lengthOf(plan.ranges.filter((range) => range.memory === id && isWritten(range)))
    return sum + (bytes / pageBytes) * pageMs
  }, 0)
  const fixedMs = pagesMs + (plan.erase === 'chip' ? (layout.chipErase?.ms ?? 0) : 0)
  const moved = (plan.programBytes + plan.verifyBytes) * 1000
  const [fast, slow] = readBytesPerSecond
    ? [readBytesPerSecond, readBytesPerSecond]
    : ([10_000, 500] as const) // anything from a fast ISP programmer to a slow target
  return [Math.round((fixedMs + moved / fast) * 0.9), Math.round((fixedMs + moved / slow) * 1.4 + 500)]
}

const lengthOf = (ranges: readonly Range[]): number => ranges.reduce((sum, { length }) => sum + length, 0)

/** Warnings that have a consequence of their own, or none. */
const ownConsequence: Partial<Record<Check['code'], Consequence['code'] | 'none'>> = {
  'fuse-danger': 'fuse-danger',
  'bootloader-overlap': 'bootloader-replaced',
  'same-device': 'other-device',
  'backup-proven': 'none', // each lost memory is asked for
  'one-way': 'one-way',
  'nothing-to-do': 'none',
}

const fuseId = ({ fuse = '', bit = '' }: Check['values']): string => `fuse-danger:${fuse}.${bit}`
const lossId = (memory: string): string => `no-backup:${memory}`

/** The warnings of which the consents asked for do not tell the whole already. */
export function untoldWarnings(
  checks: readonly Check[],
  consequences: readonly Consequence[],
): readonly Check[] {
  const isAsked = (asked: string) => consequences.some(({ id }) => id === asked)
  return checks.filter(({ code, result, values }) => {
    if (result === 'passed') return false
    if (code === 'fuse-danger') return !isAsked(fuseId(values))
    if (code === 'same-device' && values['why'] === 'unsure') return !isAsked('maybe-other-device')
    return code !== 'backup-proven' || !values['memory']?.split(', ').map(lossId).every(isAsked)
  })
}

/** What a tick is enough for: it can be undone, or is unlikely. */
const ticked: ReadonlySet<Consequence['code']> = new Set(['bootloader-replaced', 'maybe-other-device'])

const protectionLifted: Consequence = {
  ...{ id: 'protection-lifted', code: 'protection-lifted', typed: false, values: {} },
}

function consequencesOf(
  lost: readonly MemoryId[],
  ranges: readonly PlannedRange[],
  wanted: Contents,
  rule: PlanRule,
  checks: readonly Check[],
): Consequence[] {
  const consequences: Consequence[] = lost.map((memory) => ({
    id: lossId(memory),
    code: 'no-backup',
    typed: true,
    values: { memory },
  }))
  // Put back as they were after an erase, they take nothing away.
  if (wanted.has('lock') && ranges.some(({ memory, action }) => memory === 'lock' && action === 'program'))
    consequences.push({ id: 'lock-bits', code: 'lock-bits', typed: false, values: {} })

  const warnings = checks.filter(({ result }) => result === 'warning')
  for (const { code, values } of warnings) {
    const isUnsure = code === 'same-device' && values['why'] === 'unsure'
    const own = isUnsure ? 'maybe-other-device' : ownConsequence[code]
    if (own === undefined || own === 'none') continue
    consequences.push({
      id: own === 'fuse-danger' ? fuseId(values) : own,
      code: own,
      typed: !ticked.has(own) && values['danger'] !== 'caution',
      values,
    })
  }
  const others = warnings.filter(({ code }) => ownConsequence[code] === undefined).map(({ code }) => code)
  if (others.length > 0)
    consequences.push({
      id: 'warning-overridden',
      code: 'warning-overridden',
      typed: false,
      values: { checks: others.join(', ') },
    })
  return consequences
}

/** Whether a plan erases, or writes a memory, where the one that was shown said that it stays. */
export function goesBeyond(plan: Plan, shown: Plan): boolean {
  if (plan.erase === 'chip' && shown.erase === 'none') return true
  const isLeftAlone = (id: MemoryId) =>
    shown.ranges.every(({ memory, action }) => memory !== id || action === 'keep')
  return plan.ranges.some(({ memory, action }) => action === 'program' && isLeftAlone(memory))
}

/** The plan for a log or a test: developers' English, one line a range. */
export function planLines(plan: Plan): string[] {
  return [
    `${plan.patientKind}, ${plan.erase === 'chip' ? 'chip erase' : 'no erase'}`,
    ...plan.ranges.map(({ memory, address, length, action, why }) =>
      [
        memory.padEnd(11),
        `${hex(address, 4)}–${hex(address + length - 1, 4)}`,
        `${action}${why ? ` (${why})` : ''}`,
      ].join(' '),
    ),
    `program ${String(plan.programBytes)}, verify ${String(plan.verifyBytes)} bytes`,
    ...plan.consequences.map(({ id, typed }) => `consent ${id}${typed ? ' (typed)' : ''}`),
  ]
}
