/** Versions as people read them: a firmware by its name and version, and which of two is the older one. */

/** `USBasp 1.11`; once only where the name has the version in it. */
export const firmwareName = ({ name, version }: { name: string; version?: string | undefined }): string =>
  !version || name.split(/[^\w.-]+/).includes(version) ? name : `${name} ${version}`

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
