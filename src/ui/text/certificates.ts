/** A certificate in few words: whose it is, and what came of the job. */
import {
  resultOf,
  type Certificate,
  type Ending,
  type Result,
  type VerifiedCertificate,
} from '#jobs/certificate.ts'
import { errorWord } from './error-words.ts'
import { m } from './generated/messages.js'

/** `USBasp, firmware 1.05 → 1.11, ATmega8A, serial 0001`; of a chip of nobody knows what only the chip. */
export function patientLine({
  patient,
  before,
  after,
  source,
}: Pick<Certificate, 'patient' | 'before' | 'after' | 'source'>): string {
  const { model, chip, serial } = patient
  const versions = {
    before: before.firmware?.version ?? '?',
    after: after.firmware?.version ?? source.version ?? '?',
  }
  const isUpdate = model !== undefined && (versions.before !== '?' || versions.after !== '?')
  return [
    model,
    isUpdate && m.cert_line_firmware(versions),
    chip,
    serial !== undefined && m.cert_line_serial({ serial }),
  ]
    .filter(Boolean)
    .join(', ')
}

const results: Record<Exclude<Result['code'], 'contradicted'>, (gaps: { why: string }) => string> = {
  runs: m.result_runs,
  'runs-read': m.result_runs_read,
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

/** The heading and the sentences for a proof. */
export function proofText(ending: Ending): { title: string; what: string | undefined } {
  const { distinct } = ending.proof
  const { code, why } = resultOf(ending)
  switch (code) {
    case 'runs':
      return { title: m.cert_proof_running(), what: undefined }
    case 'runs-read':
      return {
        title: m.cert_proof_runs(),
        what: distinct === 'no' ? m.prove_runs_same() : m.prove_runs_unknown(),
      }
    case 'read':
      return { title: m.cert_proof_read(), what: undefined }
    case 'contradicted': {
      const { title, what } = contradiction(why)
      return { title: title(), what: `${m.cert_whole()} ${what()}` }
    }
    case 'none':
      return { title: m.cert_proof_none(), what: `${m.cert_whole()} ${m.cert_proof_none_what()}` }
    default: {
      const what = m.cert_proof_none_why({ why: errorWord(why ?? 'cancelled') })
      return { title: m.cert_proof_none(), what: `${m.cert_whole()} ${what}` }
    }
  }
}
