/** The history of jobs as files: one row a certificate, newest first. CSV by RFC 4180, in UTF-8. */
import type { StoredCertificate } from '#store/certificates.ts'
import { verifyCertificate, type VerifiedCertificate } from './certificate.ts'

/** A table as spreadsheets open it. What a certificate does not hold, or does not hold any more, is empty. */
export async function historyCsv(certificates: readonly StoredCertificate[]): Promise<string> {
  const rows: string[][] = [[...columns]]
  for (const stored of certificates) rows.push(rowOf(stored, await verified(stored)))
  return byteOrderMark + rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

/** All certificates as they were signed; one that is no JSON any more is kept as text. */
export function historyJson(certificates: readonly StoredCertificate[]): string {
  const all = certificates.map(({ json }) => parsed(json))
  return `${JSON.stringify({ format: 'reflasher-history', version: 1, certificates: all }, undefined, 2)}\n`
}

/** Without it spreadsheets take UTF-8 for something older. */
const byteOrderMark = '\ufeff'

const columns = [
  ...['issued', 'programmer', 'serial', 'chip', 'firmware before', 'firmware after', 'image', 'image sha256'],
  ...['proof', 'found', 'programmed bytes', 'verified bytes', 'before sha256', 'backup', 'certificate'],
  ...['signature', 'practice'],
] as const

async function verified({ json }: StoredCertificate): Promise<VerifiedCertificate | undefined> {
  try {
    return await verifyCertificate(json)
  } catch {
    return undefined // a damaged one has its row all the same, which says so
  }
}

function rowOf(stored: StoredCertificate, verified: VerifiedCertificate | undefined): string[] {
  const { id, issuedAt, programmer, chip, firmware, backupId } = stored
  if (!verified)
    return [
      issuedAt,
      programmer,
      '',
      chip,
      '',
      '',
      firmware,
      '',
      '',
      '',
      '',
      '',
      '',
      backupId,
      id,
      'damaged',
      '',
    ]
  const { certificate, signature } = verified
  const { before, after, source, proof, written, patient, practice } = certificate
  const named = (one: typeof after.firmware) => [one?.name, one?.version].filter(Boolean).join(' ')
  return [
    ...[issuedAt, programmer, patient.serial ?? '', chip, named(before.firmware), named(after.firmware)],
    ...[source.name, source.sha256, proof.kind, proof.found],
    ...[String(written.programmedBytes), String(written.verifiedBytes), before.sha256, backupId, id],
    ...[signature, practice ? 'yes' : ''],
  ]
}

/** Quoted; and nothing that a spreadsheet would take for a formula. */
const cell = (text: string): string => `"${text.replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}
