/** A share of the inputs, one after another; runs in a process of its own, so that one that hangs can be ended. */
import { fastest } from '#kernels/kernels.ts'
import type { Kept } from './corpus.ts'
import { mutate } from './mutate.ts'
import { countAllocations, outcomeOf } from './outcome.ts'
import { Random } from './random.ts'

export interface Share {
  readonly seed: number
  /** Numbers of inputs; each is made of its number and the seed alone. */
  readonly from: number
  readonly to: number
  readonly step: number
}

export type News =
  | { readonly done: number; readonly next: number }
  | { readonly kept: Kept }
  | { readonly broken: string; readonly input: number; readonly bytes: Uint8Array }

const perNews = 500
/** Files that unpack, fill or are large take a hundred times as long. */
const slow = /^(zip|gzip|tar|android|esp-flash)/
const seldom = 20

export async function fuzz(
  { seed, from, to, step }: Share,
  corpus: readonly Kept[],
  tell: (news: News) => void,
): Promise<void> {
  const kernels = await fastest()
  const [known, quick, slowly] = [new Map<string, number>(), [] as Uint8Array[], [] as Uint8Array[]]
  for (const { outcome, bytes } of corpus) {
    known.set(outcome, bytes.length)
    if (bytes.length > 0) (slow.test(outcome) ? slowly : quick).push(bytes)
  }
  countAllocations()
  Error.stackTraceLimit = 0 // most inputs are refused, and the traces would take most of the time
  let done = 0
  for (let input = from; input < to; input += step) {
    const random = new Random(Math.imul(seed ^ input, 0x9e37_79b1) ^ (input / 7))
    const bytes = mutate(slowly.length > 0 && input % seldom === 0 ? slowly : quick, random)
    try {
      const options =
        random.below(4) === 0 ? { part: random.of(['0', '1', 'rp2040', '0/0']), base: 0x100 } : {}
      const outcome = await outcomeOf(bytes, kernels, random, options)
      if (!('part' in options) && bytes.length < (known.get(outcome) ?? Infinity)) {
        known.set(outcome, bytes.length)
        tell({ kept: { outcome, bytes } })
      }
    } catch (error) {
      tell({ broken: String(error), input, bytes })
    }
    if (++done === perNews) {
      tell({ done, next: input + step })
      done = 0
    }
  }
  tell({ done, next: to })
}
