/**
 * The debug port behind a J-Link, by JTAG: a row of accesses is a row of scans, each of which brings what the one before
 * asked for. An access that came too early is not done, nor is what follows it at the same port (ORUNDETECT); whether one
 * failed is asked behind each row, as no acknowledge says so. Sources: Arm IHI 0031 (ADIv5.2), B2.2.2 (CTRL/STAT), B3.2
 * (JTAG-DP); IEEE 1149.1, 12.1 (IDCODE).
 */
import { hex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Access, DebugPort, Transferred } from '#chips/debug-port.ts'
import {
  accessFor,
  answerFrom,
  dpInstructionBits,
  idleBits,
  Instruction,
  instructionFor,
  scanBits,
  Scans,
  type Place,
} from './jtag-bits.ts'
import { Interface } from './packets.ts'
import type { JlinkProbe } from './probe.ts'
import { bitsAt } from './swd-bits.ts'

const Dp = { Abort: 0, ControlStatus: 4, ReadBuffer: 0xc } as const
const Ack = { OkOrFault: 2, Wait: 1 } as const
/** STICKYORUN, STICKYCMP and STICKYERR, which ones clear. */
const sticky = 0x32
const overrun = 2
const mostWaits = 100
const mostTaps = 8
const mostInstructionBits = 64
const idcodeBits = 32
/** Of Arm, whatever the part and its version. */
const isDebugPort = (idcode: number): boolean => (idcode & 0xfff) === 0x477

/** From SWD, where the wires were that: fifty ones and sixteen bits on TMS. */
const swdToJtag = [...Array<number>(56).fill(1), ...[0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1]]

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
  #place: Place | undefined
  /** CTRL/STAT as it was written last. */
  #control = 0

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
    await this.#probe.io(scans)
  }

  /** Who is in the chain, and where among them the debug port. */
  async find(): Promise<number | undefined> {
    this.#place = undefined
    const scans = new Scans(1024)
    for (const tms of swdToJtag) scans.clock(tms)
    scans.reset()
    const idcodesAt = scans.register(Array<number>((mostTaps + 1) * idcodeBits).fill(1))
    // what was captured, then a zero among ones that shows how long all instructions are
    const flood = mostInstructionBits
    const marked = Array.from({ length: 2 * flood }, (_, i) => (i === flood ? 0 : 1))
    const instructionsAt = scans.instruction(marked) + flood
    const sampled = await this.#probe.io(scans.reset())
    const taps = idcodesIn(sampled, idcodesAt)
    let length = 0
    while (length < flood && bitsAt(sampled, instructionsAt + length, 1) === 1) length++
    const at = taps.findIndex(isDebugPort)
    const idcode = taps[at]
    if (idcode === undefined) return undefined
    const others = length - dpInstructionBits
    const isAlone = taps.length === 1 && others === 0
    if (length >= flood || (!isAlone && taps.length !== 2))
      throw new FlashError('target-unknown', { signature: taps.map((tap) => hex(tap, 8)).join(', ') })
    this.#place = {
      ...{ tapsBefore: at, tapsBehind: taps.length - 1 - at },
      ...{ instructionBitsBefore: at > 0 ? others : 0, instructionBitsBehind: at > 0 ? 0 : others },
    }
    return idcode
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
      const together = [...(isAgain ? [this.#cleared(overrun)] : []), ...requests.slice(at, at + most)]
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

  /** Each where it is shifted in; an instruction only where another one is needed. */
  async #scan(requests: readonly Request[], place: Place): Promise<{ ack: number; word: number }[]> {
    const scans = new Scans(requests.length * scanBits(place) + idleBits)
    let instruction: Instruction | undefined
    const starts = requests.map((request) => {
      if (request.instruction !== instruction) scans.instruction(instructionFor(request.instruction, place))
      instruction = request.instruction
      return scans.register(accessFor(request.address, request.write, place))
    })
    const sampled = await this.#probe.io(scans.idle(idleBits))
    return starts.map((from) => answerFrom(sampled, from, place))
  }

  #cleared(flags: number): Request {
    const write = (this.#control | flags) >>> 0
    return { instruction: Instruction.Dpacc, address: Dp.ControlStatus, write }
  }

  /** Sticky errors are cleared in CTRL/STAT; behind all of it is asked whether there are any. */
  #requestsOf(row: readonly Access[]): Request[] {
    const requests: Request[] = []
    for (const access of row) {
      const { isAp, address } = access
      const instruction = isAp ? Instruction.Apacc : Instruction.Dpacc
      if ('read' in access)
        for (let i = 0; i < access.read; i++) requests.push({ instruction, address, gives: 'word' })
      else
        for (const write of typeof access.write === 'number' ? [access.write] : access.write) {
          if (isAp || address !== Dp.Abort) requests.push({ instruction, address, write })
          else {
            if (write & 1) requests.push({ instruction: Instruction.Abort, address: 0, write: 1 })
            requests.push(this.#cleared(sticky))
          }
          if (!isAp && address === Dp.ControlStatus) this.#control = write
        }
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

/** In the order in which they come out; one without IDCODE is a zero. All ones: the chain has ended. */
function idcodesIn(sampled: Uint8Array, from: number): number[] {
  const taps: number[] = []
  for (let at = from; taps.length < mostTaps;) {
    const idcode = bitsAt(sampled, at, 1) === 1 ? bitsAt(sampled, at, idcodeBits) : 0
    if (idcode === 0xffff_ffff) return taps
    taps.push(idcode)
    at += idcode === 0 ? 1 : idcodeBits
  }
  return []
}
