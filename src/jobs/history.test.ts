import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StoredCertificate } from '#store/certificates.ts'
import { openDatabase, type Database } from '#store/db.ts'
import { Keys } from '#store/keys.ts'
import { issueCertificate } from './certificate.ts'
import { historyCsv, historyJson } from './history.ts'
import { certificateContent } from './test-papers.ts'

let db: Database
beforeEach(async () => {
  db = await openDatabase('history-test')
})
afterEach(async () => {
  db.close()
  await deleteDB('history-test')
})

async function stored(changes: Partial<StoredCertificate> = {}): Promise<StoredCertificate> {
  const { json } = await issueCertificate(certificateContent, new Keys(db))
  const { id, issuedAt } = certificateContent
  return {
    id,
    issuedAt,
    programmer: 'USBasp',
    chip: 'ATmega8',
    firmware: 'x.hex',
    backupId: 'b1',
    json,
    ...changes,
  }
}

const table = (csv: string) =>
  csv
    .slice(1)
    .trimEnd()
    .split('\r\n')
    .map((line) => line.slice(1, -1).split('","'))

test('each certificate is a row under the same columns, with its proof and hashes', async () => {
  const [head = [], row = []] = table(await historyCsv([await stored()]))
  expect(row).toHaveLength(head.length)
  const of = (column: string) => row[head.indexOf(column)]
  expect(['issued', 'chip', 'image', 'proof', 'before sha256', 'signature'].map(of)).toEqual([
    '2026-01-01T10:00:00.000Z',
    'ATmega8',
    'x.hex',
    'read-again',
    'aa'.repeat(32),
    'valid',
  ])
})

test('a row tells the device, the technician’s line and the note beside it', async () => {
  const named = { ...certificateContent.patient, model: 'USBasp' }
  const { json } = await issueCertificate(
    { ...certificateContent, patient: named, reference: 'Order 7' },
    new Keys(db),
  )
  const [head = [], row = []] = table(await historyCsv([await stored({ json, note: 'Paid' })]))
  const of = (column: string) => row[head.indexOf(column)]
  expect(['device', 'reference', 'note', 'signature'].map(of)).toEqual(['USBasp', 'Order 7', 'Paid', 'valid'])
})

test('a damaged one keeps its row, and says so; one that was changed is invalid', async () => {
  const whole = await stored()
  const [head = [], ...rows] = table(
    await historyCsv([
      { ...whole, json: '{' },
      { ...whole, json: whole.json.replace('x.hex', 'y.hex') },
    ]),
  )
  expect(rows.map((row) => row.length)).toEqual([head.length, head.length])
  expect(rows.map((row) => row[head.indexOf('signature')])).toEqual(['damaged', 'invalid'])
})

test('what a spreadsheet would calculate stays text, and quotes stay quotes', async () => {
  const csv = await historyCsv([await stored({ programmer: '=HYPERLINK("http://x")' })])
  expect(csv).toContain(`"'=HYPERLINK(""http://x"")"`)
})

test('as JSON the certificates are whole, signatures and all', async () => {
  const one = await stored()
  const history = JSON.parse(historyJson([one, { ...one, json: '{' }])) as { certificates: unknown[] }
  expect(history.certificates).toEqual([JSON.parse(one.json), '{'])
})
