/** Which writes the first page offers to continue or to forget, with the real locks between tabs. */
import { deleteDB } from 'idb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { browserSurroundings } from '#host/surroundings.ts'
import { openDatabase, type Database } from '#store/db.ts'
import { Journal, type JournalEntry } from '#store/journal.ts'
import { forgetJob, interruptedJobs } from '#ui/state/interrupted.ts'

const name = 'interrupted-test'
let db: Database
let journal: Journal
beforeEach(async () => {
  await deleteDB(name)
  db = await openDatabase(name)
  journal = new Journal(db)
})
afterEach(async () => {
  db.close()
  await deleteDB(name)
})

const entry = (id: string, practice = false): JournalEntry => ({
  id,
  startedAt: '2026-01-31T14:02:00.000Z',
  ...(practice && { practice }),
  programmer: 'USBasp',
  way: { to: 'target', by: 'isp' },
  patient: { kind: 'avr:1e9307', chip: 'ATmega8' },
  backupId: crypto.randomUUID(),
  acknowledged: [],
  wanted: {
    contents: new Map(),
    firmware: undefined,
    source: { kind: 'file', name: 'a.hex', version: undefined, sha256: '', sizeBytes: 0 },
  },
  rule: { outside: 'keep', reserved: 'refuse' },
  consents: [],
})
const listed = async (practice = false) => (await interruptedJobs(journal, practice)).map(({ id }) => id)

test('a job that any tab is on is neither offered nor forgotten', async () => {
  await journal.open(entry('lost'))
  await journal.open(entry('running'))
  const held = await browserSurroundings.hold('running')
  expect(await listed()).toEqual(['lost'])
  await forgetJob(journal, 'running')
  await held?.[Symbol.asyncDispose]()
  expect(await listed()).toContain('running')
  await forgetJob(journal, 'running')
  expect(await listed()).toEqual(['lost'])
})

test('practice and real devices never meet in the journal', async () => {
  await journal.open(entry('real'))
  await journal.open(entry('practice', true))
  expect(await listed(false)).toEqual(['real'])
  expect(await listed(true)).toEqual(['practice'])
})
