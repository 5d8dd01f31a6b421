/** What a bench is, and how two candidates are timed fairly: in turns, in one run, by their medians. */

/** One line of a table: column → value. Numbers are rounded by the table, not in the JSON. */
export type Row = Readonly<Record<string, string | number>>

/** Default export of `tests/bench/*.bench.ts`. */
export interface Bench {
  readonly name: string
  /** How to read the table: one line. */
  readonly about: string
  run(): Promise<Row[]>
}

/**
 * Median milliseconds of each candidate; they take turns, so that a busy machine is equally unfair to all. `before` each
 * turn: what is not measured.
 */
export function takeTurns<N extends string>(
  rounds: number,
  candidates: Readonly<Record<N, () => unknown>>,
  before: () => void = () => undefined,
): Record<N, number> {
  const names = Object.keys(candidates) as N[]
  const times = Object.fromEntries(names.map((name): [N, number[]] => [name, []])) as Record<N, number[]>
  for (let round = 0; round < rounds; round++)
    for (const name of names) {
      before()
      const start = performance.now()
      candidates[name]()
      times[name].push(performance.now() - start)
    }
  return Object.fromEntries(names.map((name) => [name, median(times[name])])) as Record<N, number>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? NaN
}

/** Bytes without any pattern, the same in every run. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}
