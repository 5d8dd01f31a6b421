/**
 * Rows of accesses as DAP_Transfer and DAP_TransferBlock: as few packets as they fit in, as many under way as the probe can
 * hold. Source: as `packets.ts`.
 */
import type { Access, Ack as RowAck, Transferred } from '#chips/debug-port.ts'
import {
  Ack,
  blockAnswerHead,
  blockHead,
  Command,
  costOf,
  parseTransfer,
  transfer,
  transferAnswerHead,
  transferBlock,
  transferHead,
  type Single,
} from './packets.ts'
import type { DapSession } from './session.ts'

/** Rows of fewer are no block. */
const leastBlock = 4
const mostSingles = 255
const mostBlock = 65_535

/** One packet's worth of a row. */
interface Packet {
  readonly command: Uint8Array
  readonly kind: typeof Command.Transfer | typeof Command.TransferBlock
  /** Accesses, and how many of them are reads. */
  readonly accesses: number
  readonly reads: number
}

/** Up to the first access that is not done. `index`: which of a JTAG chain they are for. */
export async function sendRow(session: DapSession, row: readonly Access[], index = 0): Promise<Transferred> {
  const words: number[] = []
  for (const together of inTurns(packed(row, session.packetBytes, index))) {
    const answers = await session.exchangeAll(together.map(({ command }) => command))
    for (const [i, { kind, accesses, reads }] of together.entries()) {
      const answer = parseTransfer(answers[i] ?? new Uint8Array(), kind, reads, accesses)
      words.push(...answer.words)
      if (answer.count < accesses || answer.ack !== Ack.Ok)
        return { ack: ackOf(answer.ack), words: Uint32Array.from(words) }
    }
  }
  return { ack: 'ok', words: Uint32Array.from(words) }
}

const ackOf = (ack: number): RowAck => (ack === Ack.Wait ? 'wait' : ack === Ack.Fault ? 'fault' : 'none')

/**
 * Blocks that are written to one register may be under way together, and reads with whatever is before them: what they
 * bring after a refusal is not looked at. Other accesses wait: what follows one that was refused must not be done.
 */
function inTurns(packets: readonly Packet[]): Packet[][] {
  const turns: Packet[][] = []
  for (const packet of packets) {
    const last = turns.at(-1)
    const mayFollow = packet.reads === packet.accesses || (isWrites(packet) && last?.every(isWrites))
    if (last && mayFollow) last.push(packet)
    else turns.push([packet])
  }
  return turns
}

const isWrites = ({ kind, reads }: Packet): boolean => kind === Command.TransferBlock && reads === 0

/** Single accesses together, rows of one register as blocks, of which the first words go with what is before them. */
function packed(row: readonly Access[], packetBytes: number, index: number): Packet[] {
  const packets: Packet[] = []
  let singles: Single[] = []
  let [out, into] = [transferHead, transferAnswerHead]
  const flush = () => {
    if (singles.length > 0)
      packets.push({
        ...{ command: transfer(singles, index), kind: Command.Transfer, accesses: singles.length },
        reads: singles.filter(({ write }) => write === undefined).length,
      })
    singles = []
    ;[out, into] = [transferHead, transferAnswerHead]
  }
  const hasRoom = (single: Single): boolean => {
    const cost = costOf(single)
    const fits = out + cost.out <= packetBytes && into + cost.in <= packetBytes
    return fits && singles.length < mostSingles
  }
  const add = (single: Single) => {
    if (!hasRoom(single)) flush()
    const cost = costOf(single)
    singles.push(single)
    out += cost.out
    into += cost.in
  }
  for (const access of row) {
    const { isAp, address } = access
    const words = 'write' in access ? access.write : undefined
    const count = 'read' in access ? access.read : typeof words === 'number' ? 1 : (words?.length ?? 0)
    const single = (i: number): Single => ({
      ...{ isAp, address },
      ...(words !== undefined && { write: typeof words === 'number' ? words : (words[i] ?? 0) }),
    })
    // a block is shorter by what the packet before it has room for
    let done = 0
    while (done < count && (count < leastBlock || (singles.length > 0 && hasRoom(single(done)))))
      add(single(done++))
    if (done === count || typeof words === 'number') continue
    flush()
    const room = packetBytes - (words ? blockHead : blockAnswerHead)
    const most = Math.min(room >> 2, mostBlock)
    for (let at = done; at < count; at += most) {
      const part = Math.min(most, count - at)
      packets.push({
        command: transferBlock(
          {
            ...{ isAp, address, count: part },
            ...(words && { words: words.subarray(at, at + part) }),
          },
          index,
        ),
        ...{ kind: Command.TransferBlock, accesses: part, reads: words ? 0 : part },
      })
    }
  }
  flush()
  return packets
}
