/** The arithmetic of the texture strip: fewer cells where there is less room, and how many of each kind. */
import type { TextureCell, TextureKind } from '#inspector/texture.ts'

/** In order of attention: of several blocks in one bar the last of these is shown. */
export const textureKinds = ['blank', 'data', 'text', 'code', 'random'] as const satisfies TextureKind[]

/** At most as many, each from as many neighbours; what most of its bytes are is what it is. */
export function grouped(cells: readonly TextureCell[], most: number): TextureCell[] {
  const each = Math.ceil(cells.length / Math.max(1, most))
  if (each <= 1) return [...cells]
  return Array.from({ length: Math.ceil(cells.length / each) }, (_, i) =>
    joined(cells.slice(i * each, i * each + each)),
  )
}

function joined(cells: readonly TextureCell[]): TextureCell {
  const [first, last] = [cells[0], cells.at(-1)] as [TextureCell, TextureCell]
  const sum = (of: (cell: TextureCell) => number, among = cells) =>
    among.reduce((total, cell) => total + of(cell), 0)
  const length = sum((cell) => cell.length)
  const lengthOf = (kind: TextureKind) =>
    sum(
      (cell) => cell.length,
      cells.filter((cell) => cell.kind === kind),
    )
  const kind = textureKinds.reduce((most, one) => (lengthOf(one) >= lengthOf(most) ? one : most))
  const code = kind === 'code' ? cells.find((cell) => cell.kind === 'code')?.code : undefined
  return {
    address: first.address,
    last: last.last,
    length,
    kind,
    entropy: sum((cell) => cell.entropy * cell.length) / length,
    blankBytes: sum((cell) => cell.blankBytes),
    ...(code !== undefined && { code }),
  }
}

/** How many cells there are of each kind that occurs. */
export const countKinds = (cells: readonly TextureCell[]): readonly (readonly [TextureKind, number])[] =>
  textureKinds.flatMap((kind) => {
    const count = cells.filter((cell) => cell.kind === kind).length
    return count > 0 ? [[kind, count] as const] : []
  })
