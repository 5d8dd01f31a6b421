/**
 * What can happen on the wire at a transfer, which errors may come of it, and what must be true afterwards.
 * The same for every protocol; a protocol folder says nothing about it.
 *
 * Whatever happened: no success with wrong bytes, no `bug`, progress that only rose, the stored backup still
 * proves itself, and the whole job done again leaves what an undisturbed one leaves.
 */
import { expect } from 'vitest'
import { cancelSource } from '#core/context.ts'
import { toFlashError, type DeviceApi, type ErrorCode } from '#core/errors.ts'
import type { MemoryId } from '#core/programmer.ts'
import { mismatch } from '#jobs/reading.ts'
import type { Memories } from '#jobs/plan.ts'
import { Rising } from './rising.ts'
import { wholeJob, type JobOptions, type Rig, type Saved } from './rig.ts'

export const faults = ['cancel', 'unplug', 'stall', 'hang', 'short'] as const
export type Fault = (typeof faults)[number]

/** `ok` too where the driver can do without the answer, or the job was done already. */
const allowed: Readonly<Record<Fault, Readonly<Record<DeviceApi, readonly ErrorCode[]>>>> = {
  cancel: { usb: ['cancelled'], hid: ['cancelled'], serial: ['cancelled'] },
  unplug: { usb: ['device-gone'], hid: ['device-gone'], serial: ['device-gone'] },
  // a serial write that stalls is lost; of a report the browser says only that it failed
  stall: { usb: ['stalled'], hid: ['transfer-failed'], serial: ['timeout', 'device-silent'] },
  // a loader with a window leaves meanwhile
  hang: { usb: ['timeout'], hid: ['timeout'], serial: ['timeout', 'device-silent', 'device-gone'] },
  short: {
    usb: ['short-transfer'],
    hid: ['short-transfer'],
    serial: ['unexpected-answer', 'device-refused', 'timeout', 'device-silent'],
  },
}

/** The twin's memories that a job reads or changes. */
const memoryIds: readonly MemoryId[] = ['flash', 'eeprom', 'fuses', 'lock']
export const snapshot = ({ plugged }: Rig): Memories =>
  new Map(memoryIds.map((id) => [id, plugged.memory(id).slice()]))

export function expectMemories(rig: Rig, planned: Memories, where: string): void {
  for (const [id, bytes] of planned)
    expect(mismatch(id, 0, bytes, rig.plugged.memory(id)), where).toBeUndefined()
}

export const transfersOf = ({ plugged: { transfers } }: Rig): number =>
  'count' in transfers ? transfers.count : transfers.writes

export interface Ending {
  readonly code: ErrorCode | 'ok'
  /** What the job had stored before it ended, or had from a job before. */
  readonly saved: Saved | undefined
  /** How many there were. */
  readonly transfers: number
}

/** Runs a job in which `fault` happens at the `at`th transfer from now, and looks how it ends. */
export async function disturbed(
  rig: Rig,
  fault: Fault,
  at: number,
  options: JobOptions = {},
): Promise<Ending> {
  const { plugged, backups } = rig
  if (plugged.link === 'hid') await plugged.unplug() // what it refused for good is over, see `recovers`
  await plugged.replug() // what an earlier job wrote may not show itself
  const { signal, cancel } = cancelSource()
  const before = transfersOf(rig)
  const rising = new Rising()
  let saved = options.saved
  if (fault === 'cancel') plugged.onTransfer = (count) => count === before + at && cancel()
  else plugged.faults = { [`${fault}At`]: at }
  try {
    await wholeJob(rig, { ...options, signal, listen: rising.hear, onSaved: (now) => (saved = now) })
    return { code: 'ok', saved, transfers: transfersOf(rig) - before }
  } catch (error) {
    const { code } = toFlashError(error)
    if (code === 'bug') throw error
    expect(allowed[fault][plugged.link], `${fault} at transfer ${String(at)}`).toContain(code)
    if (saved) await backups.receiptFor(saved.receipt.backupId, saved.receipt.sha256)
    return { code, saved, transfers: transfersOf(rig) - before }
  } finally {
    expect(rising.wrong, `${fault} at transfer ${String(at)}`).toEqual([])
    plugged.onTransfer = () => undefined
    plugged.faults = {}
    if (fault === 'unplug') await plugged.replug()
  }
}

/** An undisturbed job: what it leaves, and the kind of each of its transfers. */
export async function undisturbed(rig: Rig): Promise<{ planned: Memories; kinds: readonly string[] }> {
  const kinds: string[] = []
  rig.plugged.onTransfer = (_, kind) => kinds.push(kind)
  await wholeJob(rig)
  return { planned: snapshot(rig), kinds }
}

/** A disturbed job and its repetition, which must leave what was planned; unless the first did already. */
export async function recovers(rig: Rig, fault: Fault, at: number, planned: Memories): Promise<Ending> {
  const ending = await disturbed(rig, fault, at)
  if (ending.code !== 'ok') {
    // a HID device has no port reset: what it refuses for good is over when it is plugged in anew, as its user is told
    if (rig.plugged.link === 'hid') await rig.plugged.unplug()
    await rig.plugged.replug()
    await wholeJob(rig, { saved: ending.saved })
  }
  expectMemories(rig, planned, `${fault} at transfer ${String(at)}, then ${ending.code}`)
  return ending
}
