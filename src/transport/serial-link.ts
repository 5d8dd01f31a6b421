/**
 * `SerialLink` over a `SerialPort`, with 8 data bits and 1 stop bit: exact reads with a time limit, signals, errors translated. Reads
 * wait for each other, and so do writes, signals and changes of speed. It knows no protocol.
 */
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Parity, SeenSerial } from '#core/programmer.ts'
import { isAbortedWithin, within, type Clock } from '#core/time.ts'
import { fromOpening, fromTransfer, goneError } from './access.ts'
import type { Framing, Io, SerialLink, SerialSignals } from './links.ts'
import { Queue } from './queue.ts'
import { SerialPump } from './serial-pump.ts'

const defaultTimeoutMs = 5000
/** A call refused and a device being lost fail alike; the stream of a lost one breaks soon after. */
const goneNoticeMs = 50
/** How long written bytes may take to leave before the port is closed. */
const drainMs = 1000
/** The browser's, between two looks of the pump. */
const bufferSize = 4096

/** Opens `port`, which asserts DTR and RTS. Errors: `device-busy`, `permission-denied`, `device-gone`, `timeout`. */
export async function openSerial(
  port: SerialPort,
  seen: SeenSerial,
  baud: number,
  clock: Clock,
  { parity = 'none' }: Framing = {},
): Promise<SerialLink> {
  const link = new BrowserSerialLink(port, seen, clock, parity)
  try {
    await link.open(baud)
    return link
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

class BrowserSerialLink implements SerialLink {
  readonly seen: SeenSerial
  readonly parity: Parity
  readonly #port: SerialPort
  readonly #clock: Clock
  readonly #gone = new AbortController()
  /** Aborted by disposing, so that nothing waits any longer. */
  readonly #closed = new AbortController()
  readonly #reads = new Queue()
  readonly #commands = new Queue()
  #pump: SerialPump | undefined
  #baud = 0

  constructor(port: SerialPort, seen: SeenSerial, clock: Clock, parity: Parity) {
    this.#port = port
    this.seen = seen
    this.parity = parity
    this.#clock = clock
    port.addEventListener('disconnect', this.#onDisconnect)
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }
  get baud(): number {
    return this.#baud
  }

  async open(baud: number): Promise<void> {
    const opening = this.#port.open({ baudRate: baud, parity: this.parity, bufferSize })
    try {
      await within(opening, this.#clock, 'opening the port', defaultTimeoutMs, this.gone, this.#closed.signal)
    } catch (error) {
      // Who opens too late is closed again: nobody waits for it any more.
      void opening.then(() => this.#port.close()).catch(() => undefined)
      throw fromOpening(error, 'serial', this.seen)
    }
    this.#baud = baud
    this.#pump = new SerialPump(this.#port, (cause) => this.#lose(cause))
  }

  setBaud(baud: number): Promise<void> {
    return this.#commands.run(() =>
      this.#reads.run(async () => {
        await this.#limited('closing the port', undefined, () => this.#shut())
        await this.open(baud)
      }),
    )
  }

  signals({ dtr, rts }: SerialSignals): Promise<boolean> {
    const wanted: SerialOutputSignals = {
      ...(dtr === undefined ? {} : { dataTerminalReady: dtr }),
      ...(rts === undefined ? {} : { requestToSend: rts }),
    }
    return this.#commands.run(async () => {
      if (dtr === undefined && rts === undefined) return true
      try {
        await this.#limited('driving DTR and RTS', undefined, () => this.#port.setSignals(wanted))
        return true
      } catch (error) {
        if (isFlashError(error, 'transfer-failed')) return false
        throw error
      }
    })
  }

  read(length: number, io?: Io): Promise<Uint8Array> {
    return this.#reads.run(() =>
      this.#limited(`reading ${String(length)} bytes`, io, async (pump) => {
        await pump.until(length)
        return pump
      }).then((pump) => pump.take(length)),
    )
  }

  write(bytes: Uint8Array, io?: Io): Promise<void> {
    return this.#commands.run(async () => {
      const writer = this.#port.writable?.getWriter()
      try {
        await this.#limited(`writing ${String(bytes.length)} bytes`, io, async () => {
          if (!writer) throw new DOMException('The port has no writable stream.', 'NetworkError')
          await writer.write(bytes.slice())
        })
      } finally {
        writer?.releaseLock()
      }
    })
  }

  flush(): void {
    this.#pump?.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed.signal.aborted) return
    this.#closed.abort(new FlashError('transfer-failed', { during: 'using a closed port' }))
    this.#port.removeEventListener('disconnect', this.#onDisconnect)
    await Promise.all([this.#reads.idle(), this.#commands.idle()])
    try {
      await within(this.#shut(), this.#clock, 'closing the port', defaultTimeoutMs)
    } catch {
      // it is gone or stuck: there is nothing more to release, and disposing must not hide the real error
    }
  }

  readonly #onDisconnect = () => this.#lose(undefined)

  #lose(cause: unknown): void {
    if (!this.gone.aborted) this.#gone.abort(goneError('using the port', cause))
  }

  async #limited<T>(during: string, io: Io | undefined, start: (pump: SerialPump) => Promise<T>): Promise<T> {
    this.gone.throwIfAborted()
    this.#closed.signal.throwIfAborted()
    if (!this.#pump) throw new FlashError('transfer-failed', { during: `${during}: the port is closed` })
    const { timeoutMs = defaultTimeoutMs } = io ?? {}
    try {
      return await within(start(this.#pump), this.#clock, during, timeoutMs, this.gone, this.#closed.signal)
    } catch (error) {
      if (error instanceof FlashError) throw error
      if (await isAbortedWithin(this.gone, goneNoticeMs, this.#clock)) throw this.gone.reason as FlashError
      throw fromTransfer(error, during)
    }
  }

  /** Lets go of both streams, what was written first, and closes the port. */
  async #shut(): Promise<void> {
    const pump = this.#pump
    this.#pump = undefined
    const { writable } = this.#port
    if (writable && !this.gone.aborted)
      await within(writable.close(), this.#clock, 'draining the port', drainMs, this.gone).catch(
        () => undefined, // what cannot leave is dropped by closing
      )
    await pump?.stop()
    await this.#port.close()
  }
}
