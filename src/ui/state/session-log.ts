/**
 * What was done since the page was opened, line by line, for a report: developers' English, no file's bytes.
 * Jobs fill it (`job-log.ts`), an error offers to save it (`session-report.ts`); the first page needs neither.
 */

/** Older lines go. */
const mostLines = 2000

export class SessionLog {
  readonly #lines: string[] = []

  readonly add = (line: string): void => {
    this.#lines.push(`${new Date().toISOString()} ${line}`)
    if (this.#lines.length > mostLines) this.#lines.shift()
  }

  /** The lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines
  }
}

/** The error and what it came from, outermost first. */
export function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return typeof error === 'string' ? [error] : []
  return [`${error.name}: ${error.message}`, ...causes(error.cause)]
}
