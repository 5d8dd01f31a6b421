/**
 * Carrying a plan out: look, erase, program, read back. It cannot be called without a receipt for the backup
 * (or an acknowledgement for what has none), and it changes nothing before it has looked whether the
 * patient is still the one that was planned for.
 *
 * Order: flash, EEPROM, read back both, then fuses (a wrong clock would end the conversation), then lock
 * bits (they end reading). Within the flash the page with the reset vector comes last: a boot loader that
 * looks at the vector before it starts an application then stays in charge of an unfinished write. Where nothing
 * else brings that one back (`Memory.guard`), the page is blanked before all others too. On loaders that do not look
 * no order helps, and through ISP none is needed: those are reached by the reset pin.
 */
import { blank, equal, hex, hexBytes, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Memory, MemoryId, Patient, Range } from '#core/programmer.ts'
import { Progress } from '#core/progress.ts'
import type { Receipt } from '#store/backups.ts'
import type { NoBackup } from './backup.ts'
import { hasWork, isWritten, unitsIn, unitsOf, type Plan } from './plan.ts'
import { isReadable } from './reading.ts'
import { isOfKind } from './same-unit.ts'
import { verifyMemory } from './verify.ts'

/** Goes the way to the patient anew. */
export type Connect = (ctx: Context) => Promise<Patient>

export interface FlashOptions {
  readonly connect: Connect
  readonly plan: Plan
  readonly safety: Receipt | NoBackup
  /** Called once, before the first byte is changed, and waited for: from here on the patient may be half-written. */
  readonly beforeFirstChange: () => Promise<void>
  /**
   * Called when it is the same patient, but its program has written its EEPROM since: gives a plan and a receipt
   * that know the new content, or nothing when that plan is to be asked for first. Absent: that is `target-changed`
   * too.
   */
  readonly renew?:
    | ((patient: Patient, ctx: Context) => Promise<Pick<FlashOptions, 'plan' | 'safety'> | undefined>)
    | undefined
  /** Called before `verify-mismatch` with what was found in that memory. */
  readonly onWrong?: (id: MemoryId, found: Uint8Array) => Promise<void> | void
}

/**
 *  written      all of it, and read back, but for what is write-only
 *  not-begun    nothing was changed, as `renew` gave no plan
 *  restarted    all is erased, and it has started anew: the rest is planned again when it was found
 *  left         all of it, and it has gone to start that: it is read back when it was found
 */
export type FlashEnd = 'written' | 'not-begun' | 'restarted' | 'left'

/**
 * @throws `target-changed`: not the patient that was planned for; nothing was changed · `verify-mismatch` ·
 * `cancelled` at a page boundary · whatever the patient throws
 */
export async function flash(options: FlashOptions, ctx: Context): Promise<FlashEnd> {
  const { connect, renew, beforeFirstChange, onWrong } = options
  let { plan, safety } = options
  refuseUnlessSafe(plan, safety)
  const steps = ctx.progress.steps({ reach: 2, look: 1, ...weights(plan) })
  let patient: Patient | undefined = await connect(ctx.under(steps.reach))
  try {
    steps.reach.finish()
    const isNew = await hasNewEeprom(patient, plan, ctx.under(steps.look), renew !== undefined)
    if (renew && isNew) {
      const renewed = await renew(patient, ctx.under(steps.look))
      if (!renewed) return 'not-begun'
      ;({ plan, safety } = renewed)
      refuseUnlessSafe(plan, safety)
    }
    steps.look.finish()
    if (hasWork(plan)) await beforeFirstChange()
    if (plan.erase === 'chip') {
      await eraseChip(patient, ctx.under(steps.erase))
      if (patient.eraseChip?.restarts) return 'restarted'
      if (!canFinish(patient, plan)) {
        const old = patient
        patient = undefined
        await release(old, ctx)
        // kept at once: a cancel that came meanwhile ends `critical` without a result
        patient = await ctx.critical(async (critical) => (patient = await connect(critical)))
      }
    }
    steps.erase.finish()
    await writeAll(patient, plan, ctx, steps, onWrong)
    return patient.hasLeft ? 'left' : 'written'
  } finally {
    if (patient) await release(patient, ctx)
  }
}

/** What went wrong before matters more than that letting go fails too. */
export async function release(patient: Patient, { log }: Context): Promise<void> {
  try {
    await patient[Symbol.asyncDispose]()
  } catch (error) {
    log(`letting the patient go failed: ${String(error)}`)
  }
}

/** The types ask for a receipt; this asks whether it is for all that this plan can lose. */
function refuseUnlessSafe(plan: Plan, safety: Receipt | NoBackup): void {
  const { receipt, acknowledged } = 'acknowledged' in safety ? safety : { receipt: safety, acknowledged: [] }
  if (!isOfKind({ ...plan, kind: plan.patientKind }, receipt.patientKind))
    throw new FlashError('target-changed', { expected: receipt.patientKind, found: plan.patientKind })
  const isSafe = (id: MemoryId) =>
    receipt.memories.includes(id) || acknowledged.some(({ memory }) => memory === id)
  for (const id of plan.expected.keys())
    if (!isSafe(id)) throw new FlashError('backup-corrupt', { name: receipt.backupId, why: `no ${id}` })
}

/** Erasing and looking cost about as much as this many bytes. */
const fixedCost = 200

function weights(plan: Plan) {
  return { erase: fixedCost, program: plan.programBytes * 2 + 1, verify: plan.verifyBytes + 1 }
}

// ---- is it still the same -------------------------------------------------------------------------

/**
 * Small memories and an EEPROM that will be written whole; of the flash some pages from its first to its last. Another
 * chip of the same kind, or one that somebody flashed meanwhile, differs there, unless it differs in a few bytes only.
 * True: it is the same, but for its EEPROM.
 */
async function hasNewEeprom(
  patient: Patient,
  plan: Plan,
  ctx: Context,
  mayDiffer: boolean,
): Promise<boolean> {
  if (patient.kind !== plan.patientKind)
    throw new FlashError('target-changed', { expected: plan.patientKind, found: patient.kind })
  let isNew = false
  for (const memory of patient.memories.filter(isReadable)) {
    const { id } = memory
    const before = plan.before.get(id)
    if (!before || (id === 'eeprom' && !plan.expected.has(id))) continue
    for (const range of id === 'eeprom' ? [memory] : samples(memory, before)) {
      const { address, length } = range
      const expected = before.subarray(address - memory.address).subarray(0, length)
      const found = await memory.read({ address, length }, ctx)
      if (equal(expected, found)) continue
      isNew = id === 'eeprom' && mayDiffer
      if (!isNew) throw new FlashError('target-changed', whereDifferent(id, expected, found))
    }
  }
  return isNew
}

function whereDifferent(id: MemoryId, expected: Uint8Array, found: Uint8Array) {
  const at = expected.findIndex((byte, i) => byte !== found[i])
  const tell = (bytes: Uint8Array) => `${id} ${hexBytes(bytes.subarray(at, at + 8))}`
  return { expected: tell(expected), found: tell(found) }
}

/** So many pages, evenly over what is not blank. */
const spread = 16

function samples({ address, length, pageBytes }: Memory, before: Uint8Array): Range[] {
  if (length <= 16) return [{ address, length }]
  const lastUsed = Math.max(0, lengthBeforeBlank(before) - 1)
  const within = Array.from({ length: spread }, (_, i) => Math.floor((lastUsed * i) / (spread - 1)))
  const offsets = [...within, length - 1].map((at) => at - (at % pageBytes))
  return [...new Set(offsets)].map((offset) => ({
    address: address + offset,
    length: Math.min(pageBytes, length - offset),
  }))
}

// ---- erase, program, verify -----------------------------------------------------------------------

async function eraseChip({ eraseChip, kind }: Patient, ctx: Context): Promise<void> {
  if (!eraseChip) throw new FlashError('target-changed', { expected: 'a chip erase', found: kind })
  await ctx.critical((critical) => eraseChip.run(critical))
}

/** After an erase has cleared lock bits, memories may open up: some patients only show it when met anew. */
function canFinish({ memories }: Patient, plan: Plan): boolean {
  return [...plan.expected.keys()].every((id) => {
    const memory = memories.find((one) => one.id === id)
    return memory?.read && memory.program && !memory.locked
  })
}

const contentFirst: readonly MemoryId[] = ['flash', 'eeprom']
const settingsLast: readonly MemoryId[] = ['config', 'fuses', 'lock']

async function writeAll(
  patient: Patient,
  plan: Plan,
  ctx: Context,
  { program, verify }: Record<'program' | 'verify', Progress>,
  onWrong: FlashOptions['onWrong'],
): Promise<void> {
  const bytesOf = (id: MemoryId) => plan.expected.get(id)?.length ?? 0
  const all = [...contentFirst, ...settingsLast].filter((id) => plan.expected.has(id))
  const weigh = () => Object.fromEntries(all.map((id) => [id, bytesOf(id)])) as Record<MemoryId, number>
  const [programs, verifies] = [program.steps(weigh()), verify.steps(weigh())]

  const doProgram = async (id: MemoryId) => {
    await programMemory(memoryOf(patient, id), plan, ctx.under(programs[id]))
    programs[id].finish()
  }
  const doVerify = async (id: MemoryId, within: Context) => {
    if (memoryOf(patient, id).writeOnly) return verifies[id].finish() // its loader has answered for each block
    const expected = plan.expected.get(id) ?? new Uint8Array()
    const under = within.under(verifies[id].expect(expected.length))
    await verifyMemory(memoryOf(patient, id), expected, under, (found) => onWrong?.(id, found))
    verifies[id].finish()
  }
  const contents = all.filter((id) => contentFirst.includes(id))
  for (const id of contents) await doProgram(id)
  if (patient.hasLeft) return
  for (const id of contents) await doVerify(id, ctx)
  for (const id of all.filter((one) => settingsLast.includes(one))) {
    await doProgram(id)
    await doVerify(id, ctx)
  }
}

function memoryOf({ memories, kind }: Patient, id: MemoryId): Memory {
  const memory = memories.find((one) => one.id === id)
  if (!memory) throw new FlashError('target-changed', { expected: id, found: kind })
  return memory
}

/** So much is handed to a driver at once, unless one unit has more or it asks for more: a cancel is heard in between. */
const mostAtOnce = 1024

async function programMemory(memory: Memory, plan: Plan, ctx: Context): Promise<void> {
  const expected = plan.expected.get(memory.id) ?? new Uint8Array()
  const ranges = plan.ranges.filter((range) => range.memory === memory.id && isWritten(range))
  const { id, address: base, guard } = memory
  const parts = pieces(memory, ranges)
  const blanked = guard && parts.length > 1 ? guard.length : 0
  ctx.progress.expect(ranges.reduce((sum, { length }) => sum + length, blanked))
  if (ranges.length === 0) return
  const write = async (range: Range, within: Context) => {
    const offset = range.address - base
    await programSteadily(memory, range.address, expected.subarray(offset, offset + range.length), within)
  }
  if (settingsLast.includes(id)) {
    // Bytes that belong together, such as the two that choose the clock, are never left half-changed.
    await ctx.critical(async (critical) => {
      for (const range of ranges) await write(range, critical)
    })
    return
  }
  await ctx.boundary(async (boundary) => {
    if (guard && blanked > 0) await programSteadily(memory, guard.address, blank(guard.length), boundary)
    for (const range of vectorLast(memory, parts)) {
      boundary.checkpoint()
      await write(range, boundary)
    }
  })
}

/** Trouble on the wire: it may be over in a moment, and a link that was opened anew is free of it. */
export const wireTrouble = [
  'timeout',
  'stalled',
  'short-transfer',
  'transfer-failed',
  'unexpected-answer',
  'target-busy',
] as const
/** What is still the matter after these is told. */
const pausesMs = [50, 400] as const

/** Again after a moment's trouble on the wire, which is safe: the same bytes go to the same place. */
async function programSteadily(
  memory: Memory,
  address: number,
  bytes: Uint8Array,
  ctx: Context,
): Promise<void> {
  const { id } = memory
  if (!memory.program) throw new FlashError('write-protected', { memory: id })
  const doneBefore = ctx.progress.done
  for (let tries = 0; ; tries++) {
    const isAgain = tries > 0
    try {
      await memory.program(address, bytes, isAgain ? ctx.under(Progress.silent()) : ctx)
      const told = ctx.progress.done - doneBefore
      if (isAgain) ctx.progress.advance(bytes.length - told, address + told)
      return
    } catch (error) {
      const pauseMs = pausesMs[tries]
      if (pauseMs === undefined || !isFlashError(error, ...wireTrouble)) throw error
      ctx.log(`${id} at ${hex(address, 4)}: ${error.code}, once more`)
      await ctx.sleep(pauseMs)
    }
  }
}

/** The one with the vector. */
const firstOf = ({ address, guard }: Memory): number => guard?.address ?? address

/** The first unit by itself; the rest in runs of whole ones. */
function pieces(memory: Memory, ranges: readonly Range[]): Range[] {
  const units = unitsOf(memory)
  const { atOnceBytes = mostAtOnce } = memory
  const parts: { address: number; length: number }[] = []
  for (const { address, length } of ranges.flatMap((range) => unitsIn(units, range))) {
    const last = parts.at(-1)
    const follows =
      last && ![last.address, address].includes(firstOf(memory)) && last.address + last.length === address
    if (follows && last.length + length <= atOnceBytes) last.length += length
    else parts.push({ address, length })
  }
  return parts
}

function vectorLast(memory: Memory, parts: readonly Range[]): readonly Range[] {
  const first = memory.id === 'flash' ? parts.filter(({ address }) => address === firstOf(memory)) : []
  return [...parts.filter((part) => !first.includes(part)), ...first]
}
