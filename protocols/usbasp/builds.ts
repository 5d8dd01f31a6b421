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

/** bcdDevice as people write it: [1, 0, 4] is 1.04. */
export const versionText = ([major, minor, sub]: readonly [number, number, number]): string =>
  `${String(major)}.${String(minor)}${String(sub)}`

/** The strings of the original, and those under which others publish the same firmware. */
export const originalMaker = 'www.fischl.de'
export const originalProduct = 'USBasp'

/** What every practice image holds as plain text. */
export const practiceMark = 'practice image, not a firmware\0\0'
