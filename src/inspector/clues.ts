/** All clues, found by the names of their files, and what they say of an image together: surest first. */
import { bySurest, type Clue, type Statement, type Subject } from './clue.ts'

const found = import.meta.glob<Clue>('./*.clue.ts', { eager: true, import: 'default' })
export const clues: readonly Clue[] = Object.values(found)

/** Nobody reads more, and a hostile file may ask for any number. */
const mostStatements = 32
const mostEvidence = 8

export const statementsOn = (subject: Subject): readonly Statement[] =>
  clues
    .flatMap((clue) => clue(subject))
    .sort(bySurest)
    .filter(isNews)
    .slice(0, mostStatements)
    .map((one) => ({ ...one, evidence: one.evidence.slice(0, mostEvidence) }))

/** What code looks like is no news where a program was found, nor is a name where a surer one says more. */
function isNews(one: Statement, index: number, all: readonly Statement[]): boolean {
  const { code, confidence, values } = one
  if (code === 'machine-code')
    return !all.some((other) => other !== one && other.architecture && other.confidence !== 'possible')
  if (code !== 'firmware') return true
  const isSaid = (other: Statement) =>
    confidence === 'possible' || other.values['name']?.startsWith(values['name'] ?? '')
  return !all.slice(0, index).some((other) => other.code === code && isSaid(other))
}
