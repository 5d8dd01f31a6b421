/** What a job leaves on paper: its outcome in hashes, its entry in the journal, the content of its certificate. */
import { hexBytes } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Fact, KnownFirmware } from '#core/programmer.ts'
import { sha256 } from '#firmware/hash.ts'
import type { Backup } from '#store/backups.ts'
import type { DoneStep, JournalEntry, Outcome } from '#store/journal.ts'
import { isProgrammer } from './connection.ts'
import type { CertificateContent } from './certificate.ts'
import { identities } from './identify.ts'
import type { Plan } from './plan.ts'
import type { ProofResult } from './prove.ts'
import type { JobView } from './view.ts'

/** `whole`: what the write as a whole was; after an interruption `plan` is only its rest. */
export async function outcomeOf(
  startedAt: string,
  backup: Backup,
  plan: Plan,
  whole: Pick<Plan, 'erase' | 'programBytes'>,
): Promise<Outcome> {
  const hashes = await Promise.all(
    [...plan.expected].map(async ([memory, bytes]) => ({
      memory,
      before: backup.memories.find(({ id }) => id === memory)?.sha256,
      after: await sha256(bytes),
    })),
  )
  return {
    startedAt,
    finishedAt: new Date().toISOString(),
    erase: whole.erase,
    programmedBytes: whole.programBytes,
    verifiedBytes: plan.verifyBytes,
    hashes,
    expected: plan.expected,
  }
}

/** What the journal needs to finish a job whose next stage is about to begin. */
export function entryOf(
  { id, rule, rescue, checks, backup, wanted, reference }: JobView,
  given: Pick<
    JournalEntry,
    'acknowledged' | 'consents' | 'seen' | 'seenAlso' | 'speedHz' | 'family' | 'steps'
  >,
): JournalEntry {
  if (!backup || !wanted) throw new FlashError('bug', { during: 'opening the journal before a choice' })
  const { practice, programmer, way, patient } = backup.origin
  return {
    ...{ id, way, wanted, rule, ...given, ...(practice && { practice }), ...(rescue && { rescue }) },
    ...(checks && { checks }),
    ...(reference && { reference }),
    startedAt: new Date().toISOString(),
    programmer: programmer.model,
    patient: { kind: patient.kind, chip: patient.chip },
    backupId: backup.id,
    backupSha256: backup.sha256,
  }
}

export interface Paper {
  readonly build: string
  readonly speedHz: number | undefined
  readonly consents: readonly string[]
  readonly steps: readonly DoneStep[]
  readonly proof: ProofResult
  /** What the patient holds now. */
  readonly after: KnownFirmware | undefined
}

export function certificateOf(
  { backup, wanted, outcome, checks = [], ...view }: JobView,
  { build, speedHz, consents, steps, proof, after }: Paper,
): CertificateContent {
  if (!backup || !wanted || !outcome) throw new FlashError('bug', { during: 'certifying before the end' })
  const { practice, programmer, way, patient } = backup.origin
  const reference = view.reference.trim()
  return {
    id: crypto.randomUUID(),
    issuedAt: new Date().toISOString(),
    build,
    ...(practice && { practice }),
    ...(reference && { reference }),
    programmer: { model: programmer.model, facts: copies(programmer.facts) },
    way: { to: way.to, by: way.by, ...(speedHz !== undefined && { speedHz }) },
    patient: {
      kind: patient.kind,
      chip: patient.chip,
      facts: copies(patient.facts),
      ...whoItIs(backup, proof, after),
    },
    before: {
      backupId: backup.id,
      sha256: backup.sha256,
      ...firmwareOf(backup.firmware),
      memories: backup.memories.map(({ id, length, sha256, bytes }) => ({
        id,
        length,
        sha256,
        ...few(bytes),
      })),
      unreadable: backup.unreadable.map((one) => ({ ...one })),
    },
    after: {
      ...firmwareOf(after),
      memories: [...outcome.expected].map(([id, bytes]) => ({
        id,
        length: bytes.length,
        sha256: outcome.hashes.find(({ memory }) => memory === id)?.after ?? '',
        ...few(bytes),
      })),
    },
    source: { ...wanted.source },
    checks: checks.map(({ code, result, values }) => ({ code, result, values: { ...values } })),
    consents: [...consents],
    steps: [...steps],
    written: {
      erase: outcome.erase,
      programmedBytes: outcome.programmedBytes,
      verifiedBytes: outcome.verifiedBytes,
    },
    proof: copyOf(proof),
  }
}

/** By its own word where it has one; a chip that holds a programmer's firmware is in a programmer. */
function whoItIs(
  { origin: { programmer, way, patient }, firmware: before }: Backup,
  { kind, facts }: ProofResult,
  after: KnownFirmware | undefined,
): Pick<CertificateContent['patient'], 'model' | 'serial'> {
  const own = way.to === 'itself' ? programmer.facts : kind === 'running-version' ? facts : []
  const held = [after, before].find((one) => one && isProgrammer(one))
  const model = valueOf(own, 'model') ?? identities.find(({ id }) => id === held?.family)?.name
  const serial = patient.serial ?? valueOf(own, 'serial')
  return { ...(model && { model }), ...(serial && { serial }) }
}

const few = (bytes: Uint8Array): { bytes?: string } => (bytes.length <= 8 ? { bytes: hexBytes(bytes) } : {})

const valueOf = (facts: readonly Fact[], name: Fact['name']): string | undefined =>
  facts.find((fact) => fact.name === name)?.value

const copies = (facts: readonly Fact[]): Fact[] => facts.map((fact) => ({ ...fact }))

const copyOf = ({ facts, memories, ...proof }: ProofResult): CertificateContent['proof'] => ({
  ...proof,
  facts: copies(facts),
  ...(memories && { memories: [...memories] }),
})

/** `version: undefined` and an absent one are the same here. */
function firmwareOf(firmware: KnownFirmware | undefined): Pick<CertificateContent['after'], 'firmware'> {
  if (!firmware) return {}
  const { family, name, version, confidence, evidence, chips, appears } = firmware
  const { says, ...ids } = appears ?? {}
  return {
    firmware: {
      ...{ family, name, version, confidence },
      evidence: [...evidence],
      ...(chips && { chips: [...chips] }),
      ...(appears && { appears: { ...ids, link: appears.link, ...(says && { says: copies(says) }) } }),
    },
  }
}
