/**
 * A job in any tab against the replacement of the app: jobs hold this Web Lock together, who wants to
 * replace the app must have it alone.
 */
const name = 'reflasher-job'

/** While `work` runs, the app is not replaced. */
export const duringJob = <T>(work: () => Promise<T>): Promise<T> =>
  navigator.locks.request(name, { mode: 'shared' }, work)

/** The same until the returned function is called. */
export function holdJob(): () => void {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  void duringJob(() => promise)
  return () => resolve(undefined)
}

/** Runs `work` if no tab has a job, and keeps new ones waiting until it is done; undefined: there is a job. */
export const betweenJobs = <T>(work: () => Promise<T>): Promise<T | undefined> =>
  navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? work() : undefined))

/** Jobs of the journal that a tab is on: each has a lock of its own, so that no other tab takes it for interrupted. */
const open = 'reflasher-job:'

export const lockOfJob = (jobId: string): string => open + jobId

export async function openJobs(): Promise<ReadonlySet<string>> {
  const { held = [] } = await navigator.locks.query()
  const names = held.map(({ name = '' }) => name).filter((name) => name.startsWith(open))
  return new Set(names.map((name) => name.slice(open.length)))
}

/** Runs `work` unless a tab is on this job; undefined: one is. */
export const unlessOpen = <T>(jobId: string, work: () => Promise<T>): Promise<T | undefined> =>
  navigator.locks.request(lockOfJob(jobId), { ifAvailable: true }, (lock) => (lock ? work() : undefined))
