/**
 * One device in DFU mode, asked so that its state is always known: every block waits until it is taken, every error is
 * cleared before it is told. It knows no memories and no chips. Sources: as `packets.ts`; waits as dfu-util 0.11 has them
 * where devices lie about theirs.
 */
import { exactly } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import { isAbortedWithin } from '#core/time.ts'
import type { UsbLink } from '#transport/links.ts'
import { parseStatus, Request, State, statusBytes, statusText, type Status } from './packets.ts'

export interface SessionOptions {
  /** Of the DFU interface. */
  readonly number: number
  /** Of a block; what the device says, made possible. */
  readonly transferBytes: number
  /**
   * Its waiting times are far too long, and it holds a request back until it is ready: asked at once, it answers as soon
   * as it can. A device that follows the book refuses to be asked early.
   */
  readonly saysTooLong?: boolean
  /** It says 0 ms, or next to nothing, however long it takes. */
  readonly saysNothing?: boolean
}

/** No block takes longer, an erase of everything included (35 s); whatever the device says. */
const patienceMs = 60_000
/** A request may be held back until an erase is over. */
const busyTimeoutMs = 40_000
/** A device that is busy and says 0 ms this often is stuck (dfu-util's number). */
const mostZeros = 100
const shortestPollMs = 1
/** For a port reset after DETACH; longer than devices say, as dfu-util has it. */
const detachTimeoutMs = 1000
/** A device that was told to go has gone by then, and the browser has heard of it. */
const goneWithinMs = 5000
/** Asked more rarely than this, a device that does not say how long it takes is asked too late. */
const longestPollMs = 100
const mostClears = 5

/** Asking moves it on, sooner or later. */
const busyStates: readonly State[] = [
  State.DownloadSync,
  State.DownloadBusy,
  State.ManifestSync,
  State.Manifest,
]
const isBusy = ({ state }: Status): boolean => busyStates.includes(state)
/** What one is that does not say. */
const busy: Status = { status: 'OK', pollMs: 0, state: State.DownloadBusy }

export class DfuSession {
  readonly transferBytes: number
  readonly #link: UsbLink
  readonly #number: number
  readonly #saysTooLong: boolean
  readonly #saysNothing: boolean

  constructor(link: UsbLink, options: SessionOptions) {
    this.#link = link
    this.#number = options.number
    this.transferBytes = options.transferBytes
    this.#saysTooLong = options.saysTooLong ?? false
    this.#saysNothing = options.saysNothing ?? false
  }

  /** @throws `unexpected-answer` for a state or status that there is none of */
  async status(timeoutMs?: number): Promise<Status> {
    const bytes = await this.#in(Request.GetStatus, 0, statusBytes, timeoutMs)
    const status = parseStatus(bytes)
    if (status) return status
    const found = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    throw new FlashError('unexpected-answer', { during: 'asking for the DFU status', found })
  }

  /** Into dfuIDLE from wherever it is. @throws `device-refused` when it will not */
  async toIdle(ctx: Context): Promise<void> {
    let last: Status | undefined
    for (let tries = 0; tries < mostClears; tries++) {
      last = await this.#untilReady(await this.#statusIfTold(), ctx)
      if (last.state === State.Idle && last.status === 'OK') return
      if (last.state === State.ManifestWaitReset) await this.#link.reset()
      // Some clear no more than the status.
      else await this.#out(last.status === 'OK' ? Request.Abort : Request.ClearStatus)
    }
    throw new FlashError('device-refused', {
      during: 'going to dfuIDLE',
      status: last ? statusText(last) : '',
    })
  }

  /**
   * Hands over one block (or a command as block 0) and waits until it is taken.
   * @throws `device-refused` with its status; it is in dfuIDLE again then
   */
  async download(block: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const ended = await this.send(block, bytes, ctx)
    if (ended.state === State.DownloadIdle && ended.status === 'OK') return
    await this.toIdle(ctx)
    throw new FlashError('device-refused', { during: `block ${String(block)}`, status: statusText(ended) })
  }

  /** The same, and what it says then, whatever that is. */
  async send(block: number, bytes: Uint8Array, ctx: Context): Promise<Status> {
    await this.hand(block, bytes)
    return this.#untilReady(await this.#statusIfTold(), ctx)
  }

  /** The block alone: what follows shows whether it was taken. */
  hand(block: number, bytes: Uint8Array): Promise<void> {
    return this.#out(Request.Download, block & 0xffff, bytes, busyTimeoutMs)
  }

  /** At most `length` bytes; fewer are the end. */
  async upload(block: number, length: number): Promise<Uint8Array> {
    return this.#in(Request.Upload, block & 0xffff, length)
  }

  /** Exactly `length` bytes. */
  async uploadAll(block: number, length: number): Promise<Uint8Array> {
    return exactly(length, await this.upload(block, length), `reading block ${String(block)}`)
  }

  abort(): Promise<void> {
    return this.#out(Request.Abort)
  }

  /** The empty block that ends a download, or starts the application. */
  end(block: number): Promise<void> {
    return this.#out(Request.Download, block)
  }

  /**
   * Ends a download; afterwards it is in dfuIDLE, or runs what it was given. One that does not tolerate the end does
   * that, or says nothing more, until its port was reset: whatever else is the matter with it then, it has everything.
   * @throws `device-refused`
   */
  async manifest(block: number, isTolerant: boolean, ctx: Context): Promise<'idle' | 'left'> {
    await this.end(block)
    try {
      await this.#manifested(block, isTolerant, ctx)
      return 'idle'
    } catch (error) {
      if (isTolerant || isFlashError(error, 'device-refused', 'cancelled')) throw error
      if (!this.#link.gone.aborted) await this.#link.reset().catch(() => undefined) // it goes, or what went wrong is told
      if (await this.#isGoneSoon(ctx)) return 'left'
      throw error
    }
  }

  async #manifested(block: number, isTolerant: boolean, ctx: Context): Promise<void> {
    let status = await this.#statusIfTold()
    if (isTolerant || status?.state !== State.Manifest) status = await this.#untilReady(status, ctx)
    else await ctx.sleep(Math.min(status.pollMs, patienceMs))
    if (status.state === State.Manifest || status.state === State.ManifestWaitReset) await this.#link.reset()
    await this.toIdle(ctx)
    if (status.status === 'OK') return
    throw new FlashError('device-refused', { during: `block ${String(block)}`, status: statusText(status) })
  }

  /**
   * Out of its application and into its boot loader (5.1): it goes by itself, or when its port is reset. Once told, it
   * cannot be stopped.
   * @throws `device-refused` when it stays
   */
  detach(willDetach: boolean, ctx: Context): Promise<void> {
    return ctx.critical(async (critical) => {
      const trouble = await this.#unlessGone(() => this.#out(Request.Detach, detachTimeoutMs))
      if (!willDetach) await this.#unlessGone(() => this.#link.reset())
      await this.#untilGone('starting its boot loader', critical, trouble)
    })
  }

  /**
   * Starts what it holds: the empty block ends a download that was none, and asking for its status makes it go.
   * @throws `device-refused` when it stays
   */
  leave(ctx: Context): Promise<void> {
    return ctx.critical(async (critical) => {
      const trouble = await this.#unlessGone(() => this.end(0))
      await this.#unlessGone(() => this.#statusIfTold()) // some go without an answer
      await this.#untilGone('starting its application', critical, trouble)
    })
  }

  /** Gives what went wrong, which does not matter once it is gone. */
  async #unlessGone(ask: () => Promise<unknown>): Promise<FlashError | undefined> {
    try {
      await ask()
      return undefined
    } catch (error) {
      if (isFlashError(error, 'device-gone', 'timeout')) return error
      throw error
    }
  }

  async #untilGone(during: string, ctx: Context, trouble?: FlashError): Promise<void> {
    if (await this.#isGoneSoon(ctx)) return
    throw trouble ?? new FlashError('device-refused', { during, status: 'still there' })
  }

  #isGoneSoon({ clock }: Context): Promise<boolean> {
    return isAbortedWithin(this.#link.gone, goneWithinMs, clock)
  }

  /** Waits while it is busy, for what the device says and no longer than is of use. `status`: undefined as in `#statusIfTold`. */
  async #untilReady(status: Status | undefined, ctx: Context): Promise<Status> {
    const until = ctx.clock.now() + patienceMs
    for (let waitMs = 0, zeros = 0; !status || isBusy(status); status = await this.#statusIfTold()) {
      const leftMs = until - ctx.clock.now()
      if (status?.pollMs === 0 && !this.#saysNothing) zeros++
      if (leftMs <= 0 || zeros === mostZeros)
        throw new FlashError('device-refused', {
          during: 'waiting for it',
          status: statusText(status ?? busy),
        })
      // Refused while busy, as the specification lets it, it is given more and more time.
      const moreMs = Math.max(shortestPollMs, waitMs * 2)
      if (!status || this.#saysNothing) waitMs = status ? Math.min(moreMs, longestPollMs) : moreMs
      else waitMs = this.#saysTooLong ? Math.min(moreMs, status.pollMs) : status.pollMs
      await ctx.sleep(Math.min(Math.max(waitMs, shortestPollMs), leftMs))
    }
    return status
  }

  /** Undefined: it refused to say. */
  async #statusIfTold(): Promise<Status | undefined> {
    try {
      return await this.status(busyTimeoutMs)
    } catch (error) {
      if (isFlashError(error, 'stalled')) return undefined
      throw error
    }
  }

  #in(request: Request, value: number, length: number, timeoutMs?: number): Promise<Uint8Array> {
    return this.#link.controlIn(
      { ...this.#setup(request, value) },
      length,
      timeoutMs === undefined ? {} : { timeoutMs },
    )
  }

  #out(request: Request, value = 0, bytes?: Uint8Array, timeoutMs?: number): Promise<void> {
    return this.#link.controlOut(
      this.#setup(request, value),
      bytes,
      timeoutMs === undefined ? {} : { timeoutMs },
    )
  }

  #setup(request: Request, value: number) {
    return { requestType: 'class', recipient: 'interface', request, value, index: this.#number } as const
  }
}
