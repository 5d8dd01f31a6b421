/**
 * An Arm chip at the end of debug wires as a patient: which one it is, its memories, and how it goes on afterwards. Sources:
 * ST, RM0008 (memory map, DBGMCU, "Device electronic signature"), PM0075; what tells clones apart is written where it is used.
 */
import { hex, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type {
  Check,
  ChipErase,
  Contents,
  Fact,
  Memory,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'
import { checkCortexM } from './cortex-m-check.ts'
import { CortexM } from './cortex-m.ts'
import { optionBytes, Stm32f1Flash } from './stm32f1-flash.ts'
import { findStm32Part, flashStart, sectorsOf, stm32Kind, type Stm32Part } from './stm32-parts.ts'
import { readWord, type ArmProbe, type TargetMemory } from './target-memory.ts'

const dbgmcu = { idcode: 0xe004_2000, control: 0xe004_2004 } as const
/** Watchdogs stand still while the core does. */
const watchdogsStop = 0x300
const uniqueIdAt = 0x1fff_f7e8
const uniqueIdBytes = 12

/** Those with the flash controller of an STM32F1, by the device id of DBGMCU_IDCODE. */
const f1 = [0x410, 0x412, 0x414, 0x418, 0x420, 0x428]
/** At once; what comes is told in between. */
const readBytes = 4096
/** PM0075: an erase, and 512 halfwords, typical. */
const kibibyteMs = 20 + 27
const unprotectionMs = 100

/**
 * Goes to the chip behind a probe: as it is, or held in reset where its program has turned the debug lines off. It stands
 * still until it is let go. Without `speedHz` slower and slower, until it answers.
 * @throws `target-missing` · `target-unknown`
 */
export async function connectArm(probe: ArmProbe, ctx: Context, speedHz?: number): Promise<Patient> {
  let met: Met | undefined
  try {
    met = await enter(probe, speedHz === undefined ? probe.ownChoicesHz : [speedHz], ctx)
    return await ArmTarget.meet(met, ctx)
  } catch (error) {
    const leaving = met ? letGo(met) : probe.leave(ctx)
    await leaving.catch((failure: unknown) => {
      ctx.log(`letting the target go failed: ${String(failure)}`) // the first error says more
    })
    throw error
  }
}

async function enter(probe: ArmProbe, speeds: readonly number[], ctx: Context): Promise<Met> {
  const forLeaving = new Context({ clock: ctx.clock, log: ctx.log })
  const metAt = async (speedHz: number) => {
    const memory = await probe.enter(speedHz, ctx)
    return { probe, memory, core: new CortexM(memory), speedHz, ctx: forLeaving }
  }
  for (const speedHz of speeds)
    try {
      const met = await metAt(speedHz)
      return { ...met, wasRunning: !(await met.core.isHalted(ctx)) }
    } catch (error) {
      if (!isFlashError(error, 'target-missing')) throw error
      ctx.log(`nobody answers at ${String(speedHz)} Hz`)
    }
  await probe.reset(true, ctx)
  try {
    const met = await metAt(speeds.at(-1) ?? 0)
    await met.core.catchReset(ctx)
    return { ...met, wasRunning: true }
  } finally {
    await probe.reset(false, ctx)
  }
}

interface Met {
  readonly probe: ArmProbe
  readonly memory: TargetMemory
  readonly core: CortexM
  readonly speedHz: number
  readonly wasRunning: boolean
  /** For letting it go, which no cancel may stop. */
  readonly ctx: Context
}

/** What was changed begins anew; what was only looked at goes on. `control`: of DBGMCU, as it was. */
async function letGo(
  { probe, core, memory, wasRunning, ctx }: Met,
  { hasChanged = false, control }: { readonly hasChanged?: boolean; readonly control?: number } = {},
): Promise<void> {
  try {
    if (control !== undefined)
      await memory.writeWords([[dbgmcu.control, control]], ctx).catch((failure: unknown) => {
        ctx.log(`its watchdogs stay stopped under a debugger: ${String(failure)}`) // until it has no power
      })
    if (hasChanged) await core.resetAndRun(ctx)
    else if (wasRunning) await core.run(ctx)
  } finally {
    await probe.leave(ctx)
  }
}

interface Known {
  readonly part: Stm32Part
  readonly kib: number
  readonly uniqueId: string
  readonly cpuid: number
  readonly isProtected: boolean
  /** Pages that its option bytes let nobody write. */
  readonly writeProtected: readonly Range[]
  readonly control: number
}

class ArmTarget implements Patient {
  readonly kind: string
  readonly chip: string
  readonly speedHz: number
  readonly notices = []
  readonly facts: readonly Fact[]
  readonly memories: readonly Memory[]
  readonly unreadable: readonly Unreadable[]
  readonly eraseChip?: ChipErase
  readonly #met: Met
  readonly #known: Known
  readonly #flash: Stm32f1Flash

  private constructor(met: Met, flash: Stm32f1Flash, known: Known) {
    this.#met = met
    this.#flash = flash
    this.#known = known
    this.speedHz = met.speedHz
    const { part, kib, uniqueId, cpuid, isProtected } = known
    this.kind = stm32Kind(part, kib)
    this.chip = `${part.name} (${String(kib)} KiB)`
    this.facts = [
      { name: 'chip', value: this.chip, source: 'DBGMCU_IDCODE' },
      { name: 'debug-port', value: hex(met.memory.idcode, 8), source: 'DPIDR' },
      { name: 'core', value: hex(cpuid, 8), source: 'CPUID' },
      { name: 'serial', value: uniqueId, source: 'U_ID' },
    ]
    this.memories = [this.#flashMemory(), ...(isProtected ? [] : [this.#optionMemory])]
    this.unreadable = isProtected ? [{ memory: 'flash', reason: 'read-protected' }] : []
    if (isProtected)
      this.eraseChip = {
        erases: ['flash'],
        lifts: 'read-protection',
        ms: unprotectionMs,
        run: (ctx) => flash.liftReadProtection(ctx),
      }
  }

  /** It runs until it is known. */
  static async meet(met: Met, ctx: Context): Promise<ArmTarget> {
    const { memory, core } = met
    const cpuid = await core.readCpuid(ctx)
    const idcode = await readWord(memory, dbgmcu.idcode, ctx)
    const id = idcode & 0xfff
    const part = f1.includes(id) ? findStm32Part(id) : undefined
    if (part?.sizeAt === undefined)
      throw new FlashError('target-unknown', {
        signature: [memory.idcode, cpuid, idcode].map((word) => hex(word, 8)).join(', '),
      })
    const kib = (await readWord(memory, part.sizeAt, ctx)) & 0xffff
    if (kib === 0 || kib > part.mostKib)
      throw new FlashError('unexpected-answer', { during: 'asking for its flash size', found: String(kib) })
    const uniqueId = hexBytes(await memory.read(uniqueIdAt, uniqueIdBytes, ctx), '')
    const flash = new Stm32f1Flash(memory, core)
    const isProtected = await flash.isReadProtected(ctx)
    const writeProtected = await flash.writeProtected(kib * 1024, ctx)
    const control = await readWord(memory, dbgmcu.control, ctx)
    await core.halt(ctx)
    await memory.writeWords([[dbgmcu.control, control | watchdogsStop]], ctx)
    return new ArmTarget(met, flash, { part, kib, uniqueId, cpuid, isProtected, writeProtected, control })
  }

  check(wanted: Contents, present: Contents): readonly Check[] {
    const { kib, writeProtected, isProtected } = this.#known
    const flash = { address: flashStart, length: kib * 1024 }
    const checks = checkCortexM({ flash, wanted, present })
    // lifting the read protection takes this one away, too
    const hit = isProtected
      ? undefined
      : writeProtected.find((range) => differsWithin(range, wanted, present))
    if (!hit) return checks
    const values = { from: hex(hit.address, 8), to: hex(hit.address + hit.length - 1, 8) }
    return [...checks, { code: 'write-protection', result: 'refused', values }]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await letGo(this.#met, { hasChanged: this.#flash.hasChanged, control: this.#known.control })
  }

  #flashMemory(): Memory {
    const { part, kib, isProtected } = this.#known
    const pageBytes = sectorsOf(part, kib)[0]?.length ?? 1024
    return {
      ...{ id: 'flash', address: flashStart, length: kib * 1024, pageBytes },
      ...{ write: 'overwrite', reserved: [], pageMs: (pageBytes / 1024) * kibibyteMs },
      ...(isProtected ? { locked: true as const } : { read: (range, ctx) => this.#read(range, ctx) }),
      program: async (address, bytes, ctx) => {
        for (let at = 0; at < bytes.length; at += pageBytes) {
          ctx.checkpoint()
          await this.#flash.replacePage(address + at, bytes.subarray(at, at + pageBytes), ctx)
          ctx.progress.advance(pageBytes, address + at)
        }
      },
    }
  }

  /** Read, so that a backup has them. */
  get #optionMemory(): Memory {
    const { address, length } = optionBytes
    return {
      ...{ id: 'options', address, length, pageBytes: length, write: 'overwrite', reserved: [], pageMs: 0 },
      read: (range, ctx) => this.#read(range, ctx),
    }
  }

  async #read({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    const { memory } = this.#met
    for (let at = 0; at < length; at += readBytes) {
      ctx.checkpoint()
      const count = Math.min(readBytes, length - at)
      // whole words, whatever was asked for
      const from = (address + at) & ~3
      const words = await memory.read(from >>> 0, (((address + at + count + 3) & ~3) - from) >>> 0, ctx)
      bytes.set(words.subarray(address + at - from, address + at - from + count), at)
      ctx.progress.advance(count, address + at)
    }
    return bytes
  }
}

/** Whether what is wanted in these pages is not there yet. */
function differsWithin({ address, length }: Range, wanted: Contents, present: Contents): boolean {
  const byteAt = (contents: Contents, at: number): number | undefined => {
    const segment = contents
      .get('flash')
      ?.find((one) => at >= one.address && at < one.address + one.bytes.length)
    return segment?.bytes[at - segment.address]
  }
  return (wanted.get('flash') ?? []).some((segment) => {
    const from = Math.max(address, segment.address)
    const to = Math.min(address + length, segment.address + segment.bytes.length)
    for (let at = from; at < to; at++)
      if (byteAt(present, at) !== segment.bytes[at - segment.address]) return true
    return false
  })
}
