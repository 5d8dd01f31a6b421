/**
 * Reads a `SerialPort` in the background, so that nothing is lost between two reads of a driver.
 *
 * Break, framing and parity errors break a port's stream, not the port: the pump goes on with a new one,
 * and what the noise was is for the protocol to notice. Only a lost device ends it.
 */
import { concat } from '#core/bytes.ts'

/** The pump rests when so much was not read; the browser's own buffer fills, then the line waits or loses. */
const highWater = 65_536

export class SerialPump {
  readonly #port: SerialPort
  readonly #ended: Promise<void>
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #stopped = false
  #received: Uint8Array = new Uint8Array()
  #waiting: { readonly length: number; readonly resolve: () => void } | undefined
  #makeRoom: (() => void) | undefined

  /** `onLost` is told once, when the device is gone. */
  constructor(port: SerialPort, onLost: (cause: unknown) => void) {
    this.#port = port
    this.#ended = this.#run(onLost)
  }

  /** Resolves when `length` bytes can be taken. Only the newest call is answered. */
  until(length: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { length, resolve }
      this.#tell()
    })
  }

  take(length: number): Uint8Array {
    const bytes = this.#received.slice(0, length)
    this.#received = this.#received.slice(length)
    this.#tell()
    return bytes
  }

  clear(): void {
    this.take(this.#received.length)
  }

  /** Ends it and lets go of the stream, so that the port can be closed. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#tell()
    await this.#reader?.cancel()
    await this.#ended
  }

  async #run(onLost: (cause: unknown) => void): Promise<void> {
    let broken: ReadableStream | undefined
    for (;;) {
      const { readable } = this.#port
      if (this.#stopped || !readable || readable === broken) return
      const reader = readable.getReader()
      this.#reader = reader
      try {
        await this.#drain(reader)
        return
      } catch (error) {
        if (error instanceof DOMException && error.name !== 'NetworkError') broken = readable
        else return onLost(error)
      } finally {
        this.#reader = undefined
        reader.releaseLock()
      }
    }
  }

  /** Until the stream is cancelled. */
  async #drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      this.#received = concat(this.#received, value)
      this.#tell()
      if (this.#isFull()) await new Promise<void>((resolve) => (this.#makeRoom = resolve))
    }
  }

  #isFull(): boolean {
    return !this.#stopped && this.#received.length >= Math.max(highWater, this.#waiting?.length ?? 0)
  }

  #tell(): void {
    if (this.#waiting && this.#received.length >= this.#waiting.length) {
      this.#waiting.resolve()
      this.#waiting = undefined
    }
    if (!this.#isFull()) {
      this.#makeRoom?.()
      this.#makeRoom = undefined
    }
  }
}
