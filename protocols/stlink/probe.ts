/**
 * An ST-Link's way to a target, by SWD or by JTAG: the lines are taken by one command or the other, and all that follows is
 * the same. Sources: as `packets.ts`; the order of connecting: openocd-org/openocd, `src/jtag/drivers/stlink_usb.c`
 * (`stlink_usb_init_mode`).
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Fact } from '#core/programmer.ts'
import type { ArmProbe, TargetMemory } from '#chips/target-memory.ts'
import { StLinkMemory } from './memory.ts'
import {
  Command,
  Debug,
  divisorsOf,
  Enter,
  exitDebug,
  exitDfu,
  exitSwim,
  frame,
  getTargetVoltage,
  Mode,
  Nrst,
  parseVoltage,
  setComFreq,
  setComFreqBytes,
  setFreq,
  Status,
  statusBytes,
  voltageBytes,
  type Abilities,
  type Lines,
} from './packets.ts'
import type { StLinkSession } from './session.ts'
import { StLinkTarget } from './target.ts'

/** Beyond these its own choice does not go: wires are long. */
const ownFastestHz = 3_300_000
const ownSlowestHz = 100_000

export class StLinkProbe implements ArmProbe {
  readonly ownChoicesHz: readonly number[]
  readonly #session: StLinkSession
  readonly #abilities: Abilities
  readonly #lines: Lines
  readonly #target: StLinkTarget
  #isHeld = false

  constructor(session: StLinkSession, abilities: Abilities, lines: Lines, speedsHz: readonly number[]) {
    this.#session = session
    this.#abilities = abilities
    this.#lines = lines
    this.#target = new StLinkTarget(session, lines)
    this.ownChoicesHz = speedsHz.filter((hz) => hz <= ownFastestHz && hz >= ownSlowestHz)
  }

  async enter(speedHz: number, ctx: Context): Promise<TargetMemory> {
    await this.#leaveMode()
    const measured = this.#abilities.measuresVoltage ? await this.#measure() : []
    await this.#setSpeed(speedHz, ctx)
    try {
      const how = this.#lines === 'SWD' ? Enter.Swd : Enter.Jtag
      await this.#command([Debug.Enter, how], `taking the ${this.#lines} lines`, ctx)
      if (this.#isHeld) await this.reset(true, ctx) // it may have let go of it
      const idcode = await this.#target.readIdcode(ctx)
      if (this.#abilities.opensAps) await this.#command([Debug.InitAp, 0], 'opening its access port', ctx)
      return new StLinkMemory(this.#session, this.#abilities, this.#target, { idcode, measured })
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
      await this.#session.command(setComFreq(this.#lines, speedHz), setComFreqBytes, during, ctx)
      return
    }
    const divisors = divisorsOf(this.#lines)
    const [, divisor] = divisors.find(([hz]) => hz <= speedHz) ?? divisors.at(-1) ?? [0, 0]
    await this.#session.command(setFreq(this.#lines, divisor), statusBytes, during, ctx)
  }

  async #command(bytes: readonly number[], during: string, ctx: Context): Promise<void> {
    const sent = frame(Command.Debug, ...bytes)
    const [status = 0] = await this.#session.askPatiently(sent, statusBytes, during, ctx)
    if (status !== Status.Ok) throw await this.#target.refused(status, during, ctx)
  }
}
