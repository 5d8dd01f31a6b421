/**
 * All checks before a write: those that only the patient's chip code can make, and those that need to know
 * more than a chip: versions, hashes, backups, this computer. Pure; who calls it gathers the facts.
 *
 * `values.why` chooses the sentence where there are several; the other values are its evidence.
 */
import { equal } from '#core/bytes.ts'
import { compareVersions, firmwareName } from '#core/versions.ts'
import { totalBytes } from '#firmware/image.ts'
import type { ImageReason } from '#catalogue/schema.ts'
import type { Check, Contents, KnownFirmware, MemoryId, Patient, Segment } from '#core/programmer.ts'
import type { Statement } from '#inspector/clue.ts'
import type { Backup } from '#store/backups.ts'
import type { Wanted } from '#store/journal.ts'
import { checkContent, checkUsb, type ConnectedUsb } from './check-content.ts'
import { planFlash, type Memories, type PatientLayout, type PlanRule } from './plan.ts'
import { isChip, isOfKind } from './same-unit.ts'

export interface CheckRequest {
  readonly patient: Pick<Patient, 'kind' | 'mayBe' | 'chip' | 'check'>
  readonly layout: PatientLayout
  readonly wanted: Wanted
  readonly rule: PlanRule
  readonly present: Memories
  readonly kept: Memories
  readonly presentFirmware: KnownFirmware | undefined
  /** How the patient is reached, and by whose driver. */
  readonly way: 'itself' | 'target'
  readonly family: string | undefined
  /** Undefined: it is not on USB. */
  readonly usb: ConnectedUsb | undefined
  /** The backup of this patient; `isProven`: it was read back from the store just now. */
  readonly backup: Backup
  readonly isProven: boolean
  /** The backup that is to be restored, if any. */
  readonly restored: Backup | undefined
  /** Ids of all backups that this job made of this patient. */
  readonly own: ReadonlySet<string>
  /** What the image is by itself, surest first. */
  readonly nature: readonly Statement[]
  /** What the catalogue says of this image; undefined: it does not know it. */
  readonly known: { readonly against: ImageReason | undefined } | undefined
  readonly battery: { readonly charging: boolean; readonly level: number } | undefined
  /** Bytes; undefined: unknown. */
  readonly storageRoom: number | undefined
}

export function checkAll(request: CheckRequest): readonly Check[] {
  const { patient, wanted } = request
  const contents = effectiveContents(request)
  const { said, chip = said?.claims.chip } = wanted.source
  const ofChip = patient.check(contents, surroundingsOf(request), chip)
  const isSound = ofChip.every(({ code, result }) => code !== 'vector-table' || result === 'passed')
  const isChipKnown = ofChip.some(({ code }) => code === 'chip-matches')
  return [
    ...(isChipKnown ? [] : checkChip(patient.chip, wanted)),
    ...checkContent(patient, request.nature, said),
    ...checkUsb(request.way, said, request.usb),
    ...checkDevice(request),
    ...ofChip,
    ...checkVersion(request, isSound),
    ...checkKnownFault(request),
    ...checkHash(wanted),
    ...checkOrigin(request),
    checkBackup(request),
    checkWork(contents, request),
    checkBattery(request.battery),
    // A job holds the lock from its start to its end.
    { code: 'other-tab', result: 'passed', values: {} },
    checkRoom(request.storageRoom, request.layout),
  ]
}

/** How this computer is. */
export type Computer = Pick<CheckRequest, 'battery' | 'storageRoom'>

/** The same checks, but for this computer as it is now; undefined: that changes none of them. */
export function renewed(
  checks: readonly Check[],
  { battery, storageRoom }: Computer,
  layout: PatientLayout,
): readonly Check[] | undefined {
  const now = [checkBattery(battery), checkRoom(storageRoom, layout)]
  const all = checks.map((old) => now.find(({ code }) => code === old.code) ?? old)
  const said = (some: readonly Check[]) =>
    JSON.stringify(some.map(({ result, values: { why } }) => [result, why]))
  return said(all) === said(checks) ? undefined : all
}

/** What will really be written over: without what is left out, with what is blanked. */
function effectiveContents({ wanted, layout, rule, present, kept }: CheckRequest): Contents {
  const isPlain = rule.reserved === 'refuse' && rule.outside === 'keep'
  if (isPlain || !fits(wanted.contents, layout)) return wanted.contents
  const { expected } = planFlash({
    layout,
    wanted: wanted.contents,
    present,
    kept,
    rule: { ...rule, reserved: 'skip' },
  })
  const flash = wanted.contents.get('flash')
  const whole = expected.get('flash')
  if (!flash || !whole) return wanted.contents
  const base = baseOf(layout, 'flash')
  const meant: readonly Segment[] =
    rule.outside === 'blank'
      ? [{ address: base, bytes: whole }]
      : flash.map(({ address, bytes }) => ({
          address,
          bytes: whole.slice(address - base, address - base + bytes.length),
        }))
  return new Map([...wanted.contents, ['flash', meant]])
}

function fits(contents: Contents, { memories }: PatientLayout): boolean {
  return [...contents].every(([id, segments]) => {
    const memory = memories.find((one) => one.id === id && one.writable)
    return segments.every(
      ({ address, bytes }) =>
        memory && address >= memory.address && address + bytes.length <= memory.address + memory.length,
    )
  })
}

const baseOf = ({ memories }: PatientLayout, id: MemoryId): number =>
  memories.find((memory) => memory.id === id)?.address ?? 0

/** What an image will stand among: the flash as it was backed up, for a write that broke off left less of it. */
function surroundingsOf({ present, kept, layout }: CheckRequest): Contents {
  const flash = kept.get('flash')
  const memories = new Map([...present, ...(flash ? [['flash', flash] as const] : [])])
  return new Map(
    [...memories].map(([id, bytes]): [MemoryId, Segment[]] => [id, [{ address: baseOf(layout, id), bytes }]]),
  )
}

const check = (code: Check['code'], result: Check['result'], values: Check['values'] = {}): Check => ({
  code,
  result,
  values,
})

function checkChip(chip: string, { source, firmware }: Wanted): Check[] {
  const said = source.chip ?? source.said?.claims.chip
  const claims = said === undefined ? firmware?.chips : [said]
  if (!claims) return []
  const values = { expected: chip, found: claims.join(', ') }
  const isMeant = claims.some((claim) => isChip(chip, claim))
  const isSure = source.chip !== undefined || firmware?.confidence === 'certain'
  if (isMeant) return [check('chip-matches', 'passed', values)]
  if (isSure) return [check('chip-matches', 'refused', values)]
  return [check('chip-matches', 'warning', { why: 'other-chip', ...values })]
}

/** A link may say whose firmware it is and by which way it goes there. */
function checkDevice({ wanted, way, family, presentFirmware }: CheckRequest): Check[] {
  const { device, patient } = wanted.source
  if (patient !== undefined && patient !== way) return [check('device-matches', 'warning', { why: patient })]
  if (device === undefined) return []
  const found = way === 'itself' ? family : presentFirmware?.family
  if (found === undefined) return [check('device-matches', 'passed', { why: 'unknown', expected: device })]
  return [check('device-matches', found === device ? 'passed' : 'warning', { expected: device, found })]
}

// ---- versions ------------------------------------------------------------------------------------

/**
 * A damaged image's own word reassures nobody. Whoever goes back to a backup means what was there then: older, or
 * known to nobody.
 */
function checkVersion({ presentFirmware, wanted, restored }: CheckRequest, isSound: boolean): Check[] {
  const checks = compareFirmware(presentFirmware, wanted.firmware)
  const meant = restored ? checks.map((one): Check => ({ ...one, result: 'passed' })) : checks
  return meant.filter(({ result }) => isSound || result !== 'passed')
}

function compareFirmware(before: KnownFirmware | undefined, after: KnownFirmware | undefined): Check[] {
  if (!before)
    return after ? [check('version', 'passed', { why: 'unknown-before', to: firmwareName(after) })] : []
  if (!after) return [check('version', 'warning', { why: 'unknown-after', from: firmwareName(before) })]
  const values = { from: firmwareName(before), to: firmwareName(after) }
  if (before.family !== after.family) return [check('version', 'warning', { why: 'other', ...values })]
  const order = compareVersions(before.version, after.version)
  if (order === undefined) return [check('version', 'passed', { why: 'unknown', ...values })]
  const why = order < 0 ? 'newer' : order > 0 ? 'older' : 'same'
  return [check('version', why === 'older' ? 'warning' : 'passed', { why, ...values })]
}

function checkKnownFault({ known }: CheckRequest): Check[] {
  if (!known) return []
  const { against } = known
  return [against ? check('known-bad', 'warning', { reason: against }) : check('known-bad', 'passed')]
}

function checkHash({ source: { sha256, promisedSha256 } }: Wanted): Check[] {
  if (promisedSha256 === undefined) return []
  return [check('image-matches-hash', promisedSha256 === sha256 ? 'passed' : 'refused', { hash: sha256 })]
}

// ---- backups -------------------------------------------------------------------------------------

/**
 * Is a backup restored to the unit it came from? A serial number decides, or that nothing has changed since;
 * without them, different factory calibration bytes say no, and equal ones leave it open.
 */
function checkOrigin({ patient, restored, backup, own }: CheckRequest): Check[] {
  if (!restored) return []
  const [from, to] = [restored.origin.patient, backup.origin.patient]
  const say = (result: Check['result'], why: string, values = {}) => [
    check('same-device', result, {
      why,
      from: from.serial ?? from.chip,
      to: to.serial ?? to.chip,
      ...values,
    }),
  ]
  if (from.kind !== to.kind && !isOfKind(patient, from.kind)) return say('refused', 'other-kind')
  if ((restored.origin.practice ?? false) !== (backup.origin.practice ?? false))
    return say('refused', 'practice')
  if (own.has(restored.id)) return say('passed', 'this-job')
  if (restored.sha256 === backup.sha256) return say('passed', 'same-content')
  if (from.serial !== undefined && to.serial !== undefined)
    return from.serial === to.serial ? say('passed', 'serial') : say('warning', 'other-serial')
  const [old, now] = [restored, backup].map(
    ({ memories }) => memories.find(({ id }) => id === 'calibration')?.bytes,
  )
  if (old && now && !equal(old, now)) return say('warning', 'other-calibration')
  return say('warning', 'unsure')
}

function checkBackup({ backup, isProven }: CheckRequest): Check {
  if (!isProven) return check('backup-proven', 'refused')
  const values = { hash: backup.sha256 }
  const hidden = backup.unreadable.filter(({ reason }) => reason !== 'not-through-this-way')
  if (hidden.length === 0) return check('backup-proven', 'passed', { why: 'hashed', ...values })
  return check('backup-proven', 'warning', {
    ...values,
    memory: hidden.map(({ memory }) => memory).join(', '),
  })
}

function checkWork(contents: Contents, { present, layout }: CheckRequest): Check {
  const isEmpty = [...contents.values()].every((segments) => totalBytes(segments) === 0)
  if (isEmpty) return check('nothing-to-do', 'refused')
  const isThere = [...contents].every(([id, segments]) => {
    const bytes = present.get(id)
    return segments.every(({ address, bytes: wanted }) => {
      const offset = address - baseOf(layout, id)
      return bytes && equal(wanted, bytes.subarray(offset, offset + wanted.length))
    })
  })
  return check('nothing-to-do', isThere ? 'warning' : 'passed')
}

// ---- this computer -------------------------------------------------------------------------------

/** Below, computers begin to save power; a job takes minutes. */
const enough = 0.25

export const isLow = (battery: CheckRequest['battery']): boolean =>
  battery !== undefined && !battery.charging && battery.level < enough

function checkBattery(battery: CheckRequest['battery']): Check {
  if (!battery) return check('host-battery', 'warning', { why: 'unknown' })
  const level = `${String(Math.round(battery.level * 100))} %`
  if (battery.charging) return check('host-battery', 'passed', { why: 'charging', level })
  const isEnough = !isLow(battery)
  return check('host-battery', isEnough ? 'passed' : 'warning', { why: isEnough ? 'level' : 'low', level })
}

/**
 * The backup is stored already, and the certificate is small. The journal has all memories as wanted and as they were, and
 * once more while an entry takes another one's place.
 */
const neededBytes = ({ memories }: PatientLayout): number =>
  (1 << 20) + 4 * memories.reduce((sum, { length }) => sum + length, 0)

function checkRoom(free: number | undefined, layout: PatientLayout): Check {
  if (free === undefined) return check('storage-room', 'warning')
  const values = { free: String(free) }
  return free >= neededBytes(layout)
    ? check('storage-room', 'passed', { why: 'free', ...values })
    : check('storage-room', 'warning', { why: 'low', ...values })
}
