/**
 * A board whose chip has USB of its own. Its boot loader gives the way to its memories; a sketch can only be asked to start
 * it: a port that is at 1200 baud while DTR is dropped lets the sketch reset itself. Sources: as `packets.ts`;
 * ArduinoCore-avr, `CDC.cpp`.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Programmer, Recognition, Restart } from '#core/programmer.ts'
import { isAbortedWithin } from '#core/time.ts'
import type { SerialLink, SerialPortHandle } from '#transport/links.ts'
import { findBoard } from './boards.ts'
import { LoaderPatient, type Loader } from './loader-patient.ts'
import { blockSupport, Reply, softwareVersion } from './packets.ts'
import { Session } from './session.ts'

/** There is no line that it would matter on; anything but 1200. */
const baud = 57_600
const touchBaud = 1200
/** Caterina's, as long as nobody gives it a block command. */
const windowMs = 8000
/** A sketch resets itself 120 ms after the touch. */
const touchMs = 3000

const protocol: Fact = { name: 'protocol', value: 'AVR109' }

async function open(port: SerialPortHandle, seen: Recognition, ctx: Context): Promise<Programmer> {
  const link = await port.open(baud)
  if (seen.mode === 'application') return sketch(link, seen)
  const session = new Session(link)
  try {
    return await loader(session, seen, ctx)
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}

function sketch(link: SerialLink, { facts, notices }: Recognition): Programmer {
  const { vendorId, productId } = link.seen
  const known = findBoard(vendorId, productId)
  if (!known) throw new FlashError('bug', { during: 'opening a sketch that nobody knows' })
  const { vendorId: maker, loader } = known.board
  const restart: Restart = {
    ...{ link: 'serial', as: [{ vendorId: maker, productId: loader }], waitsMs: windowMs },
    run: (ctx) => touch(link, ctx),
  }
  return {
    ...{ facts, notices, ways: [], restart, gone: link.gone },
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

/** @throws `device-refused` when it keeps running */
async function touch(link: SerialLink, ctx: Context): Promise<void> {
  await link.setBaud(touchBaud)
  await link.signals({ dtr: false, rts: false })
  if (await isAbortedWithin(link.gone, touchMs, ctx.clock)) return
  throw new FlashError('device-refused', { during: 'touching it at 1200 baud', status: 'no reset' })
}

async function loader(session: Session, { facts, notices }: Recognition, ctx: Context): Promise<Programmer> {
  const id = (await session.synchronise(ctx)).trim()
  const version = await session.patiently(ctx, () => session.ask(softwareVersion))
  const [answer, high = 0, low = 0] = await session.patiently(ctx, () => session.ask(blockSupport))
  if (answer !== Reply.Yes)
    throw new FlashError('device-refused', { during: blockSupport.name, status: 'no block mode' })
  const name = `${id} ${Array.from(version, (digit) => String.fromCharCode(digit)).join('.')}`
  const found: Loader = { session, name, blockBytes: (high << 8) | low }
  session.keepAwake(ctx)
  return {
    facts: [...facts, protocol, { name: 'bootloader', value: name, source: 'S, V' }],
    notices,
    ways: [
      {
        ...{ to: 'itself', by: 'bootloader', speedsHz: [] },
        connect: (ctx) => LoaderPatient.connect(found, ctx),
      },
    ],
    gone: session.link.gone,
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  }
}

export default { open } satisfies Driver<SerialPortHandle>
