/**
 * Finding an AVR behind a programmer: at which speed something answers, and which chip it is. It believes
 * a signature only when three readings agree. Source: data sheets, "Serial Downloading" (SCK below a quarter
 * of the chip's clock).
 */
import { hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import * as isp from './avr-instructions.ts'
import { findAvrPart, type AvrPart } from './avr-parts.ts'
import type { Instruction, IspMaster } from './isp-master.ts'

export interface FoundAvr {
  readonly part: AvrPart
  /** Undefined: the programmer chose. */
  readonly speedHz: number | undefined
  /** It did not answer at the first speed tried. */
  readonly slowed: boolean
}

/**
 * Finds the chip. Without `speedHz` it begins at the programmer's own choice and slows down until something
 * plausible answers: a virgin chip runs at 1 MHz and needs less than 250 kHz.
 * @throws `target-missing` with what was tried, `target-unknown` with the signature.
 */
export async function findAvr(
  master: IspMaster,
  ctx: Context,
  speedHz: number | undefined,
): Promise<FoundAvr> {
  const tried: string[] = []
  let unknown: string | undefined
  for (const hz of speedHz === undefined ? [undefined, ...slowerSpeeds(master)] : [speedHz]) {
    ctx.checkpoint()
    const readings = (await master.enter(hz, ctx)) ? await readSignatures(master, ctx) : []
    const [signature] = readings
    const part = signature && readings.length === 1 ? findAvrPart(signature) : undefined
    if (part) return { part, speedHz: hz, slowed: tried.length > 0 }
    const found = readings.map((reading) => hexBytes(reading)).join(' / ') || 'no answer'
    const searched = hz === undefined && master.triedAllSpeeds
    const choice = searched ? 'auto (all speeds)' : 'auto'
    tried.push(`${hz === undefined ? choice : frequency(hz)}: ${found}`)
    ctx.log(`isp ${tried.at(-1) ?? ''}`)
    if (signature?.[0] === 0x1e && readings.length === 1) unknown ??= found
    await master.leave(ctx)
    if (searched) break
  }
  throw unknown === undefined
    ? new FlashError('target-missing', { tried })
    : new FlashError('target-unknown', { signature: unknown })
}

/** Few enough that an empty socket is told in seconds: halves down to 90 kHz, then quarters. */
function slowerSpeeds({ speedsHz }: IspMaster): number[] {
  const chosen: number[] = []
  for (const hz of speedsHz) {
    const last = chosen.at(-1)
    if (last === undefined ? hz <= 400_000 : hz * (last > 90_000 && hz > 90_000 ? 2 : 4) <= last)
      chosen.push(hz)
  }
  return chosen
}

/** The different readings of three; one means that they agree. */
export async function readSignatures(master: IspMaster, ctx: Context): Promise<Uint8Array[]> {
  const readings = new Map<string, Uint8Array>()
  for (let i = 0; i < 3; i++) {
    const signature = await executeAll(master, ctx, [0, 1, 2].map(isp.readSignature))
    readings.set(hexBytes(signature), signature)
  }
  return [...readings.values()]
}

export async function executeAll(
  master: IspMaster,
  ctx: Context,
  instructions: readonly Instruction[],
): Promise<Uint8Array> {
  const answers = new Uint8Array(instructions.length)
  for (const [i, instruction] of instructions.entries()) answers[i] = await master.execute(instruction, ctx)
  return answers
}

/** `187.5 kHz`. */
export function frequency(hz: number): string {
  if (hz >= 1e6) return `${String(hz / 1e6)} MHz`
  return hz >= 1000 ? `${String(hz / 1000)} kHz` : `${String(hz)} Hz`
}
