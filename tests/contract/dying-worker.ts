/**
 * The worker for files in Node, which does the real work and dies at one of its calls. Where a browser has Web Locks and a
 * thread, this has what the client sees of them; time passes for the client only once the worker is dead.
 */
import { vi } from 'vitest'
import { toFlashError, toPlainError } from '#core/errors.ts'
import { Clock } from '#core/time.ts'
import { WorkerClient } from '#worker/client.ts'
import type { Begun, Reply, Request } from '#worker/messages.ts'
import { compare, parse, write } from '#worker/work.ts'

/** not-loaded: its script is not there · never-begins · ends: in the middle of the call · afterwards: with its answer given */
export const deaths = ['not-loaded', 'never-begins', 'ends', 'afterwards'] as const
export type Death = (typeof deaths)[number]

type Call = Exclude<Request, { call: 'cancel' }>

class Patience extends Clock {
  isOver = false
  readonly #waiting = new Set<() => void>()

  now(): number {
    return 0
  }

  after(_: number, run: () => void): () => void {
    this.#waiting.add(run)
    if (this.isOver) setImmediate(() => this.#strike([run]))
    return () => this.#waiting.delete(run)
  }

  end(): void {
    this.isOver = true
    this.#strike(this.#waiting)
  }

  #strike(some: Iterable<() => void>): void {
    for (const run of some) if (this.#waiting.delete(run)) run()
  }
}

export class DyingWorkers {
  /** So many calls that one of them could have died at. */
  calls = 0
  started = 0
  readonly client: WorkerClient
  readonly #clock = new Patience()
  readonly #held = new Map<string, Promise<void>>()

  /** `at` 0: none dies. */
  constructor(death: Death, at: number) {
    const request = async (name: string, ...[first, last]: unknown[]) => {
      await this.#held.get(name)
      return ((last ?? first) as () => unknown)()
    }
    vi.stubGlobal('navigator', { locks: { request } })
    vi.stubGlobal('ErrorEvent', class extends Event {})
    const spawn = () => {
      this.started++
      this.#clock.isOver = false
      return this.#worker(death, at)
    }
    this.client = new WorkerClient({ spawn, clock: this.#clock })
  }

  #worker(death: Death, at: number): Worker {
    const target = new EventTarget()
    let isDead = false
    const say = (data: Begun | Reply) => target.dispatchEvent(new MessageEvent('message', { data }))
    const die = () => {
      isDead = true
      this.#clock.end()
    }
    const serve = async (call: Call) => {
      const isLast = ++this.calls === at
      if (isDead || (isLast && death === 'never-begins')) return die()
      if (isLast && death === 'not-loaded') return target.dispatchEvent(new Event('error'))
      let letGo: () => void = () => undefined
      this.#held.set(call.life, new Promise((resolve) => (letGo = resolve)))
      say({ begun: call.id })
      const reply = isLast && death === 'ends' ? undefined : await replyTo(call)
      letGo()
      if (reply) say(reply)
      if (isLast && death === 'afterwards') isDead = true
      else if (isLast) die()
      return undefined
    }
    return Object.assign(target, {
      postMessage: (request: Request) => {
        if (request.call !== 'cancel') setImmediate(() => void serve(request))
      },
      terminate: () => undefined,
    }) as unknown as Worker
  }
}

async function replyTo(request: Call): Promise<Reply> {
  const { id } = request
  try {
    if (request.call === 'parse')
      return { id, result: await parse(request.file, request.name, request.options) }
    if (request.call === 'write') return { id, result: write(request.format, request.image) }
    return { id, result: await compare(request.first, request.second) }
  } catch (error) {
    return { id, error: toPlainError(toFlashError(error, request.call)) }
  }
}
