/**
 * nRF52. A protected one answers by its control port alone, which erases everything and then lets others in; how large it is
 * nobody knows before. Since the weakness of the first ones was found, one without a program that says so is protected
 * again when its power or its pin resets it. Sources: Nordic, product specifications of nRF52832 and nRF52820 (FICR, UICR,
 * CTRL-AP); pyOCD, `target_nRF52.py` (the order of unlocking).
 */
import { hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import {
  Core,
  flashMemory,
  isCore,
  keptMemory,
  wordIfAny,
  type ArmChip,
  type ArmFamily,
  type Met,
} from './arm-family.ts'
import { checkCortexM } from './cortex-m-check.ts'
import { Nrf52Flash } from './nrf52-flash.ts'
import { readWord, type AccessPorts } from './target-memory.ts'

const Ficr = { PageBytes: 0x1000_0010, Pages: 0x1000_0014, DeviceId: 0x1000_0060, Part: 0x1000_0100 } as const
/** Of UICR, all that means something. */
const uicr = { address: 0x1000_1000, length: 0x400 } as const

/** What there is, in KiB. */
const sizesKib: Readonly<Record<number, readonly number[]>> = {
  0x5_2805: [192],
  0x5_2810: [192],
  0x5_2811: [192],
  0x5_2820: [256],
  0x5_2832: [512, 256],
  0x5_2833: [512],
  0x5_2840: [1024],
}
const pageBytes = 4096
const [leastKib, mostKib] = [192, 1024]
/** Erased and programmed: 85 ms for a page, 41 µs for a word. */
const kibibyteMs = 21 + 11

const kindOf = (part: number, kib: number) => `cortex-m:nrf52:${part.toString(16)}:${String(kib)}`
const unknownKind = 'cortex-m:nrf52:unknown'
const allKinds = Object.entries(sizesKib).flatMap(([part, sizes]) =>
  sizes.map((kib) => kindOf(Number(part), kib)),
)

const pagesOf = (kib: number): Range[] =>
  Array.from({ length: (kib * 1024) / pageBytes }, (_, i) => ({ address: i * pageBytes, length: pageBytes }))

async function meet(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  if (met.cpuid === undefined) return meetClosed(met, ctx)
  if (!isCore(met, Core.M4)) return undefined
  const part = await wordIfAny(met, Ficr.Part, ctx)
  if (part === undefined || !(part in sizesKib)) return undefined
  const { memory, core } = met
  const kib = await readKib(met, ctx)
  const id = await memory.read(Ficr.DeviceId, 8, ctx)
  const variant = new TextDecoder().decode((await memory.read(Ficr.Part + 4, 4, ctx)).reverse())
  const flash = new Nrf52Flash(memory, core)
  const main = flashMemory(memory, {
    ...{ sectors: pagesOf(kib), kibibyteMs, isLocked: false },
    replace: (page, bytes, within) => flash.replace(page, bytes, within),
  })
  return {
    ...{ kind: kindOf(part, kib), mayBe: [unknownKind], saidBy: 'FICR.INFO' },
    chip: `nRF${part.toString(16)} (${String(kib)} KiB)`,
    facts: [
      { name: 'signature', value: variant, source: 'FICR.INFO.VARIANT' },
      { name: 'serial', value: hexOf(id), source: 'FICR.DEVICEID' },
    ],
    ...{ memories: [main, keptMemory(memory, uicr)], unreadable: [] },
    get hasChanged() {
      return flash.hasChanged
    },
    check: (wanted, present) => checkCortexM({ flash: main, wanted, present }),
  }
}

/** As one number, the way that the field writes it. */
const hexOf = (bytes: Uint8Array): string =>
  [...bytes].reverse().reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '')

async function readKib(met: Met, ctx: Context): Promise<number> {
  const bytes = await readWord(met.memory, Ficr.PageBytes, ctx)
  const kib = ((await readWord(met.memory, Ficr.Pages, ctx)) * bytes) / 1024
  if (bytes === pageBytes && kib > 0 && kib <= mostKib) return kib
  throw new FlashError('unexpected-answer', { during: 'asking for its flash size', found: String(kib) })
}

// ---- protected -----------------------------------------------------------------------------------

const controlPort = 1
const Control = { Reset: 0x00, EraseAll: 0x04, EraseAllStatus: 0x08, IsOpen: 0x0c, Idr: 0xfc } as const
/** Without the revision. */
const isControlPort = (idr: number): boolean => (idr & 0x0fff_ffff) === 0x0288_0000
const eraseAllMs = 15_000
const pollMs = 10

async function meetClosed(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  const { memory, core } = met
  const { accessPorts: ports } = memory
  if (!ports || !isControlPort(await ports.read(controlPort, Control.Idr, ctx))) return undefined
  const flash = new Nrf52Flash(memory, core)
  /** Known once it is open. */
  let kib: number | undefined
  const main = flashMemory(memory, {
    ...{ sectors: pagesOf(mostKib), kibibyteMs, isLocked: true },
    replace: async (page, bytes, within) => {
      const available = (kib ?? 0) * 1024
      if (page.address < available) return flash.replace(page, bytes, within)
      throw new FlashError('does-not-fit', { memory: 'flash', ...page, available })
    },
  })
  return {
    ...{ kind: unknownKind, mayBe: allKinds, saidBy: 'CTRL-AP' },
    ...{ chip: 'nRF52', facts: [] },
    ...{ memories: [main], unreadable: [{ memory: 'flash', reason: 'read-protected' }] },
    eraseChip: {
      ...{ erases: ['flash'], lifts: 'read-protection', ms: 200 },
      run: async (within) => {
        await eraseAll(ports, within)
        kib = await readKib(met, within)
        await core.halt(within)
      },
    },
    get hasChanged() {
      return flash.hasChanged
    },
    check: (wanted, present) =>
      checkCortexM({
        ...{ flash: main, wanted, present },
        unknownSize: { least: leastKib * 1024, why: 'size-protected' },
      }),
  }
}

/** @throws `timeout` · `device-refused` when it is closed all the same */
async function eraseAll(ports: AccessPorts, ctx: Context): Promise<void> {
  await ports.write(controlPort, Control.EraseAll, 1, ctx)
  for (const until = ctx.clock.now() + eraseAllMs; ;) {
    if (((await ports.read(controlPort, Control.EraseAllStatus, ctx)) & 1) === 0) break
    if (ctx.clock.now() >= until)
      throw new FlashError('timeout', { during: 'erasing everything', timeoutMs: eraseAllMs })
    await ctx.sleep(pollMs)
  }
  await ports.write(controlPort, Control.Reset, 1, ctx)
  await ports.write(controlPort, Control.Reset, 0, ctx)
  await ports.write(controlPort, Control.EraseAll, 0, ctx)
  const isOpen = await ports.read(controlPort, Control.IsOpen, ctx)
  if ((isOpen & 1) === 0)
    throw new FlashError('device-refused', {
      ...{ during: 'erasing everything', status: `APPROTECTSTATUS ${hex(isOpen, 8)}` },
    })
}

export default { meet } satisfies ArmFamily
