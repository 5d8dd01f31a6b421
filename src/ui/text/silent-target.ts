/**
 * What to do about a target that does not answer, in the words of the tool that reaches it: its wires, its power, its
 * speed, and what new fuses may have done.
 */
import type { FuseDanger } from '#chips/avr-fuses.ts'
import type { Way } from '#core/programmer.ts'
import type { Consequence } from '#jobs/plan.ts'
import type { JobView } from '#jobs/view.ts'
import { m } from './generated/messages.js'
import { isSheet, type SheetId } from './rescue.ts'

export interface TargetSituation {
  /** The protocol folder of what reaches the patient; its wires and speeds are told as they are. */
  readonly tool?: string | undefined
  /** How the patient is reached; undefined: it was not met yet. */
  readonly by?: Way['by'] | undefined
  /** ISO 8601; absent: there is no backup of this patient. */
  readonly backupAt?: string | undefined
  /** The patient is brought back by another programmer already. */
  readonly rescuing?: boolean
  /** Dangerous changes of fuses that may have been written: what a chip that falls silent then is most likely due to. */
  readonly fuses?: readonly Pick<Consequence, 'values'>[] | undefined
  /** What the patient is, as its protocol calls it; its sheet is shown to whoever has lost it. */
  readonly family?: string | undefined
}

/** Dangerous changes that a job wrote, or may have begun to. */
export const fusesWritten = ({
  halfWritten,
  outcome,
  plan,
}: Pick<JobView, 'halfWritten' | 'outcome' | 'plan'>): readonly Consequence[] =>
  halfWritten || outcome ? (plan?.consequences.filter(({ code }) => code === 'fuse-danger') ?? []) : []

interface SilentTarget {
  readonly happened: string
  readonly now: readonly string[]
  readonly sheet?: SheetId | undefined
  /** No other try can reach it. */
  readonly isLost?: boolean
}

/** What a tool's own parts are called: only a USBasp has jumpers, only a sketch can be loaded with another speed. */
interface ToolHelp {
  readonly wires: () => string
  readonly power: () => string
  /** What a target may need to be reached at all. */
  readonly jumper: () => string
  readonly slow: () => string
  /** For a target that was slowed down by its new fuses. */
  readonly slowed: () => string
  /** What keeps a target silent on purpose, and what that costs. */
  readonly closed?: () => string
}

const usbaspHelp: ToolHelp = {
  wires: m.error_target_missing_now_cable,
  power: m.error_target_missing_now_power,
  jumper: m.error_target_missing_now_usbasp,
  slow: m.error_target_missing_now_slow,
  slowed: m.error_target_fuses_now_slow,
}
const debugWiresHelp: ToolHelp = {
  wires: m.error_target_missing_now_swd,
  power: m.error_target_missing_now_power_swd,
  jumper: m.error_target_missing_now_boot0,
  slow: m.error_target_missing_now_slow_swd,
  slowed: m.error_target_missing_now_slow_swd, // it has no fuses
  closed: m.error_target_missing_now_crp,
}
const toolHelp: Readonly<Record<string, ToolHelp>> = {
  usbasp: usbaspHelp,
  stk500: {
    wires: m.error_target_missing_now_wires,
    power: m.error_target_missing_now_power_uno,
    jumper: m.error_target_missing_now_usbasp,
    slow: m.error_target_missing_now_sketch,
    slowed: m.error_target_fuses_now_sketch,
  },
  'cmsis-dap': debugWiresHelp,
  stlink: debugWiresHelp,
  jlink: debugWiresHelp,
}
export function toolOf({ tool = '', by }: TargetSituation): ToolHelp {
  const help = toolHelp[tool] ?? usbaspHelp
  return help === debugWiresHelp && by === 'jtag' ? { ...help, wires: m.error_target_missing_now_jtag } : help
}

/** `happened`: unless new fuses may be why. */
export function silentTarget(situation: TargetSituation, happened: string): SilentTarget {
  return shutOut(situation) ?? { happened, ...missingTarget(situation) }
}

function missingTarget(situation: TargetSituation): Pick<SilentTarget, 'now' | 'sheet'> {
  const { wires, power, jumper, slow, closed } = toolOf(situation)
  const { tool, backupAt, rescuing } = situation
  const isAlone = tool === 'usbasp' && backupAt === undefined && !rescuing
  return {
    now: [
      ...(isAlone ? [m.error_target_missing_now_itself()] : []),
      ...[wires(), power(), jumper(), slow()],
      ...(closed ? [closed()] : []),
    ],
    sheet: isAlone ? 'usbasp' : undefined,
  }
}

/** Undefined: no fuse that this job may have written can be why the chip is silent. */
export function shutOut(situation: TargetSituation): (SilentTarget & { bits: string }) | undefined {
  const { fuses = [], family } = situation
  const dangers = (Object.keys(afterFuse) as (keyof typeof afterFuse)[]).filter((danger) =>
    fuses.some(({ values }) => values['danger'] === danger),
  )
  const [worst] = dangers
  if (!worst) return undefined
  const bits = fuses
    .flatMap(({ values: { bit = '', danger = '' } }) => (danger in afterFuse ? [bit] : []))
    .join(', ')
  const now = worst === 'lost' ? [worst] : dangers // where ISP is lost, no clock brings it back
  return {
    happened: m.error_target_fuses({ fuses: bits }),
    now: now.map((danger) => afterFuse[danger](toolOf(situation))),
    sheet: isSheet(family) ? family : undefined,
    isLost: worst === 'lost',
    bits,
  }
}

/** The worst first; other dangers leave a chip within reach. */
const afterFuse = {
  lost: () => m.error_target_fuses_now_lost(),
  clock: () => m.error_target_fuses_now_clock(),
  slow: ({ slowed }) => slowed(),
  supply: () => m.error_target_fuses_now_supply(),
} satisfies Partial<Record<FuseDanger, (tool: ToolHelp) => string>>

/** All ones, all zeros or the echo 00 01 02: what a dead line or a locked chip gives as a signature. */
export const isNonsense = (signature: string): boolean =>
  /^(ff){3}$|^(00){3}$|^000102$/i.test(signature.replace(/[^0-9a-f]/gi, ''))

/** Nothing but a debug port: what is behind it does not answer. */
export const isPortAlone = (signature: string): boolean => /^0x[0-9a-f]{4}_[0-9a-f]{4}$/.test(signature)
