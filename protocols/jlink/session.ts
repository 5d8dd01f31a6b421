/**
 * Commands to a J-Link and their answers, one after the other. It knows no target. Sources: as `packets.ts`; libjaylink,
 * `libjaylink/transport_usb.c` (sizes of transfers, an answer that comes in several).
 */
import { concat } from '#core/bytes.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { UsbLink } from '#transport/links.ts'
import type { Pipes } from './descriptors.ts'
import { Command, only } from './packets.ts'

const timeoutMs = 5000
/** Asked for at once, whatever is expected. */
const readBytes = 2048
/** Of an answer whose command was given by somebody before. */
const mostStale = 64
const mostVersionBytes = 0x200
const capabilitiesBytes = 4

export class JlinkSession {
  /** How often the probe began anew: what was set in it is forgotten then. */
  resets = 0
  /** VERSION's text. */
  version: Uint8Array = new Uint8Array()
  /** Of E8. */
  capabilities: Uint8Array = new Uint8Array()
  #left: Uint8Array = new Uint8Array()
  /** What comes may be the answer to an earlier command. */
  #isAstray = true
  readonly #link: UsbLink
  readonly #pipes: Pipes

  constructor(link: UsbLink, pipes: Pipes) {
    this.#link = link
    this.#pipes = pipes
  }

  /**
   * Passes over what an interrupted session left in it, by two commands whose answers look like no other's. One that waits
   * for the rest of a command answers nothing, and is reset.
   */
  async begin(): Promise<void> {
    try {
      await this.#catchUp()
    } catch (error) {
      if (!isFlashError(error, 'timeout')) throw error
      await this.#link.reset()
      this.resets++
      await this.#catchUp()
    }
  }

  async #catchUp(): Promise<void> {
    this.#left = new Uint8Array()
    await this.#link.clearHalt('out', this.#pipes.out)
    await this.#link.clearHalt('in', this.#pipes.in)
    this.version = await this.#askVersion()
    this.capabilities = await this.#askCapabilities()
    this.#isAstray = false
  }

  /** A length and as many bytes, in one transfer or in two. */
  async #askVersion(): Promise<Uint8Array> {
    await this.#send(only(Command.Version))
    const during = 'asking for its firmware'
    for (let passed = 0; passed < mostStale; passed++) {
      const [low = 0, high = 0, ...first] = await this.#receive()
      const length = low | (high << 8)
      if (length === 0 || length > mostVersionBytes) continue
      const text = first.length > 0 ? Uint8Array.from(first) : await this.#receive()
      if (isVersion(text)) {
        if (text.length === length) return text
        throw new FlashError('short-transfer', { during, expected: length, found: text.length })
      }
    }
    throw new FlashError('unexpected-answer', { during, found: 'answers to other commands' })
  }

  async #askCapabilities(): Promise<Uint8Array> {
    await this.#send(only(Command.Capabilities))
    const during = 'asking what it can do'
    for (let passed = 0; passed < mostStale; passed++) {
      const answer = await this.#receive()
      if (answer.length === capabilitiesBytes) return answer
      if (answer.length < capabilitiesBytes && answer.length !== 2)
        throw new FlashError('short-transfer', { during, expected: capabilitiesBytes, found: answer.length })
    }
    throw new FlashError('unexpected-answer', { during, found: 'answers to other commands' })
  }

  /** `length`: of its answer. */
  async ask(command: Uint8Array, length: number): Promise<Uint8Array> {
    if (this.#isAstray) await this.begin()
    this.#isAstray = true // until its answer is there
    await this.#send(command)
    const answer = await this.#collect(length, `command ${String(command[0])}`)
    this.#isAstray = false
    return answer
  }

  /** More of the answer before. */
  async rest(length: number): Promise<Uint8Array> {
    this.#isAstray = true
    const answer = await this.#collect(length, 'the rest of an answer')
    this.#isAstray = false
    return answer
  }

  /** It is not answered. */
  async tell(command: Uint8Array): Promise<void> {
    if (this.#isAstray) await this.begin()
    this.#isAstray = true
    await this.#send(command)
    this.#isAstray = false
  }

  /** An answer may come in pieces, and what is more than wanted belongs to what is asked for next. */
  async #collect(length: number, during: string): Promise<Uint8Array> {
    const short = (cause?: unknown) =>
      new FlashError('short-transfer', { during, expected: length, found: this.#left.length }, { cause })
    while (this.#left.length < length) {
      try {
        const more = await this.#receive()
        if (more.length === 0) throw short()
        this.#left = concat(this.#left, more)
      } catch (error) {
        throw isFlashError(error, 'timeout') && this.#left.length > 0 ? short(error) : error
      }
    }
    const answer = this.#left.slice(0, length)
    this.#left = this.#left.slice(length)
    return answer
  }

  #send(command: Uint8Array): Promise<void> {
    const { out } = this.#pipes
    return this.#unhalted('out', out, this.#link.bulkOut(out, command, { timeoutMs }))
  }

  #receive(): Promise<Uint8Array> {
    const { in: into } = this.#pipes
    return this.#unhalted('in', into, this.#link.bulkIn(into, readBytes, { timeoutMs }))
  }

  /** A stall ends with its telling. */
  async #unhalted<T>(direction: 'in' | 'out', endpoint: number, transfer: Promise<T>): Promise<T> {
    try {
      return await transfer
    } catch (error) {
      if (isFlashError(error, 'stalled'))
        await this.#link.clearHalt(direction, endpoint).catch(() => undefined) // as it will be when it is opened
      throw error
    }
  }
}

const isVersion = (text: Uint8Array): boolean => new TextDecoder('latin1').decode(text).includes('compiled')
