/** What the fuzzer found once stays as it was found. */
import { describe, expect, it } from 'vitest'
import { formats } from '#firmware/formats.ts'
import { fastest } from '#kernels/kernels.ts'
import { corpus } from './corpus.ts'
import { outcomeOf } from './outcome.ts'
import { Random } from './random.ts'

const kept = corpus()

describe('the corpus', () => {
  it.each(kept)('$outcome', async ({ outcome, bytes }) => {
    expect(await outcomeOf(bytes, await fastest(), new Random(1))).toBe(outcome)
  })

  it.each(formats.map(({ name }) => name))('has a good %s', (name) => {
    const part = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
    expect(kept.filter(({ outcome }) => outcome.includes('.read') && outcome.includes(part))).not.toEqual([])
  })
})
