/** The history of jobs as files: one row a certificate, newest first. CSV by RFC 4180, in UTF-8. */
import { firmwareName } from '#core/versions.ts'
import type { StoredCertificate } from '#store/certificates.ts'
import { verifyCertificate, type VerifiedCertificate } from './certificate.ts'

/** A table as spreadsheets open it. What a certificate does not hold, or does not hold any more, is empty. */
export async function historyCsv(certificates: readonly StoredCertificate[]): Promise<string> {
  const rows = [columns.map(cell)]
  for (const stored of certificates) {
    const row = { ...known(stored), ...(await certified(stored)) }
    rows.push(columns.map((column) => cell(row[column] ?? '')))
  }
  return byteOrderMark + rows.map((row) => `${row.join(',')}\r\n`).join('')
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
  ...['signature', 'practice', 'device', 'reference', 'note'],
] as const

type Row = Partial<Record<(typeof columns)[number], string>>

const known = ({
  id,
  issuedAt,
  programmer,
  chip,
  firmware,
  backupId,
  note = '',
}: StoredCertificate): Row => ({
  ...{ issued: issuedAt, programmer, chip, image: firmware },
  ...{ backup: backupId, certificate: id, note },
})

async function certified({ json }: StoredCertificate): Promise<Row> {
  let verified: VerifiedCertificate
  try {
    verified = await verifyCertificate(json)
  } catch {
    return { signature: 'damaged' } // it has its row all the same
  }
  const { certificate, signature } = verified
  const { before, after, source, proof, written, patient, practice, reference } = certificate
  const named = (one: typeof after.firmware) => (one ? firmwareName(one) : '')
  return {
    ...{ serial: patient.serial ?? '', image: source.name, 'image sha256': source.sha256 },
    ...{ 'firmware before': named(before.firmware), 'firmware after': named(after.firmware) },
    ...{ proof: proof.kind, found: proof.found, 'before sha256': before.sha256, signature },
    'programmed bytes': String(written.programmedBytes),
    'verified bytes': String(written.verifiedBytes),
    practice: practice ? 'yes' : '',
    ...{ device: patient.model ?? '', reference: reference ?? '' },
  }
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
