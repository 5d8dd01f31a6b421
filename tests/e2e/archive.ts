/** Backup archives, made and read by other code than the app's. */
import { expect } from '@playwright/test'
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate'
import { sha256 } from './firmware.ts'

type Files = Record<string, Uint8Array>

export interface Described {
  readonly name: string
  readonly chip?: string
  /** Three bytes, as hex. */
  readonly signature?: string
  /** Read on the practice bench; false: from a device. */
  readonly practice?: boolean
  readonly memories: Readonly<Record<string, Uint8Array>>
}

interface Listed {
  id: string
  name: string
  note: string
  sha256: string
  memories: { id: string; address: number; length: number; sha256: string; file: string }[]
}
export interface Manifest {
  format: string
  version: number
  backups: Listed[]
}

/** The files of an archive of these; each has its own folder, `1/flash.bin`. */
export function archiveFiles(backups: readonly Described[], change?: (manifest: Manifest) => void): Files {
  const files: Files = {}
  const manifest = {
    format: 'reflasher-backups',
    version: 1,
    backups: backups.map(
      ({ name, chip = 'ATmega328P', signature = '1e950f', practice = true, memories }, i) => {
        const listed = Object.entries(memories).map(([id, bytes]) => {
          const file = `${String(i + 1)}/${id}.bin`
          files[file] = bytes
          return { id, address: 0, length: bytes.length, sha256: sha256(bytes), file }
        })
        return {
          ...{ id: crypto.randomUUID(), createdAt: new Date(2026, 0, 1 + i).toISOString(), name, note: '' },
          origin: {
            ...(practice && { practice }),
            programmer: { model: 'USBasp', facts: [] },
            way: { to: 'target', by: 'isp' },
            patient: { kind: `avr:${signature}`, chip, facts: [] },
          },
          ...{ memories: listed, unreadable: [], source: 'read', sha256: wholeHash(listed) },
        }
      },
    ),
  }
  change?.(manifest)
  return { 'manifest.json': strToU8(JSON.stringify(manifest)), ...files }
}

export const wholeHash = (memories: Listed['memories']): string =>
  sha256(
    strToU8(
      memories
        .map(({ id, length, sha256: hash }) => `${id} 0x0 ${String(length)} ${hash}\n`)
        .sort()
        .join(''),
    ),
  )

export const archive = (...backups: readonly Described[]): Uint8Array => zipSync(archiveFiles(backups))

/** Fails unless every file is in `SHA256SUMS`, and as it says. */
export function readArchive(bytes: Uint8Array): { files: Files; manifest: Manifest } {
  const { SHA256SUMS: sums = new Uint8Array(), ...files } = unzipSync(bytes)
  const expected = Object.entries(files).map(([name, content]) => `${sha256(content)}  ${name}`)
  expect(strFromU8(sums).trim().split('\n').sort()).toEqual(expected.sort())
  const manifest = JSON.parse(strFromU8(files['manifest.json'] ?? new Uint8Array())) as Manifest
  return { files, manifest }
}
