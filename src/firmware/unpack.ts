/** Unpacking as much as is asked for and no more, whatever a packed file says of its size. */
import { concat } from '#core/bytes.ts'

/** The beginning of a stream; the rest of it is let go. */
export async function readUpTo(stream: ReadableStream<Uint8Array>, mostBytes: number): Promise<Uint8Array> {
  const reader = stream.getReader()
  const parts: Uint8Array[] = []
  for (let left = mostBytes; left > 0;) {
    const { done, value } = await reader.read()
    if (done) return concat(...parts)
    parts.push(value.subarray(0, left))
    left -= value.length
  }
  await reader.cancel()
  return concat(...parts)
}

export const through = (
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
): ReadableStream<Uint8Array> => new Blob([bytes as BlobPart]).stream().pipeThrough(stream)
