/**
 * The flash of an nRF52 through its controller (NVMC): pages erased, and programmed by a routine in RAM, a word at a time.
 * Source: Nordic, nRF52832 product specification, "NVMC".
 */
import { hex, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { RamRoutine } from './ram-routine.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

const Register = { Ready: 0x4001_e400, Config: 0x4001_e504, ErasePage: 0x4001_e508 } as const
const Config = { Read: 0, Write: 1, Erase: 2 } as const

const ram = 0x2000_0000
const bufferBytes = 4096
/** Time limits: 85 ms at most for a page, 41 µs for a word. */
const eraseMs = 1000
const wordMs = 0.5

/**
 * r0 source, r1 destination, r2 how many words, r3 READY. Ends at its breakpoint: r2 is 0.
 *
 *     next: ldr r4, [r0]; str r4, [r1]; adds r0, #4; adds r1, #4
 *     busy: ldr r4, [r3]; cmp r4, #0; beq busy; subs r2, #1; bne next
 *           bkpt
 */
const code = Uint8Array.from([
  ...[0x04, 0x68, 0x0c, 0x60, 0x04, 0x30, 0x04, 0x31],
  ...[0x1c, 0x68, 0x00, 0x2c, 0xfc, 0xd0, 0x01, 0x3a, 0xf6, 0xd1],
  ...[0x00, 0xbe],
])
const places = { code, at: ram, bufferAt: ram + 0x100, bufferBytes, stack: ram + 0x100 + bufferBytes + 0x400 }

export class Nrf52Flash {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #routine: RamRoutine
  hasChanged = false

  constructor(memory: TargetMemory, core: CortexM) {
    this.#memory = memory
    this.#core = core
    this.#routine = new RamRoutine(memory, core, places)
  }

  async replace({ address }: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    // without what its program may have set up: watchdog, cache, other masters
    if (!this.hasChanged) await this.#core.resetAndHalt(ctx)
    this.hasChanged = true
    await this.#memory.writeWords(
      [
        [Register.Config, Config.Erase],
        [Register.ErasePage, address],
      ],
      ctx,
    )
    const used = lengthBeforeBlank(bytes)
    if (used > 0) await this.#routine.bring(bytes.subarray(0, used), ctx) // while it erases
    await this.#untilReady(`erasing ${hex(address, 8)}`, ctx)
    const config = used > 0 ? Config.Write : Config.Read
    await this.#memory.writeWords([[Register.Config, config]], ctx)
    if (used === 0) return
    const count = (used + 3) >> 2
    const given = [places.bufferAt, address, count, Register.Ready]
    const [left = 0] = await this.#routine.run(given, eraseMs + count * wordMs, [2], ctx)
    await this.#memory.writeWords([[Register.Config, Config.Read]], ctx)
    if (left === 0) return
    this.#routine.forget()
    throw new FlashError('device-refused', {
      ...{ during: `programming ${hex(address, 8)}`, status: `${String(left)} words left` },
    })
  }

  async #untilReady(during: string, ctx: Context): Promise<void> {
    for (const until = ctx.clock.now() + eraseMs; ;) {
      if (((await readWord(this.#memory, Register.Ready, ctx)) & 1) !== 0) return
      if (ctx.clock.now() >= until) throw new FlashError('timeout', { during, timeoutMs: eraseMs })
      await ctx.sleep(5)
    }
  }
}
