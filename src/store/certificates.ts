/** Service certificates as they were issued: the text is kept as it is, because its signature covers it. */
import { FlashError } from '#core/errors.ts'
import { longest } from './backups.ts'
import { areTexts, changing, reading, recordsOf, type Database, type Torn } from './db.ts'

export interface StoredCertificate {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly issuedAt: string
  /** For lists, in the field's words: programmer, chip and what is in it now. */
  readonly programmer: string
  readonly chip: string
  readonly firmware: string
  readonly backupId: string
  readonly json: string
  /** Added later: beside the certificate, and not signed. */
  readonly note?: string
}

export class Certificates {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** `jobId`: the job that it ends, which is then in the journal no more. */
  add(certificate: StoredCertificate, jobId?: string): Promise<void> {
    return changing('storing a certificate', this.#db, ['certificates', 'journal'], async (all) => {
      await all.objectStore('certificates').add(certificate)
      if (jobId !== undefined) await all.objectStore('journal').delete(jobId)
    })
  }

  /** @throws `storage-failed` when there is no such certificate */
  note(id: string, note: string): Promise<void> {
    return changing('noting', this.#db, ['certificates'], async (all) => {
      const certificates = all.objectStore('certificates')
      const certificate = await certificates.get(id)
      if (!certificate) throw new FlashError('storage-failed', { during: `finding certificate ${id}` })
      await certificates.put({ ...certificate, note: note.slice(0, longest.note) })
    })
  }

  get(id: string): Promise<StoredCertificate | undefined> {
    return reading('reading a certificate', this.#db, ['certificates'], (all) =>
      all.objectStore('certificates').get(id),
    )
  }

  /** Newest first, without what is damaged (`Damage`). */
  async list(): Promise<readonly StoredCertificate[]> {
    const certificates = await reading('listing certificates', this.#db, ['certificates'], (all) =>
      recordsOf(all.objectStore('certificates')),
    )
    const sound = [...certificates.values()].filter(isSoundCertificate)
    return sound.sort((a, b) => b.issuedAt.localeCompare(a.issuedAt))
  }
}

/** Whether it can be listed and opened; whether it is as it was signed is another question. */
export function isSoundCertificate(certificate: Torn<StoredCertificate>): certificate is StoredCertificate {
  const { id, issuedAt, programmer, chip, firmware, backupId, json } = certificate ?? {}
  return areTexts([id, issuedAt, programmer, chip, firmware, backupId, json])
}
