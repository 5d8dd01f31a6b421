/**
 * The words on the screen, from the message catalogue: a story names what a person reads, and a better
 * sentence needs no change in a story.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { m } from '../../src/ui/text/generated/messages.js'

/** A sentence with gaps, `{name}`; one with a plural has a line for each form. */
export type Words = Readonly<Record<keyof typeof m, string>>

type Message = string | readonly [{ readonly match: Readonly<Record<string, string>> }]

function wordsOf(language: string): Words {
  const folder = join(import.meta.dirname, '../../src/ui/text', language)
  const areas = readdirSync(folder).map(
    (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, Message>,
  )
  const messages = areas.flatMap((area) => Object.entries(area))
  return Object.fromEntries(
    messages.map(([key, text]) => [
      key,
      typeof text === 'string' ? text : Object.values(text[0].match).join('\n'),
    ]),
  ) as Words
}

export const en = wordsOf('en')
export const de = wordsOf('de')

/** A sentence as it may stand on the screen, in any of its forms; a gap that is not given may be anything. */
export function like(sentence: string, gaps: Readonly<Record<string, string>> = {}): RegExp {
  const forms = sentence.split('\n').map((form) =>
    form
      .split(/\{(\w+)\}/)
      .map((part, i) => (i % 2 === 0 ? literal(part) : part in gaps ? literal(gaps[part] ?? '') : '.+?'))
      .join(''),
  )
  return new RegExp(forms.join('|'))
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
