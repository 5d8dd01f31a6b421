/** Runs one case of the lab, and says how it ended. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { equal, isBlank } from '#core/bytes.ts'
import { pcapHeader } from '#transport/pcap.ts'
import type { Guest } from './guest.ts'
import { seeded, type GuestCase, type HereCase, type LabCase, type LabTwin } from './lab-case.ts'
import { recordSerial, recordUsb, type RecordedEvent } from './recording.ts'
import { take } from '#bench/bench.ts'
import { record, usbSide } from './twins.ts'
import { UsbPort, type Timing, type Transfer } from './usb-port.ts'
import { setupBytes, Status } from './usbip-packets.ts'
import type { UsbipServer } from './usbip-server.ts'

export interface CaseResult {
  readonly name: string
  readonly passed: boolean
  readonly seconds: number
  /** The first twin, and what went over its wire: for the comparison of programs. Empty: no wire of USB. */
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
  /** Of a serial twin too they are those of its USB side: into how many an answer falls is the bridge's affair. */
  readonly transfers: number
  readonly bytes: number
  /** What they took, of a case with `timing`. */
  readonly ms?: number
}

/** A case that does not end even when it is broken off still holds what it had. */
export type Outcome = CaseResult & { readonly isLeft: boolean }

export interface Around {
  /** Undefined: there are only cases that need none. */
  readonly guest: Guest | undefined
  readonly server: UsbipServer
  /** Of random images. */
  readonly seed: number
  /** That the site was built into. */
  readonly site?: string | undefined
  /** A pcapng file for all transfers, one section a case. */
  readonly trace?: string | undefined
  /** Writes the recordings that cases ask for. */
  readonly records?: boolean
  /** Aborts: the case is broken off. */
  readonly signal: AbortSignal
  /** Rejections that nobody waited for. */
  readonly strays: unknown[]
  /** A script in the guest ends soon after its device is gone, or with its own limit. Default: 60 s. */
  readonly settleMs?: number
}

/** Transfers that a failure is told with. */
const lastKept = 60
const defaultTimeoutMs = 600_000
const defaultSettleMs = 60_000
/** A guest that lives answers in a second or two. */
const answersMs = 20_000

/** What a case leaves, also when it fails. */
interface Seen {
  readonly plugged: LabTwin[]
  readonly last: Transfer[]
  readonly measured: Measured[]
}

export async function runCase(one: LabCase, around: Around): Promise<Outcome> {
  const startedAt = performance.now()
  const seen: Seen = { plugged: [], last: [], measured: [] }
  const errors: unknown[] = []
  let isLeft = false
  try {
    await ('runHere' in one ? runHere(one, around) : runInGuest(one, around, seen))
  } catch (caught) {
    errors.push(caught)
    isLeft = caught instanceof Unfinished && caught.isLeft
  }
  for (const { port } of seen.plugged) errors.push(...port.errors.slice(0, 1))
  errors.push(...around.strays.splice(0))
  const lines = errors.map((error) => inspect(error))
  if (seen.last.length > 0) lines.push(`The last transfers:\n${seen.last.map(inWords).join('\n')}`)
  const { name } = one
  const twin = 'twins' in one ? (one.twins[0]?.id ?? '') : ''
  return {
    ...{ name, twin, passed: errors.length === 0, seconds: (performance.now() - startedAt) / 1000 },
    ...(seen.plugged[0]?.port.moved ?? { transfers: 0, bytes: 0 }),
    ...{ measured: seen.measured, error: errors.length === 0 ? '' : lines.join('\n'), isLeft },
  }
}

async function runHere(one: HereCase, around: Around): Promise<void> {
  const broken = new AbortController()
  const running = one.runHere({ random: seeded(around.seed, one.name), signal: broken.signal })
  await inTime(running, one, around, () => broken.abort())
}

async function runInGuest(
  { name, twins, run, recordAs, measuredAs, timing, timeoutMs, clockSpeed = 1 }: GuestCase,
  around: Around,
  { plugged, last, measured }: Seen,
): Promise<void> {
  const { guest, server, seed, site = '', trace, records = false } = around
  if (!guest) throw new Error('there is no guest')
  const clock = new VirtualClock(timing ? {} : { speed: clockSpeed })
  const events = records && recordAs ? ([] as RecordedEvent[]) : undefined
  const all = twins.map(({ id, dials }, i) =>
    plug(id, dials, i + 1, { clock, timing, guest, events: i === 0 ? events : undefined }),
  )
  plugged.push(...(await Promise.all(all)))
  server.ports = plugged.map(({ port }) => port)
  for (const { port } of plugged) port.listen((transfer) => last.push(transfer) > lastKept && last.shift())
  if (trace !== undefined) appendFileSync(trace, pcapHeader(name))
  if (trace !== undefined) for (const [i, { port }] of plugged.entries()) record(port, i + 1, trace)
  const measure = async (job: string, work: () => Promise<unknown>) => {
    const { port } = plugged[0] ?? {}
    const before = { ...port?.moved }
    const from = clock.now()
    await work()
    const time = timing ? { ms: Math.round(clock.now() - from) } : {}
    if (port) measured.push({ job, ...difference(port.moved, before), ...time })
  }
  const attachAndRun = async () => {
    for (const i of plugged.keys()) await guest.attach(i + 1)
    const setClockSpeed = (speed: number) => (clock.speed = speed)
    await run({ guest, site, random: seeded(seed, name), twins: plugged, measure, setClockSpeed })
  }
  await inTime(attachAndRun(), { timeoutMs }, around, () => unplugAll(server)) // which ends what it still does
  const [{ id } = { id: '' }] = twins
  if (events && recordAs) save(id, recordAs, events)
  if (records && measuredAs && measured[0]) keep(id, measuredAs, measured[0])
}

class Unfinished extends Error {
  /** It does not end even now. */
  readonly isLeft: boolean

  constructor(message: string, isLeft: boolean, cause: unknown) {
    super(message, { cause })
    this.isLeft = isLeft
  }
}

/** @throws `Unfinished`, after `breakOff` and some patience */
async function inTime(
  running: Promise<void>,
  { timeoutMs = defaultTimeoutMs }: { readonly timeoutMs?: number | undefined },
  { signal, settleMs = defaultSettleMs }: Around,
  breakOff: () => void,
): Promise<void> {
  if (await isDoneIn(running, timeoutMs, signal)) return
  breakOff()
  let cause: unknown
  const ending = running.catch((late: unknown) => (cause = late))
  const hasEnded = await isDoneIn(ending, signal.aborted ? 0 : settleMs)
  throw new Unfinished(`not done after ${String(timeoutMs / 1000)} s`, !hasEnded, cause)
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

/** Why nothing more can be run in it; empty: it goes on. */
export async function trouble(guest: Pick<Guest, 'hasEnded' | 'run'>): Promise<string> {
  if (guest.hasEnded) return 'The guest has ended'
  try {
    await guest.run('true', answersMs)
    return ''
  } catch {
    return 'The guest hangs'
  }
}

/** Of the last case they stay plugged in, so that `--keep` can look at them. */
export function unplugAll(server: UsbipServer): void {
  for (const port of server.ports) port.unplug()
  server.ports = []
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

/** `protocols/…/NAME.measured.json`: for the bench, beside our own figures. */
export interface KeptMeasure extends Measured {
  readonly program: string
  readonly twin: string
  readonly ms: number
}

function keep(twin: string, { program, name }: { program: string; name: string }, measured: Measured): void {
  const [protocol = ''] = twin.split(':')
  const { ms = 0 } = measured
  const kept: KeptMeasure = { program, twin, ...measured, ms }
  const text = JSON.stringify(kept, null, 2)
  writeFileSync(`protocols/${protocol}/${name}.measured.json`, `${text}\n`)
}

interface PlugIn {
  readonly clock: VirtualClock
  readonly timing: Timing | undefined
  readonly guest: Guest
  readonly events: RecordedEvent[] | undefined
}

async function plug(
  id: string,
  dials: Dials | undefined,
  number: number,
  { clock, timing, guest, events }: PlugIn,
): Promise<LabTwin> {
  const { entry, setup } = await take(id, dials)
  const { twin } = setup
  const whole = usbSide(events && twin.link === 'serial' ? recordSerial(twin, events) : twin)
  const port = new UsbPort(whole, clock, timing)
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
