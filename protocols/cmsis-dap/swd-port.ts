/** The debug port behind a CMSIS-DAP probe, by SWD; and what it has in common with one by JTAG. Sources: as `packets.ts`. */
import { FlashError } from '#core/errors.ts'
import type { Access, DebugPort, Transferred } from '#chips/debug-port.ts'
import {
  connect,
  disconnect,
  hostStatus,
  Pin,
  Port,
  swdConfigure,
  swjClock,
  swjPins,
  swjSequence,
  transferConfigure,
} from './packets.ts'
import { sendRow } from './rows.ts'
import type { DapSession } from './session.ts'

const speedsHz = [10_000_000, 4_000_000, 2_000_000, 1_000_000, 400_000, 100_000]
/** Tried in this order; a full-speed probe gains nothing beyond a MHz. */
const ownChoicesHz = [1_000_000, 400_000, 100_000]
/** As dapjs has it. */
const waits = 100
const mostBits = 256

/** By whichever wires. */
export abstract class DapPort implements DebugPort {
  readonly speedsHz = speedsHz
  readonly ownChoicesHz = ownChoicesHz
  protected readonly session: DapSession
  /** nRESET is to be low. */
  #isHeld = false

  constructor(session: DapSession) {
    this.session = session
  }

  abstract attach(speedHz: number): Promise<void>
  abstract transfer(row: readonly Access[]): Promise<Transferred>

  async sequence(bits: Uint8Array, count: number): Promise<void> {
    for (let at = 0; at < count; at += mostBits)
      await this.session.tell(
        swjSequence(bits.subarray(at / 8), Math.min(mostBits, count - at)),
        'sending bits',
      )
  }

  async reset(asserted: boolean): Promise<void> {
    this.#isHeld = asserted
    await this.session.exchange(swjPins(asserted ? 0 : Pin.Reset, Pin.Reset))
  }

  async detach(): Promise<void> {
    await this.session.tell(hostStatus(false), 'switching its light off')
    await this.session.tell(disconnect, 'letting the lines go')
  }

  protected async take(port: number, speedHz: number): Promise<void> {
    const { session } = this
    const [, taken] = await session.exchange(connect(port))
    if (taken !== port)
      throw new FlashError('device-refused', {
        ...{ during: `taking the ${port === Port.Jtag ? 'JTAG' : 'SWD'} lines`, status: String(taken) },
      })
    if (this.#isHeld) await this.reset(true) // as all lines it is high now
    await session.tell(swjClock(speedHz), 'setting the speed')
    await session.tell(transferConfigure(waits), 'setting its patience')
  }
}

export class DapSwdPort extends DapPort {
  async attach(speedHz: number): Promise<void> {
    await this.take(Port.Swd, speedHz)
    await this.session.tell(swdConfigure, 'setting its turnaround')
    await this.session.tell(hostStatus(true), 'switching its light on')
  }

  transfer(row: readonly Access[]): Promise<Transferred> {
    return sendRow(this.session, row)
  }
}
