import type { Fact } from '#core/programmer.ts'
import type { JobView } from '#jobs/view.ts'
import { causes, type SessionLog } from './session-log.ts'

/** What a job's new snapshot says that the one before did not. */
export function logChanges(log: SessionLog, view: JobView, before: JobView): void {
  const { programmer, patient, running, error, next } = view
  const doing = (one: JobView) => one.running?.event?.path.filter(Boolean).join(' ')
  if (programmer && programmer !== before.programmer)
    log.add(`programmer ${programmer.model}, ${factsText(programmer.facts)}`)
  if (patient && patient !== before.patient)
    log.add(`patient ${patient.chip} by ${patient.by}, ${factsText(patient.facts)}`)
  if (running && doing(view) !== doing(before)) log.add(doing(view) ?? running.step)
  if (running && running.phase !== before.running?.phase) log.add(`phase ${running.phase}`)
  if (error && error !== before.error) for (const line of causes(error)) log.add(line)
  if (next !== before.next) log.add(`next ${next}`)
}

const factsText = (facts: readonly Fact[]): string =>
  facts.map(({ name, value }) => `${name} ${value}`).join(', ')
