/**
 * The RP2040's own boot ROM (B1) was asked in an emulator, and its answers written down by `npm run witness -- --record
 * bootrom.ts`; the twin answers the same.
 */
import { expect, test } from 'vitest'
import answers from './rp2040-b1.answers.json'
import { scenarios } from './rp2040-scenarios.ts'
import { answersOf, differences, twinBench } from './rp2040.ts'

test('the twin answers as the ROM does', async () => {
  expect(Object.keys(answers)).toEqual(Object.keys(scenarios))
  expect(differences(answers, await answersOf(twinBench))).toEqual([])
})
