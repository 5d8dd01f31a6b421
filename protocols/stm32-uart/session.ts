/**
 * ST's ROM boot loader over an open serial link: in step with it, command by command, and in step again after a byte was
 * lost. It is never in a hurry: its receiver holds one byte, so each part waits for its acknowledgement.
 *
 * Whoever is out of step may be in the middle of a command, so the bytes that end one are chosen to complete none. In
 * Erase `FF 00` would be all pages, and two equal bytes a page and its checksum; in Write Memory `FF` clears no bit.
 * Sources: ST, AN3155 (commands, the speed), AN2606 (what a protected chip answers); `stm32.c` of stm32flash 0.7 for how
 * long answers take.
 */
import { hex, hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isAnswerLost, isFlashError } from '#core/errors.ts'
import type { SerialLink } from '#transport/links.ts'
import { addressed, autobaud, command, Command, data, mostBytes, pages, readCount, Reply } from './packets.ts'

/** Beside the transfer and what the command does. */
const patienceMs = 1000
/** Opening may reset a board by its DTR line; the ROM is there some milliseconds later. */
const startUpMs = 50
const firstAnswerMs = 300
/** An answer to a byte that ends a command. */
const probeMs = 100
const quietMs = 50
/** An application that never stops talking is not waited for. */
const mostNoise = 4096
const bitsPerByte = 11
const mostTries = 3
/** Of the longest page or sector: data sheets say 4 s at most, at low voltage. */
const eraseMs = 8000

/** After a reset 7F is answered at once; else it is half a command, and `7F FF` is none. */
const afterAll = [autobaud, 0xff] as const
/** Numbers that no page has, and no checksum of them. */
const afterErase = [0xff, 0xfe, autobaud] as const
/** FE is there so that they are no checksum of themselves. */
const rest = Uint8Array.of(0xfe, ...new Array<number>(mostBytes + 3).fill(0xff))

const names: Readonly<Record<number, string>> = {
  [Command.Get]: 'Get',
  [Command.GetVersion]: 'Get Version',
  [Command.GetId]: 'Get ID',
  [Command.ReadMemory]: 'Read Memory',
  [Command.Go]: 'Go',
  [Command.WriteMemory]: 'Write Memory',
  [Command.Erase]: 'Erase',
  [Command.ExtendedErase]: 'Extended Erase',
  [Command.ReadoutUnprotect]: 'Readout Unprotect',
}

/** A command that the ROM takes only of a chip that is not protected. */
export const isRefused = (error: unknown, code: Command): boolean =>
  isFlashError(error, 'device-refused') && error.detail.during === names[code]

export class RomSession {
  readonly link: SerialLink
  /** Of Get Version; a half byte before and after the point. */
  version = ''
  id = 0
  #commands: readonly number[] = []
  /** What is broken off there may do harm when it is completed. */
  #isErasing = false

  constructor(link: SerialLink) {
    this.link = link
  }

  /**
   * After a reset the ROM measures the speed of 7F and answers; one that has done so takes it for half a command, and
   * refuses it when another byte follows. False: nobody is there.
   */
  async synchronise(ctx: Context): Promise<boolean> {
    await ctx.sleep(startUpMs)
    this.link.flush()
    return this.#end([autobaud, autobaud], firstAnswerMs, ctx)
  }

  /** Asks what the ROM can, and what chip this is. */
  async look(ctx: Context): Promise<void> {
    const [, ...commands] = await this.patiently(ctx, () => this.#ask(Command.Get, ctx))
    this.#commands = commands
    const version = await this.patiently(ctx, () => this.#askVersion(ctx))
    this.version = `${String(version >> 4)}.${String(version & 15)}`
    this.id = await this.patiently(ctx, () => this.#askId(ctx))
  }

  /**
   * In step, whatever was before, also after a reset.
   * @throws `target-changed` when it is another chip now
   */
  async beThere(ctx: Context): Promise<boolean> {
    for (let tries = 0; tries < mostTries; tries++) {
      ctx.checkpoint()
      await this.#settle(ctx)
      if (!(await this.#end(this.#isErasing ? afterErase : afterAll, probeMs, ctx))) continue
      await this.#settle(ctx)
      this.#isErasing = false
      try {
        const found = await this.#askId(ctx)
        if (found === this.id) return true
        throw new FlashError('target-changed', { expected: hex(this.id, 3), found: hex(found, 3) })
      } catch (error) {
        if (!isAnswerLost(error)) throw error
        ctx.log(`stm32-uart still out of step: ${String(error)}`)
      }
    }
    return false
  }

  /** What may be done twice, done again when its answer is lost and the ROM is found in step. */
  async patiently<T>(ctx: Context, send: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await send()
      } catch (error) {
        if (tries === mostTries || !isAnswerLost(error) || !(await this.#isBack(ctx))) throw error
        ctx.log(`stm32-uart sent again: ${String(error)}`)
      }
    }
  }

  /** 1 to 256 bytes. */
  async read(address: number, count: number, ctx: Context): Promise<Uint8Array> {
    await this.#begin(Command.ReadMemory, ctx)
    await this.#send(addressed(address), 'Read Memory: address', ctx)
    await this.#send(readCount(count), 'Read Memory: length', ctx)
    return this.link.read(count, { timeoutMs: this.#timeFor(count) })
  }

  /** 1 to 256 bytes, a multiple of 8. */
  async write(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    await this.#begin(Command.WriteMemory, ctx)
    await this.#send(addressed(address), 'Write Memory: address', ctx)
    await this.#send(data(bytes), 'Write Memory: data', ctx)
  }

  get canErase(): boolean {
    return this.#offers(Command.Erase) || this.#offers(Command.ExtendedErase)
  }

  /** One page or sector, by its number. */
  async erase(page: number, ctx: Context): Promise<void> {
    const isExtended = this.#offers(Command.ExtendedErase)
    await this.#begin(isExtended ? Command.ExtendedErase : Command.Erase, ctx)
    this.#isErasing = true
    await this.#send(pages([page], isExtended), 'Erase: pages', ctx, eraseMs)
    this.#isErasing = false
  }

  /** The program at `address` runs from now on, and nobody answers. */
  async go(address: number, ctx: Context): Promise<void> {
    await this.#begin(Command.Go, ctx)
    await this.#send(addressed(address), 'Go: address', ctx)
  }

  /** Erases everything, and resets the chip. */
  async unprotect(timeoutMs: number, ctx: Context): Promise<void> {
    await this.#begin(Command.ReadoutUnprotect, ctx)
    await this.#acknowledged('Readout Unprotect: erasing', ctx, timeoutMs)
  }

  #offers(code: Command): boolean {
    return this.#commands.includes(code)
  }

  /** Before anything is known of the chip its id cannot be held against what it was. */
  async #isBack(ctx: Context): Promise<boolean> {
    if (this.id !== 0) return this.beThere(ctx)
    await this.#settle(ctx)
    return this.#end(afterAll, probeMs, ctx)
  }

  async #askId(ctx: Context): Promise<number> {
    const [high = 0, low = 0] = await this.#ask(Command.GetId, ctx)
    return (high << 8) | low
  }

  /** With two bytes that once told of read protection. */
  async #askVersion(ctx: Context): Promise<number> {
    await this.#begin(Command.GetVersion, ctx)
    const [version = 0] = await this.link.read(3, { timeoutMs: this.#timeFor(3) })
    await this.#acknowledged('Get Version: end', ctx)
    return version
  }

  /** The bytes of an answer that begins with their number. */
  async #ask(code: Command, ctx: Context): Promise<Uint8Array> {
    await this.#begin(code, ctx)
    const [last = 0] = await this.link.read(1, { timeoutMs: this.#timeFor(1) })
    const bytes = await this.link.read(last + 1, { timeoutMs: this.#timeFor(last + 1) })
    await this.#acknowledged(`${names[code] ?? ''}: end`, ctx)
    return bytes
  }

  async #begin(code: Command, ctx: Context): Promise<void> {
    this.link.flush()
    await this.#send(command(code), names[code] ?? hex(code), ctx)
  }

  async #send(bytes: Uint8Array, during: string, ctx: Context, workMs = 0): Promise<void> {
    await this.link.write(bytes, { timeoutMs: this.#timeFor(bytes.length) })
    await this.#acknowledged(during, ctx, this.#timeFor(bytes.length) + workMs)
  }

  /** Some say that they are busy, again and again. */
  async #acknowledged(during: string, { clock }: Context, timeoutMs = this.#timeFor(1)): Promise<void> {
    const until = clock.now() + timeoutMs
    for (;;) {
      const [reply = 0] = await this.link.read(1, { timeoutMs: Math.max(1, until - clock.now()) })
      if (reply === Reply.Ack) return
      if (reply === Reply.Nack) throw new FlashError('device-refused', { during, status: 'NACK' })
      if (reply !== Reply.Busy)
        throw new FlashError('unexpected-answer', { during, found: hexBytes(Uint8Array.of(reply)) })
      if (clock.now() >= until) throw new FlashError('timeout', { during, timeoutMs })
    }
  }

  /** How long so many bytes may take. */
  #timeFor(count: number): number {
    return patienceMs + (count * bitsPerByte * 1000) / this.link.baud
  }

  /** Ends whatever the ROM is in the middle of: by these bytes, else by as many as it may wait for. False: it says nothing. */
  async #end(first: readonly number[], waitMs: number, ctx: Context): Promise<boolean> {
    for (const byte of first) {
      ctx.checkpoint()
      if (await this.#answers(byte, waitMs, ctx)) return true
    }
    if (this.#isErasing) return false
    await this.link.write(rest)
    await this.#settle(ctx)
    for (const byte of [0xff, 0xff]) if (await this.#answers(byte, probeMs, ctx)) return true
    return false
  }

  /** Whether the ROM says yes or no to this byte. */
  async #answers(byte: number, waitMs: number, { clock }: Context): Promise<boolean> {
    await this.link.write(Uint8Array.of(byte))
    const until = clock.now() + waitMs + (2 * bitsPerByte * 1000) / this.link.baud
    for (let i = 0; i < mostNoise && clock.now() < until; i++) {
      const reply = await this.#readByte(until - clock.now())
      if (reply === undefined) return false
      if (reply === Reply.Ack || reply === Reply.Nack) return true
    }
    return false
  }

  /** Until the line is quiet, or never is. */
  async #settle(ctx: Context): Promise<void> {
    for (let i = 0; i < mostNoise && (await this.#readByte(quietMs)) !== undefined; i++) ctx.checkpoint()
    this.link.flush()
  }

  async #readByte(timeoutMs: number): Promise<number | undefined> {
    try {
      return (await this.link.read(1, { timeoutMs }))[0]
    } catch (error) {
      if (!isFlashError(error, 'timeout')) throw error
      return undefined
    }
  }
}
