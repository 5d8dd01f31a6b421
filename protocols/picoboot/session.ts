/**
 * One chip in BOOTSEL mode, asked command by command: the block, its data, the empty packet the other way that ends it.
 * Whatever went wrong is cleared before it is told, with the reason that the chip gives. It knows no memories. Sources: as
 * `packets.ts`; the order of clearing and the time limits as picotool has them, `picoboot_connection.c`.
 */
import { exactly } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import { isAbortedWithin } from '#core/time.ts'
import type { UsbLink } from '#transport/links.ts'
import {
  askFlash,
  askTable,
  Command,
  encodeCommand,
  Endpoint,
  exclusiveArgs,
  parseFlashInfo,
  parseStatus,
  parseTableInfo,
  rangeArgs,
  reboot2Args,
  rebootArgs,
  Request,
  statusBytes,
  type InfoQuestion,
} from './packets.ts'

const commandTimeoutMs = 3000
/** Of data and of what ends a command: a sector may take 0.4 s to erase. */
const workTimeoutMs = 10_000
const packetBytes = 64
const rebootDelayMs = 500
/** A device that was told to go has gone by then, and the browser has heard of it. */
export const goneWithinMs = 5000
const nothing = new Uint8Array()

export class PicobootSession {
  readonly #link: UsbLink
  /** Of its interface. */
  readonly #number: number
  #token = 0

  constructor(link: UsbLink, number: number) {
    this.#link = link
    this.#number = number
  }

  get gone(): AbortSignal {
    return this.#link.gone
  }

  /** Ends whatever was under way, exclusive access included. */
  async reset(): Promise<void> {
    await this.#link.clearHalt('in', Endpoint.In)
    await this.#link.clearHalt('out', Endpoint.Out)
    await this.#link.controlOut(this.#setup(Request.Reset))
  }

  /** Nobody else writes until a reset. */
  async takeOver(): Promise<void> {
    await this.#run('taking it over', Command.ExclusiveAccess, exclusiveArgs(true))
    await this.#run('connecting the flash', Command.ExitXip)
  }

  /** In flash, `address` is that of a page. */
  read(address: number, length: number): Promise<Uint8Array> {
    return this.#run('reading', Command.Read, rangeArgs(address, length), { length })
  }

  /** Whole sectors, not many at once: the RP2040 says that it has erased what it has not, so ask for none that are not. */
  async erase(address: number, length: number): Promise<void> {
    await this.#run('erasing', Command.FlashErase, rangeArgs(address, length))
  }

  /** Whole pages. */
  async write(address: number, bytes: Uint8Array): Promise<void> {
    await this.#run('writing', Command.Write, rangeArgs(address, bytes.length), { bytes })
  }

  /** As `parseFlashInfo`; RP2350 only. */
  async flashLimit(): Promise<number | undefined> {
    return parseFlashInfo(await this.#info(askFlash, 'asking for the flash'))
  }

  /** RP2350 only; one that has not looked for a table says no more than that. */
  async hasTable(): Promise<boolean> {
    try {
      return parseTableInfo(await this.#info(askTable, 'asking for the partition table'))
    } catch (error) {
      if (isFlashError(error, 'device-refused')) return false
      throw error
    }
  }

  #info({ args, bytes }: InfoQuestion, during: string): Promise<Uint8Array> {
    return this.#run(during, Command.GetInfo, args, { length: bytes })
  }

  /** Starts what the flash holds; once told, it cannot be stopped. @throws `device-refused` when it stays */
  reboot(chip: 'RP2040' | 'RP2350', ctx: Context): Promise<void> {
    return ctx.critical(async ({ clock }) => {
      await (chip === 'RP2040'
        ? this.#run('starting its program', Command.Reboot, rebootArgs(rebootDelayMs))
        : this.#run('starting its program', Command.Reboot2, reboot2Args(rebootDelayMs)))
      if (!(await isAbortedWithin(this.gone, goneWithinMs, clock)))
        throw new FlashError('device-refused', { during: 'starting its program', status: 'still there' })
    })
  }

  /** @throws `device-refused` with the status that the chip names; it takes commands again then */
  async #run(
    during: string,
    command: Command,
    args: Uint8Array = nothing,
    { length = 0, bytes = nothing }: { readonly length?: number; readonly bytes?: Uint8Array } = {},
  ): Promise<Uint8Array> {
    const token = ++this.#token
    const io = { timeoutMs: workTimeoutMs }
    try {
      const transferBytes = length + bytes.length
      const block = encodeCommand({ token, command, args, transferBytes })
      await this.#link.bulkOut(Endpoint.Out, block, { timeoutMs: commandTimeoutMs })
      if (length > 0) {
        const data = exactly(length, await this.#link.bulkIn(Endpoint.In, length, io), during)
        await this.#link.bulkOut(Endpoint.Out, acknowledgement, io)
        return data
      }
      if (bytes.length > 0) await this.#link.bulkOut(Endpoint.Out, bytes, io)
      exactly(0, await this.#link.bulkIn(Endpoint.In, packetBytes, io), during)
      return nothing
    } catch (error) {
      if (!isFlashError(error, 'stalled', 'short-transfer', 'transfer-failed')) throw error
      const status = await this.#cleared(token)
      if (status === undefined || status === 'OK') throw error
      throw new FlashError('device-refused', { during, status }, { cause: error })
    }
  }

  /** What the chip says of this command; undefined: nothing. */
  async #cleared(token: number): Promise<string | undefined> {
    const answer = await this.#link.controlIn(this.#setup(Request.Status), statusBytes)
    await this.reset()
    const told = parseStatus(answer)
    return told.token === token ? told.status : undefined
  }

  #setup(request: number) {
    return { requestType: 'vendor', recipient: 'interface', request, value: 0, index: this.#number } as const
  }
}

/** Any packet will do; this is the one that picotool sends. */
const acknowledgement = new Uint8Array(1)
