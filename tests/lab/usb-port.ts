/**
 * A port that real hosts see: a USB twin behind transfers as a kernel submits them. It is to USB/IP what
 * `bench/twin-usb-device.ts` is to the page.
 */
import type { Clock } from '#core/time.ts'
import type { Comeback, SetupPacket, TwinAnswer, UsbTwin, WireFaults } from '#bench/twin.ts'
import { flipped } from '#bench/twin-line.ts'
import { answerControl, parseConfiguration, parseDevice } from '#bench/twin-usb-descriptors.ts'
import { lateMs } from '#bench/twin-usb-device.ts'
import { packetsOf, reportMs, wireMs } from '#bench/twin-usb-time.ts'
import { asUsb } from './serial-bridges.ts'
import { Status, type Answered, type Submit } from './usbip-packets.ts'

/** One transfer as it went, for traces and counts. `setup` is there on the control pipe. */
export interface Transfer {
  /** Milliseconds since the port was made: when it began and when it had ended. */
  readonly from: number
  readonly at: number
  readonly endpoint: number
  readonly isInterrupt: boolean
  readonly direction: 'in' | 'out'
  readonly setup?: SetupPacket
  /** Asked for (IN) or sent (OUT). */
  readonly length: number
  readonly status: Status
  /** Received (IN) or sent (OUT): none when the host gave it up, or the device went away (`Unlinked`). */
  readonly bytes: Uint8Array
}

/** Each transfer takes as long as it does on the practice bench. */
export interface Timing {
  /** How long the host has slept before it sent this, in milliseconds. */
  sleptBefore(bytes: Uint8Array): number
}

const Request = { ClearFeature: 1, SetAddress: 5, GetDescriptor: 6, SetConfiguration: 9, SetInterface: 11 }
/** Type 1, and there is one. */
const deviceDescriptor = 0x0100
const empty = new Uint8Array()
const resetMs = 10

export class UsbPort {
  readonly clock: Clock
  /** What a driver or a program asked for: all but the standard requests. Bytes without those of setup packets. */
  readonly moved = { transfers: 0, bytes: 0 }
  /** Mistakes within the twin (the transfer then ends as a broken one) and of listeners. */
  readonly errors: unknown[] = []
  /** Told when a twin that had detached itself is there again, as the same or as another. */
  onReturn: () => void = () => undefined
  /** Told when a fault has pulled the plug. */
  onPulled: () => void = () => undefined
  /** Undefined: transfers take no time on the wire. */
  readonly timing: Timing | undefined
  readonly #whole: UsbTwin
  #plugged: Plugged | undefined
  #faults: WireFaults = {}
  #faultsFrom = 0
  /** What has gone for a moment does not come back after all. */
  #stayAway: () => void = () => undefined
  readonly #listeners = new Set<(transfer: Transfer) => void>()

  constructor(twin: UsbTwin, clock: Clock, timing?: Timing) {
    this.clock = clock
    this.timing = timing
    this.#whole = twin
    this.#attach(twin)
  }

  get faults(): WireFaults {
    return this.#faults
  }
  /** Counted in transfers of `moved` from now on. */
  set faults(faults: WireFaults) {
    this.#faults = faults
    this.#faultsFrom = this.moved.transfers
  }

  /** @internal The number of the transfer that begins, as the faults count. */
  nextTransfer(): number {
    return ++this.moved.transfers - this.#faultsFrom
  }

  /** Tells `listener` of each transfer that has ended, until what this gives is called. */
  listen(listener: (transfer: Transfer) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** @internal */
  tell(transfer: Transfer): void {
    for (const listener of this.#listeners)
      try {
        listener(transfer)
      } catch (error) {
        this.errors.push(error)
      }
  }

  /** What a host would find here now. */
  get present(): Plugged | undefined {
    return this.#plugged
  }

  unplug(): void {
    this.#stayAway()
    const plugged = this.#plugged
    this.#plugged = undefined
    plugged?.leave()
  }

  /** Plugs in what was plugged in at first, or something else, powered up anew. */
  plug(twin: UsbTwin = this.#whole): void {
    this.unplug()
    this.#attach(twin)
  }

  /** As a twin does it to itself: away, and perhaps back as another one. */
  detach(next?: Comeback): void {
    this.unplug()
    if (!next) return
    this.#stayAway = this.clock.after(next.ms, () => {
      this.#attach(next.twin.link === 'usb' ? next.twin : asUsb(next.twin))
      this.onReturn()
    })
  }

  #attach(next: UsbTwin): void {
    const twin = next.powersUpAs?.() ?? next
    const plugged = new Plugged(twin, this)
    this.#plugged = plugged
    twin.plugged({
      clock: this.clock,
      detach: (next) => {
        if (this.#plugged === plugged) this.detach(next)
      },
    })
  }
}

/** A twin from when it is plugged in until it goes away. */
export class Plugged {
  readonly twin: UsbTwin
  readonly #port: UsbPort
  readonly #gone = new AbortController()
  /** The end of each pipe's queue. */
  readonly #queues = new Map<string, Promise<unknown>>()
  /** Reads that the host gave up: what comes of them is for the next one. */
  readonly #reading = new Map<number, Promise<TwinAnswer>>()
  readonly #halted = new Set<string>()

  readonly #interrupts: ReadonlySet<string>
  /** Of each pipe's packets; the control pipe is `0`. */
  readonly #packetBytes: ReadonlyMap<string, number>
  /** Numbers of interfaces with more than one setting. */
  readonly #choices: ReadonlySet<number>

  constructor(twin: UsbTwin, port: UsbPort) {
    this.twin = twin
    this.#port = port
    const { interfaces } = parseConfiguration(twin.descriptors)
    const choices = interfaces.filter(({ alternates }) => alternates.length > 1)
    this.#choices = new Set(choices.map(({ number }) => number))
    const endpoints = interfaces.flatMap(({ alternates }) => alternates.flatMap(({ endpoints }) => endpoints))
    const pipeOf = (one: USBEndpoint) => `${one.direction}${String(one.endpointNumber)}`
    this.#interrupts = new Set(endpoints.filter(({ type }) => type === 'interrupt').map(pipeOf))
    this.#packetBytes = new Map([
      ['0', parseDevice(twin.descriptors).packetSize],
      ...endpoints.map((one) => [pipeOf(one), one.packetSize] as const),
    ])
  }

  /** Aborts when it is unplugged. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }
  leave(): void {
    this.#gone.abort()
    this.twin.unplugged?.()
  }

  /** Undefined: the host gave it up, or the device went away. */
  async submit(urb: Submit, bytes: Uint8Array, given: AbortSignal): Promise<Answered | undefined> {
    const signal = AbortSignal.any([given, this.gone])
    const pipe = urb.endpoint === 0 ? '0' : `${urb.direction}${String(urb.endpoint)}`
    const before = this.#queues.get(pipe) ?? Promise.resolve()
    const { clock } = this.#port
    let from: number | undefined
    const run = async (): Promise<Answered | undefined> => {
      from = clock.now()
      try {
        return signal.aborted ? undefined : await this.#transfer(urb, bytes, pipe, signal)
      } catch (error) {
        this.#port.errors.push(error)
        return { status: Status.Broken, bytes: empty }
      }
    }
    const work = before.then(run)
    this.#queues.set(pipe, work)
    const answered = await aborting(signal, () => work)
    if (answered && !isStandard(urb)) this.#port.moved.bytes += answered.bytes.length
    const at = clock.now()
    this.#port.tell({
      from: from ?? at,
      at,
      endpoint: urb.endpoint,
      isInterrupt: this.#interrupts.has(pipe),
      direction: urb.direction,
      ...(urb.endpoint === 0 ? { setup: urb.setup } : {}),
      length: urb.length,
      ...(answered ?? { status: Status.Unlinked, bytes: empty }),
    })
    return answered
  }

  async #transfer(
    urb: Submit,
    bytes: Uint8Array,
    pipe: string,
    signal: AbortSignal,
  ): Promise<Answered | undefined> {
    const number = isStandard(urb) ? 0 : this.#port.nextTransfer()
    const { unplugAt, stallAt, shortAt, hangAt, lateAt, flipAt, flipOutAt } = this.#port.faults
    const is = (at: number | undefined): boolean => number !== 0 && number === at
    if (is(unplugAt)) {
      this.#port.unplug()
      this.#port.onPulled()
      return undefined
    }
    if (is(stallAt) && urb.endpoint !== 0) this.#halted.add(pipe)
    const stalls = is(stallAt) || (number !== 0 && this.#halted.has(pipe))
    const isLate = is(lateAt)
    const sent = is(flipOutAt) ? flipped(bytes, number) : bytes
    // A late one holds up its pipe also when the host has given it up.
    const answer = await aborting(isLate ? this.gone : signal, () =>
      is(hangAt)
        ? forever()
        : stalls
          ? Promise.resolve('stall' as const)
          : this.#answer(urb, sent, pipe, signal, isLate),
    )
    if (answer === undefined) return undefined
    if (answer === 'stall' || answer === 'silent' || answer === 'broken') {
      if (answer === 'stall' && urb.endpoint !== 0) this.#halted.add(pipe)
      return { status: answer === 'stall' ? Status.Stall : Status.Broken, bytes: empty }
    }
    if (urb.direction === 'out') return { status: Status.Ok, bytes }
    const whole = is(flipAt) ? flipped(answer, number) : answer
    if (whole.length > urb.length) return { status: Status.Babble, bytes: empty }
    return { status: Status.Ok, bytes: is(shortAt) ? whole.slice(0, -1) : whole }
  }

  async #answer(
    urb: Submit,
    bytes: Uint8Array,
    pipe: string,
    signal: AbortSignal,
    isLate: boolean,
  ): Promise<TwinAnswer> {
    const setupAndStatus = 2
    if (pipe === '0') await this.#wire(pipe, bytes.length, setupAndStatus)
    else if (urb.direction === 'out') {
      const slept = this.#port.timing?.sleptBefore(bytes) ?? 0
      if (slept > 0) await this.#port.clock.sleep(slept)
      await this.#wire(pipe, bytes.length)
    }
    const answer = await this.#ask(urb, bytes, signal, isLate)
    if (urb.direction === 'in' && answer instanceof Uint8Array) await this.#wire(pipe, answer.length)
    return answer === 'silent' ? forever() : answer
  }

  async #wire(pipe: string, length: number, more = 0): Promise<void> {
    const { timing, clock } = this.#port
    if (!timing) return
    const packets = more + packetsOf(length, this.#packetBytes.get(pipe) ?? 64, pipe === '0' ? 0 : 1)
    const time = this.#interrupts.has(pipe) ? reportMs : wireMs
    await clock.sleep(time(this.twin.speed, packets))
  }

  async #ask(urb: Submit, bytes: Uint8Array, signal: AbortSignal, isLate: boolean): Promise<TwinAnswer> {
    const { endpoint, direction, setup, length } = urb
    const held = async (answer: Promise<TwinAnswer>): Promise<TwinAnswer> => {
      const said = await answer
      if (isLate) await this.#port.clock.sleep(lateMs)
      return said
    }
    if (endpoint === 0)
      return (await this.#answerKernel(setup)) ?? held(answerControl(this.twin, setup, bytes))
    if (direction === 'out') return this.twin.bulkOut ? held(this.twin.bulkOut(endpoint, bytes)) : 'stall'
    const asked = this.#reading.get(endpoint) ?? this.twin.bulkIn?.(endpoint, length)
    if (!asked) return 'stall'
    const reading = held(asked)
    this.#reading.set(endpoint, reading)
    try {
      return await reading
    } finally {
      if (!signal.aborted) this.#reading.delete(endpoint)
    }
  }

  /** What a kernel tells a device that has one configuration; undefined: it is for the twin to answer. */
  async #answerKernel({
    requestType,
    request,
    value,
    index,
    length,
  }: SetupPacket): Promise<TwinAnswer | undefined> {
    if ((requestType & 0x60) !== 0) return undefined
    switch (request) {
      case Request.SetAddress:
      case Request.SetConfiguration:
        return empty
      case Request.SetInterface:
        return this.#choices.has(index) ? undefined : empty
      case Request.ClearFeature:
        this.#halted.delete(`${index & 0x80 ? 'in' : 'out'}${String(index & 0xf)}`)
        return empty
      case Request.GetDescriptor:
        // vhci keeps a port reset to itself; only after one does Linux ask for the device's first 64 bytes.
        if (value === deviceDescriptor && length === 64) {
          this.twin.reset()
          this.#halted.clear()
          await this.#port.clock.sleep(resetMs)
        }
        return undefined
      default:
        return undefined
    }
  }
}

const isStandard = ({ endpoint, setup }: Submit): boolean =>
  endpoint === 0 && (setup.requestType & 0x60) === 0

const forever = (): Promise<never> => new Promise(() => undefined)

/** Undefined: `signal` aborted first. What is under way goes on unheard. */
function aborting<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const stop = () => {
      resolve(undefined)
    }
    signal.addEventListener('abort', stop, { once: true })
    run()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', stop)
      })
  })
}
