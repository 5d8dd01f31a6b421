/**
 * The library for its screens: what is in the store, what was just said about it, what was just removed.
 * One for the app, so that a deletion can be undone wherever one goes next.
 */
import { untrack } from 'svelte'
import { FlashError, isFlashError, toFlashError } from '#core/errors.ts'
import { saveFile } from '#host/download.ts'
import type { Backup, BackupEntry, RemovedBackup } from '#store/backups.ts'
import type { VerifiedCertificate } from '#jobs/certificate.ts'
import type { StoredCertificate } from '#store/certificates.ts'
import type { Damaged } from '#store/damage.ts'
import { m } from '#ui/text/generated/messages.js'
import { damagedName } from '../text/damaged.ts'
import { count } from '../text/format.ts'
import type { App } from './app.svelte.ts'
import { saveDamaged } from './damaged.ts'
import type { Stores } from './stores.ts'

/** Undefined: what is stored can not be read any more. */
export interface ListedCertificate extends StoredCertificate {
  readonly verified: VerifiedCertificate | undefined
}

export class LibraryState {
  /** Undefined: not read yet. */
  entries: readonly BackupEntry[] | undefined = $state.raw()
  certificates: readonly ListedCertificate[] = $state.raw([])
  /** What the lists are without. */
  damaged: readonly Damaged[] = $state.raw([])
  query = $state('')
  error: FlashError | undefined = $state.raw()
  /** The newest message, for people and for screen readers. */
  said = $state('')
  removed: RemovedBackup | undefined = $state.raw()
  #part: string | undefined
  #refreshes = 0
  readonly #stores: () => Promise<Stores>
  readonly #isInUse: (id: string) => boolean

  /** `isInUse`: whether the open job works with this backup. */
  constructor(stores: () => Promise<Stores>, isInUse: (id: string) => boolean = () => false) {
    this.#stores = stores
    this.#isInUse = isInUse
  }

  /** What was overtaken by a newer one, or by another search, shows nothing. */
  refresh = (query = this.query): Promise<void> =>
    this.#try('listing the library', async ({ backups, certificates, damage }) => {
      const turn = ++this.#refreshes
      const entries = await backups.list(query)
      if (turn === this.#refreshes && query === this.query) this.entries = entries
      const listed = await Promise.all((await certificates.list()).map((one) => this.#listed(one)))
      if (turn === this.#refreshes) this.certificates = listed
      const damaged = (await damage.list()).filter(({ store }) => store !== 'journal') // told where jobs are
      if (turn === this.#refreshes) this.damaged = damaged
    })

  /** Each is verified once, and again when its text is another. */
  async #listed(stored: StoredCertificate): Promise<ListedCertificate> {
    const known = this.certificates.find(({ json }) => json === stored.json)
    if (known) return { ...stored, verified: known.verified }
    const { verifyCertificate } = await import('#jobs/certificate.ts')
    try {
      return { ...stored, verified: await verifyCertificate(stored.json) }
    } catch (error) {
      if (!isFlashError(error, 'bad-file')) throw error
      return { ...stored, verified: undefined } // the list says so
    }
  }

  get(id: string): Promise<Backup | undefined> {
    return this.#try('reading a backup', ({ backups }) => backups.get(id))
  }

  /** Undefined: it could not be done, `error` says why. */
  rename(id: string, name: string): Promise<BackupEntry | undefined> {
    return this.#try('renaming a backup', ({ backups }) => backups.rename(id, name))
  }

  note(id: string, note: string): Promise<BackupEntry | undefined> {
    return this.#try('noting', ({ backups }) => backups.note(id, note))
  }

  /** Reads and hashes it all again. */
  async verify(id: string): Promise<boolean> {
    return (await this.#try('checking a backup', ({ backups }) => backups.receiptFor(id))) !== undefined
  }

  /** Whether it is gone now; if not, `error` says why. */
  remove = async (id: string): Promise<boolean> => {
    const done = await this.#try('removing a backup', async ({ backups }) => {
      if (this.#isInUse(id)) {
        const name = (await backups.get(id))?.name ?? ''
        throw new FlashError('backup-needed', { name, by: 'open-job' })
      }
      this.removed = await backups.remove(id)
      this.said = this.removed ? m.library_deleted({ name: this.removed.backup.name }) : ''
      await this.refresh()
      return true
    })
    return done ?? false
  }

  saveDamaged = (one: Damaged): Promise<void> =>
    this.#try('saving what is damaged', ({ damage }) => saveDamaged(damage, one))

  /** There is no way back. */
  removeDamaged = (one: Damaged): Promise<void> =>
    this.#try('removing what is damaged', async ({ damage }) => {
      await damage.remove(one)
      this.said = m.damaged_removed({ name: damagedName(one) })
      await this.refresh()
    })

  undo = (): Promise<void> =>
    this.#try('bringing a backup back', async ({ backups }) => {
      const { removed } = this
      if (!removed) return
      await backups.restoreRemoved(removed)
      this.removed = undefined
      this.said = m.library_undone({ name: removed.backup.name })
      await this.refresh()
    })

  /** Another part of the library is shown: old messages go, but a deletion can still be undone. */
  moveTo(part: string | undefined): void {
    if (part === this.#part) return
    this.#part = part
    this.error = undefined
    if (!untrack(() => this.removed)) this.said = ''
  }

  exportAll = (): Promise<void> =>
    this.#try('exporting the backups', async ({ backups, damage }) => {
      const [{ exportAll }, entries] = await Promise.all([import('#store/archive.ts'), backups.list()])
      const all: Backup[] = []
      const lost = (await damage.list()).filter(({ store }) => store === 'backups')
      const damaged = lost.map((one) => one.name ?? damagedName(one))
      for (const { id, name } of entries)
        try {
          await backups.receiptFor(id)
          const backup = await backups.get(id)
          if (backup) all.push(backup)
        } catch (error) {
          if (!isFlashError(error, 'backup-corrupt')) throw error
          damaged.push(name) // the others are worth saving all the same
        }
      const day = today()
      saveFile(`reflasher-backups-${day}.zip`, await exportAll(all))
      this.said =
        damaged.length > 0 ? m.library_exported_but({ names: damaged.join(', ') }) : m.library_exported()
    })

  /** The history of jobs: all certificates. */
  exportHistory = (format: 'csv' | 'json'): Promise<void> =>
    this.#try('exporting the history', async ({ certificates }) => {
      const { historyCsv, historyJson } = await import('#jobs/history.ts')
      const all = await certificates.list()
      const text = format === 'csv' ? await historyCsv(all) : historyJson(all)
      const type = format === 'csv' ? 'text/csv' : 'application/json'
      saveFile(`reflasher-history-${today()}.${format}`, new Blob([text], { type }))
    })

  importArchive = (archive: Blob): Promise<void> =>
    this.#try('importing an archive', async ({ backups }) => {
      this.said = m.library_importing()
      const { importArchive } = await import('#store/archive.ts')
      const { added } = await importArchive(archive, backups)
      this.said = added
        ? m.library_imported({ count: added, shown: count(added) })
        : m.library_imported_known()
      await this.refresh()
    })

  async #try<T>(during: string, work: (stores: Stores) => Promise<T>): Promise<T | undefined> {
    this.error = undefined
    try {
      return await work(await this.#stores())
    } catch (error) {
      this.said = ''
      this.error = toFlashError(error, during)
      return undefined
    }
  }
}

const today = (): string => new Date().toISOString().slice(0, 10)

const libraries = new WeakMap<App, LibraryState>()

export function libraryOf(app: App): LibraryState {
  const known =
    libraries.get(app) ??
    new LibraryState(
      () => app.stores(),
      (id) => app.job?.needs(id) ?? false,
    )
  libraries.set(app, known)
  return known
}
