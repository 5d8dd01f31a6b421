/**
 * A disk that fails once: an operation of the database is answered as browsers do when there is no room, or when they
 * give up on a transaction. It stands before fake-indexeddb, so that idb and the store see it as in a browser.
 */
import { unwrap } from 'idb'
import type { Database } from '#store/db.ts'

/** full: there is no room for it · full-at-the-end: that shows when all is written · aborted: the disk does not answer */
export const diskFaults = ['full', 'full-at-the-end', 'aborted'] as const
export type DiskFault = (typeof diskFaults)[number]

const operations = ['add', 'put', 'delete', 'get', 'getAll'] as const
const storing: readonly string[] = ['add', 'put']
type Operation = (this: IDBObjectStore, ...args: unknown[]) => IDBRequest

/** Counts the operations of a connection and fails one of them, until disposed. */
export class FailingDisk implements Disposable {
  /** So many that this fault could have hit. */
  count = 0
  readonly #originals = new Map<string, Operation>()

  /** `at` 0: it only counts. */
  constructor(db: Database, fault: DiskFault, at: number) {
    const connection = unwrap(db) as unknown
    const hits = (store: IDBObjectStore, name: string): boolean => {
      const isHit = (store.transaction.db as unknown) === connection
      if (!isHit || (fault !== 'aborted' && !storing.includes(name))) return false
      return ++this.count === at
    }
    const prototype = IDBObjectStore.prototype as unknown as Record<string, Operation>
    for (const name of operations) {
      const original = prototype[name] as Operation
      this.#originals.set(name, original)
      prototype[name] = function (...args) {
        if (!hits(this, name)) return original.apply(this, args)
        if (fault === 'full') throw new DOMException('No room.', 'QuotaExceededError')
        const request = original.apply(this, args)
        const reason = fault === 'aborted' ? 'UnknownError' : 'QuotaExceededError'
        const transaction = this.transaction as unknown as FakeTransaction
        queueMicrotask(() => transaction._abort(reason)) // not while the page is still asking
        return request
      }
    }
  }

  [Symbol.dispose](): void {
    Object.assign(IDBObjectStore.prototype, Object.fromEntries(this.#originals))
  }
}

/** What fake-indexeddb calls itself when a transaction fails. */
interface FakeTransaction {
  _abort(name: string): void
}
