/**
 * A SPI bus with one chip at its chip select, whatever programmer it belongs to: all that SPI flash and SPI EEPROMs need.
 */
import type { Context } from '#core/context.ts'

/** Chip select goes low, `write` goes out, `read` bytes come in, chip select goes high: then it counts. */
export interface SpiCommand {
  readonly write: Uint8Array
  /** Default 0. */
  readonly read?: number
}

export interface SpiBus {
  /** Bytes of one command, both ways together, at the most. */
  readonly mostBytes: number
  /** In this order; gives what each of them read. Chip select is high when it resolves. */
  run(commands: readonly SpiCommand[], ctx: Context): Promise<Uint8Array[]>
}

/** One command by itself. */
export async function exchange(
  bus: SpiBus,
  write: readonly number[],
  read: number,
  ctx: Context,
): Promise<Uint8Array> {
  const [answer = new Uint8Array()] = await bus.run([{ write: Uint8Array.from(write), read }], ctx)
  return answer
}
