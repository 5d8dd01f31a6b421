/**
 * STK500v1 over an open serial link: reset, synchronise, ask, and find out who answers.
 *
 * It sends only what no firmware here dies of; what belongs to one of them (pages, EEPROM, ISP) is in
 * `loader-patient.ts` and `arduino-isp.ts`. Sources: Atmel's AVR061; `arduino.c` and `stk500.c` of avrdude for
 * reset and synchronising; `optiboot.c`, `ATmegaBOOT_168.c` and `ArduinoISP.ino` for who answers what.
 */
import { concat } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { isAnswerLost, isFlashError } from '#core/errors.ts'
import type { SerialLink } from '#transport/links.ts'
import {
  expectReply,
  getParameter,
  getSignOn,
  getSync,
  Parameter,
  Reply,
  signOn,
  type Request,
} from './packets.ts'

/** Who answers: a boot loader, or a programmer with a target behind it. */
export interface Speaker {
  readonly role: 'loader' | 'programmer'
  /** `Optiboot`, `ATmegaBOOT`, `ArduinoISP`; undefined: speaks the protocol and is none of them. */
  readonly name: string | undefined
  readonly version: string | undefined
}

/** How long an answer may take beside its transfer and the time that the command is known to need. */
const patienceMs = 1000
/** How often what changes nothing when it is done twice is tried before its answers count as lost for good. */
export const mostTries = 3

/**
 * What may be done twice, done again when its answer is lost and `recover` finds somebody there.
 * @throws what was wrong with the last try
 */
export async function patiently<T>(
  { log }: Context,
  send: () => Promise<T>,
  recover: () => Promise<boolean>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await send()
    } catch (error) {
      if (tries === mostTries || !isAnswerLost(error) || !(await recover())) throw error
      log(`stk500 sent again: ${String(error)}`)
    }
  }
}

const bitsPerByte = 10
/** avrdude's times; a script cannot make the pulse shorter than a few milliseconds, and only its edge counts. */
const dischargeMs = 250
const pulseMs = 5
/** Start-up of chips with a crystal takes 66 ms; earlier bytes are lost. */
const startUpMs = 100
const settleMs = 50
/** An application that never stops talking is not waited for. */
const longestNoiseMs = 2000
/** GET_PARAMETER 0x93 of a programmer: `S`. Optiboot answers 3 to everything that is not its version. */
const serialProgrammer = 0x53
const generic = 3
/** Bytes of another speed, or of an application that talks, are skipped up to here. */
const mostNoise = 4096

export class Session {
  readonly link: SerialLink
  /** When the last answer came. */
  #heardAt = -Infinity

  constructor(link: SerialLink) {
    this.link = link
  }

  /** Milliseconds since the last answer: boot loaders wait for a second and then start the application. */
  silentFor({ clock }: Context): number {
    return clock.now() - this.#heardAt
  }

  /** The next `silentFor` is endless: whoever answered may be gone. */
  lose(): void {
    this.#heardAt = -Infinity
  }

  /**
   * A falling edge on DTR and RTS, wired through 100 nF to RESET. Opening the port has asserted them already;
   * the capacitor needs time to discharge. A device that has no signals (Caterina) refuses: then opening it
   * must have been enough.
   */
  async reset(ctx: Context): Promise<void> {
    const { link } = this
    this.lose()
    await link.signals({ dtr: false, rts: false })
    await ctx.sleep(dischargeMs)
    await link.signals({ dtr: true, rts: true })
    await ctx.sleep(pulseMs)
    await link.signals({ dtr: false, rts: false })
    await ctx.sleep(startUpMs)
  }

  /**
   * Sends GET_SYNC once and waits for its answer. Once only: while a boot loader flashes its LED, its receiver
   * keeps two bytes, and halves of more would put optiboot out of step, which kills it.
   */
  async synchronise(waitMs: number, { clock }: Context): Promise<boolean> {
    const { link } = this
    link.flush()
    await link.write(getSync.bytes)
    const deadline = clock.now() + waitMs
    let before = 0
    for (let i = 0; i < mostNoise && clock.now() < deadline; i++) {
      const byte = await this.#readByte(deadline - clock.now())
      if (byte === undefined) return false
      if (before === Reply.InSync && byte === Reply.Ok) {
        this.#heardAt = clock.now()
        return true
      }
      before = byte
    }
    return false
  }

  /** Drops answers to earlier tries that are still on their way: until the line is quiet, or never is. */
  async settle(ctx: Context): Promise<void> {
    const until = ctx.clock.now() + longestNoiseMs
    while (ctx.clock.now() < until && (await this.#readByte(settleMs)) !== undefined) ctx.checkpoint()
    this.link.flush()
  }

  /**
   * Sends the requests in one go and gives the data of each answer. `workMs` is what the firmware does beside
   * the transfer. Errors: `timeout`, `device-refused`, `unexpected-answer`, and those of the link.
   */
  async ask<const T extends readonly Request[]>(
    requests: T,
    { clock }: Context,
    workMs = 0,
  ): Promise<{ readonly [K in keyof T]: Uint8Array }> {
    const { link } = this
    const total = requests.reduce((sum, { bytes, dataBytes }) => sum + bytes.length + dataBytes + 2, 0)
    const timeoutMs = patienceMs + workMs + (total * bitsPerByte * 1000) / link.baud
    link.flush()
    try {
      await link.write(concat(...requests.map(({ bytes }) => bytes)), { timeoutMs })
      const answers: Uint8Array[] = []
      for (const request of requests) answers.push(await this.#answer(request, timeoutMs))
      this.#heardAt = clock.now()
      return answers as { [K in keyof T]: Uint8Array }
    } catch (error) {
      this.lose()
      throw error
    }
  }

  /** One request after those that prepare it, in one go; gives the data of its own answer. */
  async askAfter(
    before: readonly Request[],
    request: Request,
    ctx: Context,
    workMs = 0,
  ): Promise<Uint8Array> {
    const answers = await this.ask([...before, request], ctx, workMs)
    return answers.at(-1) ?? new Uint8Array()
  }

  /** Asks for what tells the firmwares apart. */
  async whoIsThere(ctx: Context): Promise<Speaker> {
    const { Hardware, Major, Minor, ProgMode } = Parameter
    const parameters: number[] = []
    for (const id of [Hardware, Major, Minor, ProgMode]) {
      const [[value = 0]] = await this.ask([getParameter(id)], ctx)
      parameters.push(value)
    }
    const [hardware = 0, major = 0, minor = 0, mode = 0] = parameters
    const version = `${String(major)}.${String(minor)}`
    if (mode === serialProgrammer) {
      const [text] = await this.ask([getSignOn], ctx)
      const name = new TextDecoder('latin1').decode(text)
      return { role: 'programmer', name: name === signOn ? 'ArduinoISP' : name, version }
    }
    if (mode === generic && hardware === generic) {
      const isUnversioned = major === generic && minor === generic // before 4.1
      return { role: 'loader', name: 'Optiboot', version: isUnversioned ? undefined : version }
    }
    if (mode === 0 && hardware === 2 && major === 1)
      return { role: 'loader', name: 'ATmegaBOOT', version: undefined }
    return { role: 'loader', name: undefined, version: undefined }
  }

  async #answer(request: Request, timeoutMs: number): Promise<Uint8Array> {
    const { link } = this
    const io = { timeoutMs }
    // A refusal is one byte alone, so the first byte must be looked at before the others are waited for.
    const [inSync = 0] = await link.read(1, io)
    expectReply(Reply.InSync, inSync, request)
    const rest = await link.read(request.dataBytes + 1, io)
    expectReply(Reply.Ok, rest.at(-1) ?? 0, request)
    return rest.subarray(0, -1)
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
