/**
 * An Arduino on a serial port: flashed itself by its boot loader, or, when ArduinoISP runs on it, as the
 * programmer of the AVR behind it. Both ways share one port; going one of them may reset the board. Sources: as
 * `packets.ts`.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Notice, Programmer, Way } from '#core/programmer.ts'
import { connectAvr } from '#chips/avr-isp.ts'
import { findAvrPart } from '#chips/avr-parts.ts'
import type { SerialPortHandle } from '#transport/links.ts'
import { ArduinoIsp } from './arduino-isp.ts'
import { awaitSketch, findBoard, speeds, type Answering, type Board } from './find-board.ts'
import { connectLoader } from './loader-patient.ts'
import { loaderFact } from './loaders.ts'
import { Session } from './session.ts'

async function open(port: SerialPortHandle, ctx: Context): Promise<Programmer> {
  const [baud] = speeds(port.seen)
  const link = await port.open(baud)
  try {
    const session = new Session(link)
    return new Arduino(session, await findBoard(session, ctx))
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

class Arduino implements Programmer {
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly ways: readonly Way[]
  readonly #session: Session
  /** Whether the sketch answered last, so that no reset is needed to ask it again. */
  #isInSketch: boolean

  constructor(session: Session, { loader, programmer, signature }: Board) {
    this.#session = session
    this.#isInSketch = programmer !== undefined
    const part = signature && findAvrPart(signature)
    this.facts = [
      { name: 'mode', value: programmer ? 'application' : 'bootloader', source: 'GET_PARAMETER' },
      { name: 'protocol', value: 'STK500v1' },
      { name: 'baud', value: [programmer, loader].flatMap((one) => one?.baud ?? []).join(' / ') },
      ...(programmer ? programmerFacts(programmer) : []),
      ...(loader ? [{ ...loaderFact(loader.speaker), source: 'GET_PARAMETER' }] : []),
      ...(part ? [{ name: 'chip', value: part.name, source: 'READ_SIGN' } as const] : []),
    ]
    this.notices = programmer ? [{ code: 'no-sck-choice', level: 'info', values: { fixed: 'sketch' } }] : []
    this.ways = [
      ...(programmer ? [this.#toTarget(programmer)] : []),
      ...(loader ? [this.#toItself(loader)] : []),
    ]
  }

  get gone(): AbortSignal {
    return this.#session.link.gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.link[Symbol.asyncDispose]()
  }

  #toTarget({ baud }: Answering): Way {
    return {
      to: 'target',
      by: 'isp',
      speedsHz: [],
      connect: async (ctx) => {
        await this.#reachSketch(baud, ctx)
        return connectAvr(new ArduinoIsp(this.#session), ctx)
      },
    }
  }

  #toItself(loader: Answering): Way {
    return {
      to: 'itself',
      by: 'bootloader',
      speedsHz: [],
      connect: (ctx) => {
        if (this.#isInSketch) this.#session.lose() // it was not the loader who answered last
        this.#isInSketch = false
        return connectLoader(this.#session, loader, ctx)
      },
    }
  }

  async #reachSketch(baud: number, ctx: Context): Promise<void> {
    const session = this.#session
    if (this.#isInSketch && (await session.synchronise(quickMs, ctx))) return session.settle(ctx)
    this.#isInSketch = (await awaitSketch(session, ctx, baud)) !== undefined
    if (this.#isInSketch) return
    throw new FlashError('device-silent', { tried: [`reset and GET_SYNC at ${String(baud)} baud`] })
  }
}

/** The sketch answers at once, if it runs. */
const quickMs = 250

const programmerFacts = ({ speaker: { name, version } }: Answering): Fact[] => [
  ...(name === undefined ? [] : [{ name: 'firmware', value: name, source: 'GET_SIGN_ON' } as const]),
  ...(version === undefined
    ? []
    : [{ name: 'firmware-version', value: version, source: 'GET_PARAMETER' } as const]),
]

export default { open: (port, _seen, ctx) => open(port, ctx) } satisfies Driver<SerialPortHandle>
