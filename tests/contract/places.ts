/**
 * At which transfers of a job a disturbance is tried. A memory that is read block by block is a long row of the same
 * transfers; of each row with the same neighbours the first and the last one are enough.
 */
export function distinctPlaces(kinds: readonly string[]): readonly number[] {
  const ends = new Map<string, { readonly first: number; last: number }>()
  for (const i of kinds.keys()) {
    const row = [-1, 0, 1].map((offset) => kinds[i + offset] ?? '').join('|')
    const known = ends.get(row)
    if (known) known.last = i
    else ends.set(row, { first: i, last: i })
  }
  const places = [...ends.values()].flatMap(({ first, last }) => [first + 1, last + 1])
  return [...new Set(places)].sort((a, b) => a - b)
}

/** Where a job begins and ends things are that come once; between them some are enough. */
const [atBothEnds, between] = [24, 12]

/** Some of the transfers of a long job, by number from 1. */
export function placesAlong(count: number): readonly number[] {
  const step = Math.max(1, Math.floor((count - 2 * atBothEnds) / between))
  return Array.from({ length: count }, (_, i) => i + 1).filter(
    (at) => at <= atBothEnds || at > count - atBothEnds || at % step === 0,
  )
}
