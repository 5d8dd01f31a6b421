/**
 * Runs the lab's cases, in two guests at once where that is quicker: a guest waits for its twins most of the time. Chromium
 * does not, so its cases stay in one guest, one after another.
 */
import { availableParallelism } from 'node:os'
import { writeFileSync } from 'node:fs'
import { devToolsPort } from './chrome.ts'
import { Guest } from './guest.ts'
import type { LabCase } from './lab-case.ts'
import { runCase, trouble, unplugAll, type Around, type CaseResult } from './run-case.ts'
import { UsbipServer } from './usbip-server.ts'

export interface LabOptions extends Pick<Around, 'seed' | 'site' | 'trace' | 'records'> {
  readonly cases: readonly LabCase[]
  readonly log: (line: string) => void
  /** Called before the guest is closed: `--keep`. */
  readonly keep?: ((guest: Guest) => Promise<void>) | undefined
  /** Aborts: the cases at hand are broken off and, as those after them, count as not run. */
  readonly signal?: AbortSignal
}

/** Another guest has to boot, which takes as long as one case. */
const leastForTwo = 6

/** Its firmware clears the screen, which would also take away what is above it. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e\n]/g, '')

export async function runLab(options: LabOptions): Promise<CaseResult[]> {
  const { cases, keep, trace } = options
  // A trace tells one case after another, and who keeps a guest wants to see the last.
  const isForTwo = keep === undefined && trace === undefined && cases.length >= leastForTwo
  const isBusy = (one: LabCase) => 'opensSite' in one
  const [busy, others] = [cases.filter(isBusy), cases.filter((one) => !isBusy(one))]
  // A mistake in a twin that nobody waits for fails a case at hand, and not the lab.
  const strays: unknown[] = []
  const stray = (error: unknown) => strays.push(error)
  process.on('unhandledRejection', stray)
  try {
    if (trace !== undefined) writeFileSync(trace, '')
    const lanes = [runLane(() => busy.shift() ?? others.pop(), strays, options)]
    if (isForTwo && availableParallelism() > 1) lanes.push(runLane(() => others.shift(), strays, options))
    return (await Promise.all(lanes)).flat()
  } finally {
    process.off('unhandledRejection', stray)
  }
}

/** One after another in one guest, until there is no next one, or its guest is of no use any more. */
async function runLane(
  next: () => LabCase | undefined,
  strays: unknown[],
  { cases, log, keep, signal = new AbortController().signal, ...options }: LabOptions,
): Promise<CaseResult[]> {
  const server = new UsbipServer()
  const results: CaseResult[] = []
  const usbipPort = await server.listen(0)
  const needsGuest = keep !== undefined || cases.some((one) => 'twins' in one)
  const guest = needsGuest ? await boot(usbipPort, log) : undefined
  const isStopped = () => signal.aborted
  try {
    for (let one = next(); one && !isStopped(); one = next()) {
      unplugAll(server)
      const result = await runCase(one, { ...options, guest, server, signal, strays })
      if (isStopped()) break
      log(`${result.passed ? '✓' : '✗'} ${one.name} (${result.seconds.toFixed(0)} s)`)
      if (!result.passed) log(result.error)
      if (!result.passed && guest)
        log(`The guest's console ends with:\n${printable(guest.console).slice(-2000)}`)
      results.push(result)
      const why = result.passed
        ? ''
        : result.isLeft
          ? 'The case does not end'
          : guest && (await trouble(guest))
      if (!why) continue
      log(`${why}; nothing more is run there.`)
      break
    }
    if (!isStopped() && guest) await keep?.(guest)
  } finally {
    unplugAll(server)
    await guest?.close()
    await server.close()
  }
  return results
}

async function boot(usbipPort: number, log: LabOptions['log']): Promise<Guest> {
  log('starting the guest …')
  const startedAt = performance.now()
  const guest = await Guest.boot(usbipPort, [devToolsPort])
  log(`the guest is up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return guest
}
