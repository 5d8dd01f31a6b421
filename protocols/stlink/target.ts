/**
 * Who is at an ST-Link's lines, and what its refusals mean: that nobody is there any more, that the chip says no, or that
 * nothing was understood. Source: openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (`stlink_usb_error_check`).
 */
import { ByteReader } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import { isDebugPort } from '#chips/jtag-chain.ts'
import { Command, Debug, frame, Status, statusName, type Lines } from './packets.ts'
import { isWait, type StLinkSession } from './session.ts'

const idcodesBytes = 12

/** Nobody is there: what a line gives that nobody drives. */
const isNobody = (idcode: number): boolean => idcode === 0 || idcode === 0xffff_ffff

const nobodyAnswers: readonly number[] = [Status.NoDevice, Status.IdcodeError, Status.UnknownJtagChain]
/** The chip said so: once more it says the same. */
const faults: readonly number[] = [Status.Fault, Status.ApFault, Status.DpFault, Status.AlignmentError]
/** Nothing that was understood came from the lines: once more it may be another one, if there is anybody. */
const disturbances: readonly number[] = [
  ...[Status.ApError, Status.ApParity, Status.DpError, Status.DpParity],
]

export class StLinkTarget {
  readonly #session: StLinkSession
  readonly #lines: Lines

  constructor(session: StLinkSession, lines: Lines) {
    this.#session = session
    this.#lines = lines
  }

  /** @throws `target-missing` */
  async readIdcode(ctx: Context): Promise<number> {
    const idcode = await this.#findIdcode(ctx)
    if (idcode === undefined) throw this.#missing()
    return idcode
  }

  /** What a status means. */
  async refused(status: number, during: string, ctx: Context): Promise<FlashError> {
    const isGone =
      nobodyAnswers.includes(status) ||
      (!faults.includes(status) && !isWait(status) && (await this.#findIdcode(ctx)) === undefined)
    if (isGone) return this.#missing()
    if (isWait(status)) return new FlashError('target-busy', { during, by: this.#lines })
    const found = statusName(status)
    return disturbances.includes(status)
      ? new FlashError('unexpected-answer', { during, found })
      : new FlashError('device-refused', { during, status: found })
  }

  #missing = (): FlashError => new FlashError('target-missing', { tried: [this.#lines] })

  /** Of a JTAG chain two are told; the debug port's is the one that is wanted. */
  async #findIdcode(ctx: Context): Promise<number | undefined> {
    const during = 'asking the target who it is'
    const question = frame(Command.Debug, Debug.ReadIdcodes)
    const answer = await this.#session.askPatiently(question, idcodesBytes, during, ctx)
    const read = new ByteReader(answer)
    const [status] = [read.u8(), read.bytes(3)]
    const all = [read.u32le(), read.u32le()]
    const idcode = (this.#lines === 'JTAG' ? all.find(isDebugPort) : undefined) ?? all[0] ?? 0
    return status === Status.Ok && !isNobody(idcode) ? idcode : undefined
  }
}
