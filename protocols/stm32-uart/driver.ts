/**
 * Finds ST's ROM boot loader on a serial port, which its user has put the chip into by its boot pins.
 *
 * The lines DTR and RTS stay as opening the port leaves them, asserted: what they are wired to, if anything, nobody
 * knows. A board whose DTR holds its reset pin cannot be reached then, and says so by its silence. Sources: as
 * `session.ts`.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import { hex } from '#core/bytes.ts'
import type { Driver, Fact, Notice, Programmer, Recognition, Way } from '#core/programmer.ts'
import { findStm32Part } from '#chips/stm32-parts.ts'
import type { SerialLink, SerialPortHandle } from '#transport/links.ts'
import { connectRom } from './rom-patient.ts'
import { RomSession } from './session.ts'

/** The fastest that AN3155 allows; the second is what another program may have left it at. */
const speeds = [115_200, 57_600] as const
const framing = { parity: 'even' } as const

async function open(port: SerialPortHandle, seen: Recognition, ctx: Context): Promise<Programmer> {
  const [baud] = speeds
  const link = await port.open(baud, framing)
  try {
    const session = await find(link, ctx)
    await session.look(ctx)
    return new Rom(session, seen)
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

async function find(link: SerialLink, ctx: Context): Promise<RomSession> {
  for (const baud of speeds) {
    ctx.checkpoint()
    ctx.log(`stm32-uart trying ${String(baud)} baud`)
    if (link.baud !== baud) await link.setBaud(baud)
    const session = new RomSession(link)
    if (await session.synchronise(ctx)) return session
  }
  throw silent(link)
}

const silent = ({ parity }: SerialLink): FlashError =>
  new FlashError('device-silent', {
    tried: speeds.map((baud) => `7F at ${String(baud)} baud, ${parity} parity`),
    by: 'boot-pins',
  })

class Rom implements Programmer {
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly ways: readonly Way[]
  readonly #session: RomSession

  constructor(session: RomSession, { notices }: Recognition) {
    this.#session = session
    const { id, version, link } = session
    this.facts = [
      { name: 'mode', value: 'bootloader' },
      { name: 'protocol', value: 'AN3155' },
      { name: 'firmware-version', value: version, source: 'Get Version' },
      { name: 'baud', value: `${String(link.baud)} 8E1` },
      { name: 'chip', value: findStm32Part(id)?.name ?? hex(id, 3), source: 'Get ID' },
    ]
    this.notices = notices
    this.ways = [{ to: 'itself', by: 'bootloader', speedsHz: [], connect: (ctx) => this.#connect(ctx) }]
  }

  get gone(): AbortSignal {
    return this.#session.link.gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.link[Symbol.asyncDispose]()
  }

  async #connect(ctx: Context) {
    if (!(await this.#session.beThere(ctx))) throw silent(this.#session.link)
    return connectRom(this.#session, ctx)
  }
}

export default { open } satisfies Driver<SerialPortHandle>
