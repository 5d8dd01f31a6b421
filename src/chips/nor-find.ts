/**
 * Finds out which SPI NOR flash chip is on a bus, without changing anything in it: by its id, read until it can be believed,
 * by what it says of itself (SFDP), and by the table of known chips. What both say is taken only where they agree.
 */
import { equal, hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import { norPartsOf, type NorErase, type NorPart, type NorTrait } from './nor-parts.ts'
import { readSfdp, type Enter4, type Sfdp } from './sfdp.ts'
import { exchange, type SpiBus } from './spi-bus.ts'

export interface NorChip {
  readonly rdid: Uint8Array
  /** Of all chips that it may be; empty: nobody knows its id. */
  readonly parts: readonly NorPart[]
  readonly sfdp: Sfdp | undefined
  /** As it says, and as the table says, where that is something else. */
  readonly sizes: readonly number[]
  readonly pageBytes: number
  /** That all sources agree on; smallest first. With `addressing` bytes. */
  readonly erases: readonly NorErase[]
  readonly addressing: NorAddressing
  readonly programs: 'pages' | 'words' | 'bytes'
}

/**
 * How its bytes are reached: with three address bytes; with four, always; by commands that always take four; in a mode for four,
 * which is left afterwards; or by a register with the bits above three bytes.
 */
export type NorAddressing = 'three' | 'four' | 'native' | 'b7' | 'wren-b7' | 'ear'

const Op = {
  ReadStatus: 0x05,
  WriteEnable: 0x06,
  WriteDisable: 0x04,
  ReadSfdp: 0x5a,
  ReadId: 0x9f,
  WakeUp: 0xab,
}
const mayWrite = 2
const idBytes = 6
/** A clip that sits badly shows in one of so many. */
const idReads = 8
const wakeUpMs = 0.05
const threeByteLimit = 0x100_0000

/**
 * @throws `target-missing`: nothing but 00 or FF, however often it is asked · `unexpected-answer`: not twice the same, or its
 * status register does not do what it is told: a bad contact · `target-unknown`: neither SFDP nor the table knows it
 */
export async function findNor(bus: SpiBus, ctx: Context): Promise<NorChip> {
  await exchange(bus, [Op.WakeUp], 0, ctx)
  await ctx.sleep(wakeUpMs)
  const rdid = await readId(bus, ctx)
  await answersToWriteEnable(bus, ctx)
  const sfdp = await readSfdp(async (address, length) =>
    exchange(bus, [Op.ReadSfdp, address >> 16, (address >> 8) & 0xff, address & 0xff, 0xff], length, ctx),
  )
  const parts = norPartsOf(rdid)
  const sizes = [...new Set([...(sfdp ? [sfdp.bytes] : []), ...parts.map(({ bytes }) => bytes)])]
  const [bytes] = sizes
  if (bytes === undefined)
    throw new FlashError('target-unknown', { signature: hexBytes(rdid.subarray(0, 3)) })
  const addressing = addressingOf(bytes, sfdp, parts)
  return {
    ...{ rdid, parts, sfdp, sizes, addressing, erases: agreedErases(addressing, sfdp, parts) },
    pageBytes: sfdp?.pageBytes ?? 256,
    programs: has(parts, 'aai') ? 'words' : has(parts, 'byte') ? 'bytes' : 'pages',
  }
}

async function readId(bus: SpiBus, ctx: Context): Promise<Uint8Array> {
  const command = { write: Uint8Array.of(Op.ReadId), read: idBytes }
  const [first = new Uint8Array(), ...others] = await bus.run(Array(idReads).fill(command), ctx)
  const other = others.find((one) => !equal(one, first))
  if (other)
    throw new FlashError('unexpected-answer', {
      ...{
        during: 'reading the id of the flash',
        sent: '9f',
        found: `${hexBytes(first)} / ${hexBytes(other)}`,
      },
    })
  if (first.every((byte) => byte === first[0]) && [0x00, 0xff].includes(first[0] ?? 0))
    throw new FlashError('target-missing', { tried: ['9f', hexBytes(first.subarray(0, 3))] })
  return first
}

/** Its write enable is set and cleared again: a bus that is stuck, or a chip without power, shows here. */
async function answersToWriteEnable(bus: SpiBus, ctx: Context): Promise<void> {
  const status = { write: Uint8Array.of(Op.ReadStatus), read: 1 }
  const command = (opcode: number) => ({ write: Uint8Array.of(opcode) })
  const enables = [command(Op.WriteEnable), status, command(Op.WriteDisable), status]
  const answers = await bus.run(enables, ctx)
  const [enabled = 0, disabled = 0] = [answers[1]?.[0], answers[3]?.[0]]
  if ((enabled & mayWrite) !== 0 && (disabled & mayWrite) === 0) return
  throw new FlashError('unexpected-answer', {
    during: 'setting and clearing the write enable of the flash',
    ...{ sent: '06 05 04 05', found: hexBytes(Uint8Array.of(enabled, disabled)) },
  })
}

const has = (parts: readonly NorPart[], trait: NorTrait): boolean =>
  parts.length > 0 && parts.every(({ traits }) => traits.includes(trait))

function addressingOf(bytes: number, sfdp: Sfdp | undefined, parts: readonly NorPart[]): NorAddressing {
  if (sfdp?.addressBytes === '4' || sfdp?.enters4.includes('always')) return 'four'
  if (bytes <= threeByteLimit) return 'three'
  if (sfdp?.native4 || has(parts, 'native')) return 'native'
  const ways = ['b7', 'wren-b7', 'ear'] as const satisfies readonly (Enter4 & NorTrait)[]
  const way = ways.find((one) => sfdp?.enters4.includes(one) === true || has(parts, one))
  return way ?? 'b7' // the first revision of SFDP has no place to say it, and chips of then have this one
}

/** Erases that always take four address bytes. */
const fourByteErases: readonly number[] = [0x21, 0x53, 0x5c, 0xdc]

/** One opcode that erases different amounts in two chips of one id is none to use. */
function agreedErases(
  addressing: NorAddressing,
  sfdp: Sfdp | undefined,
  parts: readonly NorPart[],
): readonly NorErase[] {
  const takesFour = (one: NorErase) => fourByteErases.includes(one.opcode)
  const fits = (one: NorErase) => takesFour(one) === (addressing === 'native')
  const said = addressing === 'native' && sfdp?.native4 ? sfdp.native4.erases : sfdp?.erases
  const [first, ...others] = parts.map(({ erases }) => erases.filter(fits))
  const candidates = said?.filter((one) => addressing !== 'native' || fits(one)) ?? first ?? []
  const lists = said ? [first ?? [], ...others] : others
  const isDenied = (erases: readonly NorErase[], one: NorErase) =>
    said
      ? erases.some(({ opcode, bytes }) => opcode === one.opcode && bytes !== one.bytes)
      : !erases.some(({ opcode, bytes }) => opcode === one.opcode && bytes === one.bytes)
  return candidates.filter((one) => !lists.some((erases) => isDenied(erases, one)))
}
