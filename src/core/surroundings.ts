/** What a job needs from the computer around it; `host/` has the browser's, tests their own. */
export interface Surroundings {
  /** Undefined: the browser does not say. */
  battery(): Promise<{ readonly charging: boolean; readonly level: number } | undefined>
  /** Bytes still free for this site; undefined: unknown. */
  storageRoom(): Promise<number | undefined>
  /** Asks the browser to keep our storage. */
  persist(): Promise<boolean>
  /** Runs `work` with wake lock and leave guard; both end with it. */
  guarded<T>(work: () => Promise<T>): Promise<T>
  /** Holds the lock of that name for as long as the returned disposable lives; undefined: another tab has it. */
  lock(name: string): Promise<AsyncDisposable | undefined>
  /** The same for a job of the journal: while it is held, no tab takes it for one that was interrupted. */
  hold(jobId: string): Promise<AsyncDisposable | undefined>
  /** The app's build, for the certificate. */
  readonly build: string
}
