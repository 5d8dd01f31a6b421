/**
 * What was done since the page was opened, line by line, for a report: developers' English, no file's bytes. It
 * leaves the page only as a file that the user saves.
 */
import type { FlashError } from '#core/errors.ts'
import type { Fact } from '#core/programmer.ts'
import { saveFile } from '#host/download.ts'
import { browserName } from '#host/platform.ts'
import type { JobView } from '#jobs/view.ts'

/** Older lines go. */
const mostLines = 2000

export class SessionLog {
  readonly #lines: string[] = []

  readonly add = (line: string): void => {
    this.#lines.push(`${new Date().toISOString()} ${line}`)
    if (this.#lines.length > mostLines) this.#lines.shift()
  }

  /** What a job's new snapshot says that the one before did not. */
  follow(view: JobView, before: JobView): void {
    const { programmer, patient, running, error, next } = view
    const doing = (one: JobView) => one.running?.event?.path.filter(Boolean).join(' ')
    if (programmer && programmer !== before.programmer)
      this.add(`programmer ${programmer.model}, ${factsText(programmer.facts)}`)
    if (patient && patient !== before.patient)
      this.add(`patient ${patient.chip} by ${patient.by}, ${factsText(patient.facts)}`)
    if (running && doing(view) !== doing(before)) this.add(doing(view) ?? running.step)
    if (running && running.phase !== before.running?.phase) this.add(`phase ${running.phase}`)
    if (error && error !== before.error) for (const line of causes(error)) this.add(line)
    if (next !== before.next) this.add(`next ${next}`)
  }

  /** The lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines
  }
}

const factsText = (facts: readonly Fact[]): string =>
  facts.map(({ name, value }) => `${name} ${value}`).join(', ')

/** The error and what it came from, outermost first. */
function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return typeof error === 'string' ? [error] : []
  return [`${error.name}: ${error.message}`, ...causes(error.cause)]
}

export function logText({ lines }: SessionLog, error: FlashError): string {
  return [`Reflasher ${__BUILD__}`, browserName(), ...lines, 'shown:', ...causes(error), ''].join('\n')
}

export function saveLog(log: SessionLog, error: FlashError): void {
  const time = new Date().toISOString().slice(0, 16).replace(/[T:]/g, '-')
  saveFile(`reflasher-log-${time}.txt`, new Blob([logText(log, error)], { type: 'text/plain' }))
}
