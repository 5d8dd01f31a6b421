/** The address space of an Arm chip as a debugger sees it, whatever leads there: a debug port, or a probe's own commands. */
import type { Context } from '#core/context.ts'
import type { Fact } from '#core/programmer.ts'

/** Of one access, in bytes. Some memories take only one. */
export type Width = 1 | 2 | 4

export interface TargetMemory {
  /** Of its debug port, DPIDR. */
  readonly idcode: number
  /** What its probe measured when it met it. */
  readonly measured?: readonly Fact[]
  /**
   * `address` and `length` are multiples of `width` (default 4). Advances nothing: who calls knows what it is for.
   * @throws `device-refused` with the address where the chip refuses it · `target-missing` when nobody answers any more
   */
  read(address: number, length: number, ctx: Context, width?: Width): Promise<Uint8Array>
  /** The same for writing. */
  write(address: number, bytes: Uint8Array, ctx: Context, width?: Width): Promise<void>
  /** A register of its core, which is halted, by DCRSR's numbers; absent: the probe has no command of its own for it. */
  readRegister?(index: number, ctx: Context): Promise<number>
  /** Words at single addresses, in order: registers. */
  writeWords(words: readonly (readonly [address: number, value: number])[], ctx: Context): Promise<void>
  /** Absent: this probe does not reach them. */
  readonly accessPorts?: AccessPorts
}

export async function readWord(memory: TargetMemory, address: number, ctx: Context): Promise<number> {
  const bytes = await memory.read(address, 4, ctx)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true)
}

/** Access ports besides the one that the memory is behind, register by register. */
export interface AccessPorts {
  /** @throws `device-refused` where there is an error behind it */
  read(port: number, register: number, ctx: Context): Promise<number>
  write(port: number, register: number, value: number, ctx: Context): Promise<void>
}

/** What leads to a chip: a probe that has its lines. */
export interface ArmProbe {
  /** What it tries by itself, in this order. */
  readonly ownChoicesHz: readonly number[]
  /** Meets the chip as it is, running or not. @throws `target-missing` */
  enter(speedHz: number, ctx: Context): Promise<TargetMemory>
  /** Drives nRESET low, or lets it go; not everybody wires it. */
  reset(asserted: boolean, ctx: Context): Promise<void>
  /** Lets go of the chip, which goes on as it is. */
  leave(ctx: Context): Promise<void>
}
