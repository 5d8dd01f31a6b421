/**
 * Frames to an ST-Link and their answers, one after another. It knows no target. Sources: as `packets.ts`; a port reset
 * where the first question fails: openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (`stlink_usb_usb_open`).
 */
import { exactly, hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { UsbLink } from '#transport/links.ts'
import { models, v2ProductId } from './identity.ts'
import {
  getCurrentMode,
  getVersion,
  getVersionEx,
  modeBytes,
  Mode,
  parseVersion,
  parseVersionEx,
  Status,
  statusName,
  versionBytes,
  versionExBytes,
  type Version,
} from './packets.ts'

/** A transfer of a KiB at the slowest clock takes half of it. */
const timeoutMs = 5000
const answerEndpoint = 1
/** As OpenOCD has it: with twice the pause before each. */
const mostWaits = 8
/** What its boot loader speaks on a V2-1, which has the ids of a V2 then. */
export const v21Loader = 2

export const isWait = (status: number): boolean =>
  status === Status.ApWait || status === Status.DpWait || status === Status.CommandWait

/** What it is doing, and as what. */
export interface Greeting {
  readonly mode: number
  /** The protocol of its boot loader while it is that, else 0: 1 V2, 2 V2-1, 3 V3, 4 a V3 that takes only signed firmware. */
  readonly loader: number
  /** Of its firmware, also in its boot loader. */
  readonly version: Version
}

export class StLinkSession {
  readonly link: UsbLink
  readonly #out: number
  readonly #packetBytes: number
  /** What comes may be the answer to an earlier frame, or it waits for bytes that nobody sent. */
  #isAstray = false

  constructor(link: UsbLink) {
    const { productId } = link.seen
    this.link = link
    this.#out = productId === v2ProductId ? 2 : 1
    this.#packetBytes = models[productId]?.name.includes('V3') ? 512 : 64
  }

  /**
   * What an interrupted session left in it comes before: it is asked two questions whose answers cannot be mistaken for
   * each other's, and once more after a port reset.
   */
  async begin(): Promise<Greeting> {
    const greeting = await this.#greet().catch(async (error: unknown) => {
      if (isFlashError(error, 'device-gone')) throw error
      await this.link.reset()
      return this.#greet()
    })
    this.#isAstray = false
    return greeting
  }

  async #greet(): Promise<Greeting> {
    const during = 'asking what it is'
    const { productId, vendorId } = this.link.seen
    const state = await this.#ask(getCurrentMode, modeBytes, during)
    const [mode = 0, loader = 0] = state
    const isV21 = models[productId]?.isV21 === true || (mode === Mode.Dfu && loader === v21Loader)
    const version = parseVersion(await this.#ask(getVersion, versionBytes, during), isV21)
    if (mode > Mode.Bootloader || version.vendorId !== vendorId)
      throw new FlashError('unexpected-answer', { during, found: hexBytes(state) })
    if (version.generation < 3) return { mode, loader, version }
    return { mode, loader, version: parseVersionEx(await this.#ask(getVersionEx, versionExBytes, during)) }
  }

  /** An answer of exactly so many bytes. */
  async ask(frame: Uint8Array, length: number, during: string): Promise<Uint8Array> {
    if (this.#isAstray) await this.begin()
    return this.#unbroken(() => this.#ask(frame, length, during))
  }

  /** The same of what not every version knows; undefined: it stalls, or says so in two bytes. */
  async askIfKnown(frame: Uint8Array, length: number, during: string): Promise<Uint8Array | undefined> {
    if (this.#isAstray) await this.begin()
    return this.#unbroken(async () => {
      await this.#send(frame)
      const answer = await this.#receive(length).catch(async (error: unknown) => {
        if (!isFlashError(error, 'stalled')) throw error
        await this.link.clearHalt('in', answerEndpoint)
        return undefined
      })
      if (!answer || (answer.length === 2 && answer[0] === Status.Unknown)) return undefined
      return exactly(length, answer, during)
    })
  }

  /** Without an answer; `bytes` follow it. */
  async tell(frame: Uint8Array, bytes?: Uint8Array): Promise<void> {
    if (this.#isAstray) await this.begin()
    await this.#unbroken(async () => {
      await this.#send(frame)
      if (bytes) await this.#send(bytes)
    })
  }

  /**
   * An answer that begins with a status; asked again as long as that tells to wait.
   * @returns the answer, whatever its status
   */
  async askPatiently(frame: Uint8Array, length: number, during: string, ctx: Context): Promise<Uint8Array> {
    for (let waits = 0; ; waits++) {
      const answer = await this.ask(frame, length, during)
      if (!isWait(answer[0] ?? 0) || waits >= mostWaits) return answer
      await ctx.clock.sleep(2 ** waits)
    }
  }

  /** The same. @throws `device-refused` with any status but OK */
  async command(frame: Uint8Array, length: number, during: string, ctx: Context): Promise<Uint8Array> {
    const answer = await this.askPatiently(frame, length, during, ctx)
    const [status = 0] = answer
    if (status === Status.Ok) return answer
    throw new FlashError('device-refused', { during, status: statusName(status) })
  }

  async #ask(frame: Uint8Array, length: number, during: string): Promise<Uint8Array> {
    await this.#send(frame)
    return exactly(length, await this.#receive(length), during)
  }

  /** In whole packets: an answer that is longer than it should be is an error of the bus otherwise. */
  #receive(length: number): Promise<Uint8Array> {
    const room = Math.ceil(length / this.#packetBytes) * this.#packetBytes
    return this.link.bulkIn(answerEndpoint, room, { timeoutMs })
  }

  #send(bytes: Uint8Array): Promise<void> {
    return this.link.bulkOut(this.#out, bytes, { timeoutMs })
  }

  async #unbroken<T>(exchange: () => Promise<T>): Promise<T> {
    try {
      return await exchange()
    } catch (error) {
      this.#isAstray = true
      throw error
    }
  }
}
