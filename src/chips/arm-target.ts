/**
 * An Arm chip at the end of debug wires as a patient: met by whichever family it belongs to, held still, and let go again.
 * Which chips there are, nobody here knows: each family is a file (`arm-family.ts`).
 */
import { hex } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type {
  Check,
  ChipErase,
  Contents,
  Fact,
  Memory,
  Notice,
  Patient,
  Unreadable,
} from '#core/programmer.ts'
import { readMaker, type ArmChip, type ArmFamily, type Met } from './arm-family.ts'
import { CortexM } from './cortex-m.ts'
import { readWord, type ArmProbe } from './target-memory.ts'

const familyFiles = import.meta.glob<ArmFamily>(['./family-*.ts', '!./*.test.ts'], { import: 'default' })

/**
 * Goes to the chip behind a probe: as it is, or held in reset where its program has turned the debug lines off. It stands
 * still until it is let go. Without `speedHz` slower and slower, until it answers.
 * @throws `target-missing` · `target-unknown`
 */
export async function connectArm(probe: ArmProbe, ctx: Context, speedHz?: number): Promise<Patient> {
  const families = await Promise.all(Object.values(familyFiles).map((load) => load()))
  let held: Held | undefined
  let chip: ArmChip | undefined
  try {
    held = await enter(probe, speedHz === undefined ? probe.ownChoicesHz : [speedHz], ctx)
    chip = await whichOf(families, held, ctx)
    return await ArmTarget.hold(held, chip, ctx)
  } catch (error) {
    const hasChanged = chip?.hasChanged ?? false
    const leaving = held ? letGo(held, { hasChanged }) : probe.leave(ctx)
    await leaving.catch((failure: unknown) => {
      ctx.log(`letting the target go failed: ${String(failure)}`) // the first error says more
    })
    throw error
  }
}

interface Held extends Met {
  readonly probe: ArmProbe
  readonly speedHz: number
  readonly wasRunning: boolean
  /** For letting it go, which no cancel may stop. */
  readonly forLeaving: Context
}

async function enter(probe: ArmProbe, speeds: readonly number[], ctx: Context): Promise<Held> {
  const forLeaving = new Context({ clock: ctx.clock, log: ctx.log })
  const metAt = async (speedHz: number) => {
    const memory = await probe.enter(speedHz, ctx)
    const reset = (asserted: boolean, within: Context) => probe.reset(asserted, within)
    return { probe, memory, core: new CortexM(memory), speedHz, forLeaving, reset }
  }
  for (const speedHz of speeds)
    try {
      const met = await metAt(speedHz)
      const cpuid = await cpuidIfOpen(met.core, ctx)
      const wasRunning = cpuid !== undefined && !(await met.core.isHalted(ctx))
      return { ...met, cpuid, wasRunning }
    } catch (error) {
      if (!isFlashError(error, 'target-missing')) throw error
      ctx.log(`nobody answers at ${String(speedHz)} Hz`)
    }
  await probe.reset(true, ctx)
  try {
    const met = await metAt(speeds.at(-1) ?? 0)
    const cpuid = await cpuidIfOpen(met.core, ctx)
    if (cpuid !== undefined) await met.core.catchReset(ctx)
    return { ...met, cpuid, wasRunning: cpuid !== undefined }
  } finally {
    await probe.reset(false, ctx)
  }
}

/** It runs until it is known. */
async function whichOf(families: readonly ArmFamily[], held: Held, ctx: Context): Promise<ArmChip> {
  for (const family of families) {
    const chip = await family.meet(held, ctx)
    if (chip) return chip
  }
  throw new FlashError('target-unknown', { signature: await signature(held, ctx) })
}

/** Undefined: its debug port answers, and what is behind is closed. */
async function cpuidIfOpen(core: CortexM, ctx: Context): Promise<number | undefined> {
  try {
    // some closed ones refuse nothing, and hold nothing
    return (await core.readCpuid(ctx)) || undefined
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
    ctx.log(`its memory is closed: ${String(error)}`)
    return undefined
  }
}

/** What was changed begins anew; what was only looked at goes on. `watchdogs`: their register, as it was. */
async function letGo(
  { probe, core, memory, wasRunning, forLeaving: ctx }: Held,
  { hasChanged = false, watchdogs }: { hasChanged?: boolean; watchdogs?: readonly [number, number] } = {},
): Promise<void> {
  try {
    if (watchdogs)
      await memory.writeWords([watchdogs], ctx).catch((failure: unknown) => {
        ctx.log(`its watchdogs stay stopped under a debugger: ${String(failure)}`) // until it has no power
      })
    if (hasChanged) await core.resetAndRun(ctx)
    else if (wasRunning) await core.run(ctx)
  } finally {
    await probe.leave(ctx)
  }
}

class ArmTarget implements Patient {
  readonly speedHz: number
  readonly facts: readonly Fact[]
  readonly eraseChip?: ChipErase
  readonly #held: Held
  readonly #chip: ArmChip
  readonly #watchdogs: readonly [number, number] | undefined

  private constructor(held: Held, chip: ArmChip, watchdogs: readonly [number, number] | undefined) {
    this.#held = held
    this.#chip = chip
    this.#watchdogs = watchdogs
    this.speedHz = held.speedHz
    if (chip.eraseChip) this.eraseChip = chip.eraseChip
    const { memory, cpuid } = held
    this.facts = [
      { name: 'chip', value: chip.chip, source: chip.saidBy },
      { name: 'debug-port', value: hex(memory.idcode, 8), source: 'DPIDR' },
      ...(cpuid === undefined ? [] : [{ name: 'core', value: hex(cpuid, 8), source: 'CPUID' } as const]),
      ...chip.facts,
      ...(memory.measured ?? []),
    ]
  }

  static async hold(held: Held, chip: ArmChip, ctx: Context): Promise<ArmTarget> {
    if (held.cpuid === undefined) return new ArmTarget(held, chip, undefined)
    const { core, memory } = held
    const { address, bits } = chip.watchdogs ?? { address: undefined, bits: 0 }
    const before = address === undefined ? 0 : await readWord(memory, address, ctx)
    await core.halt(ctx)
    if (address === undefined) return new ArmTarget(held, chip, undefined)
    await memory.writeWords([[address, (before | bits) >>> 0]], ctx)
    return new ArmTarget(held, chip, [address, before])
  }

  get kind(): string {
    return this.#chip.kind
  }

  get mayBe(): readonly string[] {
    return this.#chip.mayBe ?? []
  }

  get chip(): string {
    return this.#chip.chip
  }

  get notices(): readonly Notice[] {
    return this.#chip.notices ?? []
  }

  get memories(): readonly Memory[] {
    return this.#chip.memories
  }

  get unreadable(): readonly Unreadable[] {
    return this.#chip.unreadable
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    return this.#chip.check(wanted, present, claimedChip)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { hasChanged } = this.#chip
    await letGo(this.#held, { hasChanged, ...(this.#watchdogs && { watchdogs: this.#watchdogs }) })
  }
}

/** What it says of itself, for whoever makes it known: debug port, core, and the ids of its ROM table. */
async function signature(held: Held, ctx: Context): Promise<string> {
  const { memory, cpuid } = held
  if (cpuid === undefined) return hex(memory.idcode, 8)
  const words = [hex(memory.idcode, 8), hex(cpuid, 8)]
  try {
    const { bank, id, part } = await readMaker(held, ctx)
    return [...words, `JEP106 ${String(bank)}:${hex(id, 2)}`, hex(part, 3)].join(', ')
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
    return words.join(', ') // it has no such table
  }
}
