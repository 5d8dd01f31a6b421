import 'fake-indexeddb/auto'
import fc from 'fast-check'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openDatabase, type Database } from '#store/db.ts'
import { Keys } from '#store/keys.ts'
import {
  canonicalJson,
  issueCertificate,
  resultOf,
  verifyCertificate,
  type CertificateContent,
} from './certificate.ts'
import { certificateContent as content } from './test-papers.ts'

let db: Database
beforeEach(async () => {
  db = await openDatabase('papers-test')
})
afterEach(async () => {
  db.close()
  await deleteDB('papers-test')
})

describe('a certificate', () => {
  test('is valid as issued, however its JSON is laid out', async () => {
    const { json } = await issueCertificate(content, new Keys(db))
    expect(await verifyCertificate(json)).toMatchObject({ signature: 'valid', certificate: { id: 'c1' } })
    const compact = JSON.stringify(JSON.parse(json))
    expect((await verifyCertificate(compact)).signature).toBe('valid')
  })

  test.each([
    ['a hash', /bbbb/, 'bbba'],
    ['the proof', /"read-again"/, '"running-version"'],
    ['a time', /10:00:09/, '10:00:08'],
    ['something added', /"version": 1,/, '"version": 1, "approvedBy": "nobody",'],
  ])('with %s changed is invalid', async (_, from, to) => {
    const { json } = await issueCertificate(content, new Keys(db))
    const forged = json.replace(from, to)
    expect(forged).not.toBe(json)
    expect((await verifyCertificate(forged)).signature).toBe('invalid')
  })

  test.each<[string, Partial<CertificateContent['proof']>, string | undefined, string, boolean]>([
    ['its new version', { kind: 'running-version', distinct: 'yes' }, undefined, 'runs', true],
    [
      'its version, which was the same',
      { kind: 'running-version', distinct: 'no' },
      undefined,
      'runs-read',
      true,
    ],
    ['reading', { kind: 'read-again' }, undefined, 'read', true],
    [
      'nothing, after it said something else',
      { kind: 'none', found: '1.02', why: 'not-proven' },
      'not-proven',
      'contradicted',
      false,
    ],
    ['nothing, and nobody kept what it said', { kind: 'none', found: '' }, 'not-proven', 'failed', false],
    [
      'nothing, after the link broke',
      { kind: 'none', found: '', why: 'stalled' },
      'stalled',
      'failed',
      false,
    ],
    ['nothing, after the user stopped', { kind: 'none', found: '' }, 'cancelled', 'stopped', false],
    ['nothing', { kind: 'none', found: '' }, undefined, 'none', false],
  ])('proven by %s has that result', (_, proof, error, code, isProven) => {
    const [write] = content.steps
    const steps = [
      { ...write, error: 'stalled' },
      write,
      { ...write, name: 'prove', ...(error && { error }) },
    ] as CertificateContent['steps']
    const result = resultOf({ ...content, proof: { ...content.proof, ...proof }, steps })
    expect(result).toMatchObject({ code, isProven })
    expect(result.why).toBe(code === 'failed' || code === 'contradicted' ? error : undefined)
  })

  test('with the technician’s line changed is invalid', async () => {
    const { json } = await issueCertificate({ ...content, reference: 'Order 7' }, new Keys(db))
    expect((await verifyCertificate(json)).signature).toBe('valid')
    expect((await verifyCertificate(json.replace('Order 7', 'Order 8'))).signature).toBe('invalid')
  })

  test('without its signature is unsigned, not valid', async () => {
    const { json } = await issueCertificate(content, new Keys(db))
    const { signature, ...rest } = JSON.parse(json) as Record<string, unknown>
    expect(signature).toBeDefined()
    expect((await verifyCertificate(JSON.stringify(rest))).signature).toBe('unsigned')
  })

  test('of a browser without Ed25519 is unsigned', async () => {
    const none = vi
      .spyOn(crypto.subtle, 'generateKey')
      .mockRejectedValue(new DOMException('no', 'NotSupportedError'))
    const { json } = await issueCertificate(content, new Keys(db))
    none.mockRestore()
    expect(JSON.parse(json)).not.toHaveProperty('signature')
  })

  test.each([
    ['no JSON', 'PDF', 'not-text'],
    ['other JSON', '{"format":"other"}', 'bad-structure'],
    ['a list', '[]', 'bad-structure'],
    ['far too much', ' '.repeat(2 ** 20 + 1), 'too-large'],
  ])('that is %s is refused', async (_, json, why) => {
    await expect(verifyCertificate(json)).rejects.toMatchObject({ code: 'bad-file', detail: { why } })
  })

  test('nested beyond reason is refused', async () => {
    const { json } = await issueCertificate(content, new Keys(db))
    const deep = json.replace('"version": 1,', `"version": 1, "x": ${'['.repeat(5000)}${']'.repeat(5000)},`)
    await expect(verifyCertificate(deep)).rejects.toMatchObject({ code: 'bad-file' })
  })

  test('survives any text without anything but bad-file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        await expect(verifyCertificate(text)).rejects.toMatchObject({ code: 'bad-file' })
      }),
    )
  })
})

test('the canonical form does not depend on the order of keys', () => {
  expect(canonicalJson({ b: [1, { d: 'x', c: undefined }], a: null })).toBe('{"a":null,"b":[1,{"d":"x"}]}')
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse())
      expect(canonicalJson(reversed)).toBe(canonicalJson(value))
      // `-0` is `0` in JSON
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
