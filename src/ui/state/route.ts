/** Hash routes: `#/library/3f2a?x=1` is the name `library`, the part `3f2a`, the query `x=1`. */

export const screenNames = [
  'bench',
  'job',
  'library',
  'images',
  'links',
  'rescue',
  'settings',
  'certificate',
] as const
export type ScreenName = (typeof screenNames)[number]

export interface Route {
  readonly screen: ScreenName
  /** What comes after the screen's name: an id. */
  readonly part: string | undefined
  /** The whole hash, for what parses it itself (firmware links). */
  readonly hash: string
}

export function parseRoute(hash: string): Route {
  const [path = ''] = hash.replace(/^#\/?/, '').split('?')
  const [name = '', part] = path.split('/')
  if (name === 'flash') return { screen: 'bench', part: 'flash', hash }
  const screen = screenNames.find((one) => one === name) ?? 'bench'
  return { screen, part: part || undefined, hash }
}
