/** The job's steps and what came of each, in one line. */
import { hexBytes } from '#core/bytes.ts'
import type { Check, Fact } from '#core/programmer.ts'
import { firmwareName } from '#core/versions.ts'
import { isUnread } from '#jobs/certificate.ts'
import type { ProofResult } from '#jobs/prove.ts'
import type { JobView, Running, StepName, WayView } from '#jobs/view.ts'
import type { Backup } from '#store/backups.ts'
import { stageOf, type JournalEntry, type Outcome, type Stage, type Wanted } from '#store/journal.ts'
import { lockedNames, memoryName } from './facts.ts'
import { count, moment, size } from './format.ts'
import { m } from './generated/messages.js'
import { operationText } from './operations.ts'

const names: Record<StepName, () => string> = {
  connect: m.step_connect,
  'back-up': m.step_back_up,
  choose: m.step_choose,
  check: m.step_check,
  plan: m.step_plan,
  write: m.step_write,
  prove: m.step_prove,
}

export const stepName = (name: StepName): string => names[name]()

/** What is to be written, by what it says of itself, else by its file's name. */
export const wantedName = ({ firmware, source }: Pick<Wanted, 'firmware' | 'source'>): string =>
  firmware ? firmwareName(firmware) : source.name

const interruptions = {
  chosen: { title: m.interrupted_chosen, what: m.interrupted_chosen_what },
  writing: { title: m.interrupted, what: m.interrupted_what },
  written: { title: m.interrupted_written, what: m.interrupted_written_what },
} satisfies Record<Stage, unknown>

/** What became of a job that was not seen to end. */
export function interruption(entry: JournalEntry): { title: string; what: string } {
  const { patient, programmer, startedAt, wanted, instead, acknowledged } = entry
  const name = wantedName(wanted)
  const { title, what } = interruptions[stageOf(entry)]
  return {
    title: title({ name, programmer, chip: patient.chip }),
    what: [
      what({ name, time: moment(startedAt) }),
      ...(acknowledged.length > 0
        ? [
            m.interrupted_not_saved({
              memories: acknowledged.map(({ memory }) => memoryName(memory)).join(', '),
            }),
          ]
        : []),
      ...(instead ? [m.interrupted_instead({ name: wantedName(instead.wanted) })] : []),
    ].join(' '),
  }
}

/** Whether it was a write of nothing. */
export const wroteNothing = (written: Pick<Outcome, 'erase' | 'programmedBytes'>): boolean =>
  written.erase === 'none' && written.programmedBytes === 0

/** The patient holds what is wanted already. Of a write that was broken off, the rest may be nothing too; that is not meant. */
export const isThereAlready = ({ plan, outcome, halfWritten }: JobView): boolean =>
  outcome ? wroteNothing(outcome) : !halfWritten && plan?.erase === 'none' && plan.programBytes === 0

/** What is known of the patient, with what was written since it was met. */
export const factsNow = ({ patient, plan, outcome }: JobView): readonly Fact[] =>
  (patient?.facts ?? []).map((fact) => {
    const { name } = fact
    const written = name === 'fuses' || name === 'lock' ? outcome && plan?.expected.get(name) : undefined
    return written ? { ...fact, value: hexBytes(written) } : fact
  })

/** A chip that was read once more, by the firmware that was recognised in it. */
export function readAgainText(facts: readonly Fact[]): string {
  const firmware = facts.findLast(({ name }) => name === 'firmware')?.value
  return firmware === undefined ? m.result_prove_read() : m.result_prove_read_firmware({ firmware })
}

function proofText({ kind, found, facts }: ProofResult): string {
  if (kind === 'none') return m.result_prove_none()
  return kind === 'read-again' ? readAgainText(facts) : found
}

const results: Record<StepName, (view: JobView) => string | undefined> = {
  connect: ({ next, programmer, patient }) => {
    if (next === 'replug') return m.result_connect_out()
    if (!programmer) return undefined
    const { model } = programmer
    return patient?.to === 'target'
      ? m.result_connect_target({ model, chip: patient.chip })
      : [model, patient?.chip].filter(Boolean).join(', ')
  },
  'back-up': ({ backup }) => backup && backupText(backup),
  choose: ({ wanted }) => wanted && wantedName(wanted),
  check: ({ checks }) => checks && countChecks(checks),
  plan: (view) =>
    isThereAlready(view)
      ? m.result_plan_nothing()
      : view.plan && m.result_plan({ bytes: size(view.plan.programBytes) }),
  write: ({ outcome }) =>
    outcome &&
    (isUnread(outcome)
      ? m.result_write_unread({ bytes: size(outcome.programmedBytes) })
      : m.result_write({ bytes: size(outcome.verifiedBytes) })),
  prove: ({ proof }) => proof && proofText(proof),
}

function backupText({ memories, unreadable }: Backup): string {
  const bytes = size(memories.reduce((sum, { length }) => sum + length, 0))
  const locked = lockedNames(unreadable)
  if (memories.length === 0) return m.result_backup_nothing({ memories: locked })
  return locked ? m.result_backup_locked({ bytes, memories: locked }) : m.result_backup({ bytes })
}

/** Done, but without what the step is for. */
const isPartly: Partial<Record<StepName, (view: JobView) => boolean>> = {
  connect: ({ next }) => next === 'replug',
  'back-up': ({ backup }) => lockedNames(backup?.unreadable ?? []) !== '',
  prove: ({ proof }) => proof?.kind === 'none',
}

function countChecks(checks: readonly Check[]): string {
  const number = (result: Check['result']) => checks.filter((check) => check.result === result).length
  const refused = number('refused')
  const warnings = number('warning')
  if (refused > 0) return m.result_check_refused({ count: count(refused) })
  const passed = { passed: count(number('passed')) }
  return warnings > 0
    ? m.result_check_warnings({ ...passed, warnings: count(warnings) })
    : m.result_check(passed)
}

export function jobSteps(view: JobView, atHand: StepName, order: readonly StepName[]) {
  return order.map((name) => {
    const isNow = name === atHand && view.next !== 'nothing'
    return {
      name,
      label: stepName(name),
      result: results[name](view),
      state: isNow
        ? view.error && !view.error.is('cancelled')
          ? ('failed' as const)
          : ('now' as const)
        : view.done.includes(name)
          ? isPartly[name]?.(view)
            ? ('partly' as const)
            : ('done' as const)
          : ('todo' as const),
    }
  })
}

const ways: Record<`${WayView['to']} by ${WayView['by']}`, () => string> = {
  'target by isp': m.way_target_isp,
  'itself by isp': m.way_itself_isp,
  'target by swd': m.way_target_swd,
  'itself by swd': m.way_itself_swd,
  'target by jtag': m.way_target_jtag,
  'itself by jtag': m.way_itself_jtag,
  'itself by configuration': m.way_itself_configuration,
  'target by configuration': m.way_itself_configuration,
  'itself by bootloader': m.way_itself_bootloader,
  'target by bootloader': m.way_target_bootloader,
}
export const wayText = ({ to, by }: WayView): string => ways[`${to} by ${by}`]()

/** The line whose clock it is, as it is printed beside the pin. */
const clockLines: Readonly<Record<WayView['by'], string>> = {
  ...{ isp: 'SCK', swd: 'SWCLK', jtag: 'TCK' },
  ...{ bootloader: '', configuration: '' },
}
export const clockText = ({ by }: WayView): string => m.connect_speed({ line: clockLines[by] })

/** `1.5 MHz`, `93.75 kHz`, `500 Hz`. */
export function speedText(hz: number): string {
  const [divisor, unit] = hz >= 1e6 ? [1e6, 'MHz'] : hz >= 1e3 ? [1e3, 'kHz'] : [1, 'Hz']
  return `${count(hz / divisor)} ${unit}`
}

/** What a screen reader is told while something runs: each operation once, and its quarters; at its end, nothing again. */
export function announcement(event: Running['event']): string {
  if (!event) return ''
  const quarter = event.total ? Math.floor((event.done / event.total) * 4) * 25 : 0
  const what = operationText(event.path)
  if (quarter >= 100) return ''
  return quarter > 0 ? m.job_announce({ what, percent: String(quarter) }) : what
}
