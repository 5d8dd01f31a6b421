/**
 * Opens a CMSIS-DAP probe of either version and offers the target on its debug wires. Rows of accesses become as few packets as they fit
 * in, as many under way as the probe can hold. Sources: as `packets.ts`; the order of opening as OpenOCD has it.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Programmer, Recognition } from '#core/programmer.ts'
import { viaDebugPort } from '#chips/adiv5.ts'
import { connectArm } from '#chips/arm-target.ts'
import type { Access, Ack as RowAck, DebugPort, Transferred } from '#chips/debug-port.ts'
import type { HidLink, UsbLink } from '#transport/links.ts'
import { readConfiguration } from '#transport/usb-descriptors.ts'
import { findPipes } from './descriptors.ts'
import { dapInterface } from './identity.ts'
import {
  Ack,
  blockAnswerHead,
  blockHead,
  Can,
  Command,
  connect,
  costOf,
  disconnect,
  hostStatus,
  Info,
  parseTransfer,
  Pin,
  Port,
  swdConfigure,
  swjClock,
  swjPins,
  swjSequence,
  transfer,
  transferAnswerHead,
  transferBlock,
  transferConfigure,
  transferHead,
  type Single,
} from './packets.ts'
import { DapSession } from './session.ts'
import { BulkWire, ReportWire, type Wire } from './wire.ts'

const speedsHz = [10_000_000, 4_000_000, 2_000_000, 1_000_000, 400_000, 100_000]
/** Tried in this order; a full-speed probe gains nothing beyond a MHz. */
const ownChoicesHz = [1_000_000, 400_000, 100_000]
/** As dapjs has it. */
const waits = 100
const mostBits = 256
/** Rows of fewer are no block. */
const leastBlock = 4
const mostSingles = 255
const mostBlock = 65_535

async function open(link: UsbLink | HidLink, seen: Recognition, ctx: Context): Promise<Programmer> {
  const session = new DapSession(isHid(link) ? new ReportWire(link) : await bulkWire(link, seen))
  await session.begin()
  const [capabilities = 0] = await session.bytes(Info.Capabilities)
  if ((capabilities & Can.Swd) === 0)
    throw new FlashError('device-refused', { during: 'asking what it can do', status: 'no SWD' })
  const own: readonly [Fact['name'], Info][] = [
    ['protocol', Info.Protocol],
    ['firmware', Info.Firmware],
  ]
  const facts: Fact[] = [...seen.facts]
  for (const [name, id] of own) {
    ctx.checkpoint()
    const value = await session.text(id)
    if (value !== undefined)
      facts.push({ name, value: name === 'protocol' ? `CMSIS-DAP ${value}` : value, source: 'DAP_Info' })
  }
  const port = new DapPort(session)
  return {
    facts,
    notices: seen.notices,
    gone: link.gone,
    ways: [
      {
        ...{ to: 'target', by: 'swd', speedsHz },
        connect: (within, speedHz) => connectArm(viaDebugPort(port), within, speedHz),
      },
    ],
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

const isHid = (link: UsbLink | HidLink): link is HidLink => link.seen.link === 'hid'

async function bulkWire(link: UsbLink, { model }: Recognition): Promise<Wire> {
  const found = dapInterface(link.seen)
  const pipes = found && findPipes(await readConfiguration(link), found.number)
  if (pipes) return new BulkWire(link, pipes)
  throw new FlashError('wrong-device', { expected: 'CMSIS-DAP', found: model })
}

/** One packet's worth of a row. */
interface Packet {
  readonly command: Uint8Array
  readonly kind: typeof Command.Transfer | typeof Command.TransferBlock
  /** Accesses, and how many of them are reads. */
  readonly accesses: number
  readonly reads: number
}

class DapPort implements DebugPort {
  readonly speedsHz = speedsHz
  readonly ownChoicesHz = ownChoicesHz
  readonly #session: DapSession

  constructor(session: DapSession) {
    this.#session = session
  }

  async attach(speedHz: number): Promise<void> {
    const session = this.#session
    const [, port] = await session.exchange(connect(Port.Swd))
    if (port !== Port.Swd)
      throw new FlashError('device-refused', { during: 'taking the SWD lines', status: String(port) })
    await session.tell(swjClock(speedHz), 'setting the speed')
    await session.tell(transferConfigure(waits), 'setting its patience')
    await session.tell(swdConfigure, 'setting its turnaround')
    await session.tell(hostStatus(true), 'switching its light on')
  }

  async sequence(bits: Uint8Array, count: number): Promise<void> {
    for (let at = 0; at < count; at += mostBits)
      await this.#session.tell(
        swjSequence(bits.subarray(at / 8), Math.min(mostBits, count - at)),
        'sending bits',
      )
  }

  async transfer(row: readonly Access[]): Promise<Transferred> {
    const words: number[] = []
    for (const together of inTurns(packed(row, this.#session.packetBytes))) {
      const answers = await this.#session.exchangeAll(together.map(({ command }) => command))
      for (const [i, { kind, accesses, reads }] of together.entries()) {
        const answer = parseTransfer(answers[i] ?? new Uint8Array(), kind, reads, accesses)
        words.push(...answer.words)
        if (answer.count < accesses || answer.ack !== Ack.Ok)
          return { ack: ackOf(answer.ack), words: Uint32Array.from(words) }
      }
    }
    return { ack: 'ok', words: Uint32Array.from(words) }
  }

  async reset(asserted: boolean): Promise<void> {
    await this.#session.exchange(swjPins(asserted ? 0 : Pin.Reset, Pin.Reset))
  }

  async detach(): Promise<void> {
    await this.#session.tell(hostStatus(false), 'switching its light off')
    await this.#session.tell(disconnect, 'letting the lines go')
  }
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

/** Single accesses together, rows of one register as blocks. */
function packed(row: readonly Access[], packetBytes: number): Packet[] {
  const packets: Packet[] = []
  let singles: Single[] = []
  let [out, into] = [transferHead, transferAnswerHead]
  const flush = () => {
    if (singles.length > 0)
      packets.push({
        ...{ command: transfer(singles), kind: Command.Transfer, accesses: singles.length },
        reads: singles.filter(({ write }) => write === undefined).length,
      })
    singles = []
    ;[out, into] = [transferHead, transferAnswerHead]
  }
  const add = (single: Single) => {
    const cost = costOf(single)
    const isFull = out + cost.out > packetBytes || into + cost.in > packetBytes
    if (isFull || singles.length === mostSingles) flush()
    singles.push(single)
    out += cost.out
    into += cost.in
  }
  for (const access of row) {
    const { isAp, address } = access
    const words = 'write' in access ? access.write : undefined
    const count = 'read' in access ? access.read : typeof words === 'number' ? 1 : (words?.length ?? 0)
    if (count < leastBlock || typeof words === 'number') {
      for (let i = 0; i < count; i++)
        add({
          ...{ isAp, address },
          ...(words !== undefined && { write: typeof words === 'number' ? words : (words[i] ?? 0) }),
        })
      continue
    }
    flush()
    const room = packetBytes - (words ? blockHead : blockAnswerHead)
    const most = Math.min(room >> 2, mostBlock)
    for (let at = 0; at < count; at += most) {
      const part = Math.min(most, count - at)
      packets.push({
        command: transferBlock({
          ...{ isAp, address, count: part },
          ...(words && { words: words.subarray(at, at + part) }),
        }),
        ...{ kind: Command.TransferBlock, accesses: part, reads: words ? 0 : part },
      })
    }
  }
  flush()
  return packets
}

export default { open } satisfies Driver<UsbLink | HidLink>
