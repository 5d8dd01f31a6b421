/** Runs the lab's cases in one guest, one after another, and says how each ended. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { equal, isBlank } from '#core/bytes.ts'
import { pcapHeader } from '#transport/pcap.ts'
import { devToolsPort } from './chrome.ts'
import { Guest } from './guest.ts'
import type { LabCase, LabTwin } from './lab-case.ts'
import { recordSerial, recordUsb, type RecordedEvent } from './recording.ts'
import { make, record, usbSide } from './twins.ts'
import { UsbPort, type Transfer } from './usb-port.ts'
import { setupBytes, Status } from './usbip-packets.ts'
import { UsbipServer } from './usbip-server.ts'

export interface CaseResult {
  readonly name: string
  readonly passed: boolean
  readonly seconds: number
  /** The first twin, and what went over its wire: for the comparison of programs. */
  readonly twin: string
  readonly transfers: number
  readonly bytes: number
  readonly measured: readonly Measured[]
  /** What was wrong; empty: nothing. */
  readonly error: string
}

/** What one job moved, of all that a case did. */
export interface Measured {
  readonly job: string
  readonly transfers: number
  readonly bytes: number
}

export interface LabOptions {
  readonly cases: readonly LabCase[]
  /** A pcapng file for all transfers, one section a case. */
  readonly trace?: string | undefined
  /** Writes the recordings that cases ask for. */
  readonly records?: boolean | undefined
  readonly log: (line: string) => void
  /** Called before the guest is closed: `--keep`. */
  readonly keep?: ((guest: Guest) => Promise<void>) | undefined
  /** Aborts: the case at hand is broken off and, as those after it, counts as not run. */
  readonly signal?: AbortSignal
}

/** Its firmware clears the screen, which would also take away what is above it. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e\n]/g, '')

/** Transfers that a failure is told with. */
const lastKept = 60

const defaultTimeoutMs = 400_000
/** A script in the guest ends soon after its device is gone, or with its own limit. */
const settleMs = 60_000
/** A guest that lives answers in a second or two. */
const answersMs = 20_000

export async function runLab({
  cases,
  trace,
  records = false,
  log,
  keep,
  signal = new AbortController().signal,
}: LabOptions): Promise<CaseResult[]> {
  const server = new UsbipServer()
  const results: CaseResult[] = []
  const usbipPort = await server.listen(0)
  log('starting the guest …')
  const bootedAt = performance.now()
  const guest = await Guest.boot(usbipPort, [devToolsPort])
  log(`the guest is up after ${seconds(bootedAt)} s`)
  const isStopped = () => signal.aborted
  // A mistake in a twin that nobody waits for fails the case at hand, and not the lab.
  const strays: unknown[] = []
  const stray = (error: unknown) => strays.push(error)
  process.on('unhandledRejection', stray)
  try {
    if (trace !== undefined) writeFileSync(trace, '')
    for (const one of cases) {
      if (isStopped()) break
      unplugAll(server)
      const result = await runCase(one, guest, server, { trace, records, signal, strays })
      if (isStopped()) break
      log(`${result.passed ? '✓' : '✗'} ${one.name} (${result.seconds.toFixed(0)} s)`)
      if (!result.passed)
        log(`${result.error}\nThe guest's console ends with:\n${printable(guest.console).slice(-2000)}`)
      results.push(result)
      const why = result.passed ? '' : result.isLeft ? 'The case does not end' : await trouble(guest)
      if (why === '') continue
      log(`${why}; the other cases were not run.`)
      break
    }
    if (!isStopped()) await keep?.(guest)
  } finally {
    process.off('unhandledRejection', stray)
    unplugAll(server)
    await guest.close()
    await server.close()
  }
  return results
}

/** Empty: it goes on. */
async function trouble(guest: Guest): Promise<string> {
  if (guest.hasEnded) return 'The guest has ended'
  try {
    await guest.run('true', answersMs)
    return ''
  } catch {
    return 'The guest hangs'
  }
}

interface Running {
  readonly trace: string | undefined
  readonly records: boolean
  readonly signal: AbortSignal
  /** Rejections that nobody waited for. */
  readonly strays: unknown[]
}

async function runCase(
  { name, twins, run, recordAs, timeoutMs = defaultTimeoutMs }: LabCase,
  guest: Guest,
  server: UsbipServer,
  { trace, records, signal, strays }: Running,
): Promise<CaseResult & { readonly isLeft: boolean }> {
  const startedAt = performance.now()
  const clock = new VirtualClock({ speed: 1 })
  let error = ''
  let isLeft = false
  let plugged: readonly (LabTwin & { readonly port: UsbPort })[] = []
  const measured: Measured[] = []
  const last: Transfer[] = []
  try {
    const events = records && recordAs ? ([] as RecordedEvent[]) : undefined
    plugged = await Promise.all(
      twins.map(({ id, dials }, i) => plug(id, dials, i + 1, clock, guest, i === 0 ? events : undefined)),
    )
    server.ports = plugged.map(({ port }) => port)
    for (const { port } of plugged) port.listen((transfer) => last.push(transfer) > lastKept && last.shift())
    if (trace !== undefined) appendFileSync(trace, pcapHeader(name))
    if (trace !== undefined) for (const [i, { port }] of plugged.entries()) record(port, i + 1, trace)
    for (const i of plugged.keys()) await guest.attach(i + 1)
    const measure = async (job: string, work: () => Promise<unknown>) => {
      const { port } = plugged[0] ?? {}
      const before = { ...port?.moved }
      await work()
      if (port) measured.push({ job, ...difference(port.moved, before) })
    }
    const running = run({ guest, twins: plugged, measure })
    if (!(await isDoneIn(running, timeoutMs, signal))) {
      unplugAll(server) // which ends what it still does
      let cause: unknown
      const ending = running.catch((late: unknown) => (cause = late))
      isLeft = !(await isDoneIn(ending, signal.aborted ? 0 : settleMs))
      throw new Error(`not done after ${String(timeoutMs / 1000)} s`, { cause })
    }
    if (events && recordAs && twins[0]) save(twins[0].id, recordAs, events)
  } catch (caught) {
    error = inspect(caught)
  }
  for (const { port } of plugged) if (port.errors.length > 0) error += `\n${inspect(port.errors[0])}`
  for (const one of strays.splice(0)) error += `\n${inspect(one)}`
  if (error !== '') error += `\nThe last transfers:\n${last.map(inWords).join('\n')}`
  const seconds = (performance.now() - startedAt) / 1000
  const moved = plugged[0]?.port.moved ?? { transfers: 0, bytes: 0 }
  return { name, passed: error === '', seconds, twin: twins[0]?.id ?? '', ...moved, measured, error, isLeft }
}

const difference = (now: UsbPort['moved'], before: Partial<UsbPort['moved']>): UsbPort['moved'] => ({
  transfers: now.transfers - (before.transfers ?? 0),
  bytes: now.bytes - (before.bytes ?? 0),
})

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Milliseconds, pipe, what was asked for or the status, and the first bytes. */
const inWords = ({ at, endpoint, direction, setup, status, bytes }: Transfer): string => {
  const asked = setup ? ` ${hexOf(setupBytes(setup))}` : ''
  const ended = status === Status.Ok ? '' : ` status ${String(status)}`
  return `${at.toFixed(0).padStart(8)} ${direction} ${String(endpoint)}${asked}${ended}: ${hexOf(bytes.slice(0, 16))}`
}

/** Of the last case they stay plugged in, so that `--keep` can look at them. */
function unplugAll(server: UsbipServer): void {
  for (const port of server.ports) port.unplug()
  server.ports = []
}

async function isDoneIn(running: Promise<unknown>, ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return false
  let end = (): void => undefined
  const late = new Promise<boolean>((resolve) => {
    end = () => {
      resolve(false)
    }
  })
  const timer = setTimeout(end, ms)
  signal?.addEventListener('abort', end, { once: true })
  try {
    return await Promise.race([running.then(() => true), late])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}

const seconds = (from: number): string => ((performance.now() - from) / 1000).toFixed(1)

function save(
  id: string,
  { program, name }: { program: string; name: string },
  events: RecordedEvent[],
): void {
  const [protocol = ''] = id.split(':')
  const lines = events.map((event) => `    ${JSON.stringify(event)}`).join(',\n')
  const head = `{\n  "program": ${JSON.stringify(program)},\n  "twin": ${JSON.stringify(id)},\n  "events": [\n`
  writeFileSync(`protocols/${protocol}/${name}.recording.json`, `${head}${lines}\n  ]\n}\n`)
}

async function plug(
  id: string,
  dials: Dials | undefined,
  number: number,
  clock: VirtualClock,
  guest: Guest,
  events: RecordedEvent[] | undefined,
): Promise<LabTwin & { readonly port: UsbPort }> {
  const { entry, setup } = await make(id, dials)
  const { twin } = setup
  const whole = usbSide(events && twin.link === 'serial' ? recordSerial(twin, events) : twin)
  const port = new UsbPort(whole, clock)
  port.onReturn = () => {
    guest.attach(number).catch((error: unknown) => port.errors.push(error))
  }
  if (events && twin.link === 'usb') recordUsb(port, events)
  return {
    ...{ entry, port },
    memory: (memory) => setup.memory(memory),
    unplug() {
      port.unplug()
    },
    unplugInMidWrite() {
      const before = setup.memory('flash').slice()
      return new Promise((resolve) => {
        const stop = port.listen(() => {
          const now = setup.memory('flash')
          if (equal(now, before) || isBlank(now)) return
          stop()
          port.unplug()
          resolve()
        })
      })
    },
    async replug() {
      port.plug(whole)
      await guest.attach(number)
    },
    async plugInByItself() {
      const alone = setup.byItself?.()
      if (!alone) throw new Error(`${id} shows nothing by itself`)
      port.plug(usbSide(alone))
      await guest.attach(number)
    },
  }
}
