/**
 * The debug port behind a J-Link, by JTAG: a row of accesses is a row of scans, each of which brings what the one before
 * asked for. An access that came too early is not done, nor is what follows it at the same port (ORUNDETECT); whether one
 * failed is asked behind each row, as no acknowledge says so. Source: Arm IHI 0031 (ADIv5.2), B2.2.2 (CTRL/STAT), B3.2
 * (JTAG-DP).
 */
import type { Access, DebugPort, Transferred } from '#chips/debug-port.ts'
import { findInChain, Scans, type Place } from '#chips/jtag-chain.ts'
import { JtagRows, sticky, stickyOverrun } from '#chips/jtag-dp.ts'
import { accessFor, answerFrom, idleBits, Instruction, instructionFor, scanBits } from './jtag-bits.ts'
import { Interface } from './packets.ts'
import type { JlinkProbe } from './probe.ts'

const Dp = { ControlStatus: 4, ReadBuffer: 0xc } as const
const Ack = { OkOrFault: 2, Wait: 1 } as const
const mostWaits = 100

interface Request {
  readonly instruction: Instruction
  readonly address: number
  readonly write?: number
  /** What becomes of what it reads. */
  readonly gives?: 'word' | 'status'
}

export class JlinkJtagPort implements DebugPort {
  readonly detectsOverrun = true
  readonly wires = 'JTAG'
  readonly speedsHz: readonly number[]
  readonly ownChoicesHz: readonly number[]
  readonly #probe: JlinkProbe
  readonly #rows = new JtagRows()
  #place: Place | undefined

  constructor(probe: JlinkProbe, speedsHz: readonly number[], ownChoicesHz: readonly number[]) {
    this.#probe = probe
    this.speedsHz = speedsHz
    this.ownChoicesHz = ownChoicesHz
  }

  async attach(speedHz: number): Promise<void> {
    await this.#probe.take(Interface.Jtag, speedHz)
  }

  /** On TMS. */
  async sequence(bits: Uint8Array, count: number): Promise<void> {
    const scans = new Scans(count)
    for (let i = 0; i < count; i++) scans.clock(((bits[i >> 3] ?? 0) >> (i & 7)) & 1)
    await this.#sample(scans)
  }

  async find(): Promise<number | undefined> {
    this.#place = undefined
    const found = await findInChain((scans) => this.#sample(scans))
    this.#place = found?.place
    return found?.idcode
  }

  async transfer(row: readonly Access[]): Promise<Transferred> {
    const place = this.#place
    if (!place) return { ack: 'none', words: new Uint32Array() }
    const requests = this.#requestsOf(row)
    const words: number[] = []
    const ended = (ack: Transferred['ack']) => ({ ack, words: Uint32Array.from(words) })
    const most = Math.floor((this.#probe.said.lineBytes * 8 - idleBits) / scanBits(place)) - 1
    let [status, waits]: [number, number] = [0, 0]
    let before: Request | undefined
    for (let at = 0; at < requests.length;) {
      const isAgain = waits > 0
      const cleared = { instruction: Instruction.Dpacc, ...this.#rows.clearing(stickyOverrun) }
      const together = [...(isAgain ? [cleared] : []), ...requests.slice(at, at + most)]
      const answers = await this.#scan(together, place)
      for (const [i, request] of together.entries()) {
        const { ack, word } = answers[i] ?? { ack: 0, word: 0 }
        if (request.instruction !== Instruction.Abort && ack !== Ack.OkOrFault) {
          if (ack !== Ack.Wait) return ended('none')
          if (++waits > mostWaits) return ended('wait')
          break
        }
        if (before?.gives === 'word') words.push(word)
        else if (before?.gives === 'status') status = word
        before = request
        if (i === 0 && isAgain) continue
        waits = 0
        at++
      }
    }
    return ended((status & sticky) === 0 ? 'ok' : 'fault')
  }

  reset(asserted: boolean): Promise<void> {
    return this.#probe.reset(asserted)
  }

  detach(): Promise<void> {
    return Promise.resolve()
  }

  #sample({ count, tms, tdi }: Scans): Promise<Uint8Array> {
    return this.#probe.io({ count, a: tms, b: tdi })
  }

  /** Each where it is shifted in; an instruction only where another one is needed. */
  async #scan(requests: readonly Request[], place: Place): Promise<{ ack: number; word: number }[]> {
    const scans = new Scans(requests.length * scanBits(place) + idleBits)
    let instruction: Instruction | undefined
    const starts = requests.map((request) => {
      if (request.instruction !== instruction) scans.instruction(instructionFor(request.instruction, place))
      instruction = request.instruction
      return scans.register(accessFor(request.address, request.write, place))
    })
    const sampled = await this.#sample(scans.idle(idleBits))
    return starts.map((from) => answerFrom(sampled, from, place))
  }

  /** Behind all of it is asked whether there are sticky errors. */
  #requestsOf(row: readonly Access[]): Request[] {
    const requests: Request[] = []
    for (const access of this.#rows.of(row)) {
      if (access === 'abort') {
        requests.push({ instruction: Instruction.Abort, address: 0, write: 1 })
        continue
      }
      const { isAp, address } = access
      const instruction = isAp ? Instruction.Apacc : Instruction.Dpacc
      if ('read' in access)
        for (let i = 0; i < access.read; i++) requests.push({ instruction, address, gives: 'word' })
      else
        for (const write of typeof access.write === 'number' ? [access.write] : access.write)
          requests.push({ instruction, address, write })
    }
    const dp = { instruction: Instruction.Dpacc }
    return [
      ...requests,
      { ...dp, address: Dp.ReadBuffer },
      { ...dp, address: Dp.ControlStatus, gives: 'status' },
      { ...dp, address: Dp.ReadBuffer },
    ]
  }
}
