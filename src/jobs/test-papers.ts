/** A certificate's content, for tests. */
import type { CertificateContent } from './certificate.ts'

export const certificateContent: CertificateContent = {
  id: 'c1',
  issuedAt: '2026-01-01T10:00:00.000Z',
  build: '0.1.0+abcdef0',
  programmer: { model: 'USBasp', facts: [{ name: 'serial', value: 'ü½' }] },
  way: { to: 'target', by: 'isp' },
  patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [] },
  before: { backupId: 'b1', sha256: 'aa'.repeat(32), memories: [], unreadable: [] },
  after: { memories: [{ id: 'flash', length: 8192, sha256: 'bb'.repeat(32) }] },
  source: { kind: 'file', name: 'x.hex', sha256: 'cc'.repeat(32), sizeBytes: 100 },
  checks: [{ code: 'size-fits', result: 'passed', values: { memory: 'flash' } }],
  consents: [],
  steps: [{ name: 'write', startedAt: '2026-01-01T10:00:00.000Z', finishedAt: '2026-01-01T10:00:09.000Z' }],
  written: { erase: 'chip', programmedBytes: 100, verifiedBytes: 8192 },
  proof: { kind: 'read-again', expected: 'dd', found: 'dd', facts: [] },
}
