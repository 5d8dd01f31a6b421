/**
 * Devices that answer anything: random bytes of any length, too much, nothing, halves, the right answer with a bit
 * flipped, endless noise. Whatever is said, a whole job ends in a coded error or in what was planned, within bounds of
 * time and transfers. Each session is made from its seed alone, which a failure names.
 */
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { take } from '#bench/bench.ts'
import { TwinHid } from '#bench/twin-hid.ts'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import type {
  SerialTwin,
  SerialWire,
  SetupPacket,
  Twin,
  TwinAnswer,
  TwinBus,
  UsbDescriptors,
  UsbTwin,
} from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { toFlashError } from '#core/errors.ts'
import { Backups } from '#store/backups.ts'
import { openDatabase, type Database } from '#store/db.ts'
import { Devices } from '#transport/devices.ts'
import { wholeJob, type Rig } from './rig.ts'
import { smallestOfEachKind } from './variants.ts'

const sessions = 40
/** An honest job takes a minute at most; each answer that does not come costs seconds. */
const longestMs = 1_800_000
const mostTransfers = 100_000

const kinds = await smallestOfEachKind()

let db: Database
beforeAll(async () => {
  db = await openDatabase('evil-devices')
})
afterAll(async () => {
  db.close()
  await deleteDB('evil-devices')
})

describe.each(kinds)('$id', ({ id, dials }) => {
  test('whatever it answers, a job ends as it may', { timeout: 120_000 }, async () => {
    const codes = new Map<string, number>()
    for (let seed = 1; seed <= sessions; seed++) {
      const { setup, entry } = await take(id, dials)
      const { code, transfers } = await session(setup.twin, entry.protocol, seed)
      expect(transfers, `seed ${String(seed)}`).toBeLessThan(mostTransfers)
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    expect(codes.size, 'all sessions ended in the same way').toBeGreaterThan(2)
  })
})

async function session(
  honest: Twin,
  protocol: string,
  seed: number,
): Promise<{ code: string; transfers: number }> {
  const clock = new VirtualClock()
  const mood = new Mood(seed)
  const usb = new TwinUsb({ clock, granted: true })
  const hid = new TwinHid(usb)
  const serial = new TwinSerialBus({ clock, granted: true })
  const plugged =
    honest.link === 'usb' ? usb.plug(new EvilUsb(honest, mood)) : serial.plug(evilLine(honest, mood))
  const devices = new Devices({ usb, hid, serial }, clock)
  const rig = { clock, devices, plugged: { entry: { name: 'evil', protocol } }, backups: new Backups(db) }
  const code = await wholeJob(rig as unknown as Rig).then(
    () => 'ok',
    (error: unknown) => {
      const { code } = toFlashError(error)
      if (code === 'bug') throw error
      return code
    },
  )
  expect(clock.now(), `seed ${String(seed)}`).toBeLessThan(longestMs)
  await plugged.unplug()
  const { transfers } = plugged
  return { code, transfers: 'count' in transfers ? transfers.count : transfers.writes }
}

/** How often, and in which way, a device lies. */
class Mood {
  #state: number
  readonly #lies: number

  constructor(seed: number) {
    this.#state = seed * 0x9e37_79b9
    this.#lies = [0.005, 0.05, 0.5, 1][seed % 4] ?? 1
  }

  /** From 0 to below `end`. Mulberry32. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }

  get lies(): boolean {
    return this.below(1000) < this.#lies * 1000
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }

  flipped(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice()
    const at = this.below(Math.max(1, copy.length))
    if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << this.below(8))
    return copy
  }
}

class EvilUsb implements UsbTwin {
  readonly link = 'usb'
  readonly chosenAs?: 'hid'
  readonly speed: UsbTwin['speed']
  readonly descriptors: UsbDescriptors
  readonly #honest: UsbTwin
  readonly #mood: Mood

  constructor(honest: UsbTwin, mood: Mood) {
    this.#honest = honest
    this.#mood = mood
    this.speed = honest.speed
    if (honest.chosenAs) this.chosenAs = honest.chosenAs
    this.descriptors = honest.descriptors
  }

  plugged(bus: TwinBus): void {
    this.#honest.plugged(bus)
  }
  unplugged(): void {
    this.#honest.unplugged?.()
  }
  reset(): void {
    this.#honest.reset()
  }

  async control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    return this.#say(await this.#honest.control(setup, bytes), setup.length)
  }
  async bulkOut(endpoint: number, bytes: Uint8Array): Promise<TwinAnswer> {
    return this.#say((await this.#honest.bulkOut?.(endpoint, bytes)) ?? 'stall', 0)
  }
  async bulkIn(endpoint: number, length: number): Promise<TwinAnswer> {
    return this.#say((await this.#honest.bulkIn?.(endpoint, length)) ?? 'stall', length)
  }

  #say(answer: TwinAnswer, length: number): TwinAnswer {
    const mood = this.#mood
    if (!mood.lies) return answer
    const lies: readonly (() => TwinAnswer)[] = [
      () => mood.bytes(length),
      () => mood.bytes(mood.below(length + 1)),
      () => mood.bytes(length + 1 + mood.below(64)),
      () => (typeof answer === 'string' ? answer : mood.flipped(answer)),
      () => new Uint8Array(),
      () => 'stall',
      () => 'silent',
      () => 'broken',
    ]
    return lies[mood.below(lies.length)]?.() ?? answer
  }
}

/** Between the line and the twin, both ways. */
function evilLine(honest: SerialTwin, mood: Mood): SerialTwin {
  const { link, usb, bridge } = honest
  let say: SerialWire['send'] = () => undefined
  return {
    ...{ link, usb, bridge },
    plugged(wire) {
      say = (bytes, baud, parity) => {
        const lies: readonly (() => Uint8Array)[] = [
          () => mood.flipped(bytes),
          () => bytes.slice(1),
          () => mood.bytes(bytes.length),
          () => mood.bytes(mood.below(5000)),
          () => new Uint8Array(),
        ]
        wire.send(mood.lies ? (lies[mood.below(lies.length)]?.() ?? bytes) : bytes, baud, parity)
      }
      honest.plugged({
        clock: wire.clock,
        send: (...said) => say(...said),
        detach: (next) => wire.detach(next && { ...next, twin: evilLine(next.twin, mood) }),
      })
    },
    unplugged() {
      honest.unplugged?.()
    },
    lineCoding(baud) {
      honest.lineCoding?.(baud)
    },
    receive(bytes, baud, parity) {
      if (mood.lies) say(mood.bytes(1 + mood.below(40)), baud, parity)
      honest.receive(mood.lies ? mood.flipped(bytes) : bytes, baud, parity)
    },
    signals: (dtr, rts) => {
      honest.signals(dtr, rts)
    },
  }
}
