/**
 * A target through an ST-Link's own memory commands: as few frames as they fit in, each followed by the question how it
 * went, because data comes back in any case. Sources: as `packets.ts`; the order of connecting:
 * openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (`stlink_usb_init_mode`).
 */
import { ByteReader, exactly, hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Fact } from '#core/programmer.ts'
import type { ArmProbe, TargetMemory, Width } from '#chips/target-memory.ts'
import {
  Command,
  Debug,
  encodeItems,
  EnterSwd,
  exitDebug,
  exitDfu,
  exitSwim,
  frame,
  getTargetVoltage,
  Item,
  itemsStatus,
  memoryFrame,
  memoryOp,
  Mode,
  Nrst,
  parseVoltage,
  readDebugReg,
  rwMisc,
  setComFreq,
  setComFreqBytes,
  Status,
  statusName,
  swdDivisors,
  swdSetFreq,
  tarBytes,
  voltageBytes,
  writeDebugReg,
  type Abilities,
} from './packets.ts'
import { isWait, type StLinkSession } from './session.ts'

const statusBytes = 2
const status2Bytes = 12
const wordBytes = 8
const idcodesBytes = 12
/** As OpenOCD has it. */
const mostWaits = 8
/** Beyond these its own choice does not go: wires are long. */
const ownFastestHz = 3_300_000
const ownSlowestHz = 100_000

export class StLinkProbe implements ArmProbe {
  readonly ownChoicesHz: readonly number[]
  readonly #session: StLinkSession
  readonly #abilities: Abilities
  #isHeld = false

  constructor(session: StLinkSession, abilities: Abilities, speedsHz: readonly number[]) {
    this.#session = session
    this.#abilities = abilities
    this.ownChoicesHz = speedsHz.filter((hz) => hz <= ownFastestHz && hz >= ownSlowestHz)
  }

  async enter(speedHz: number, ctx: Context): Promise<TargetMemory> {
    await this.#leaveMode()
    const measured = this.#abilities.measuresVoltage ? await this.#measure() : []
    await this.#setSpeed(speedHz, ctx)
    try {
      await this.#command([Debug.Enter, EnterSwd], 'taking the SWD lines', ctx)
      if (this.#isHeld) await this.reset(true, ctx) // it may have let go of it
      const idcode = await readIdcode(this.#session, ctx)
      if (this.#abilities.opensAps) await this.#command([Debug.InitAp, 0], 'opening its access port', ctx)
      return new StLinkMemory(this.#session, this.#abilities, idcode, measured)
    } catch (error) {
      await this.leave().catch(() => undefined) // the first error says more
      throw error
    }
  }

  async reset(asserted: boolean, ctx: Context): Promise<void> {
    this.#isHeld = asserted
    await this.#command([Debug.DriveNrst, asserted ? Nrst.Low : Nrst.High], 'driving nRESET', ctx)
  }

  async leave(): Promise<void> {
    await this.#session.tell(exitDebug)
  }

  /** Its boot loader, too, gives way to its firmware; one of somebody else comes back as another device. */
  async #leaveMode(): Promise<void> {
    const { mode } = await this.#session.begin()
    const exit = { [Mode.Dfu]: exitDfu, [Mode.Debug]: exitDebug, [Mode.Swim]: exitSwim }[mode]
    if (!exit) return
    await this.#session.tell(exit)
    if (mode !== Mode.Dfu) return
    const { mode: now } = await this.#session.begin()
    if (now === Mode.Dfu)
      throw new FlashError('device-refused', { during: 'leaving its boot loader', status: 'mode 0' })
  }

  async #measure(): Promise<readonly Fact[]> {
    const volts = parseVoltage(
      await this.#session.ask(getTargetVoltage, voltageBytes, 'measuring the target’s voltage'),
    )
    return [{ name: 'target-voltage', value: `${volts.toFixed(2)} V`, source: 'GET_TARGET_VOLTAGE' }]
  }

  async #setSpeed(speedHz: number, ctx: Context): Promise<void> {
    const during = 'setting the speed'
    if (this.#abilities.listsSpeeds) {
      await this.#session.command(setComFreq(speedHz), setComFreqBytes, during, ctx)
      return
    }
    const [, divisor] = swdDivisors.find(([hz]) => hz <= speedHz) ?? swdDivisors.at(-1) ?? [0, 0]
    await this.#session.command(swdSetFreq(divisor), statusBytes, during, ctx)
  }

  async #command(bytes: readonly number[], during: string, ctx: Context): Promise<void> {
    const sent = frame(Command.Debug, ...bytes)
    const [status = 0] = await this.#session.askPatiently(sent, statusBytes, during, ctx)
    if (status !== Status.Ok) throw await refused(this.#session, status, during, ctx)
  }
}

/** Nobody is there: what a line gives that nobody drives. */
const isNobody = (idcode: number): boolean => idcode === 0 || idcode === 0xffff_ffff

async function findIdcode(session: StLinkSession, ctx: Context): Promise<number | undefined> {
  const during = 'asking the target who it is'
  const question = frame(Command.Debug, Debug.ReadIdcodes)
  const answer = await session.askPatiently(question, idcodesBytes, during, ctx)
  const read = new ByteReader(answer)
  const [status] = [read.u8(), read.bytes(3)]
  const idcode = read.u32le()
  return status === Status.Ok && !isNobody(idcode) ? idcode : undefined
}

async function readIdcode(session: StLinkSession, ctx: Context): Promise<number> {
  const idcode = await findIdcode(session, ctx)
  if (idcode === undefined) throw new FlashError('target-missing', { tried: ['SWD'] })
  return idcode
}

const nobodyAnswers: readonly number[] = [Status.NoDevice, Status.IdcodeError, Status.UnknownJtagChain]
/** The chip said so: once more it says the same. */
const faults: readonly number[] = [Status.Fault, Status.ApFault, Status.DpFault, Status.AlignmentError]
/** Nothing that was understood came from the lines: once more it may be another one, if there is anybody. */
const disturbances: readonly number[] = [
  ...[Status.ApError, Status.ApParity, Status.DpError, Status.DpParity],
  ...[Status.ApWait, Status.DpWait, Status.CommandWait],
]

async function refused(
  session: StLinkSession,
  status: number,
  during: string,
  ctx: Context,
): Promise<FlashError> {
  const isGone =
    nobodyAnswers.includes(status) ||
    (!faults.includes(status) && !isWait(status) && (await findIdcode(session, ctx)) === undefined)
  if (isGone) return new FlashError('target-missing', { tried: ['SWD'] })
  const found = statusName(status)
  return disturbances.includes(status)
    ? new FlashError('unexpected-answer', { during, found })
    : new FlashError('device-refused', { during, status: found })
}

class StLinkMemory implements TargetMemory {
  readonly idcode: number
  readonly measured: readonly Fact[]
  readonly #session: StLinkSession
  readonly #abilities: Abilities

  constructor(session: StLinkSession, abilities: Abilities, idcode: number, measured: readonly Fact[]) {
    this.#session = session
    this.#abilities = abilities
    this.idcode = idcode
    this.measured = measured
  }

  async read(address: number, length: number, ctx: Context, width: Width = 4): Promise<Uint8Array> {
    if (length === 4 && width === 4) return this.#readWord(address, ctx)
    const bytes = new Uint8Array(length)
    for (const { at, size } of this.#pieces(address, length, width)) {
      const during = `reading ${hex(at, 8)}`
      const sent = memoryFrame(memoryOp[width].read, at, size)
      await this.#patiently(during, ctx, async () => {
        // a single byte comes with another one
        const answer = await this.#session.ask(sent, Math.max(size, 2), during)
        bytes.set(answer.subarray(0, size), at - address)
      })
    }
    return bytes
  }

  async write(address: number, bytes: Uint8Array, ctx: Context, width: Width = 4): Promise<void> {
    for (const { at, size } of this.#pieces(address, bytes.length, width)) {
      const part = bytes.subarray(at - address, at - address + size)
      const sent = memoryFrame(memoryOp[width].write, at, size)
      await this.#patiently(`writing ${hex(at, 8)}`, ctx, () => this.#session.tell(sent, part))
    }
  }

  /** In a row, where it takes one. */
  async writeWords(
    words: readonly (readonly [address: number, value: number])[],
    ctx: Context,
  ): Promise<void> {
    const most = this.#abilities.rowItems >> 1
    if (most === 0 || words.length < 3) {
      for (const [address, value] of words) await this.#writeWord(address, value, ctx)
      return
    }
    for (let at = 0; at < words.length; at += most) await this.#writeRow(words.slice(at, at + most), ctx)
  }

  async readRegister(index: number, ctx: Context): Promise<number> {
    const question = frame(Command.Debug, Debug.ReadReg, index)
    return new ByteReader(await this.#word(question, 'reading its registers', ctx)).u32le()
  }

  #readWord(address: number, ctx: Context): Promise<Uint8Array> {
    return this.#word(readDebugReg(address), `reading ${hex(address, 8)}`, ctx)
  }

  async #word(question: Uint8Array, during: string, ctx: Context): Promise<Uint8Array> {
    const answer = await this.#session.askPatiently(question, wordBytes, during, ctx)
    await this.#check(answer[0] ?? 0, during, ctx)
    return answer.subarray(4)
  }

  async #writeWord(address: number, value: number, ctx: Context): Promise<void> {
    const during = `writing ${hex(address, 8)}`
    const sent = writeDebugReg(address, value)
    const [status = 0] = await this.#session.askPatiently(sent, statusBytes, during, ctx)
    await this.#check(status, during, ctx)
  }

  /** Not done again: what it refuses may have been done in part. */
  async #writeRow(words: readonly (readonly [number, number])[], ctx: Context): Promise<void> {
    const items = words.flatMap(([address, value]) => [
      [Item.Address, address] as const,
      [Item.Write, value] as const,
    ])
    const during = `writing ${hex(words[0]?.[0] ?? 0, 8)}`
    await this.#session.tell(rwMisc(Debug.RwMiscOut, items.length), encodeItems(items))
    const answer = await this.#session.ask(rwMisc(Debug.RwMiscIn, items.length), 8 * items.length, during)
    const status = itemsStatus(answer, items.length)
    if (status !== undefined) await this.#check(status, during, ctx)
  }

  /** Again as long as it had to wait: the same bytes go to the same place. */
  async #patiently(during: string, ctx: Context, transfer: () => Promise<void>): Promise<void> {
    for (let waits = 0; ; waits++) {
      await transfer()
      const status = await this.#lastStatus(during)
      if (!isWait(status) || waits >= mostWaits) return this.#check(status, during, ctx)
      await ctx.clock.sleep(2 ** waits)
    }
  }

  async #lastStatus(during: string): Promise<number> {
    const [op, length] = this.#abilities.tellsMore
      ? [Debug.GetLastRwStatus2, status2Bytes]
      : [Debug.GetLastRwStatus, statusBytes]
    const [status = 0] = exactly(
      length,
      await this.#session.ask(frame(Command.Debug, op), length, during),
      during,
    )
    return status
  }

  async #check(status: number, during: string, ctx: Context): Promise<void> {
    if (status !== Status.Ok) throw await refused(this.#session, status, during, ctx)
  }

  *#pieces(address: number, length: number, width: Width): Generator<{ at: number; size: number }> {
    const most = width === 1 ? this.#abilities.mostNarrowBytes : tarBytes
    for (let at = address; at < address + length;) {
      const size = Math.min(address + length - at, most, tarBytes - (at % tarBytes))
      yield { at, size }
      at += size
    }
  }
}
