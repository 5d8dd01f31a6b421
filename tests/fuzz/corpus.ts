/**
 * The kept inputs: one, as small as was found, for each way in which reading can end, and named after it; behind a ~ what
 * was put there by hand.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const corpusFolder = join(import.meta.dirname, 'corpus')

export interface Kept {
  readonly outcome: string
  readonly bytes: Uint8Array
}

export const corpus = (): Kept[] =>
  readdirSync(corpusFolder).map((file) => ({
    outcome: file.replace(/(~.*)?\.bin$/, ''),
    bytes: Uint8Array.from(readFileSync(join(corpusFolder, file))),
  }))
