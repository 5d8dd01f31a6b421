/**
 * The debug port behind a CMSIS-DAP probe, by JTAG. Who is in the chain is found out bit by bit, as the probe has to be told;
 * then it makes scans of accesses itself. A fault has no acknowledge: behind each row is asked whether anything of it
 * failed. Sources: as `packets.ts`; ARM-software/CMSIS-DAP, `Firmware/Source/JTAG_DP.c` (the order in a chain).
 */
import { hex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Access, Transferred } from '#chips/debug-port.ts'
import { bitsAt, dpInstructionBits, findInChain, type Place, type Scans } from '#chips/jtag-chain.ts'
import { askStatus, JtagRows, sticky } from '#chips/jtag-dp.ts'
import {
  bytesOf,
  hostStatus,
  jtagConfigure,
  jtagIdcode,
  jtagSequence,
  jtagSequenceHead,
  mostCycleRows,
  mostCycles,
  parseJtag,
  Port,
  writeAbort,
  type Cycles,
} from './packets.ts'
import { sendRow } from './rows.ts'
import { DapPort } from './swd-port.ts'

export class DapJtagPort extends DapPort {
  readonly wires = 'JTAG'
  readonly #rows = new JtagRows()
  /** Of the debug port, from TDO; undefined: it was not found yet. */
  #index: number | undefined

  async attach(speedHz: number): Promise<void> {
    await this.take(Port.Jtag, speedHz)
    await this.session.tell(hostStatus(true), 'switching its light on')
  }

  async find(): Promise<number | undefined> {
    this.#index = undefined
    const found = await findInChain((scans) => this.#sample(scans))
    if (!found) return undefined
    const { idcode, place } = found
    await this.session.tell(jtagConfigure(lengthsOf(place)), 'telling it the chain')
    const during = 'asking the target who it is'
    const answer = parseJtag(await this.session.exchange(jtagIdcode(place.tapsBefore)), 4, during)
    const again = bitsAt(answer, 0, 32)
    if (again !== idcode) throw new FlashError('unexpected-answer', { during, found: hex(again, 8) })
    this.#index = place.tapsBefore
    return idcode
  }

  async transfer(row: readonly Access[]): Promise<Transferred> {
    const index = this.#index
    if (index === undefined) return { ack: 'none', words: new Uint32Array() }
    const words: number[] = []
    for (const part of inParts(this.#rows.of(row))) {
      if (part === 'abort') {
        await this.session.tell(writeAbort(index, 1), 'breaking off an access')
        continue
      }
      const done = await sendRow(this.session, part, index)
      words.push(...done.words)
      if (done.ack !== 'ok') return { ack: done.ack, words: Uint32Array.from(words) }
    }
    const status = words.pop() ?? 0
    return { ack: (status & sticky) === 0 ? 'ok' : 'fault', words: Uint32Array.from(words) }
  }

  /** Rows of cycles with the same TMS, as many in a packet as it holds. */
  async #sample(scans: Scans): Promise<Uint8Array> {
    const packets = inPackets(scans, this.session.packetBytes)
    const answers = await this.session.exchangeAll(packets.map(jtagSequence))
    const sampled = new Uint8Array(bytesOf(scans.count))
    let at = 0
    for (const [i, rows] of packets.entries()) {
      const length = rows.reduce((sum, { count }) => sum + bytesOf(count), 0)
      let rest = parseJtag(answers[i] ?? new Uint8Array(), length, 'sending bits')
      for (const { count } of rows) {
        for (let bit = 0; bit < count; bit++, at++)
          sampled[at >> 3] = (sampled[at >> 3] ?? 0) | (bitsAt(rest, bit, 1) << (at & 7))
        rest = rest.subarray(bytesOf(count))
      }
    }
    return sampled
  }
}

/** From TDO on. */
const lengthsOf = ({ instructionBitsBefore: before, instructionBitsBehind: behind }: Place): number[] =>
  [before, dpInstructionBits, behind].filter((length) => length > 0)

/** Accesses together up to an abort; behind all of them the status is asked for. */
function inParts(row: ReturnType<JtagRows['of']>): ('abort' | Access[])[] {
  const parts: ('abort' | Access[])[] = []
  for (const access of [...row, askStatus]) {
    const last = parts.at(-1)
    if (access === 'abort') parts.push(access)
    else if (Array.isArray(last)) last.push(access)
    else parts.push([access])
  }
  return parts
}

function inPackets({ count, tms, tdi }: Scans, packetBytes: number): Cycles[][] {
  const packets: Cycles[][] = []
  let room = 0
  for (let at = 0; at < count;) {
    const level = bitsAt(tms, at, 1)
    let run = 1
    while (run < mostCycles && at + run < count && bitsAt(tms, at + run, 1) === level) run++
    const bits = Uint8Array.from({ length: bytesOf(run) }, (_, i) =>
      bitsAt(tdi, at + 8 * i, Math.min(8, run - 8 * i)),
    )
    const cost = 1 + bytesOf(run) // what comes back is less
    if (cost > room || (packets.at(-1)?.length ?? 0) >= mostCycleRows) {
      packets.push([])
      room = packetBytes - jtagSequenceHead
    }
    room -= cost
    packets.at(-1)?.push({ tms: level, count: run, tdi: bits })
    at += run
  }
  return packets
}
