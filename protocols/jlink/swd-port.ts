/**
 * The debug port behind a J-Link, by SWD: rows of accesses as bits, as many as the probe holds. That is safe only with a
 * target that has a data phase whatever it acknowledges (ORUNDETECT): then everything behind an access that was refused is
 * refused, too, and nothing of it is done. Until a target is known to be so, each acknowledge is looked at before its data.
 * Sources: Arm IHI 0031 (ADIv5.2), B2.2.2 (CTRL/STAT), B4.2.3 (sticky overrun), B4.2.7 (no acknowledge).
 */
import { FlashError } from '#core/errors.ts'
import type { Access, DebugPort, Transferred } from '#chips/debug-port.ts'
import { Interface } from './packets.ts'
import type { JlinkProbe } from './probe.ts'
import {
  accessBits,
  Ack,
  ackOfHead,
  answerAt,
  dataOfTail,
  encodeHead,
  encodeReadTail,
  encodeRow,
  encodeSequence,
  encodeWriteTail,
  idleBits,
  type Answer,
  type Single,
} from './swd-bits.ts'

const Dp = { Abort: 0, ControlStatus: 4, ReadBuffer: 0xc } as const
const overrunDetect = 1
/** Forgets that something came too early, and no other error. */
const clearOverrun: Single = { isAp: false, address: Dp.Abort, write: 0x10 }
/** How often a target may say WAIT to one access. */
const mostWaits = 100

/** `isWord`: what it reads is what was asked for before; a posted read gives its word with the access behind it. */
interface Step extends Single {
  readonly isWord: boolean
}

export class JlinkSwdPort implements DebugPort {
  readonly detectsOverrun = true
  readonly speedsHz: readonly number[]
  readonly ownChoicesHz: readonly number[]
  readonly #probe: JlinkProbe
  readonly #mostTogether: number
  /** The target has a data phase whatever it acknowledges. */
  #isOverrunDetected = false

  constructor(probe: JlinkProbe, speedsHz: readonly number[], ownChoicesHz: readonly number[]) {
    this.#probe = probe
    this.speedsHz = speedsHz
    this.ownChoicesHz = ownChoicesHz
    this.#mostTogether = Math.floor((probe.said.lineBytes * 8 - idleBits) / accessBits) - 1 // one for its ABORT
  }

  async attach(speedHz: number): Promise<void> {
    this.#isOverrunDetected = false
    await this.#probe.take(Interface.Swd, speedHz)
  }

  async sequence(bits: Uint8Array, count: number): Promise<void> {
    this.#isOverrunDetected = false
    const most = this.#probe.said.lineBytes * 8
    for (let at = 0; at < count; at += most)
      await this.#probe.io(encodeSequence(bits.subarray(at / 8), Math.min(most, count - at)))
  }

  async transfer(row: readonly Access[]): Promise<Transferred> {
    const steps = stepsOf(row)
    const words: number[] = []
    const ended = (ack: Transferred['ack']) => ({ ack, words: Uint32Array.from(words) })
    let waits = 0
    for (let at = 0; at < steps.length;) {
      const together = steps.slice(at, at + (this.#isOverrunDetected ? this.#mostTogether : 1))
      const answers = this.#isOverrunDetected
        ? await this.#together(together, waits > 0)
        : await this.#alone(together[0])
      const refused = answers.findIndex(({ ack }) => ack !== Ack.Ok)
      const done = refused < 0 ? answers : answers.slice(0, refused)
      for (const [i, answer] of done.entries()) {
        const step = together[i]
        if (step?.write === undefined && !answer.isParityRight)
          throw new FlashError('unexpected-answer', { during: 'reading by SWD', found: 'wrong parity' })
        if (step?.isWord) words.push(answer.value)
        if (step) this.#learn(step)
      }
      at += done.length
      if (done.length > 0) waits = 0
      const ack = answers[refused]?.ack
      if (ack === undefined) continue
      if (ack !== Ack.Wait) return ended(ack === Ack.Fault ? 'fault' : 'none')
      if (++waits > mostWaits) return ended('wait')
    }
    return ended('ok')
  }

  reset(asserted: boolean): Promise<void> {
    return this.#probe.reset(asserted)
  }

  /** It drives its lines only while it sends. */
  detach(): Promise<void> {
    return Promise.resolve()
  }

  /** After a WAIT the overrun that it was noted as is forgotten first. */
  async #together(singles: readonly Single[], hasOverrun: boolean): Promise<Answer[]> {
    const before = hasOverrun ? [clearOverrun] : []
    const sampled = await this.#probe.io(encodeRow([...before, ...singles]))
    return singles.map((_, i) => answerAt(sampled, i + before.length))
  }

  async #alone(single: Single | undefined): Promise<Answer[]> {
    if (!single) return []
    const ack = ackOfHead(await this.#probe.io(encodeHead(single)))
    const isOk = ack === Ack.Ok
    if (single.write !== undefined) {
      await this.#probe.io(encodeWriteTail(isOk ? single.write : 0))
      return [{ ack, value: 0, isParityRight: true }]
    }
    const sampled = await this.#probe.io(encodeReadTail(isOk))
    return [{ ack, ...dataOfTail(sampled) }]
  }

  #learn({ isAp, address, write }: Single): void {
    if (!isAp && address === Dp.ControlStatus && write !== undefined)
      this.#isOverrunDetected = (write & overrunDetect) !== 0
  }
}

/** With what fetches the word of the last posted read, and shows whether the last write was done. */
function stepsOf(row: readonly Access[]): Step[] {
  const steps: Step[] = []
  let posted: 'read' | 'write' | undefined
  const fetch = (isWord: boolean) => steps.push({ isAp: false, address: Dp.ReadBuffer, isWord })
  for (const access of row) {
    const { isAp, address } = access
    if ('read' in access)
      for (let i = 0; i < access.read; i++) {
        if (posted === 'read' && !isAp) fetch(true)
        steps.push({ isAp, address, isWord: !isAp || posted === 'read' })
        posted = isAp ? 'read' : undefined
      }
    else {
      if (posted === 'read') fetch(true)
      const words = typeof access.write === 'number' ? [access.write] : access.write
      for (const write of words) steps.push({ isAp, address, write, isWord: false })
      posted = isAp ? 'write' : undefined
    }
  }
  if (posted) fetch(posted === 'read')
  return steps
}
