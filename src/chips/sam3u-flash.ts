/**
 * The flash of a SAM3U through its controllers (EEFC), one for each plane: pages are erased and written at once, by a routine
 * in RAM; lock bits of regions, and the bits (GPNVM) that say what it starts and whether it is closed. Sources: Atmel 6430,
 * SAM3U data sheet (EEFC, "Memories"; errata: six wait states while writing); OpenOCD, `at91sam3.c`; Black Magic, `sam3x.c`.
 */
import { hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { RamRoutine } from './ram-routine.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

export const pageBytes = 256
/** What one lock bit is about. */
export const regionBytes = 8192
export const planeBytes = 0x2_0000

/** In order of their addresses. */
export interface Plane extends Range {
  readonly controller: number
}

const Register = { Mode: 0x00, Command: 0x04, Status: 0x08, Result: 0x0c } as const
const Mode = { SixWaitStates: 0x600, InOrder: 0x1_0000 } as const
const key = 0x5a00_0000
const Command = {
  EraseAndWrite: 0x03,
  ClearLock: 0x09,
  GetLocks: 0x0a,
  SetBit: 0x0b,
  GetBits: 0x0d,
  StartId: 0x0e,
  StopId: 0x0f,
} as const
const Status = { Ready: 1, CommandError: 2, LockError: 4 } as const
export const Bit = { Security: 0, FromFlash: 1, FromPlane1: 2 } as const

const ram = 0x2000_0000
export const bufferBytes = 4096
/** The smallest have 8 KiB there. */
const stack = ram + 0x100 + bufferBytes + 0x400
/** Time limits: the data sheet gives 4.6 ms for a page. */
const commandMs = 500
const pageMs = 50

/**
 * r0 source, r1 destination, r2 how many pages, r3 the controller, r4 the command for the first one. Ends at its breakpoint:
 * r2 is 0, or so many are left; r6 is the status register then.
 *
 *     page: movs r5, #64
 *     fill: ldr r6, [r0]; str r6, [r1]; adds r0, #4; adds r1, #4; subs r5, #1; bne fill
 *           str r4, [r3, #4]
 *     busy: ldr r6, [r3, #8]; lsrs r5, r6, #1; bcc busy
 *           cmp r5, #0; bne end; adds r4, #255; adds r4, #1; subs r2, #1; bne page
 *     end:  bkpt
 */
const code = Uint8Array.from([
  ...[0x40, 0x25],
  ...[0x06, 0x68, 0x0e, 0x60, 0x04, 0x30, 0x04, 0x31, 0x01, 0x3d, 0xf9, 0xd1],
  ...[0x5c, 0x60],
  ...[0x9e, 0x68, 0x75, 0x08, 0xfc, 0xd3],
  ...[0x00, 0x2d, 0x03, 0xd1, 0xff, 0x34, 0x01, 0x34, 0x01, 0x3a, 0xee, 0xd1],
  ...[0x00, 0xbe],
])
const places = { code, at: ram, bufferAt: ram + 0x100, bufferBytes, stack }

export class Sam3uFlash {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #routine: RamRoutine
  readonly #planes: readonly Plane[]
  hasChanged = false

  constructor(memory: TargetMemory, core: CortexM, planes: readonly Plane[]) {
    this.#memory = memory
    this.#core = core
    this.#planes = planes
    this.#routine = new RamRoutine(memory, core, places)
  }

  /** GPNVM, which the first controller keeps. */
  async readBits(ctx: Context): Promise<number> {
    return this.#ask(this.#planes[0]?.controller ?? 0, Command.GetBits, ctx)
  }

  async lockedRegions(ctx: Context): Promise<Range[]> {
    const locked: Range[] = []
    for (const { address, length, controller } of this.#planes) {
      const bits = await this.#ask(controller, Command.GetLocks, ctx)
      for (let at = 0; at < length; at += regionBytes)
        if ((bits >>> (at / regionBytes)) & 1) locked.push({ address: address + at, length: regionBytes })
    }
    return locked
  }

  /** Instead of the flash it shows its number meanwhile; the last plane has it. */
  async readUniqueId(ctx: Context): Promise<Uint8Array> {
    const { address, controller } = this.#planes.at(-1) ?? { address: 0, controller: 0 }
    const mode = await readWord(this.#memory, controller, ctx)
    await this.#memory.writeWords(
      [
        [controller + Register.Mode, (mode | Mode.InOrder) >>> 0],
        [controller + Register.Command, key | Command.StartId],
      ],
      ctx,
    )
    try {
      return await this.#memory.read(address, 16, ctx)
    } finally {
      await this.#memory.writeWords([[controller + Register.Command, key | Command.StopId]], ctx)
      await this.#untilReady(controller, 'reading its number', ctx)
      await this.#memory.writeWords([[controller + Register.Mode, mode]], ctx)
    }
  }

  /** Whole pages of one plane, as many as fit into the buffer at once. @throws `device-refused` with the status register */
  async program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const plane = this.#planes.find((one) => address >= one.address && address < one.address + one.length)
    if (!plane)
      throw new FlashError('does-not-fit', { memory: 'flash', address, length: bytes.length, available: 0 })
    await this.#beginAnew(ctx)
    await this.#unlock(plane, { address, length: bytes.length }, ctx)
    for (let at = 0; at < bytes.length; at += bufferBytes) {
      ctx.checkpoint()
      const part = bytes.subarray(at, at + bufferBytes)
      await this.#write(plane, address + at, part, ctx)
      ctx.progress.advance(part.length, address + at)
    }
    const holdsVectors = plane === this.#planes[0] && address === plane.address
    if (holdsVectors) await this.#startFromFlash(plane, ctx)
  }

  async #write({ address: start, controller }: Plane, address: number, part: Uint8Array, ctx: Context) {
    await this.#routine.bring(part, ctx)
    const [page, count] = [(address - start) / pageBytes, part.length / pageBytes]
    const command = key | (page << 8) | Command.EraseAndWrite
    const given = [places.bufferAt, address, count, controller, command]
    const [left = 0, status = 0] = await this.#routine.run(given, commandMs + count * pageMs, [2, 6], ctx)
    if (left === 0) return
    this.#routine.forget()
    refuse(`writing ${hex(address + (count - left) * pageBytes, 8)}`, status)
  }

  /** Without what its program set up: clocks, its watchdog, other masters. */
  async #beginAnew(ctx: Context): Promise<void> {
    if (this.hasChanged) return
    await this.#core.resetAndHalt(ctx)
    this.hasChanged = true
    await this.#memory.writeWords(
      this.#planes.map(({ controller }) => [controller + Register.Mode, Mode.SixWaitStates] as const),
      ctx,
    )
  }

  async #unlock({ address: start, controller }: Plane, range: Range, ctx: Context): Promise<void> {
    const end = range.address + range.length
    for (const region of await this.lockedRegions(ctx)) {
      if (region.address >= end || region.address + region.length <= range.address) continue
      const page = (region.address - start) / pageBytes
      await this.#command(
        controller,
        Command.ClearLock | (page << 8),
        `unlocking ${hex(region.address, 8)}`,
        ctx,
      )
    }
  }

  /** Else it would start its ROM, as after an erase by its pin. */
  async #startFromFlash({ controller }: Plane, ctx: Context): Promise<void> {
    const bits = await this.readBits(ctx)
    if ((bits >>> Bit.FromFlash) & 1) return
    await this.#command(controller, Command.SetBit | (Bit.FromFlash << 8), 'having it start its flash', ctx)
  }

  async #ask(controller: number, command: number, ctx: Context): Promise<number> {
    await this.#command(controller, command, 'asking its flash controller', ctx)
    return readWord(this.#memory, controller + Register.Result, ctx)
  }

  async #command(controller: number, command: number, during: string, ctx: Context): Promise<void> {
    await this.#untilReady(controller, during, ctx)
    await this.#memory.writeWords([[controller + Register.Command, key | command]], ctx)
    const status = await this.#untilReady(controller, during, ctx)
    if ((status & (Status.CommandError | Status.LockError)) !== 0) refuse(during, status)
  }

  async #untilReady(controller: number, during: string, ctx: Context): Promise<number> {
    for (const until = ctx.clock.now() + commandMs; ;) {
      const status = await readWord(this.#memory, controller + Register.Status, ctx)
      if ((status & Status.Ready) !== 0) return status
      if (ctx.clock.now() >= until) throw new FlashError('timeout', { during, timeoutMs: commandMs })
      await ctx.sleep(1)
    }
  }
}

function refuse(during: string, status: number): never {
  throw new FlashError('device-refused', { during, status: `EEFC_FSR ${hex(status, 8)}` })
}
