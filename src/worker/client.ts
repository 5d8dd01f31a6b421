/**
 * The page's side of the worker: typed calls that can be cancelled. One call is in the worker at a time,
 * the others wait here; so a worker that does not answer a cancel can be ended and
 * replaced without harm to them. An idle worker is dropped. Without `Worker` (Node) the work is done here.
 */
import { FlashError, fromPlainError, toFlashError } from '#core/errors.ts'
import { systemClock, within, type Clock } from '#core/time.ts'
import type { ParseOptions } from '#firmware/file-format.ts'
import type { Begun, Call, Reply, Request, Results, Write } from './messages.ts'
import type { Compared, Parsed } from './work.ts'

export type { Compared, Parsed } from './work.ts'

export interface ParseFileOptions extends ParseOptions {
  /** Default: the `File`'s own. */
  readonly name?: string
}

export interface WorkerClientOptions {
  /** Undefined: there are no workers here. */
  readonly spawn: (() => Worker) | undefined
  readonly clock?: Clock
  /** How long a cancelled call may take to say so before its worker is ended; default 250. */
  readonly graceMs?: number
  /** How long a call may wait for its worker to begin; default 30 000. */
  readonly startMs?: number
  /** How long a worker without work is kept; default 30 000. */
  readonly idleMs?: number
}

export class WorkerClient {
  readonly #spawn: WorkerClientOptions['spawn']
  readonly #clock: Clock
  readonly #graceMs: number
  readonly #startMs: number
  readonly #idleMs: number
  #worker: Worker | undefined
  #resting = new AbortController()
  #turn: Promise<unknown> = Promise.resolve()
  #calls = 0

  constructor(options: WorkerClientOptions) {
    const { spawn, clock = systemClock, graceMs = 250, startMs = 30_000, idleMs = 30_000 } = options
    this.#spawn = spawn
    this.#clock = clock
    this.#graceMs = graceMs
    this.#startMs = startMs
    this.#idleMs = idleMs
  }

  /** @throws `bad-file`, `storage-failed`, `worker-ended`, `cancelled`. */
  async parse(file: Blob, options: ParseFileOptions = {}, signal?: AbortSignal): Promise<Parsed> {
    const { name = file instanceof File ? file.name : '', ...rest } = options
    const call = { call: 'parse', file, name, options: rest } as const
    return this.#inTurn(call, async () => (await import('./work.ts')).parse(file, name, rest, signal), signal)
  }

  /** @throws `bad-file` for what the format cannot hold; `worker-ended`, `cancelled`. */
  async write(format: string, { segments, claims }: Write['image'], signal?: AbortSignal): Promise<Blob> {
    const call = { call: 'write', format, image: { segments, claims } } as const
    const here = async () => (await import('./work.ts')).write(format, call.image)
    return new Blob([await this.#inTurn(call, here, signal)])
  }

  /** @throws `worker-ended`, `cancelled`. */
  async compare(first: Uint8Array, second: Uint8Array, signal?: AbortSignal): Promise<Compared> {
    const here = async () => (await import('./work.ts')).compare(first, second)
    return this.#inTurn({ call: 'compare', first, second }, here, signal)
  }

  /** `here` does the same without a worker. */
  async #inTurn<C extends Call>(
    call: C,
    here: () => Promise<Results[C['call']]>,
    signal: AbortSignal | undefined,
  ): Promise<Results[C['call']]> {
    const spawn = this.#spawn
    const result = this.#turn.then(() => (spawn ? this.#run(spawn, call, signal) : here()))
    this.#turn = result.catch(() => undefined) // the caller hears of it
    try {
      return await within(result, this.#clock, call.call, undefined, signal)
    } catch (error) {
      throw toFlashError(error, call.call)
    }
  }

  async #run<C extends Call>(
    spawn: () => Worker,
    call: C,
    signal: AbortSignal | undefined,
  ): Promise<Results[C['call']]> {
    signal?.throwIfAborted()
    this.#resting.abort()
    const worker = (this.#worker ??= spawn())
    const id = ++this.#calls
    const life = crypto.randomUUID()
    const answer = this.#answer(worker, { id, call: call.call, life })
    worker.postMessage({ id, ...call, life } satisfies Request)
    try {
      const reply = await within(answer, this.#clock, call.call, undefined, signal)
      if ('error' in reply) throw fromPlainError(reply.error)
      return reply.result as Results[C['call']]
    } catch (error) {
      if (signal?.aborted) await this.#stop(worker, id, answer)
      throw error
    } finally {
      this.#rest()
    }
  }

  #answer(
    worker: Worker,
    { id, call, life }: Pick<Request & { life: string }, 'id' | 'call' | 'life'>,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const done = new AbortController()
      const listen = { signal: done.signal }
      const fail = (code: 'bug' | 'worker-ended', message: string) => {
        done.abort()
        this.#drop(worker)
        reject(new FlashError(code, { during: call }, { message }))
      }
      const begun = new AbortController()
      const failAfter = (ms: number, message: string, signal: AbortSignal) =>
        this.#clock.sleep(ms, signal).then(
          () => fail('worker-ended', message),
          () => undefined, // it did what it should
        )
      const hear = (event: Event) =>
        event instanceof ErrorEvent
          ? fail('bug', event.message)
          : fail('worker-ended', 'worker: it could not be loaded')
      worker.addEventListener('error', hear, listen)
      worker.addEventListener('messageerror', () => fail('bug', 'worker: messageerror'), listen)
      void failAfter(this.#startMs, 'worker: it does not begin', AbortSignal.any([begun.signal, done.signal]))
      begun.signal.addEventListener('abort', () => {
        // Its answer may still be on the way when it lets go of the lock.
        const ended = () => failAfter(this.#graceMs, 'worker: it has ended', done.signal)
        navigator.locks.request(life, listen, ended).catch(() => undefined) // it answered first
      })
      worker.addEventListener(
        'message',
        ({ data }: MessageEvent<Reply | Begun>) => {
          if ('begun' in data) return data.begun === id ? begun.abort() : undefined
          if (data.id !== id) return
          done.abort()
          resolve(data)
        },
        listen,
      )
    })
  }

  async #stop(worker: Worker, id: number, answer: Promise<Reply>): Promise<void> {
    worker.postMessage({ id, call: 'cancel' } satisfies Request)
    try {
      await within(answer, this.#clock, 'stopping', this.#graceMs)
    } catch {
      this.#drop(worker) // it does not hear, or it died: the next call gets a fresh one
    }
  }

  #rest(): void {
    const resting = (this.#resting = new AbortController())
    this.#clock.sleep(this.#idleMs, resting.signal).then(
      () => this.#drop(this.#worker),
      () => undefined, // there is work again
    )
  }

  #drop(worker: Worker | undefined): void {
    worker?.terminate()
    if (this.#worker === worker) this.#worker = undefined
  }
}

const client = new WorkerClient({
  spawn:
    typeof Worker === 'undefined'
      ? undefined
      : () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'files' }),
})

export const parse: WorkerClient['parse'] = (file, options, signal) => client.parse(file, options, signal)
export const write: WorkerClient['write'] = (format, image, signal) => client.write(format, image, signal)
export const compare: WorkerClient['compare'] = (first, second, signal) =>
  client.compare(first, second, signal)
