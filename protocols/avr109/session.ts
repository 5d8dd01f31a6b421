/**
 * AVR109 over an open port: asks, finds the way back when an answer was lost, and keeps the boot loader awake.
 *
 * Of a USB packet the loader reads one command and drops the rest, so nothing is sent before the answer is there. It
 * starts the sketch 8 s after the last block command: while nobody asks, a word is read now and then. Source: as
 * `packets.ts`.
 */
import { blank, equal, hex, hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isAnswerLost, isFlashError } from '#core/errors.ts'
import type { SerialLink } from '#transport/links.ts'
import { MemType, readBlock, Reply, softwareId, type Request } from './packets.ts'

/** How long an answer may take beside what the loader is known to do. */
const patienceMs = 1000
/** How often what changes nothing when it is done twice is tried before its answers count as lost for good. */
const mostTries = 3
/** Within the loader's 8 s also when one is lost, or a page's timers are late. */
const awakeMs = 2000
/** A board that was forgotten may start its sketch. */
const longestAwakeMs = 3_600_000
/** No command of anybody's, which it refuses; of a block whose rest it waits for it is a blank byte, which does no harm. */
const noCommand = blank(1)
/** Longer than any block. */
const filling = blank(256)
const settleMs = 60

const isPrintable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f

export class Session {
  readonly link: SerialLink
  /** The address that its counter has, in flash; undefined: nobody knows. */
  #position: number | undefined
  #last: Promise<unknown> = Promise.resolve()
  #askedAt = 0
  #isClosed = false

  constructor(link: SerialLink) {
    this.link = link
  }

  /** @returns its identifier, e.g. `CATERIN`. @throws `device-silent` · `timeout` when it does not even take bytes */
  async synchronise(ctx: Context): Promise<string> {
    const { link } = this
    for (let tries = 0; tries < mostTries; tries++) {
      ctx.checkpoint()
      if ((await this.#answer(noCommand, 1))?.[0] === Reply.Unknown) {
        const id = await this.#answer(softwareId.bytes, softwareId.answerBytes)
        if (id?.every(isPrintable)) return new TextDecoder('latin1').decode(id)
      }
      await link.write(filling, { timeoutMs: patienceMs })
      await ctx.sleep(settleMs)
    }
    throw new FlashError('device-silent', { tried: [softwareId.name] })
  }

  /** Undefined: none in time. */
  async #answer(bytes: Uint8Array, length: number): Promise<Uint8Array | undefined> {
    const { link } = this
    link.flush()
    await link.write(bytes, { timeoutMs: patienceMs })
    try {
      return await link.read(length, { timeoutMs: patienceMs })
    } catch (error) {
      if (!isAnswerLost(error)) throw error
      return undefined
    }
  }

  /** What may be done twice, done again when its answer is lost. @throws what was wrong with the last try */
  async patiently<T>(ctx: Context, work: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      for (let tries = 1; ; tries++) {
        ctx.checkpoint()
        this.#askedAt = ctx.clock.now()
        try {
          return await work()
        } catch (error) {
          if (tries === mostTries || !isAnswerLost(error)) throw error
          ctx.log(`avr109 asked again: ${String(error)}`)
          this.#position = undefined
          await this.synchronise(ctx)
        } finally {
          this.#askedAt = ctx.clock.now()
        }
      }
    })
  }

  /** Sends one request; `workMs` is what the loader does beside. @throws `timeout`, `device-refused`, link errors */
  async ask({ name, bytes, answerBytes }: Request, workMs = 0): Promise<Uint8Array> {
    const { link } = this
    const timeoutMs = patienceMs + workMs
    this.#position = undefined
    link.flush()
    await link.write(bytes, { timeoutMs })
    if (answerBytes === 1) return link.read(1, { timeoutMs })
    // a refusal is one byte
    try {
      return await link.read(answerBytes, { timeoutMs })
    } catch (error) {
      if (!isFlashError(error, 'timeout')) throw error
      const refusal = await link.read(1, { timeoutMs: 1 }).catch(() => undefined)
      if (refusal && equal(refusal, Uint8Array.of(Reply.Unknown)))
        throw new FlashError('device-refused', { during: name, status: '?' }, { cause: error })
      throw error
    }
  }

  /** A request that is answered with `\r`. */
  async tell(request: Request, workMs = 0): Promise<void> {
    const { name, bytes } = request
    const [found = 0] = await this.ask(request, workMs)
    if (found === Reply.Ok) return
    if (found === Reply.Unknown) throw new FlashError('device-refused', { during: name, status: '?' })
    throw new FlashError('unexpected-answer', {
      during: name,
      sent: hexBytes(bytes.subarray(0, 8)),
      found: hex(found),
    })
  }

  /** Its counter goes on by itself from block to block of flash. */
  async read(memory: MemType, address: number, length: number, seek: Request): Promise<Uint8Array> {
    if (memory !== MemType.Flash || this.#position !== address) await this.tell(seek)
    const bytes = await this.ask(readBlock(memory, length))
    this.#position = memory === MemType.Flash && length % 2 === 0 ? address + length : undefined
    return bytes
  }

  /** Until it is disposed; what goes wrong meanwhile shows when it is asked the next time. */
  keepAwake({ clock, log }: Context): void {
    const until = clock.now() + longestAwakeMs
    const look = () => {
      clock.after(awakeMs, () => {
        if (this.#isClosed || this.link.gone.aborted || clock.now() > until) return
        if (clock.now() - this.#askedAt < awakeMs) return look()
        void this.#alone(() => this.ask(readBlock(MemType.Flash, 2)))
          .catch((error: unknown) => log(`avr109 keeping awake: ${String(error)}`))
          .then(look)
      })
    }
    look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.link[Symbol.asyncDispose]()
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined) // its caller hears of it
    return turn
  }
}
