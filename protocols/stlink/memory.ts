/**
 * A target through an ST-Link's own memory commands: as few frames as they fit in, each followed by the question how it
 * went, because data comes back in any case. Sources: as `packets.ts`.
 */
import { ByteReader, exactly, hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import type { Fact } from '#core/programmer.ts'
import type { TargetMemory, Width } from '#chips/target-memory.ts'
import {
  Command,
  Debug,
  encodeItems,
  frame,
  Item,
  itemsStatus,
  memoryFrame,
  memoryOp,
  readDebugReg,
  rwMisc,
  Status,
  statusBytes,
  tarBytes,
  writeDebugReg,
  type Abilities,
} from './packets.ts'
import { isWait, type StLinkSession } from './session.ts'
import type { StLinkTarget } from './target.ts'

const status2Bytes = 12
const wordBytes = 8
/** As OpenOCD has it. */
const mostWaits = 8

export class StLinkMemory implements TargetMemory {
  readonly idcode: number
  readonly measured: readonly Fact[]
  readonly #session: StLinkSession
  readonly #abilities: Abilities
  readonly #target: StLinkTarget

  constructor(
    session: StLinkSession,
    abilities: Abilities,
    target: StLinkTarget,
    { idcode, measured }: { readonly idcode: number; readonly measured: readonly Fact[] },
  ) {
    this.#session = session
    this.#abilities = abilities
    this.#target = target
    this.idcode = idcode
    this.measured = measured
  }

  async read(address: number, length: number, ctx: Context, width: Width = 4): Promise<Uint8Array> {
    if (length === 4 && width === 4) return this.#readWord(address, ctx)
    const bytes = new Uint8Array(length)
    for (const { at, size } of this.#pieces(address, length, width)) {
      const during = `reading ${hex(at, 8)}`
      const sent = memoryFrame(memoryOp[width].read, at, size)
      await this.#patiently(during, ctx, async () => {
        // a single byte comes with another one
        const answer = await this.#session.ask(sent, Math.max(size, 2), during)
        bytes.set(answer.subarray(0, size), at - address)
      })
    }
    return bytes
  }

  async write(address: number, bytes: Uint8Array, ctx: Context, width: Width = 4): Promise<void> {
    for (const { at, size } of this.#pieces(address, bytes.length, width)) {
      const part = bytes.subarray(at - address, at - address + size)
      const sent = memoryFrame(memoryOp[width].write, at, size)
      await this.#patiently(`writing ${hex(at, 8)}`, ctx, () => this.#session.tell(sent, part))
    }
  }

  /** In a row, where it takes one. */
  async writeWords(
    words: readonly (readonly [address: number, value: number])[],
    ctx: Context,
  ): Promise<void> {
    const most = this.#abilities.rowItems >> 1
    if (most === 0 || words.length < 3) {
      for (const [address, value] of words) await this.#writeWord(address, value, ctx)
      return
    }
    for (let at = 0; at < words.length; at += most) await this.#writeRow(words.slice(at, at + most), ctx)
  }

  async readRegister(index: number, ctx: Context): Promise<number> {
    const question = frame(Command.Debug, Debug.ReadReg, index)
    return new ByteReader(await this.#word(question, 'reading its registers', ctx)).u32le()
  }

  #readWord(address: number, ctx: Context): Promise<Uint8Array> {
    return this.#word(readDebugReg(address), `reading ${hex(address, 8)}`, ctx)
  }

  async #word(question: Uint8Array, during: string, ctx: Context): Promise<Uint8Array> {
    const answer = await this.#session.askPatiently(question, wordBytes, during, ctx)
    await this.#check(answer[0] ?? 0, during, ctx)
    return answer.subarray(4)
  }

  async #writeWord(address: number, value: number, ctx: Context): Promise<void> {
    const during = `writing ${hex(address, 8)}`
    const sent = writeDebugReg(address, value)
    const [status = 0] = await this.#session.askPatiently(sent, statusBytes, during, ctx)
    await this.#check(status, during, ctx)
  }

  /** Not done again: what it refuses may have been done in part. */
  async #writeRow(words: readonly (readonly [number, number])[], ctx: Context): Promise<void> {
    const items = words.flatMap(([address, value]) => [
      [Item.Address, address] as const,
      [Item.Write, value] as const,
    ])
    const during = `writing ${hex(words[0]?.[0] ?? 0, 8)}`
    await this.#session.tell(rwMisc(Debug.RwMiscOut, items.length), encodeItems(items))
    const answer = await this.#session.ask(rwMisc(Debug.RwMiscIn, items.length), 8 * items.length, during)
    const status = itemsStatus(answer, items.length)
    if (status !== undefined) await this.#check(status, during, ctx)
  }

  /** Again as long as it had to wait: the same bytes go to the same place. */
  async #patiently(during: string, ctx: Context, transfer: () => Promise<void>): Promise<void> {
    for (let waits = 0; ; waits++) {
      await transfer()
      const status = await this.#lastStatus(during)
      if (!isWait(status) || waits >= mostWaits) return this.#check(status, during, ctx)
      await ctx.clock.sleep(2 ** waits)
    }
  }

  async #lastStatus(during: string): Promise<number> {
    const [op, length] = this.#abilities.tellsMore
      ? [Debug.GetLastRwStatus2, status2Bytes]
      : [Debug.GetLastRwStatus, statusBytes]
    const [status = 0] = exactly(
      length,
      await this.#session.ask(frame(Command.Debug, op), length, during),
      during,
    )
    return status
  }

  async #check(status: number, during: string, ctx: Context): Promise<void> {
    if (status !== Status.Ok) throw await this.#target.refused(status, during, ctx)
  }

  *#pieces(address: number, length: number, width: Width): Generator<{ at: number; size: number }> {
    const most = width === 1 ? this.#abilities.mostNarrowBytes : tarBytes
    for (let at = address; at < address + length;) {
      const size = Math.min(address + length - at, most, tarBytes - (at % tarBytes))
      yield { at, size }
      at += size
    }
  }
}
