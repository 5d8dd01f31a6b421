/** A text as a QR code (ISO/IEC 18004), as numbers and path data: the screen builds the SVG, no HTML text is made. */

export interface QrSvg {
  /** Width and height in modules, quiet zone included: the `viewBox` is `0 0 size size`. */
  readonly size: number
  /** `d` of one `path` that fills all dark modules. */
  readonly path: string
}

/** Bytes in the largest code at the lowest error correction. */
const mostBytes = 2953
const quietZone = 4

/** Undefined: too long for a QR code. */
export async function qrSvg(text: string): Promise<QrSvg | undefined> {
  if (new TextEncoder().encode(text).length > mostBytes) return undefined
  const { encode } = await import('uqr')
  const { data, size } = encode(text, { ecc: 'L', boostEcc: true, border: quietZone })
  const runs = data.flatMap((row, y) =>
    row.flatMap((isDark, x) => {
      if (!isDark || row[x - 1]) return []
      const end = row.indexOf(false, x)
      return `M${x} ${y}h${(end < 0 ? size : end) - x}v1H${x}z`
    }),
  )
  return { size, path: runs.join('') }
}
