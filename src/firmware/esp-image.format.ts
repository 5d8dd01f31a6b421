/**
 * ESP image, what the boot loader in an Espressif chip's ROM starts. It is written as it is, at an offset that
 * depends on what it is, so its bytes stay a raw binary; what it says of itself becomes claims.
 */
import { parseBinary } from './binary.format.ts'
import { espImage, Magic, mostSegments, readEspImage } from './esp-image.ts'
import type { FileFormat } from './file-format.ts'

/** Magic, a count of segments, one of four modes, and an entry where these chips have their code. */
function hasEspHeader(head: string): boolean {
  const [first, count, mode, entry] = [0, 1, 2, 7].map((at) => head.charCodeAt(at)) as [
    number,
    number,
    number,
    number,
  ]
  const isCounted = first === Magic.Esp8266V2 ? count === 4 : count >= 1 && count <= mostSegments
  const isImage = first === Magic.Image || first === Magic.Esp8266V2
  return isImage && isCounted && mode <= 3 && entry >> 4 === 4
}

export default {
  id: 'esp-image',
  name: espImage,
  shape: hasEspHeader,
  async parse(bytes, { base }) {
    const claims = await readEspImage(bytes)
    return { ...parseBinary(bytes, base), format: espImage, claims }
  },
} satisfies FileFormat
