/** A service certificate as somebody else checks it, without the app: by the text alone. */
import { webcrypto } from 'node:crypto'
import { expect } from '@playwright/test'
import type { Certificate } from '../../src/jobs/certificate.ts'

/** Fails unless the signature is valid and covers every word. */
export async function readCertificate(bytes: Uint8Array): Promise<Certificate> {
  const certificate = JSON.parse(new TextDecoder().decode(bytes)) as Certificate
  expect(await isSigned(certificate)).toBe(true)
  expect(await isSigned({ ...certificate, issuedAt: '2000-01-01T00:00:00.000Z' })).toBe(false)
  return certificate
}

async function isSigned({ signature, ...content }: Certificate): Promise<boolean> {
  if (!signature) return false
  const { subtle } = webcrypto
  const publicKey = Buffer.from(signature.publicKey, 'hex')
  const key = await subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify'])
  return subtle.verify('Ed25519', key, Buffer.from(signature.value, 'hex'), Buffer.from(canonical(content)))
}

/** RFC 8785, for what occurs in a certificate. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}

/** What the certificate says of a memory: its SHA-256 before and after. */
export const hashesOf = ({ before, after }: Certificate, memory: string) => ({
  before: before.memories.find(({ id }) => id === memory)?.sha256,
  after: after.memories.find(({ id }) => id === memory)?.sha256,
})
