/** Certificates as files. */
import { saveFile } from '#host/download.ts'
import type { StoredCertificate } from '#store/certificates.ts'

/** As it was signed, to the byte. */
export function saveCertificate({ id, json }: Pick<StoredCertificate, 'id' | 'json'>): void {
  saveFile(`certificate-${id.slice(0, 8)}.json`, new Blob([json], { type: 'application/json' }))
}
