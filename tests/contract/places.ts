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
