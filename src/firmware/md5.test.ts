/** Vectors: RFC 1321, A.5; and Node's own. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hexBytes } from '#core/bytes.ts'
import { md5 } from './md5.ts'
import { bytesOf } from './test-images.ts'

const hashOf = (bytes: Uint8Array) => hexBytes(md5(bytes), '')

test('MD5 gives the hashes of RFC 1321', () => {
  expect(hashOf(bytesOf(''))).toBe('d41d8cd98f00b204e9800998ecf8427e')
  expect(hashOf(bytesOf('message digest'))).toBe('f96b697d7cb7938d525a2f31aaf161d0')
  expect(hashOf(bytesOf('1234567890'.repeat(8)))).toBe('57edf4a22be3c955ac49da2e2107b67a')
})

test('MD5 is that of Node for any length', () => {
  for (let length = 0; length < 300; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length)
    expect(hashOf(bytes)).toBe(createHash('md5').update(bytes).digest('hex'))
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 100, maxLength: 5000 }), (bytes) => {
      expect(hashOf(bytes)).toBe(createHash('md5').update(bytes).digest('hex'))
    }),
    { numRuns: 30 },
  )
})
