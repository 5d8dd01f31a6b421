/**
 * SAM3U, as on DAPLink probes with a SAM3U2C and on many a J-Link OB. Those of 256 KiB have two planes with nothing between.
 * With its security bit set it is closed to debuggers, and says nothing of itself; only its ERASE pin opens it, which erases
 * everything and has it start its ROM from then on. Sources: as `sam3u-flash.ts` (CHIPID_CIDR, GPNVM, memory map).
 */
import { blank, hex, hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import type { Check, Contents, Memory, Notice, Range } from '#core/programmer.ts'
import { Core, isCore, readTold, wordIfAny, type ArmChip, type ArmFamily, type Met } from './arm-family.ts'
import { checkCortexM } from './cortex-m-check.ts'
import { Bit, bufferBytes, pageBytes, planeBytes, Sam3uFlash, type Plane } from './sam3u-flash.ts'
import type { TargetMemory } from './target-memory.ts'

const cidrAt = 0x400e_0740
/** Without the revision. */
const chips: Readonly<Record<number, { readonly name: string; readonly kib: number }>> = {
  0x2809_0560: { name: 'SAM3U1C', kib: 64 },
  0x2819_0560: { name: 'SAM3U1E', kib: 64 },
  0x280a_0760: { name: 'SAM3U2C', kib: 128 },
  0x281a_0760: { name: 'SAM3U2E', kib: 128 },
  0x2800_0960: { name: 'SAM3U4C', kib: 256 },
  0x2810_0960: { name: 'SAM3U4E', kib: 256 },
}
const places = [
  { address: 0x8_0000, controller: 0x400e_0800 },
  { address: 0x10_0000, controller: 0x400e_0a00 },
] as const
/** Erased and written. */
const pageMs = 4.6

const planesOf = (bytes: number): Plane[] =>
  places
    .slice(0, Math.ceil(bytes / planeBytes))
    .map((place) => ({ ...place, length: Math.min(bytes, planeBytes) }))

async function meet(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  if (!isCore(met, Core.M3)) return undefined
  const cidr = (await wordIfAny(met, cidrAt, ctx)) ?? 0
  const chip = chips[(cidr & ~0x1f) >>> 0]
  if (!chip) return undefined
  const { memory, core } = met
  const planes = planesOf(chip.kib * 1024)
  const flash = new Sam3uFlash(memory, core, planes)
  await core.halt(ctx) // its program might be in the flash, or at its controller
  const bits = await flash.readBits(ctx)
  const locked = await flash.lockedRegions(ctx)
  const uniqueId = await flash.readUniqueId(ctx)
  const main = flashMemory(memory, flash, planes)
  return {
    kind: `cortex-m:sam3u:${String(chip.kib)}`,
    ...{ chip: `${chip.name} (${String(chip.kib)} KiB)`, saidBy: 'CHIPID_CIDR' },
    facts: [
      {
        name: 'lock',
        value: `GPNVM ${hex(bits, 1)}, lock ${String(locked.length)} × 8 KiB`,
        source: 'GGPB, GLB',
      },
      { name: 'signature', value: hex(cidr, 8), source: 'CHIPID_CIDR' },
      { name: 'serial', value: hexBytes(uniqueId, '').toUpperCase(), source: 'STUI' },
    ],
    notices: noticesOf(bits, locked),
    ...{ memories: [main], unreadable: [] },
    get hasChanged() {
      return flash.hasChanged
    },
    check: (wanted, present) => checkSam3u(main, planes, wanted, present),
  }
}

function noticesOf(bits: number, locked: readonly Range[]): Notice[] {
  const [first, last] = [locked[0], locked.at(-1)]
  return [
    ...((bits >>> Bit.FromFlash) & 1 ? [] : [{ code: 'sam3-starts-rom', level: 'info' } as const]),
    ...(first && last
      ? [
          {
            ...({ code: 'sam3-locked', level: 'info' } as const),
            values: { from: hex(first.address, 8), to: hex(last.address + last.length - 1, 8) },
          },
        ]
      : []),
  ]
}

/** Between planes there is nothing, which reads as blank. */
function flashMemory(memory: TargetMemory, flash: Sam3uFlash, planes: readonly Plane[]): Memory {
  const [first, last] = [planes[0], planes.at(-1)]
  const address = first?.address ?? 0
  const end = last ? last.address + last.length : address
  const gaps = planes.slice(1).map((plane, i): Range => {
    const from = endOf(planes[i] ?? plane)
    return { address: from, length: plane.address - from }
  })
  return {
    ...{ id: 'flash', address, length: end - address, pageBytes, pageMs, write: 'overwrite' },
    reserved: gaps.map((gap) => ({ ...gap, why: 'never' as const })),
    // the first vectors
    guard: { address, length: pageBytes },
    atOnceBytes: bufferBytes,
    read: async (range, ctx) => {
      const bytes = blank(range.length)
      for (const part of partsOf(range, planes))
        bytes.set(await readTold(memory, part, ctx), part.address - range.address)
      for (const part of partsOf(range, gaps)) ctx.progress.advance(part.length, part.address)
      return bytes
    },
    program: async (from, bytes, ctx) => {
      for (const part of partsOf({ address: from, length: bytes.length }, planes))
        await flash.program(part.address, bytes.subarray(part.address - from).subarray(0, part.length), ctx)
    },
  }
}

const endOf = ({ address, length }: Range): number => address + length

/** What of it is in each. */
const partsOf = (range: Range, wholes: readonly Range[]): Range[] =>
  wholes.flatMap((whole) => {
    const address = Math.max(range.address, whole.address)
    const length = Math.min(endOf(range), endOf(whole)) - address
    return length > 0 ? [{ address, length }] : []
  })

function checkSam3u(
  flash: Range,
  planes: readonly Plane[],
  wanted: Contents,
  present: Contents,
): readonly Check[] {
  const checks = checkCortexM({ flash, wanted, present })
  const stray = (wanted.get('flash') ?? []).find(
    ({ address, bytes }) =>
      partsOf({ address, length: bytes.length }, planes).reduce((sum, { length }) => sum + length, 0) <
      bytes.length,
  )
  const [first] = planes
  if (!stray || !first || planes.length === 1) return checks
  return checks.map((one): Check => {
    if (one.code !== 'size-fits' || one.result === 'refused') return one
    const beyond = endOf(first)
    const excess = stray.address + stray.bytes.length - beyond
    return {
      ...one,
      result: 'refused',
      values: { ...one.values, beyond: hex(beyond, 8), excess: String(excess) },
    }
  })
}

export default { meet } satisfies ArmFamily
