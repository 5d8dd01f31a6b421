/** How much of this computer the browser gives the page, and whether it may take it back. */

export interface StorageUse {
  /** Bytes; undefined: the browser does not say. */
  readonly used: number | undefined
  readonly quota: number | undefined
  /** True: nothing is cleared without the user. */
  readonly isKept: boolean
}

/** Undefined: the browser does not say (an old one, an insecure page, a frame without storage). */
export async function storageUse(): Promise<StorageUse | undefined> {
  if (!('storage' in navigator)) return undefined
  try {
    const [{ usage, quota }, isKept] = await Promise.all([
      navigator.storage.estimate(),
      navigator.storage.persisted(),
    ])
    return { used: usage, quota, isKept }
  } catch {
    return undefined // unknown is a state that its readers have
  }
}

/** Asks the browser to keep what is stored; it answers by itself or asks the user. */
export async function keepStorage(): Promise<boolean> {
  try {
    return 'storage' in navigator && (await navigator.storage.persist())
  } catch {
    return false // a frame without storage: nothing is kept there
  }
}
