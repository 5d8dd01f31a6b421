/** Numbers that look random and come again for the same start. Algorithm: mulberry32. */
export class Random {
  #state: number

  constructor(start: number) {
    this.#state = start | 0
  }

  /** 0 … below `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end)
  }

  of<T>(some: readonly T[]): T {
    return some[this.below(some.length)] as T
  }
}
