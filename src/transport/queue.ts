/** Commands to one device, one after another. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs `work` when everything before it has ended, however it ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined) // its caller hears of it
    return turn
  }

  /** Resolves when nothing is under way any more. */
  idle(): Promise<unknown> {
    return this.#last
  }
}
