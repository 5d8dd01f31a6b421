/** gzip, one member: a file, packed, with a CRC-32 of it and mostly its name. Document: RFC 1952. */
import { refusing, startsWith, type Inside, type Wrapper } from './file-format.ts'
import { readUpTo, through } from './unpack.ts'

const name = 'gzip'
const headerBytes = 10
const Flag = { Extra: 0x04, Name: 0x08 } as const

const bad = refusing(name)

function unwrap(bytes: Uint8Array, fileName: string): Inside[] {
  if (!startsWith(bytes, '\x1f\x8b\x08')) throw bad('bad-magic', 0)
  if (bytes.length < headerBytes) throw bad('truncated', bytes.length)
  const own = fileName.replace(/\.tgz$/i, '.tar').replace(/\.gz$/i, '')
  return [{ name: storedName(bytes) ?? own, read: (mostBytes) => read(bytes, mostBytes) }]
}

function storedName(bytes: Uint8Array): string | undefined {
  const flags = bytes[3] as number
  if ((flags & Flag.Name) === 0) return undefined
  const extra =
    flags & Flag.Extra ? 2 + ((bytes[headerBytes] ?? 0) | ((bytes[headerBytes + 1] ?? 0) << 8)) : 0
  const start = headerBytes + extra
  const end = bytes.indexOf(0, start)
  return end <= start ? undefined : new TextDecoder('latin1').decode(bytes.subarray(start, end))
}

/** The platform checks CRC and size when it comes to the end. */
async function read(bytes: Uint8Array, mostBytes: number): Promise<Uint8Array> {
  try {
    return await readUpTo(through(bytes, new DecompressionStream('gzip')), mostBytes)
  } catch (cause) {
    throw bad('bad-compression', headerBytes, {}, cause)
  }
}

export default {
  id: 'gzip',
  name,
  magic: (bytes) => startsWith(bytes, '\x1f\x8b\x08'),
  names: /\.t?gz$/i,
  unwrap,
} satisfies Wrapper
