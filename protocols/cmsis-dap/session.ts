/**
 * Commands to a CMSIS-DAP probe and their answers, as many under way as it can hold. It knows no target. Source: as
 * `packets.ts`; ARM-software/CMSIS-DAP, `dap_firmware.md` (packet count).
 */
import { FlashError, isFlashError } from '#core/errors.ts'
import { Command, info, Info, noDelay, Status, unknownCommand } from './packets.ts'
import type { Wire } from './wire.ts'

/** Of an answer whose command was given by somebody before: there are not more than a probe can hold. */
const mostStale = 64
/** What the specification lets a probe say. */
const leastPacketBytes = 16
const mostPacketBytes = 1024
const mostPackets = 64

export class DapSession {
  /** Of a command or an answer. */
  packetBytes = leastPacketBytes
  #packets = 1
  /** What comes may be the answer to an earlier command. */
  #isAstray = false
  readonly #wire: Wire

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /**
   * Its sizes. What an interrupted session left in it comes before: answers are passed over until the one to a command
   * that nobody else gives, and once more for those of a beginning that was interrupted, too. One that is full of them
   * takes no command, and is reset where its link can.
   */
  async begin(): Promise<void> {
    try {
      await this.#catchUp()
    } catch (error) {
      if (!isFlashError(error, 'timeout') || !(await this.#wire.reset())) throw error
      await this.#catchUp()
    }
    const [, , low = 0, high = 0] = await this.#untilInfo(Info.PacketSize, 'asking for its packet size', 2)
    const said = low | (high << 8)
    if (said < leastPacketBytes || said > mostPacketBytes)
      throw new FlashError('unexpected-answer', { during: 'asking for its packet size', found: String(said) })
    this.packetBytes = Math.min(said, this.#wire.mostBytes)
    const [, , count = 0] = await this.#untilInfo(Info.PacketCount, 'asking for its packet count', 1)
    this.#packets = Math.min(Math.max(1, count), mostPackets)
  }

  async #catchUp(): Promise<void> {
    await this.#wire.begin()
    await this.#until(noDelay, 'catching up with it', ([id]) => id === Command.Delay)
    this.#isAstray = false
  }

  async #untilInfo(id: Info, during: string, length: number): Promise<Uint8Array> {
    const answer = await this.#until(info(id), during, ([command, said]) => command === 0 && said === length)
    if (answer.length >= 2 + length) return answer
    throw new FlashError('short-transfer', { during, expected: 2 + length, found: answer.length })
  }

  async #until(
    command: Uint8Array,
    during: string,
    isIt: (answer: Uint8Array) => boolean,
  ): Promise<Uint8Array> {
    await this.#wire.send(command)
    for (let passed = 0; passed < mostStale; passed++) {
      const answer = await this.#receive()
      if (answer.length < 2)
        throw new FlashError('short-transfer', { during, expected: 2, found: answer.length })
      if (isIt(answer)) return answer
    }
    throw new FlashError('unexpected-answer', { during, found: 'answers to other commands' })
  }

  /** Undefined: it does not say. */
  async text(id: Info): Promise<string | undefined> {
    const answer = await this.exchange(info(id))
    const [, length = 0] = answer
    const text = new TextDecoder('latin1').decode(answer.subarray(2, 2 + length)).replace(/\0.*$/s, '')
    return text === '' ? undefined : text
  }

  /** @throws `short-transfer` when there are fewer than it says */
  async bytes(id: Info): Promise<Uint8Array> {
    const answer = await this.exchange(info(id))
    const expected = 2 + (answer[1] ?? 0)
    if (answer.length < expected)
      throw new FlashError('short-transfer', {
        ...{ during: `information ${String(id)}`, expected, found: answer.length },
      })
    return answer.subarray(2, expected)
  }

  /** @throws `device-refused` when it does not say that it was done */
  async tell(command: Uint8Array, during: string): Promise<void> {
    const [, status] = await this.exchange(command)
    if (status === undefined) throw new FlashError('short-transfer', { during, expected: 2, found: 1 })
    if (status !== Status.Ok) throw new FlashError('device-refused', { during, status: String(status) })
  }

  async exchange(command: Uint8Array): Promise<Uint8Array> {
    const [answer] = await this.exchangeAll([command])
    if (!answer) throw new FlashError('bug', { during: 'a command without an answer' })
    return answer
  }

  /** In order. After an error nothing of it is under way any more, unless the link is spent. */
  async exchangeAll(commands: readonly Uint8Array[]): Promise<Uint8Array[]> {
    if (this.#isAstray) await this.#catchUp()
    const answers: Uint8Array[] = []
    const sending: Promise<void>[] = []
    let received = 0
    try {
      for (const command of commands) {
        for (let next = commands[sending.length]; next; next = commands[sending.length]) {
          if (sending.length >= answers.length + this.#packets) break
          const one = this.#wire.send(next)
          one.catch(() => undefined) // heard with its answer
          sending.push(one)
        }
        await sending[answers.length]
        received++
        answers.push(this.#checked(await this.#receive(), command))
      }
      return answers
    } catch (error) {
      this.#isAstray = true // one that was stalled may still be there
      const sent = (await Promise.allSettled(sending)).filter(({ status }) => status === 'fulfilled').length
      for (; received < sent; received++) await this.#receive().catch(() => undefined) // what went wrong is told
      throw error
    }
  }

  #checked(answer: Uint8Array, command: Uint8Array | undefined): Uint8Array {
    const [id] = answer
    const during = `command ${String(command?.[0])}`
    if (id === undefined) throw new FlashError('short-transfer', { during, expected: 1, found: 0 })
    if (id === unknownCommand) throw new FlashError('device-refused', { during, status: 'not there' })
    if (id !== command?.[0]) throw new FlashError('unexpected-answer', { during, found: String(id) })
    return answer
  }

  #receive(): Promise<Uint8Array> {
    return this.#wire.receive(this.packetBytes)
  }
}
