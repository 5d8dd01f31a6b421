/** Which of two versions is the older one, as people count them. */

/** Below 0: `a` is older. By their numbers from left to right; undefined: a date and a number, or no numbers. */
export function compareVersions(a: string | undefined, b: string | undefined): number | undefined {
  const [left, right] = [a, b].map((text) => text?.match(/\d+/g)?.map(Number) ?? [])
  if (!left?.length || !right?.length) return undefined
  const isDate = ([first = 0]: readonly number[]) => first >= 1900
  if (isDate(left) !== isDate(right)) return undefined
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
