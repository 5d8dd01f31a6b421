/** Commands to one device: alone one after another, or several together between those. */
export class Queue {
  /** The last that ran alone. */
  #last: Promise<unknown> = Promise.resolve()
  /** Begun since then, and not ended. */
  readonly #together = new Set<Promise<unknown>>()

  /** Runs `work` when everything before it has ended, however it ended; what comes later waits for it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.idle().then(work)
    this.#together.clear()
    this.#last = turn.catch(() => undefined) // its caller hears of it
    return turn
  }

  /** Begins `work` when the last that runs alone has ended, whatever else is under way: in the order of the calls. */
  together<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    const ended: Promise<unknown> = turn
      .catch(() => undefined) // its caller hears of it
      .then(() => this.#together.delete(ended))
    this.#together.add(ended)
    return turn
  }

  /** Resolves when nothing is under way any more. */
  idle(): Promise<unknown> {
    return Promise.all([this.#last, ...this.#together])
  }
}
