/**
 * What the ROM of an LPC11U3x does for others (IAP): it erases and programs the flash, reads and writes the EEPROM, tells its
 * ids. A routine in RAM calls it, command after command, on the oscillator that the chip starts with. Sources: NXP, UM10462,
 * 20.14 (IAP commands, the RAM that they use), 3.5.1 (SYSMEMREMAP); Black Magic, `lpc_common.c`, and OpenOCD, `lpc2000.c`
 * (the same of other LPCs).
 */
import { ByteWriter, hex, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { RamRoutine } from './ram-routine.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

const entry = 0x1fff_1ff1
const Command = {
  Prepare: 50,
  CopyToFlash: 51,
  Erase: 52,
  PartId: 54,
  UniqueId: 58,
  WriteEeprom: 61,
  ReadEeprom: 62,
} as const
const statusNames: Readonly<Record<number, string>> = {
  1: 'INVALID_COMMAND',
  2: 'SRC_ADDR_ERROR',
  3: 'DST_ADDR_ERROR',
  4: 'SRC_ADDR_NOT_MAPPED',
  5: 'DST_ADDR_NOT_MAPPED',
  6: 'COUNT_ERROR',
  7: 'INVALID_SECTOR',
  8: 'SECTOR_NOT_BLANK',
  9: 'SECTOR_NOT_PREPARED_FOR_WRITE_OPERATION',
  10: 'COMPARE_ERROR',
  11: 'BUSY',
}
export const sectorBytes = 4096
const copyBytes = [256, 512, 1024, sectorBytes] as const

/** The reset value of SYSAHBCLKDIV and MAINCLKSEL: the internal oscillator, undivided. */
const clockKhz = 12_000
/** What is seen at 0: its ROM after a reset, the flash once a program was started. */
const remap = { at: 0x4004_8000, toFlash: 2 } as const

/**
 * r4 commands, of five words each, r5 results, r6 how many commands, r7 the ROM's entry. Ends at its breakpoint: r6 is 0, or
 * so many are left, and r0 is the status of the last one.
 *
 *     next: mov r0, r4; mov r1, r5; blx r7; ldr r0, [r5]; cmp r0, #0; bne end
 *           adds r4, #20; subs r6, #1; bne next
 *     end:  bkpt
 */
const code = Uint8Array.from([
  ...[0x20, 0x46, 0x29, 0x46, 0xb8, 0x47, 0x28, 0x68, 0x00, 0x28, 0x02, 0xd1],
  ...[0x14, 0x34, 0x01, 0x3e, 0xf6, 0xd1],
  ...[0x00, 0xbe],
])
const commandWords = 5
/** Room for four. */
const commandsBytes = 0x80
const ram = 0x1000_0000
const resultsAt = ram + 0x40
const bufferAt = ram + 0x80
const dataAt = bufferAt + commandsBytes
/** The smallest have 8 KiB, of which the ROM takes the last 32 bytes for itself. */
const stack = ram + 0x2000 - 32
const places = { code, at: ram, bufferAt, bufferBytes: commandsBytes + sectorBytes, stack }

/** Time limits: data sheets give 105 ms for an erase, 1.05 ms for 256 bytes, 2.9 ms for 64 bytes of EEPROM. */
const eraseMs = 1000
const leastMs = 500

export class Lpc11u3xIap {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #routine: RamRoutine

  constructor(memory: TargetMemory, core: CortexM) {
    this.#memory = memory
    this.#core = core
    this.#routine = new RamRoutine(memory, core, places)
  }

  /** From its reset on, before its program set up clocks; with the flash in sight. */
  async begin(ctx: Context): Promise<void> {
    await this.#core.resetAndHalt(ctx)
    await this.#memory.writeWords([[remap.at, remap.toFlash]], ctx)
  }

  async readPartId(ctx: Context): Promise<number> {
    await this.#call([[Command.PartId]], leastMs, 'asking which part it is', ctx)
    return readWord(this.#memory, resultsAt + 4, ctx)
  }

  async readUniqueId(ctx: Context): Promise<Uint8Array> {
    await this.#call([[Command.UniqueId]], leastMs, 'asking for its number', ctx)
    return this.#memory.read(resultsAt + 4, 16, ctx)
  }

  /** A whole sector. @throws `device-refused` with the ROM's status */
  async replace({ address }: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    const sector = address / sectorBytes
    const used = lengthBeforeBlank(bytes)
    const count = copyBytes.find((one) => one >= used) ?? sectorBytes
    const prepare = [Command.Prepare, sector, sector]
    const commands = [prepare, [Command.Erase, sector, sector, clockKhz]]
    if (used > 0) commands.push(prepare, [Command.CopyToFlash, address, dataAt, count, clockKhz])
    const given = used > 0 ? bytes.subarray(0, count) : new Uint8Array()
    await this.#call(commands, eraseMs, `writing ${hex(address, 8)}`, ctx, given)
  }

  async readEeprom({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += sectorBytes) {
      ctx.checkpoint()
      const count = Math.min(sectorBytes, length - at)
      const command = [Command.ReadEeprom, address + at, dataAt, count, clockKhz]
      await this.#call([command], leastMs, `reading EEPROM ${hex(address + at, 4)}`, ctx)
      bytes.set((await this.#memory.read(dataAt, (count + 3) & ~3, ctx)).subarray(0, count), at)
      ctx.progress.advance(count, address + at)
    }
    return bytes
  }

  async writeEeprom(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const command = [Command.WriteEeprom, address, dataAt, bytes.length, clockKhz]
    await this.#call([command], leastMs, `writing EEPROM ${hex(address, 4)}`, ctx, bytes)
  }

  async #call(
    commands: readonly (readonly number[])[],
    timeoutMs: number,
    during: string,
    ctx: Context,
    bytes: Uint8Array = new Uint8Array(),
  ): Promise<void> {
    await this.#routine.bring(withTables(commands, bytes), ctx)
    const given = [0, 0, 0, 0, bufferAt, resultsAt, commands.length, entry]
    const [left = 0, status = 0] = await this.#routine.run(given, timeoutMs, [6, 0], ctx)
    if (left === 0) return
    this.#routine.forget()
    throw new FlashError('device-refused', {
      during,
      status: statusNames[status] ?? `status ${String(status)}`,
    })
  }
}

/** Commands, and behind their room the bytes that they are about. */
function withTables(commands: readonly (readonly number[])[], bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter()
  for (const command of commands) for (let i = 0; i < commandWords; i++) writer.u32le(command[i] ?? 0)
  const tables = writer.done()
  if (bytes.length === 0) return tables
  const all = new Uint8Array(commandsBytes + bytes.length)
  all.set(tables)
  all.set(bytes, commandsBytes)
  return all
}
