/** A certificate in few words: whose it is, and what came of the job. */
import type { MemoryId } from '#core/programmer.ts'
import { firmwareName } from '#core/versions.ts'
import {
  comparedAgain,
  isUnread,
  resultOf,
  type Certificate,
  type Ending,
  type Result,
  type VerifiedCertificate,
} from '#jobs/certificate.ts'
import type { ProofResult } from '#jobs/prove.ts'
import type { Outcome } from '#store/journal.ts'
import { errorWord } from './error-words.ts'
import { memoryName } from './facts.ts'
import { m } from './generated/messages.js'
import { wroteNothing } from './job.ts'

/** `USBasp, firmware 1.05 → 1.11, ATmega8A, serial 0001`; of a chip of nobody knows what only the chip. */
export function patientLine({
  patient,
  before,
  after,
  source,
}: Pick<Certificate, 'patient' | 'before' | 'after' | 'source'>): string {
  const { model, chip, serial } = patient
  const was = before.firmware?.version
  const is = after.firmware?.version ?? (isFlashWritten(after) ? source.version : undefined)
  const isUpdate = model !== undefined && (was !== undefined || is !== undefined)
  const versions = { before: was ?? m.cert_unknown(), after: is ?? m.cert_unknown() }
  return [
    model,
    isUpdate && m.cert_line_firmware(versions),
    chip,
    serial !== undefined && m.cert_line_serial({ serial }),
  ]
    .filter(Boolean)
    .join(', ')
}

/** What the patient holds since: as it was recognised, else the image, where that went into the flash. */
export function heldAfter({ after, source }: Pick<Certificate, 'after' | 'source'>): string {
  if (!after.firmware) return isFlashWritten(after) ? source.name : m.cert_unknown()
  return firmwareName(after.firmware)
}

const isFlashWritten = ({ memories }: Certificate['after']): boolean =>
  memories.some(({ id }) => id === 'flash')

const results: Record<Exclude<Result['code'], 'contradicted'>, (gaps: { why: string }) => string> = {
  runs: m.result_runs,
  'runs-read': m.result_runs_read,
  'runs-unread': m.result_runs_unread,
  read: m.result_read,
  failed: m.result_failed,
  stopped: m.result_stopped,
  none: m.result_none,
}

/** For a list; undefined: it cannot be read any more. */
export function listedResult(verified: VerifiedCertificate | undefined): { text: string; isProven: boolean } {
  if (!verified) return { text: m.result_damaged(), isProven: false }
  if (verified.signature === 'invalid') return { text: m.result_changed(), isProven: false }
  const { code, isProven, why } = resultOf(verified.certificate)
  if (code === 'contradicted') return { text: contradiction(why).title(), isProven }
  return { text: results[code]({ why: why === undefined ? '' : errorWord(why) }), isProven }
}

const contradictions = {
  says: { title: m.cert_proof_says, what: m.cert_proof_says_what },
  holds: { title: m.cert_proof_holds, what: m.cert_proof_holds_what },
}
const contradiction = (why: string | undefined) =>
  why === 'verify-mismatch' ? contradictions.holds : contradictions.says

/** Of a certificate, or of a job that just ended. */
interface Ended extends Ending {
  readonly written: Pick<Outcome, 'erase' | 'programmedBytes' | 'verifiedBytes'>
  readonly after: { readonly memories: readonly { readonly id: MemoryId }[] }
}

export const endedNow = (proof: ProofResult, outcome: Outcome): Ended => ({
  proof: { ...proof, memories: proof.memories && [...proof.memories] },
  steps: [],
  written: outcome,
  after: { memories: [...outcome.expected.keys()].map((id) => ({ id })) },
})

function readAgainWhat({ proof, after }: Ended): string {
  const written = after.memories.map(({ id }) => id)
  const compared = proof.memories ?? comparedAgain(written)
  const said = m.cert_proof_read_what({ memories: compared.map(memoryName).join(', ') })
  const isEepromLeft = written.includes('eeprom') && !compared.includes('eeprom')
  return [said, isEepromLeft && m.cert_proof_read_eeprom(), m.cert_proof_read_runs()]
    .filter(Boolean)
    .join(' ')
}

function wholeText(written: Ended['written']): string {
  if (wroteNothing(written)) return m.cert_whole_nothing()
  return isUnread(written) ? m.cert_whole_unread() : m.cert_whole()
}

/** The heading and the sentences for a proof. */
export function proofText(ending: Ended): { title: string; what: string | undefined } {
  const { distinct } = ending.proof
  const { code, why } = resultOf(ending)
  const whole = wholeText(ending.written)
  switch (code) {
    case 'runs':
      return { title: m.cert_proof_running(), what: undefined }
    case 'runs-read':
      return {
        title: m.cert_proof_runs(),
        what: distinct === 'no' ? m.prove_runs_same() : m.prove_runs_unknown(),
      }
    case 'runs-unread':
      return {
        title: m.result_runs_unread(),
        what: distinct === 'no' ? m.prove_unread_same() : m.prove_unread_unknown(),
      }
    case 'read':
      return { title: m.prove_read_again(), what: readAgainWhat(ending) }
    case 'contradicted': {
      const { title, what } = contradiction(why)
      return { title: title(), what: `${whole} ${what()}` }
    }
    case 'none':
      return { title: m.cert_proof_none(), what: `${whole} ${m.cert_proof_none_what()}` }
    default: {
      const what = m.cert_proof_none_why({ why: errorWord(why ?? 'cancelled') })
      return { title: m.cert_proof_none(), what: `${whole} ${what}` }
    }
  }
}
