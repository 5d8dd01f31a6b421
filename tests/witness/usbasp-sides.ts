/**
 * The two things that are compared: a firmware image running in the machine, and our twin. Both are asked
 * through the same few methods, each with a target of its own that starts out equal.
 */
import { FlashError } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import { answerControl } from '#bench/twin-usb-descriptors.ts'
import { TwinAvr } from '#bench/twin-avr.ts'
import type { Dials, SetupPacket, TwinAnswer } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { UsbaspTwin } from '#protocols/usbasp/twin-firmware.ts'
import type { ControlSetup, Io, UsbLink } from '#transport/links.ts'
import { Host } from './usbasp-host.ts'
import { Machine, type MachineChip } from './usbasp-machine.ts'

export interface Side {
  readonly clock: Clock
  readonly target: TwinAvr
  control(setup: SetupPacket, bytes?: Uint8Array): Promise<TwinAnswer>
  /** A port reset, after a device that went away by itself has come back. */
  recover(): Promise<void>
}

export interface Bench {
  readonly part: AvrPart
  readonly dials?: Dials
  readonly slowJumper?: boolean
}

const makeTarget = ({ part, dials = {} }: Bench): TwinAvr => {
  const flash = Uint8Array.from({ length: part.flash.bytes }, (_, i) => (i ^ (i >> 8)) & 0xff)
  return new TwinAvr(part, { dials, flash, eeprom: flash.subarray(7, 71) })
}

export class FirmwareSide implements Side {
  readonly target: TwinAvr
  readonly clock: Clock
  readonly machine: Machine
  readonly host: Host

  constructor(firmware: readonly Segment[], chip: MachineChip, bench: Bench) {
    this.target = makeTarget(bench)
    const slowSck = bench.slowJumper ?? false
    this.machine = new Machine({ firmware, chip, target: this.target, slowSck })
    this.clock = this.machine.clock
    this.host = new Host(this.machine)
    this.host.plug()
  }

  control(setup: SetupPacket, bytes?: Uint8Array): Promise<TwinAnswer> {
    return Promise.resolve(this.host.control(setup, bytes))
  }

  recover(): Promise<void> {
    this.host.reset()
    return Promise.resolve()
  }
}

export class TwinSide implements Side {
  readonly target: TwinAvr
  readonly clock = new VirtualClock()
  readonly #twin: UsbaspTwin
  #isAway = false

  constructor(version: string, bench: Bench) {
    this.target = makeTarget(bench)
    this.#twin = new UsbaspTwin({ version, target: this.target, slowJumper: bench.slowJumper ?? false })
    this.#plug()
  }

  control(setup: SetupPacket, bytes: Uint8Array = new Uint8Array()): Promise<TwinAnswer> {
    return answerControl(this.#twin, setup, bytes)
  }

  recover(): Promise<void> {
    if (this.#isAway) this.#plug()
    else this.#twin.reset()
    return Promise.resolve()
  }

  #plug(): void {
    this.#isAway = false
    this.#twin.plugged({ clock: this.clock, detach: () => (this.#isAway = true) })
  }
}

/** What one request and its answer were, and when it was asked. */
export interface Exchange {
  readonly atMs: number
  readonly setup: SetupPacket
  readonly bytes: Uint8Array
  readonly answer: TwinAnswer
}

/** A side as our driver sees it; keeps what was said. */
export class SideLink implements UsbLink {
  readonly exchanges: Exchange[] = []
  readonly gone = new AbortController().signal
  readonly seen: UsbLink['seen']
  readonly #side: Side

  constructor(side: Side, seen: UsbLink['seen']) {
    this.#side = side
    this.seen = seen
  }

  controlIn(setup: ControlSetup, length: number, io?: Io): Promise<Uint8Array> {
    return this.#transfer(setup, 0xc0, length, new Uint8Array(), io)
  }
  async controlOut(setup: ControlSetup, bytes: Uint8Array = new Uint8Array(), io?: Io): Promise<void> {
    await this.#transfer(setup, 0x40, bytes.length, bytes, io)
  }
  bulkIn(): Promise<never> {
    throw new FlashError('bug', { during: 'bulk transfers, which a USBasp does not have' })
  }
  bulkOut(): Promise<never> {
    return this.bulkIn()
  }
  selectAlternate(): Promise<never> {
    throw new FlashError('bug', { during: 'an alternate setting, which a USBasp does not have' })
  }
  clearHalt(): Promise<never> {
    return this.bulkIn()
  }
  reset(): Promise<void> {
    return this.#side.recover()
  }
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  async #transfer(
    { request, value, index }: ControlSetup,
    requestType: number,
    length: number,
    bytes: Uint8Array,
    io: Io = {},
  ): Promise<Uint8Array> {
    const setup = { requestType, request, value, index, length }
    const atMs = this.#side.clock.now()
    const answer = await this.#side.control(setup, bytes)
    this.exchanges.push({ atMs, setup, bytes: bytes.slice(), answer })
    if (answer instanceof Uint8Array) return answer
    const during = `request ${String(request)}`
    if (answer === 'stall') throw new FlashError('stalled', { during })
    if (answer === 'broken') throw new FlashError('transfer-failed', { during })
    throw new FlashError('timeout', { during, timeoutMs: io.timeoutMs ?? 5000 })
  }
}
