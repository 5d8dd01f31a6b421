/**
 * The proof at the end, one of two kinds. A programmer that was updated is plugged in by itself and says its
 * version: then the new firmware runs. Anything else is met anew after a reset and read again: then the
 * bytes are there, and whether they run is not proven. The result says which of the two it is.
 */
import { hex } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError, type NotThePatient } from '#core/errors.ts'
import type { Fact, KnownFirmware, MemoryId, Seen } from '#core/programmer.ts'
import { firmwareName } from '#core/versions.ts'
import { sha256OfMemories } from '#store/backups.ts'
import { sha256 } from '#firmware/hash.ts'
import type { Attached } from '#transport/devices.ts'
import { serialOf } from './awaited.ts'
import { describe } from './describe.ts'
import { comparedAgain } from './certificate.ts'
import { candidates, openProgrammer, recogniseFirmware } from './identify.ts'
import type { Connect } from './flash.ts'
import type { Memories } from './plan.ts'
import { isReadable, mismatch, readWhole } from './reading.ts'
import { isOfKind, ofLength } from './same-unit.ts'
import { likelyCause } from './verify.ts'

export type ProofWanted = 'plug-in-by-itself' | 'read-again'

/** How the end was proven. */
export interface ProofResult {
  readonly kind: 'running-version' | 'read-again' | 'none'
  /** What was expected and what was found, in the field's words. Of none: found is empty, or contradicts. */
  readonly expected: string
  readonly found: string
  readonly facts: readonly Fact[]
  /** Of read-again: what was compared. */
  readonly memories?: readonly MemoryId[]
  /** Of a running version: whether what it says could not have been said by what was there before. */
  readonly distinct?: Distinct
  /** Of none: the code of what ended the proof; absent: it was not tried. */
  readonly why?: string
}

export type Distinct = 'yes' | 'no' | 'unknown'

/** By asking only where the firmware says of itself what can be compared. */
export const proofFor = (firmware: KnownFirmware | undefined): ProofWanted =>
  firmware?.appears?.says?.length ? 'plug-in-by-itself' : 'read-again'

/** Of a job that ends without its proof. `error`: what ended that; `name`: what was written. */
export function unproven(error: FlashError | undefined, name: string): ProofResult {
  const { expected = name, found = '' } = error ? contradiction(error) : {}
  return { kind: 'none', expected, found, facts: [], ...(error && { why: error.code }) }
}

/** What the patient itself said or held, where that is not what was expected. */
function contradiction(error: FlashError): Partial<Pick<ProofResult, 'expected' | 'found'>> {
  if (error.is('not-proven')) return error.detail.why ? {} : error.detail // of another device: says nothing of it
  if (!error.is('verify-mismatch')) return {}
  const { memory, address, expected, found } = error.detail
  const at = `${memory} ${hex(address, 4)}: `
  return { expected: at + hex(expected), found: at + hex(found) }
}

/** What is known not to be the patient. */
export interface Bystanders {
  /** The way to the patient; `itself`: the tool is the patient. */
  readonly to: 'itself' | 'target'
  readonly tool: Attached
  readonly isToolGone: boolean
  /** Keys of what was plugged in when the write ended; without the tool's, or with it. */
  readonly present: readonly string[]
  /** As what the tool has shown itself in this job. */
  readonly known: readonly Seen[]
}

/** @throws `not-proven` when it is not the patient, or may be the tool plugged in again */
export function refuseBystander(attached: Attached, expected: KnownFirmware, bystanders: Bystanders): void {
  const why = whyNotThePatient(attached, bystanders)
  if (!why) return
  const { seen } = attached
  const facts = candidates(seen)[0]?.recognition.facts ?? describe(seen).facts
  throw new FlashError('not-proven', {
    expected: firmwareName(expected),
    found: tell(facts),
    why,
  })
}

function whyNotThePatient(
  { key, seen }: Attached,
  { to, tool, isToolGone, present, known }: Bystanders,
): NotThePatient | undefined {
  const [isTool, wasThere] = [key === tool.key, present.includes(key)]
  if (to === 'itself')
    return !isTool && (wasThere || !isToolGone || isOtherSerial(seen, known)) ? 'another' : undefined
  if (isTool) return 'tool'
  if (wasThere) return 'was-there'
  return isToolGone && JSON.stringify(seen) === JSON.stringify(tool.seen) ? 'like-the-tool' : undefined
}

/** Firmware of another family makes a serial number of its own, from the same chip or from nothing. */
function isOtherSerial(seen: Seen, known: readonly Seen[]): boolean {
  const isSameFamily = (one: Seen) => candidates(one)[0]?.identity.id === candidates(seen)[0]?.identity.id
  const serials = known.filter(isSameFamily).flatMap((one) => ownSerial(one) ?? [])
  const serial = ownSerial(seen)
  return serial !== undefined && serials.length > 0 && !serials.includes(serial)
}

/** What its identity does not tell as its serial number is a version, or the same in all of its kind. */
function ownSerial(seen: Seen): string | undefined {
  const [candidate] = candidates(seen)
  const isTold = candidate?.recognition.facts.some(({ name }) => name === 'serial') ?? true
  return isTold ? serialOf(seen) : undefined
}

/** @throws `not-proven` with what was expected and found, and whatever opening the device throws */
export async function proveRunning(
  attached: Attached,
  expected: KnownFirmware,
  before: Before,
  ctx: Context,
): Promise<ProofResult> {
  const wanted = firmwareName(expected)
  const says = expected.appears?.says ?? []
  const candidate = candidates(attached.seen).find(({ identity }) => identity.id === expected.family)
  const ownFacts = candidate?.recognition.facts ?? describe(attached.seen).facts
  const isWhatAppears = says.length > 0 && appearsAs(attached, expected)
  const opened = isWhatAppears && candidate?.recognition.usable ? await factsOf(attached, candidate, ctx) : []
  const facts = opened.length > 0 ? opened : ownFacts
  const missing = says.filter((said) => !isSaid(said, facts))
  const found = tell([...ownFacts, ...opened])
  if (isWhatAppears && missing.length === 0)
    return { kind: 'running-version', expected: wanted, found, facts, distinct: tellsApart(expected, before) }
  throw new FlashError('not-proven', {
    expected: nameOf(wanted, ...missing.map(({ value }) => value).filter((value) => !wanted.includes(value))),
    found: nameOf(
      found,
      ...missing.map(({ name }) => valueOf(facts, name)).filter((value) => value && !found.includes(value)),
    ),
  })
}

/** What was in the patient; undefined: that is not known. */
export type Before = KnownFirmware | 'blank' | undefined

/** What it ran when it was met, as far as the bus tells; undefined: it was met in its boot loader. */
export function shownAs(seen: readonly Seen[]): Before {
  for (const one of seen) {
    const [candidate] = candidates(one)
    const { vendorId, productId } = one
    const isRunning = candidate?.recognition.facts.some(
      ({ name, value }) => name === 'mode' && value === 'application',
    )
    if (!candidate || !isRunning || vendorId === undefined || productId === undefined) continue
    const { identity, recognition } = candidate
    return {
      ...{ family: identity.id, name: recognition.model, version: undefined, confidence: 'certain' },
      ...{ evidence: [], appears: { link: one.link, vendorId, productId } },
    }
  }
  return undefined
}

/** Whether the firmware before would have failed the same proof. */
export function tellsApart({ appears: now }: KnownFirmware, before: Before): Distinct {
  if (before === 'blank') return 'yes'
  const then = before?.confidence === 'possible' ? undefined : before?.appears
  if (!now || !then) return 'unknown'
  const differs = <T>(a: T | undefined, b: T | undefined) => a !== undefined && b !== undefined && a !== b
  if (
    differs(now.link, then.link) ||
    differs(now.vendorId, then.vendorId) ||
    differs(now.productId, then.productId)
  )
    return 'yes'
  const verdicts = (now.says ?? []).map(({ name, value }): Distinct => {
    const said = (then.says ?? []).filter((one) => one.name === name)
    if (said.length === 0) return 'unknown'
    return said.some((one) => one.value === value) ? 'no' : 'yes'
  })
  return verdicts.find((one) => one === 'yes') ?? verdicts.find((one) => one === 'unknown') ?? 'no'
}

function appearsAs({ seen }: Attached, { appears }: KnownFirmware): boolean {
  if (!appears || appears.link !== seen.link) return false
  const { vendorId, productId } = appears
  return (
    (vendorId === undefined || vendorId === seen.vendorId) &&
    (productId === undefined || productId === seen.productId)
  )
}

/** Whether firmware looks on the bus as what wrote it does, so that nothing leaves and comes back when it starts. */
export const isSameOnBus = (loader: Attached, written: KnownFirmware): boolean =>
  written.appears?.vendorId !== undefined && appearsAs(loader, written)

const isSaid = ({ name, value }: Fact, facts: readonly Fact[]): boolean =>
  facts.some((fact) => fact.name === name && (fact.value === value || fact.value.split(', ').includes(value)))

async function factsOf(...args: Parameters<typeof openProgrammer>): Promise<readonly Fact[]> {
  await using programmer = await openProgrammer(...args)
  return programmer.facts
}

const valueOf = (facts: readonly Fact[], name: Fact['name']): string | undefined =>
  facts.findLast((fact) => fact.name === name)?.value

const nameOf = (...parts: readonly (string | undefined)[]): string => parts.filter(Boolean).join(' ')

/** `USBasp 1.10`, `Optiboot 4.4`: a firmware whose name says its version already is named by its model. */
function tell(facts: readonly Fact[]): string {
  const version = valueOf(facts, 'firmware-version')
  const firmware = valueOf(facts, 'firmware')
  const named = firmware && version && firmware.includes(version) ? undefined : firmware
  const others = (['bootloader', 'model', 'product', 'usb-id'] as const).map((name) => valueOf(facts, name))
  return nameOf([named, ...others].find(Boolean), version) || '?'
}

/**
 * Goes the way anew and reads again what was written, as far as `comparedAgain`.
 * @throws `target-changed`, `verify-mismatch`, and whatever the patient throws
 */
export async function proveByReading(
  connect: Connect,
  kind: string,
  expected: Memories,
  ctx: Context,
): Promise<ProofResult> {
  const compared = comparedAgain([...expected.keys()])
  const steps = ctx.progress.steps({ reach: 1, read: 4 })
  await using patient = await connect(ctx.under(steps.reach))
  if (!isOfKind(patient, kind))
    throw new FlashError('target-changed', { expected: kind, found: patient.kind })
  steps.reach.finish()

  const reads = steps.read.steps(
    Object.fromEntries(compared.map((id) => [id, expected.get(id)?.length ?? 0])) as Record<MemoryId, number>,
  )
  const found = new Map<MemoryId, Uint8Array>()
  for (const id of compared) {
    const memory = patient.memories.find((one) => one.id === id)
    if (!memory || !isReadable(memory)) throw new FlashError('read-protected', { memory: id })
    const read = await readWhole(memory, ctx.under(reads[id].expect(memory.length)))
    const wanted = expected.get(id) ?? new Uint8Array()
    const bytes = ofLength(read, wanted.length) ?? read // its size may be known only since
    const wrong = mismatch(id, memory.address, wanted, bytes)
    const likely = likelyCause(wanted, bytes)
    if (wrong) throw new FlashError('verify-mismatch', { ...wrong, ...(likely && { likely }) })
    found.set(id, bytes)
    reads[id].finish()
  }
  const flash = found.get('flash')
  const firmware = flash && (await recogniseFirmware([{ address: 0, bytes: flash }], patient.chip, ctx.log))
  const named: Fact[] = firmware ? [{ name: 'firmware', value: firmwareName(firmware) }] : []
  const hash = await hashOf(compared, found)
  const facts = [...patient.facts, ...named]
  return { kind: 'read-again', expected: hash, found: hash, facts, memories: compared }
}

async function hashOf(ids: readonly MemoryId[], memories: Memories): Promise<string> {
  return sha256OfMemories(
    await Promise.all(
      ids.map(async (id) => {
        const bytes = memories.get(id) ?? new Uint8Array()
        return { id, address: 0, length: bytes.length, sha256: await sha256(bytes) }
      }),
    ),
  )
}
