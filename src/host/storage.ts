/** How much of this computer the browser gives the page, and whether it may take it back. */

export interface StorageUse {
  /** Bytes; undefined: the browser does not say. */
  readonly used: number | undefined
  readonly quota: number | undefined
  /** True: nothing is cleared without the user. */
  readonly isKept: boolean
}

/** Undefined: a browser (or an insecure page) without this. */
export async function storageUse(): Promise<StorageUse | undefined> {
  if (!('storage' in navigator)) return undefined
  const [{ usage, quota }, isKept] = await Promise.all([
    navigator.storage.estimate(),
    navigator.storage.persisted(),
  ])
  return { used: usage, quota, isKept }
}

/** Asks the browser to keep what is stored; it answers by itself or asks the user. */
export const keepStorage = (): Promise<boolean> => navigator.storage.persist()
