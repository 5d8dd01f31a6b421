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
 * still until it is let go.
 * @throws `target-missing` · `target-unknown`
 */
export async function connectArm(probe: ArmProbe, ctx: Context, speedHz?: number): Promise<Patient> {
  try {
    const { memory, isInReset } = await enter(probe, speedHz, ctx)
    const core = new CortexM(memory)
    const wasRunning = isInReset || !(await core.isHalted(ctx))
    await core.halt(ctx)
    const forLeaving = new Context({ clock: ctx.clock, log: ctx.log })
    return await ArmTarget.meet({ probe, memory, core, wasRunning, ctx: forLeaving }, ctx)
  } catch (error) {
    await probe.leave(ctx).catch((failure: unknown) => {
      ctx.log(`letting the target go failed: ${String(failure)}`) // the first error says more
    })
    throw error
  }
}

async function enter(
  probe: ArmProbe,
  speedHz: number | undefined,
  ctx: Context,
): Promise<{ memory: TargetMemory; isInReset: boolean }> {
  try {
    return { memory: await probe.enter(speedHz, ctx), isInReset: false }
  } catch (error) {
    if (!isFlashError(error, 'target-missing')) throw error
    ctx.log('nobody answers: once more in reset')
  }
  await probe.reset(true, ctx)
  try {
    const memory = await probe.enter(speedHz, ctx)
    await new CortexM(memory).catchReset(ctx)
    return { memory, isInReset: true }
  } finally {
    await probe.reset(false, ctx)
  }
}

interface Met {
  readonly probe: ArmProbe
  readonly memory: TargetMemory
  readonly core: CortexM
  readonly wasRunning: boolean
  /** For letting it go, which no cancel may stop. */
  readonly ctx: Context
}

interface Known {
  readonly part: Stm32Part
  readonly kib: number
  readonly uniqueId: string
  readonly cpuid: number
  readonly isProtected: boolean
  readonly control: number
}

class ArmTarget implements Patient {
  readonly kind: string
  readonly chip: string
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
        ms: unprotectionMs,
        run: (ctx) => flash.liftReadProtection(ctx),
      }
  }

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
    const control = await readWord(memory, dbgmcu.control, ctx)
    await memory.writeWords([[dbgmcu.control, control | watchdogsStop]], ctx)
    const flash = new Stm32f1Flash(memory, core)
    const kib = (await readWord(memory, part.sizeAt, ctx)) & 0xffff
    if (kib === 0 || kib > part.mostKib)
      throw new FlashError('unexpected-answer', { during: 'asking for its flash size', found: String(kib) })
    const uniqueId = hexBytes(await memory.read(uniqueIdAt, uniqueIdBytes, ctx), '')
    const isProtected = await flash.isReadProtected(ctx)
    return new ArmTarget(met, flash, { part, kib, uniqueId, cpuid, isProtected, control })
  }

  check(wanted: Contents, present: Contents): readonly Check[] {
    const flash = { address: flashStart, length: this.#known.kib * 1024 }
    return checkCortexM({ flash, wanted, present })
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

  /** What was changed begins anew; what was only looked at goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { probe, core, memory, wasRunning, ctx } = this.#met
    try {
      await memory.writeWords([[dbgmcu.control, this.#known.control]], ctx)
      if (this.#flash.hasChanged) await core.resetAndRun(ctx)
      else if (wasRunning) await core.run(ctx)
    } finally {
      await probe.leave(ctx)
    }
  }
}
