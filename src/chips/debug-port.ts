/**
 * What a debug probe must offer so that an Arm chip can be reached through it (`adiv5.ts`): its SWD lines, and rows of
 * accesses to the registers of the debug port behind them. N probes and M chips cost N + M: nothing here knows a probe,
 * and no probe knows a chip. Source: Arm IHI 0031 (ADIv5.2), B2 and B4.
 */
import type { Context } from '#core/context.ts'

/** A register, written once or with each word of a row, or read so many times. `address` is A[3:2] as 0, 4, 8, 0xC. */
export type Access = { readonly isAp: boolean; readonly address: number } & (
  { readonly write: number | Uint32Array } | { readonly read: number }
)

/** How a row ended: `ok`, or why its last access was not done. `none`: nobody answered. */
export type Ack = 'ok' | 'wait' | 'fault' | 'none'

export interface Transferred {
  readonly ack: Ack
  /** Of all reads that were done, in order. */
  readonly words: Uint32Array
}

export interface DebugPort {
  /** Speeds that can be asked for, in Hz, fastest first; empty: no choice. */
  readonly speedsHz: readonly number[]
  /** What it tries by itself, in this order. */
  readonly ownChoicesHz: readonly number[]
  /** It looks at answers only behind many accesses, so that the target must notice itself that one was too early. */
  readonly detectsOverrun?: true
  /** What it is reached by; absent: SWD. */
  readonly wires?: 'JTAG'
  /** Finds the debug port, whatever the lines were before, and gives its IDCODE; absent: by SWD, whose bits `sequence` sends. */
  find?(ctx: Context): Promise<number | undefined>
  /** Takes the lines over. Nothing is said on them yet. */
  attach(speedHz: number, ctx: Context): Promise<void>
  /** So many bits on SWDIO, the lowest of the first byte first. */
  sequence(bits: Uint8Array, count: number, ctx: Context): Promise<void>
  /** In order, up to the first that is not done. Calls `ctx.checkpoint` nowhere: a row is done whole. */
  transfer(row: readonly Access[], ctx: Context): Promise<Transferred>
  /** Drives nRESET low, or lets it go. */
  reset(asserted: boolean, ctx: Context): Promise<void>
  /** Lets the lines go. */
  detach(ctx: Context): Promise<void>
}
