/**
 * The service certificate: what was done to which device, with what, and how it was proven, as JSON that
 * others can read and check. Its signature covers the canonical form: keys sorted, no white space (as
 * RFC 8785 for what occurs here: strings, whole numbers, booleans, arrays, objects).
 *
 * The signature says that nothing was changed since it was issued on a computer with that key, not who
 * owns that computer.
 */
import * as z from 'zod/mini'
import { FlashError } from '#core/errors.ts'
import type { MemoryId } from '#core/programmer.ts'
import { verifySignature, type Keys } from '#store/keys.ts'
import { facts, firmware, hash, list, memoryId, size, text, unreadable } from '#store/schema.ts'

const time = z.iso.datetime()
const values = z.record(z.string().check(z.maxLength(50)), text)
/** `bytes`: of one so small that people read it, such as fuses, in hex. */
const memory = z.object({ id: memoryId, length: size, sha256: hash, bytes: z.optional(text) })

const content = {
  format: z.literal('reflasher-certificate'),
  version: z.literal(1),
  id: text,
  issuedAt: time,
  /** The app's build. */
  build: text,
  /** Done on the practice bench, on no device at all. */
  practice: z.optional(z.literal(true)),
  /** What the technician wrote on it: customer, machine, order. */
  reference: z.optional(text),
  /** What wrote. */
  programmer: z.object({ model: text, facts }),
  way: z.object({ to: z.enum(['itself', 'target']), by: text, speedHz: z.optional(size) }),
  patient: z.object({
    kind: text,
    chip: text,
    /** The programmer that it is, or is in; absent: a chip of nobody knows what. */
    model: z.optional(text),
    serial: z.optional(text),
    /** As it was met; what it said by itself is with the proof. */
    facts,
  }),
  before: z.object({
    backupId: text,
    /** Of the backup. */
    sha256: hash,
    firmware: z.optional(firmware),
    memories: list(memory, 20),
    unreadable: list(unreadable, 20),
  }),
  after: z.object({ firmware: z.optional(firmware), memories: list(memory, 20) }),
  source: z.object({
    kind: z.enum(['file', 'link', 'backup', 'catalogue', 'practice']),
    name: text,
    version: z.optional(text),
    sha256: hash,
    sizeBytes: size,
    backupId: z.optional(text),
    promisedSha256: z.optional(hash),
    chip: z.optional(text),
    device: z.optional(text),
    patient: z.optional(z.enum(['itself', 'target'])),
    url: z.optional(text),
  }),
  checks: list(z.object({ code: text, result: z.enum(['passed', 'warning', 'refused']), values }), 100),
  consents: list(text, 50),
  steps: list(
    z.object({
      name: text,
      startedAt: time,
      finishedAt: time,
      /** The code of what ended it early; absent: it was done. */
      error: z.optional(text),
    }),
    500,
  ),
  written: z.object({ erase: z.enum(['chip', 'none']), programmedBytes: size, verifiedBytes: size }),
  proof: z.object({
    kind: z.enum(['running-version', 'read-again', 'none']),
    expected: text,
    found: text,
    facts,
    /** Whether what was there before would have said something else; absent: it was not asked. */
    distinct: z.optional(z.enum(['yes', 'no', 'unknown'])),
    /** Of read-again: what was compared; absent in older ones: `comparedAgain` of what is in it after. */
    memories: z.optional(list(memoryId, 20)),
    /** Of none: the code of what ended it; absent: it was not tried, or the steps say it. */
    why: z.optional(text),
  }),
}

const signature = z.object({
  algorithm: z.literal('Ed25519'),
  publicKey: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  value: z.string().check(z.regex(/^[0-9a-f]{128}$/)),
})

const schema = z.object({ ...content, signature: z.optional(signature) })

export type Certificate = z.infer<typeof schema>
export type CertificateContent = Omit<Certificate, 'signature' | 'format' | 'version'>

/** Signs and renders; without a key (the browser has no Ed25519) it has no `signature`. */
export async function issueCertificate(
  of: CertificateContent,
  keys: Keys,
): Promise<{ certificate: Certificate; json: string }> {
  const unsigned: Certificate = { format: 'reflasher-certificate', version: 1, ...of }
  const signed = await keys.sign(canonicalBytes(unsigned))
  const certificate: Certificate = { ...unsigned, ...(signed && { signature: signed }) }
  return { certificate, json: `${JSON.stringify(certificate, undefined, 2)}\n` }
}

/** What came of the job, at a glance. */
export interface Result {
  /**
   * runs-read: it runs, but only its bytes tell it from what was there before · runs-unread: the same, and nobody can
   * read its bytes · contradicted: it says or holds something else
   */
  readonly code:
    'runs' | 'runs-read' | 'runs-unread' | 'read' | 'contradicted' | 'failed' | 'stopped' | 'none'
  readonly isProven: boolean
  /** Of `contradicted` and `failed`: the code of what ended the proof. */
  readonly why?: string
}

/** What `resultOf` looks at, of a certificate or of a job that just ended. */
export interface Ending {
  readonly proof: Pick<Certificate['proof'], 'kind' | 'found' | 'distinct' | 'memories' | 'why'>
  readonly steps: readonly Certificate['steps'][number][]
  readonly written: Pick<Certificate['written'], 'programmedBytes' | 'verifiedBytes'>
}

/** Written, and nothing of it can be read back. */
export const isUnread = ({ programmedBytes, verifiedBytes }: Ending['written']): boolean =>
  programmedBytes > 0 && verifiedBytes === 0

export function resultOf({ proof, steps, written: bytes }: Ending): Result {
  if (proof.kind === 'read-again') return { code: 'read', isProven: true }
  if (proof.kind === 'running-version') {
    if ((proof.distinct ?? 'yes') === 'yes') return { code: 'runs', isProven: true }
    return isUnread(bytes) ? { code: 'runs-unread', isProven: false } : { code: 'runs-read', isProven: true }
  }
  const written = steps.findLastIndex(({ name, error }) => name === 'write' && error === undefined)
  const why = proof.why ?? steps.findLast(({ error }, index) => index > written && error !== undefined)?.error
  if (proof.found !== '' && why !== undefined) return { code: 'contradicted', isProven: false, why }
  if (why === undefined) return { code: 'none', isProven: false }
  return why === 'cancelled' ? { code: 'stopped', isProven: false } : { code: 'failed', isProven: false, why }
}

/** The target runs before it is read again and may write its EEPROM: compared only when nothing else was written. */
export function comparedAgain(written: readonly MemoryId[]): MemoryId[] {
  const others = written.filter((id) => id !== 'eeprom')
  return others.length > 0 ? others : [...written]
}

export interface VerifiedCertificate {
  readonly certificate: Certificate
  /** unchecked: this browser has no Ed25519. */
  readonly signature: 'valid' | 'invalid' | 'unsigned' | 'unchecked'
}

/** Larger is no certificate. */
const mostCharacters = 1 << 20

/** @throws `bad-file` when it is no certificate */
export async function verifyCertificate(json: string): Promise<VerifiedCertificate> {
  if (json.length > mostCharacters)
    throw new FlashError('bad-file', { format: 'certificate', why: 'too-large' })
  let raw: unknown
  try {
    raw = JSON.parse(json)
  } catch (cause) {
    throw new FlashError('bad-file', { format: 'certificate', why: 'not-text' }, { cause })
  }
  const parsed = schema.safeParse(raw)
  if (!parsed.success) {
    const found = parsed.error.issues[0]?.path.map(String).join('.') ?? ''
    throw new FlashError('bad-file', { format: 'certificate', why: 'bad-structure', found })
  }
  const certificate = parsed.data
  if (!certificate.signature) return { certificate, signature: 'unsigned' }
  // Of the text as it came: what the schema leaves out was signed too.
  const signed = canonicalBytes({ ...(raw as object), signature: undefined })
  const isValid = await verifySignature(signed, certificate.signature)
  return { certificate, signature: isValid === undefined ? 'unchecked' : isValid ? 'valid' : 'invalid' }
}

const canonicalBytes = (value: unknown): Uint8Array => new TextEncoder().encode(canonicalJson(value))

/** Keys in the order of their UTF-16 code units, no white space, what is undefined left out. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > 20) throw new FlashError('bad-file', { format: 'certificate', why: 'bad-structure' })
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member, depth + 1)}`)
  return `{${members.join(',')}}`
}
