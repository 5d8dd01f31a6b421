/**
 * What is done to good files: changes that hurt binary formats (numbers, lengths, pieces lost and repeated), and for
 * formats in text also digits, with the checksums of the lines made right again, so that what is behind them is reached.
 */
import { concat } from '#core/bytes.ts'
import type { Random } from './random.ts'

/** A file changes at most so often. */
const mostChanges = 6
/** Pieces that are inserted or repeated are at most so long. */
const mostPiece = 64

const numbers = [0, 1, 2, 3, 4, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff]
const large = [0x8000_0000, 0xffff_ff00, 0xffff_fffe, 0xffff_ffff]
const digits = Array.from('0123456789abcdefABCDEF:S\r\n@q ', (digit) => digit.charCodeAt(0))

type Change = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array

const changed = (bytes: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array => {
  const copy = bytes.slice()
  change(copy)
  return copy
}

const put =
  (value: (random: Random) => number): Change =>
  (bytes, random) =>
    bytes.with(random.below(bytes.length), value(random))

const flipBit: Change = (bytes, random) => {
  const at = random.below(bytes.length)
  return bytes.with(at, (bytes[at] as number) ^ (1 << random.below(8)))
}

/** Of two or four bytes, little or big endian, aligned as fields are. */
const putNumber: Change = (bytes, random) =>
  changed(bytes, (copy) => {
    const width = random.of([2, 4])
    if (copy.length < width) return
    const at = random.below(Math.floor(copy.length / width)) * width
    const value = random.of([...numbers, ...large, copy.length, copy.length - at, copy.length + 1])
    const view = new DataView(copy.buffer)
    if (width === 2) view.setUint16(at, value, random.below(2) === 0)
    else view.setUint32(at, value, random.below(2) === 0)
  })

/** A number that is there becomes a little more or less. */
const nudge: Change = (bytes, random) =>
  changed(bytes, (copy) => {
    if (copy.length < 4) return
    const at = random.below(Math.floor(copy.length / 4)) * 4
    const view = new DataView(copy.buffer)
    const little = random.below(2) === 0
    view.setUint32(at, view.getUint32(at, little) + random.below(9) - 4, little)
  })

const piece = (bytes: Uint8Array, random: Random): [number, number] => {
  const from = random.below(bytes.length)
  return [from, Math.min(bytes.length, from + 1 + random.below(mostPiece))]
}

const cut: Change = (bytes, random) => bytes.subarray(0, random.below(bytes.length))
const remove: Change = (bytes, random) => {
  const [from, to] = piece(bytes, random)
  return concat(bytes.subarray(0, from), bytes.subarray(to))
}
const repeat: Change = (bytes, random) => {
  const [from, to] = piece(bytes, random)
  return concat(bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to))
}
const insert: Change = (bytes, random) => {
  const at = random.below(bytes.length)
  const more = Uint8Array.from({ length: 1 + random.below(8) }, () => random.below(256))
  return concat(bytes.subarray(0, at), more, bytes.subarray(at))
}
/** The beginning of one file, the end of another. */
const splice: Change = (bytes, random, others) => {
  const other = random.of(others)
  return concat(bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length)))
}
/** A whole line comes again, or at another place. */
const moveLine: Change = (bytes, random) => {
  const lines = linesOf(bytes)
  const line = random.of(lines)
  const at = random.below(lines.length)
  return concat(...lines.slice(0, at), line, ...lines.slice(at))
}

const changes: readonly Change[] = [
  ...[flipBit, flipBit, putNumber, putNumber, nudge, cut, remove, repeat, insert, splice, moveLine],
  put((random) => random.below(256)),
  put((random) => random.of(numbers) & 0xff),
  put((random) => random.of(digits)),
  put((random) => random.of(digits)),
]

/** One of `files`, changed; never empty. */
export function mutate(files: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = random.of(files)
  for (let left = 1 + random.below(mostChanges); left > 0; left--) {
    const next = random.of(changes)(bytes, random, files)
    if (next.length > 0) bytes = next
  }
  return isText(bytes) && random.below(2) === 0 ? withChecksums(bytes) : bytes
}

const isText = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x3a || (bytes[0] === 0x53 && (bytes[1] as number) < 0x3a)

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0x0a, from)
    const to = end < 0 ? bytes.length : end + 1
    lines.push(bytes.subarray(from, to))
    from = to
  }
  return lines
}

/** Each line of Intel HEX or S-records with the checksum that it ought to have. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder('latin1').decode(bytes)
  const right = text.replace(
    /^(:|S\d)((?:[0-9a-f]{2})+)[0-9a-f]{2}$/gim,
    (_, start: string, body: string) => {
      const sum = (body.match(/../g) ?? []).reduce((total, pair) => total + parseInt(pair, 16), 0)
      const check = start === ':' ? -sum : ~sum
      return start + body + (check & 0xff).toString(16).padStart(2, '0')
    },
  )
  return Uint8Array.from(right, (character) => character.charCodeAt(0))
}
