import { expect, test } from 'vitest'
import type { KnownFirmware } from '#core/programmer.ts'
import type { Statement } from '#inspector/clue.ts'
import { avrProgram } from '#inspector/test-firmware.ts'
import { lookInto, verdictOn, whatItIs } from './what-it-is.ts'

const firmware: KnownFirmware = {
  ...{ family: 'usbasp', name: 'USBasp', version: '1.04', confidence: 'certain' },
  evidence: ['"USBasp" at 0x0044', 'version word 8.3 at 0x0001_fffe', 'vector table of ATmega8'],
}
const marks = (family?: string): Statement => ({
  ...{ code: 'firmware', confidence: 'certain', evidence: [] },
  values: { name: 'marks', version: '', ...(family && { family }) },
})

test('what a protocol knows stands for the marks of its family, with the places in its words', () => {
  const [first, ...others] = whatItIs([marks('usbasp'), marks()], firmware, undefined)
  expect(first).toEqual({
    code: 'firmware',
    confidence: 'certain',
    values: { name: 'USBasp', version: '1.04' },
    evidence: [
      { code: 'recognised', values: { text: '"USBasp"' }, at: { address: 0x44, length: 1 } },
      { code: 'recognised', values: { text: 'version word 8.3' }, at: { address: 0x1fffe, length: 1 } },
      { code: 'recognised', values: { text: 'vector table of ATmega8' } },
    ],
  })
  expect(others).toEqual([marks()])
})

test('a published image is told first, a guess last', () => {
  const guess: Statement = { code: 'version', confidence: 'possible', values: {}, evidence: [] }
  const known = { name: 'USBasp', version: '1.4', chip: 'ATmega8' }
  const told = whatItIs([guess], { ...firmware, confidence: 'likely' }, known)
  expect(told.map(({ code }) => code)).toEqual(['published', 'firmware', 'version'])
})

test('a memory of a backup is looked into', async () => {
  const { statements, texture } = await lookInto({ address: 0, bytes: avrProgram(19, 2, 4096) }, undefined)
  expect(statements.map(({ code }) => code)).toEqual(['avr-program', 'avr-chips'])
  expect(texture).toHaveLength(16)
})

const said = (code: Statement['code'], confidence: Statement['confidence'] = 'certain'): Statement => ({
  ...{ code, confidence, values: {}, evidence: [] },
})

test('in a word: what it is, and for what; nothing; or that nothing tells', () => {
  const program = said('avr-program', 'likely')
  const chips = said('avr-chips', 'likely')
  expect(verdictOn([said('version'), program, chips])).toEqual({
    kind: 'likely',
    what: program,
    isFor: chips,
  })
  expect(verdictOn([program, said('avr-chips', 'possible')])).toMatchObject({ isFor: undefined })
  expect(verdictOn([said('published'), chips])).toMatchObject({ kind: 'certain', isFor: undefined })
  expect(verdictOn([said('only-blank')])).toEqual({ kind: 'blank' })
  expect(verdictOn([said('no-pattern'), said('version')])).toEqual({ kind: 'unknown' })
  expect(verdictOn([])).toEqual({ kind: 'unknown' })
})
