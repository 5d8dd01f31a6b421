/**
 * The fast part of reading UF2: a file as most tools write it, each block like the first and numbered one after another,
 * with nothing but data for the main flash. `uf2.format.ts` reads the others, and says what is wrong.
 */
import { Runs } from './runs.ts'

const blockBytes = 512
/** In words of 32 bits. */
const [blockWords, dataAt, mostPayload] = [128, 8, 119]
const familyIsGiven = 0x2000

export interface PlainUf2 {
  readonly runs: Runs
  /** -1: none is given. */
  readonly family: number
}

/** Undefined: it is another. */
export function readPlainUf2(file: Uint8Array): PlainUf2 | undefined {
  const count = file.length / blockBytes
  if (count === 0 || !Number.isInteger(count) || file.byteOffset % 4 !== 0) return undefined
  const words = new Int32Array(file.buffer, file.byteOffset, file.length >> 2) // signed ones stay small integers
  const [flags = 0, length = 0, family = 0] = [words[2], words[4], words[7]]
  const payload = length / 4
  if ((flags & ~familyIsGiven) !== 0 || !Number.isInteger(payload) || payload > mostPayload || payload < 0)
    return undefined
  const runs = new Runs(count * length)
  const into = new Int32Array(runs.bytes.buffer)
  let filled = 0
  for (let number = 0; number < count; number++) {
    const at = number * blockWords
    const isPlain =
      words[at] === 0x0a324655 &&
      words[at + 1] === (0x9e5d5157 | 0) &&
      words[at + 2] === flags &&
      words[at + 4] === length &&
      words[at + 5] === number &&
      words[at + 6] === count &&
      words[at + 7] === family &&
      words[at + 127] === 0x0ab16f30
    if (!isPlain) return undefined
    for (let from = at + dataAt, end = from + payload; from < end; from++)
      into[filled++] = words[from] as number
    runs.take((words[at + 3] as number) >>> 0, length)
  }
  return { runs, family: flags === familyIsGiven ? family >>> 0 : -1 }
}
