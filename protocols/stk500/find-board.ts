/**
 * Finds out what is behind a serial port, and at which speed: the boot loader, the ArduinoISP sketch, or both.
 *
 * Every opening resets most boards, so the boot loader answers first. Whether the sketch behind it is
 * ArduinoISP is read from the flash, where its sign-on text lies: that costs an Uno 0.1 to 1 s (a loader at
 * 19200 baud up to 5) and no second reset. Only then is the sketch itself waited for. Silence takes 9 s.
 * Sources for the waits: `optiboot.c`, `ATmegaBOOT_168.c` (watchdog, LED flashes, time-outs), `ArduinoISP.ino`.
 */
import { isBlank } from '#core/bytes.ts'
import { FlashError, isAnswerLost } from '#core/errors.ts'
import type { Context } from '#core/context.ts'
import type { SeenSerial } from '#core/programmer.ts'
import { findAvrPart, type AvrPart } from '#chips/avr-parts.ts'
import { leaveProgmode, MemType, readPage, readSign, seek, signOn } from './packets.ts'
import { mostTries, type Session, type Speaker } from './session.ts'

export interface Answering {
  readonly speaker: Speaker
  readonly baud: number
}

export interface Board {
  readonly loader: Answering | undefined
  readonly programmer: Answering | undefined
  /** By the loader's word. */
  readonly signature: Uint8Array | undefined
}

/** Default of the sketch; its speed is set when it is compiled, and nothing else was seen in use. */
const sketchBaud = 19_200

/** Optiboot on Arduino's own boards; older loaders are found behind bridges. */
export const speeds = ({ vendorId }: SeenSerial): readonly [number, number, number] =>
  vendorId === 0x2341 || vendorId === 0x2a03 ? [115_200, 19_200, 57_600] : [115_200, 57_600, 19_200]

/**
 * An answer that was lost (a busy computer, a bad contact) is one that this try did not get: the board is reset and
 * asked again.
 * @throws `device-silent` with what was tried; what was wrong when at one speed something began to answer and broke
 * off each time.
 */
export async function findBoard(session: Session, ctx: Context): Promise<Board> {
  const { link } = session
  const bauds = speeds(link.seen)
  const tried: string[] = []
  for (const isPatient of [false, true]) {
    for (const baud of bauds) {
      ctx.checkpoint()
      ctx.log(`stk500 trying ${String(baud)} baud`)
      if (link.baud !== baud) await link.setBaud(baud)
      for (let tries = 1; ; tries++) {
        await session.reset(ctx)
        if (!(await synchronise(session, isPatient ? patience(baud) : quickMs, ctx))) break
        try {
          return await lookAt(session, baud, ctx)
        } catch (error) {
          if (tries === mostTries || !isAnswerLost(error)) throw error
          ctx.log(`stk500 asked again: ${String(error)}`)
          if (link.baud !== baud) await link.setBaud(baud)
        }
      }
      if (isPatient) tried.push(`GET_SYNC at ${String(baud)} baud`)
    }
  }
  throw new FlashError('device-silent', { tried })
}

/** Who it is that has just answered, and who else is behind this port. */
async function lookAt(session: Session, baud: number, ctx: Context): Promise<Board> {
  const first = { speaker: await session.whoIsThere(ctx), baud }
  if (first.speaker.role === 'programmer')
    return { loader: undefined, programmer: first, signature: undefined }

  const [signature] = await session.ask([readSign], ctx)
  const part = findAvrPart(signature)
  const programmer =
    part && (await holdsArduinoIsp(session, part, ctx)) ? await awaitSketch(session, ctx) : undefined
  return { loader: first, programmer, signature }
}

/** The longest start of optiboot is 375 ms after its first instruction. */
const quickMs = 500
/** ATmegaBOOT of the NG flashes for 600 ms. A sketch starts after the boot loader has given up. */
const patience = (baud: number): number => (baud === sketchBaud ? 2500 : 1000)

/** Asks again now and then where a sketch may still be starting; a boot loader is asked once. */
async function synchronise(session: Session, waitMs: number, ctx: Context): Promise<boolean> {
  const { clock } = ctx
  const deadline = clock.now() + waitMs
  const eachMs = session.link.baud === sketchBaud ? quickMs : waitMs
  while (clock.now() < deadline) {
    ctx.checkpoint()
    if (!(await session.synchronise(Math.min(eachMs, deadline - clock.now()), ctx))) continue
    await session.settle(ctx)
    return true
  }
  return false
}

/** The sketch has 4.5 to 6 KiB, and its texts come last. */
const mostSketchBytes = 8192

async function holdsArduinoIsp(session: Session, { flash }: AvrPart, ctx: Context): Promise<boolean> {
  const latin1 = new TextDecoder('latin1')
  let before = ''
  for (let address = 0; address < Math.min(flash.bytes, mostSketchBytes); address += flash.pageBytes) {
    ctx.checkpoint()
    const read = readPage(MemType.Flash, flash.pageBytes)
    const page = await session.askAfter(seek(address, flash.bytes), read, ctx)
    if (isBlank(page)) return false
    before = before.slice(1 - signOn.length) + latin1.decode(page)
    if (before.includes(signOn)) return true
  }
  return false
}

/** A boot loader, flashing its LED and waiting, and the sketch's own greeting take 2.5 s at most. */
const sketchMs = 5000
/** ATmegaBOOT gives up after 1.1 s of silence. */
const silenceMs = 1300

/**
 * Opens the port anew at the sketch's speed, which resets the board, and waits for the sketch. Optiboot takes
 * GET_SYNC at this speed for a wrong terminator and starts the sketch at once: 1.1 s instead of 2.
 */
export async function awaitSketch(
  session: Session,
  ctx: Context,
  baud = sketchBaud,
): Promise<Answering | undefined> {
  const { clock } = ctx
  const deadline = clock.now() + sketchMs
  session.lose()
  await session.link.setBaud(baud)
  while (clock.now() < deadline) {
    ctx.checkpoint()
    if (!(await session.synchronise(250, ctx))) continue
    await session.settle(ctx)
    const speaker = await session.whoIsThere(ctx)
    if (speaker.role === 'programmer') return { speaker, baud }
    await session.ask([leaveProgmode], ctx) // a boot loader of the same speed: left alone, it gives up
    await ctx.sleep(silenceMs)
  }
  return undefined
}
