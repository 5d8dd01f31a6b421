/**
 * What a programmer must offer so that the AVR code (`avr-isp.ts`) can reach a chip through it. N
 * programmers and M chips cost N + M: nothing here knows a programmer, and no programmer knows a chip.
 */
import type { Context } from '#core/context.ts'
import type { AvrPart } from './avr-parts.ts'

/** The four bytes of a serial programming instruction (data sheets, "Serial Programming Instruction Set"). */
export type Instruction = readonly [number, number, number, number]

export interface IspMaster {
  /** Speeds that can be asked for, in Hz, fastest first; empty: no choice. */
  readonly speedsHz: readonly number[]
  /**
   * Powers up, resets the target and sends Programming Enable, at `speedHz` or at the programmer's own
   * choice. False: nothing answered, and nothing but `leave` is called before the next try. True: it
   * answered, or this programmer cannot tell (then the signature tells).
   */
  enter(speedHz: number | undefined, ctx: Context): Promise<boolean>
  /** The last `enter` at its own choice went down through every speed: there is no slower one left to try. */
  readonly triedAllSpeeds?: boolean
  /** Shifts one instruction; resolves with the answer, the fourth byte shifted in. */
  execute(instruction: Instruction, ctx: Context): Promise<number>
  /** Releases the target: it runs. */
  leave(ctx: Context): Promise<void>
  /** Told once the chip is known; some programmers must know its pages first. */
  prepare?(part: AvrPart, ctx: Context): Promise<void>
  /** How far the block paths reach into a flash, in bytes; a larger one is read and written with `execute`. Absent: all. */
  readonly reachBytes?: number
  /**
   * Block paths; absent ones are done with `execute`. All addresses in bytes. They are given whole ranges,
   * split them as they like, call `ctx.checkpoint` between the pieces and advance `ctx.progress`.
   */
  readFlash?(part: AvrPart, address: number, length: number, ctx: Context): Promise<Uint8Array>
  /** Whole pages. Does not erase. */
  programFlash?(part: AvrPart, address: number, bytes: Uint8Array, ctx: Context): Promise<void>
  readEeprom?(part: AvrPart, address: number, length: number, ctx: Context): Promise<Uint8Array>
  programEeprom?(part: AvrPart, address: number, bytes: Uint8Array, ctx: Context): Promise<void>
  /** Milliseconds a page costs beside the transfer, where the programmer knows better than the chip's data. */
  readonly pageMs?: number
}
