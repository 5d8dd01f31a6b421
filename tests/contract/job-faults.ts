/**
 * What can happen during the application's own job, which errors may come of it, and what must be true afterwards.
 *
 * Whatever happened: never `bug`, no backup that is not what was in the chip, no write before its backup and the
 * journal were on the disk, progress that only rose. Going on ends in what was planned, with a certificate;
 * or the backup is restored, and the former content is there again.
 */
import { expect } from 'vitest'
import { equal } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { wantedFromBackup } from '#jobs/choose.ts'
import type { Memories } from '#jobs/plan.ts'
import { diskFaults, FailingDisk, type DiskFault } from './disk-faults.ts'
import { JobRig, type Scene } from './job-rig.ts'

/**
 * power: all of it loses its power in the middle of a write, if there is one, and comes back · brown-out: the patient
 * alone · late: the answer comes when nobody waits for it any more · flip: one bit of the answer · flip-out: one bit of
 * what is written · reload: the page is left as it is, and another one comes
 */
export const jobFaults = [
  ...(['unplug', 'power', 'brown-out', 'stall', 'hang', 'late', 'flip', 'flip-out', 'reload'] as const),
]
export type JobFault = (typeof jobFaults)[number]

const onTheWire: readonly ErrorCode[] = ['timeout', 'stalled', 'device-silent', 'transfer-failed']
/** Of a chip that answers something else, or not at all. */
const ofTheChip: readonly ErrorCode[] = [
  ...['target-missing', 'target-unknown', 'target-busy', 'target-changed', 'unexpected-answer'],
  ...['device-refused'],
  ...['backup-mismatch', 'verify-mismatch', 'not-proven', 'short-transfer'],
] as ErrorCode[]

const allowed: Readonly<Record<JobFault | DiskFault, readonly ErrorCode[]>> = {
  unplug: ['device-gone'],
  power: ['device-gone'],
  'brown-out': [...ofTheChip, ...onTheWire, 'device-gone'], // where the patient is what is plugged in
  stall: onTheWire,
  hang: onTheWire,
  late: onTheWire,
  flip: [...ofTheChip, ...onTheWire],
  'flip-out': [...ofTheChip, ...onTheWire],
  reload: [],
  full: ['storage-full'],
  'full-at-the-end': ['storage-full'],
  aborted: ['storage-failed'],
}

const transfersOf = ({ plugged: { transfers } }: JobRig): number =>
  'count' in transfers ? transfers.count : transfers.writes

export interface JobEnding {
  readonly codes: readonly ErrorCode[]
  readonly transfers: number
}

/** An undisturbed job: what it leaves, the kinds of its transfers, and how often it used the disk. */
export async function undisturbedJob(scene: Scene) {
  const rig = await JobRig.setUp(scene)
  const kinds: string[] = []
  rig.plugged.onTransfer = (_, kind) => {
    kinds.push(kind)
    rig.watch()
  }
  using disk = new FailingDisk(rig.page.db, 'aborted', 0)
  using writes = new FailingDisk(rig.page.db, 'full', 0)
  expect(await rig.press(), String(rig.job.view.error)).toBe('nothing')
  const diskUses = { aborted: disk.count, full: writes.count, 'full-at-the-end': writes.count }
  await rig.evidence()
  await rig.certified()
  expect(rig.wrong).toEqual([])
  const { bytesIn, bytesOut } = rig.plugged.transfers
  return { kinds, diskUses, planned: rig.content(), backup: rig.job.view.backup, bytes: bytesIn + bytesOut }
}

/** A job in which `fault` happens at the `at`th transfer, or use of the disk, and what comes of it. */
export async function disturbedJob(
  scene: Scene,
  fault: JobFault | DiskFault,
  at: number,
  planned: Memories,
  restoring: boolean,
): Promise<JobEnding> {
  const rig = await JobRig.setUp(scene)
  const where = `${scene.id}, ${fault} at ${String(at)}`
  arm(rig, fault, at)
  const disk = isOfTheDisk(fault) ? new FailingDisk(rig.page.db, fault, at) : undefined
  const goal = await goOn(rig, restoring, where).finally(() => disk?.[Symbol.dispose]())
  const { codes } = rig
  const isReplugged = rig.plugged.link === 'hid' && codes.includes('transfer-failed')
  for (const code of codes)
    expect([...allowed[fault], ...(isReplugged ? ['device-gone'] : [])], where).toContain(code)
  await rig.evidence()
  await rig.certified()
  expect(rig.wrong.join('; '), where).toBe('')
  for (const [id, bytes] of goal === 'planned' ? planned : rig.former)
    expect(equal(bytes, rig.subject.memory(id)), `${where}, then ${codes.join()}: ${id} as ${goal}`).toBe(
      true,
    )
  const left = await rig.page.services.backups.journal.list()
  if (goal === 'planned') expect(left, where).toEqual([])
  return { codes, transfers: transfersOf(rig) }
}

export const isOfTheDisk = (fault: JobFault | DiskFault): fault is DiskFault =>
  (diskFaults as readonly string[]).includes(fault)

/** More is not once. */
const mostTroubles = 4

async function goOn(rig: JobRig, restoring: boolean, where: string): Promise<'planned' | 'former'> {
  let goal: 'planned' | 'former' = 'planned'
  for (let troubles = 0; troubles < mostTroubles; troubles++) {
    const ended = await rig.press().catch((error: unknown) => {
      throw new Error(`${where}, after ${rig.codes.join()}: ${String(error)}`, { cause: error })
    })
    if (ended === 'nothing') return goal
    if (ended === 'gone') await rig.open()
    // a HID device has no port reset: what it refuses for good is over when it is plugged in anew, as its user is told
    if (rig.plugged.link === 'hid' && rig.codes.at(-1) === 'transfer-failed') {
      await rig.plugged.unplug()
      await rig.plugged.replug()
    }
    const { backup, halfWritten, next } = rig.job.view
    if (!restoring || !backup || !halfWritten || goal === 'former') continue
    goal = 'former'
    rig.instead = () => wantedFromBackup(backup)
    if (next === 'retry') await rig.job.choose(wantedFromBackup(backup))
    else await rig.newJob()
  }
  throw new Error(`${where}: trouble upon trouble: ${rig.codes.join()} ${String(rig.job.view.error)}`)
}

const wires: Partial<Record<JobFault | DiskFault, string>> = {
  unplug: 'unplugAt',
  stall: 'stallAt',
  hang: 'hangAt',
  late: 'lateAt',
  flip: 'flipAt',
  'flip-out': 'flipOutAt',
}

function arm(rig: JobRig, fault: JobFault | DiskFault, at: number): void {
  const { plugged } = rig
  const wire = wires[fault]
  if (wire) plugged.faults = { [wire]: at }
  plugged.onTransfer = (count) => {
    rig.watch()
    if (count === at) {
      if (fault === 'reload') rig.leave()
      // Before, nothing can tell a wrong command from the right one, and it might erase what is not saved yet.
      if (fault === 'flip-out' && !rig.job.view.halfWritten) plugged.faults = {}
    }
    if (fault === 'power') inTheMiddle(rig, count - at, () => void losePower(rig))
    if (fault === 'brown-out') inTheMiddle(rig, count - at, () => rig.subject.patient?.brownOut())
  }
}

/** In the middle of what the chip writes during this transfer; else at its end, when the next one begins. */
function inTheMiddle({ clock, subject: { patient } }: JobRig, passed: number, happen: () => void): void {
  if (!patient || passed < 0 || passed > 1) return
  let hasHappened = false
  const once = () => {
    if (!hasHappened) happen()
    hasHappened = true
  }
  if (passed === 0)
    patient.onWork = (ms) => {
      patient.onWork = () => undefined
      clock.after(ms / 2, once)
      isWorking.add(patient)
    }
  else {
    patient.onWork = () => undefined
    if (!isWorking.has(patient)) once()
  }
}
const isWorking = new WeakSet<object>()

/** For a moment. */
const darkMs = 300

async function losePower({ plugged, clock }: JobRig): Promise<void> {
  await plugged.unplug()
  await clock.sleep(darkMs)
  await plugged.replug()
}
