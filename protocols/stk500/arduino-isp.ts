/**
 * The ArduinoISP sketch as an ISP master: an AVR behind pins 10 to 13 of an Arduino.
 *
 * Its SPI clock is fixed and ENTER_PROGMODE says OK to an empty socket, so only the signature tells. EEPROM is
 * written by UNIVERSAL, where the chip's data say how long a page takes: the sketch's own PROG_PAGE waits
 * 45 ms for each byte. Source for behaviour and times: `ArduinoISP.ino` 1.18 (`delay` in `commit` and
 * `write_eeprom_chunk`, `SPI_CLOCK`).
 */
import type { Context } from '#core/context.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import type { Instruction, IspMaster } from '#chips/isp-master.ts'
import {
  deviceParameters,
  enterProgmode,
  leaveProgmode,
  MemType,
  progPage,
  readPage,
  seek,
  setDevice,
  universal,
} from './packets.ts'
import { mostTries, patiently, type Session } from './session.ts'

/** Reset, waits and Programming Enable of ENTER_PROGMODE. */
const enterMs = 100
/** PROG_PAGE waits 30 ms for each page; loading and reading shift four bytes at 125 kHz for each. */
const pageMs = 30
const transactionMs = 0.4
const blockBytes = 256
/** It answers GET_SYNC at once, unless it still sends a block. */
const backMs = 500

export class ArduinoIsp implements IspMaster {
  readonly speedsHz = []
  readonly pageMs = pageMs
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async enter(_speedHz: number | undefined, ctx: Context): Promise<boolean> {
    // While it is in programming mode, ENTER_PROGMODE does nothing.
    await this.#session.ask([leaveProgmode], ctx)
    await this.#session.ask([enterProgmode], ctx, enterMs)
    return true
  }

  async execute(instruction: Instruction, ctx: Context): Promise<number> {
    const [[answer = 0xff]] = await this.#session.ask([universal(instruction)], ctx)
    return answer
  }

  async leave(ctx: Context): Promise<void> {
    await this.#session.ask([leaveProgmode], ctx)
  }

  /** Without the page size it would write each word as a page. */
  async prepare(part: AvrPart, ctx: Context): Promise<void> {
    await this.#session.ask([setDevice(deviceParameters(part))], ctx)
  }

  readFlash(part: AvrPart, address: number, length: number, ctx: Context): Promise<Uint8Array> {
    return this.#read(MemType.Flash, part, address, length, ctx)
  }

  readEeprom(part: AvrPart, address: number, length: number, ctx: Context): Promise<Uint8Array> {
    return this.#read(MemType.Eeprom, part, address, length, ctx)
  }

  async programFlash(part: AvrPart, address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { pageBytes } = part.flash
    for (let at = 0; at < bytes.length; at += pageBytes) {
      ctx.checkpoint()
      const page = bytes.subarray(at, at + pageBytes)
      // Answered before the data go out: what follows a broken command is taken for commands.
      await this.#session.ask(seek(address + at, part.flash.bytes), ctx)
      await this.#session.ask([progPage(MemType.Flash, page)], ctx, pageMs + pageBytes * transactionMs)
      ctx.progress.advance(page.length, address + at)
    }
  }

  /**
   * When an answer is lost the sketch, which keeps its target in programming mode, is asked again. Halves of a page that
   * is written must not be mistaken for GET_SYNC, so only reading is done again.
   */
  async #read(
    memType: MemType,
    part: AvrPart,
    address: number,
    length: number,
    ctx: Context,
  ): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    // LOAD_ADDRESS counts in words, and flash is read in words
    for (let at = address - (address % 2); at < address + length; at += blockBytes) {
      ctx.checkpoint()
      const end = Math.min(at + blockBytes, address + length)
      const request = readPage(memType, end - at + ((end - at) % 2))
      const workMs = blockBytes * transactionMs
      const ask = () => this.#session.askAfter(seek(at, part.flash.bytes), request, ctx, workMs)
      const block = await patiently(ctx, ask, () => this.#isBack(ctx))
      const from = Math.max(at, address)
      bytes.set(block.subarray(from - at, end - at), from - address)
      ctx.progress.advance(end - from, from)
    }
    return bytes
  }

  /** The first GET_SYNC may be taken for the rest of a command that lost some of its bytes. */
  async #isBack(ctx: Context): Promise<boolean> {
    for (let i = 0; i < mostTries; i++) {
      ctx.checkpoint()
      if (!(await this.#session.synchronise(backMs, ctx))) continue
      await this.#session.settle(ctx)
      return true
    }
    return false
  }
}
