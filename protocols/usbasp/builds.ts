/**
 * The USBasp firmwares that were published, by the version their device descriptor carries. 1.02 is missing,
 * because it is fischl's of 2007, a clone's factory firmware or a boot loader; 1.07, 1.08 and 1.10 exist in
 * several builds. Source: changelogs and images of the repositories in `catalogue.json`.
 */
export const builds: Readonly<Record<string, string>> = {
  '1.03': 'fischl 2009-02-28',
  '1.04': 'fischl 2011-05-28',
  '1.05': 'unofficial 1.5',
  '1.06': 'nerdralph 1.06',
  '1.07': 'nerdralph 1.07',
  '1.08': 'nerdralph 1.08',
  '1.09': 'dioannidis 1.09',
  '1.10': 'dioannidis 1.10',
  '1.11': 'dioannidis 1.11',
}

/** The strings of the original; those of others are in `identity.ts`. */
export const originalMaker = 'www.fischl.de'
export const originalProduct = 'USBasp'

/** What every practice image holds as plain text. */
export const practiceMark = 'practice image, not a firmware\0\0'

/** Chips that a USBasp was ever made with. */
export const boards: readonly string[] = ['8', '48', '48P', '88', '88P', '168', '168P', '328', '328P'].map(
  (name) => `ATmega${name}`,
)
