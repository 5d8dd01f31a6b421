/**
 * The flash behind an RP2040, through the functions of its boot ROM, which its core is made to call; and what the flash says
 * of itself, byte by byte through the SSI. Sources: RP2040 data sheet, 2.8.2 and 2.8.3 (the tables, the functions), 2.19.6.2
 * (IO_QSPI), 4.10 (SSI); pico-sdk, `hardware_flash/flash.c` (how the chip select is driven by hand).
 */
import { hex, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { RamRoutine } from './ram-routine.ts'
import { flashAddress, pageBytes, sectorBytes } from './rp2-chips.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

/** `Mu` and the version of its tables; where the table of functions is. */
const magicAt = 0x10
const magic = 0x01_754d
const tableAt = 0x14
const mostFunctions = 64
const names = ['IF', 'EX', 'RE', 'RP', 'FC', 'CX'] as const
type Name = (typeof names)[number]
const isWanted = (name: string): name is Name => names.some((one) => one === name)

const Ssi = { ReceiveLevel: 0x1800_0024, Data: 0x1800_0060 } as const
const selectAt = 0x4001_800c
/** OUTOVER: the chip select is driven low, or high, whatever the SSI says. */
const Select = { Low: 0x200, High: 0x300 } as const
const Command = { JedecId: 0x9f, UniqueId: 0x4b } as const
const blockErase = { bytes: 0x1_0000, command: 0xd8 } as const

const ram = 0x2000_0000
const stack = 0x2004_0000
/** blx r7; bkpt */
const code = Uint8Array.of(0xb8, 0x47, 0x00, 0xbe)
const places = { code, at: ram, bufferAt: ram + 0x100, bufferBytes: sectorBytes, stack }
/** Data sheets of flash chips give 400 ms at most for a sector, 3 ms for a page; the ROM waits for both. */
const callMs = 5000

export class Rp2040Flash {
  readonly #memory: TargetMemory
  readonly #routine: RamRoutine
  readonly #functions = new Map<Name, number>()

  constructor(memory: TargetMemory, core: CortexM) {
    this.#memory = memory
    this.#routine = new RamRoutine(memory, core, places)
  }

  /** Whether this is its ROM. */
  async findFunctions(ctx: Context): Promise<boolean> {
    if (((await readWord(this.#memory, magicAt, ctx)) & 0xff_ffff) !== magic) return false
    const table = (await readWord(this.#memory, tableAt, ctx)) & 0xffff
    for (let at = table; at < table + mostFunctions * 4; at += 4) {
      const tag = await this.#half(at, ctx)
      if (tag === 0) break
      const name = String.fromCharCode(tag & 0xff, tag >> 8)
      if (isWanted(name)) this.#functions.set(name, await this.#half(at + 2, ctx))
    }
    return true
  }

  /** Its ids: what it has in bytes, and its own number. It is mapped afterwards. */
  async identify(ctx: Context): Promise<{ readonly bytes: number; readonly uniqueId: Uint8Array }> {
    await this.#routine.bring(new Uint8Array(), ctx)
    await this.#commandMode(ctx)
    const [, , , capacity = 0] = await this.#ask(Command.JedecId, 4, ctx)
    const uniqueId = (await this.#ask(Command.UniqueId, 13, ctx)).slice(5)
    await this.#map(ctx)
    // as much as can be addressed
    if (capacity < 16 || capacity > 24)
      throw new FlashError('unexpected-answer', {
        ...{ during: 'asking for its flash size', found: hex(capacity, 2) },
      })
    return { bytes: 2 ** capacity, uniqueId }
  }

  async replace({ address }: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    const offset = address - flashAddress
    const used = Math.ceil(lengthBeforeBlank(bytes) / pageBytes) * pageBytes
    await this.#routine.bring(bytes.subarray(0, used), ctx)
    await this.#commandMode(ctx)
    await this.#call('RE', [offset, sectorBytes, blockErase.bytes, blockErase.command], ctx)
    if (used > 0) await this.#call('RP', [offset, places.bufferAt, used], ctx)
    await this.#map(ctx)
  }

  async #half(at: number, ctx: Context): Promise<number> {
    const bytes = await this.#memory.read(at, 2, ctx, 2)
    return new DataView(bytes.buffer, bytes.byteOffset).getUint16(0, true)
  }

  async #commandMode(ctx: Context): Promise<void> {
    await this.#call('IF', [], ctx)
    await this.#call('EX', [], ctx)
  }

  async #map(ctx: Context): Promise<void> {
    await this.#call('FC', [], ctx)
    await this.#call('CX', [], ctx)
  }

  async #call(name: Name, given: readonly number[], ctx: Context): Promise<void> {
    const entry = this.#functions.get(name)
    if (entry === undefined)
      throw new FlashError('device-refused', { during: 'calling its ROM', status: `no ${name}` })
    const registers = Array.from({ length: 8 }, (_, i) => (i === 7 ? (entry | 1) >>> 0 : (given[i] ?? 0)))
    await this.#routine.run(registers, callMs, [], ctx)
  }

  /** So few that all of it fits into what the SSI holds. */
  async #ask(command: number, count: number, ctx: Context): Promise<Uint8Array> {
    const sent = Array.from({ length: count }, (_, i): [number, number] => [Ssi.Data, i === 0 ? command : 0])
    await this.#memory.writeWords([[selectAt, Select.Low], ...sent], ctx)
    const level = await readWord(this.#memory, Ssi.ReceiveLevel, ctx)
    const answer = new Uint8Array(count)
    for (let i = 0; i < Math.min(level, count); i++) answer[i] = await readWord(this.#memory, Ssi.Data, ctx)
    await this.#memory.writeWords([[selectAt, Select.High]], ctx)
    if (level !== count)
      throw new FlashError('unexpected-answer', {
        during: 'asking its flash',
        found: `${String(level)} bytes`,
      })
    return answer
  }
}
