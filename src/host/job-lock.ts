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

/** Which jobs write now, in any tab: each holds a lock of its own, so that no other tab takes its write for lost. */
const writing = 'reflasher-write:'

export const whileWriting = <T>(jobId: string, work: () => Promise<T>): Promise<T> =>
  navigator.locks.request(writing + jobId, work)

export async function writingJobs(): Promise<ReadonlySet<string>> {
  const { held = [] } = await navigator.locks.query()
  const names = held.map(({ name = '' }) => name).filter((name) => name.startsWith(writing))
  return new Set(names.map((name) => name.slice(writing.length)))
}

/** Runs `work` unless this job writes, in any tab; undefined: it does. */
export const unlessWriting = <T>(jobId: string, work: () => Promise<T>): Promise<T | undefined> =>
  navigator.locks.request(writing + jobId, { ifAvailable: true }, (lock) => (lock ? work() : undefined))
