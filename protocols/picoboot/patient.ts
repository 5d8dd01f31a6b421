/**
 * The flash of an RP2040 or RP2350 in BOOTSEL mode. Its ROM is in the chip and cannot be written, so no write can break
 * it; and it starts only what begins as it asks for (`rp2-chips.ts`). So the first sector is blanked first and written last: half
 * a program is never started, the chip comes back in BOOTSEL mode by itself. One-time memory is left alone.
 */
import { blank, hex, isBlank, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Check, Contents, Fact, Memory, Notice, Patient, Range } from '#core/programmer.ts'
import { checkRp2 } from '#chips/rp2-check.ts'
import { flashAddress, mostFlashBytes, pageBytes, sectorBytes, type Chip } from '#chips/rp2-chips.ts'
import type { PicobootSession } from './session.ts'
import { flashSize, leastOnBoards, markIn, sizeBy, sizesKib } from './size.ts'

export interface PicobootDevice {
  readonly session: PicobootSession
  readonly chip: Chip
  readonly serial: string | undefined
  /** Found once; undefined: not yet, or it is blank. */
  flashBytes?: number | undefined
  /** Of an RP2350 whose flash is divided by one. */
  hasTable?: boolean
}

/** Half a second at most, so that a cancel is heard. */
const readBytes = 64 * 1024
/** For the estimate; erased and written, of a W25Q16. */
const sectorMs = 60

export class PicobootPatient implements Patient {
  readonly unreadable = []
  readonly kind: string
  readonly mayBe: readonly string[]
  readonly chip: string
  readonly notices: readonly Notice[]
  readonly memories: readonly Memory[]
  readonly #device: PicobootDevice
  readonly #flash: Memory
  /** What can be addressed of it. */
  readonly #limit: number
  readonly #isSizeUnknown: boolean

  private constructor(device: PicobootDevice, limit: number) {
    const { chip, flashBytes } = device
    const length = flashBytes ?? limit
    this.#device = device
    this.#limit = limit
    this.chip = chip.name
    const kindOf = (kib: number | 'unknown') =>
      `${chip.name === 'RP2040' ? 'cortex-m:' : ''}${chip.name.toLowerCase()}:${String(kib)}`
    this.#isSizeUnknown = flashBytes === undefined
    this.kind = kindOf(flashBytes === undefined ? 'unknown' : length / 1024)
    this.mayBe = flashBytes === undefined ? sizesKib(limit).map(kindOf) : [kindOf('unknown')]
    this.notices = flashBytes === undefined ? [{ code: 'flash-size-unknown', level: 'info' }] : []
    this.#flash = {
      ...{ id: 'flash', address: flashAddress, length, pageBytes: sectorBytes, pageMs: sectorMs },
      ...{ write: 'overwrite', reserved: [], guard: { address: flashAddress, length: sectorBytes } },
      read: (range, ctx) => this.#read(range, ctx),
      program: (address, bytes, ctx) => this.#program(address, bytes, ctx),
    }
    this.memories = [this.#flash]
  }

  static async connect(device: PicobootDevice, ctx: Context): Promise<PicobootPatient> {
    const { session, chip } = device
    await session.reset()
    try {
      await session.takeOver()
      const isRp2350 = chip.name === 'RP2350'
      const said = isRp2350 ? await session.flashLimit() : undefined
      device.hasTable = isRp2350 && (await session.hasTable())
      const limit = Math.min(said ?? mostFlashBytes, mostFlashBytes)
      device.flashBytes ??= await named('read', () => flashSize(readerOf(device), limit, ctx))
      return new PicobootPatient(device, limit)
    } catch (error) {
      await session.reset().catch(() => undefined) // the first trouble is what matters
      throw error
    }
  }

  get facts(): readonly Fact[] {
    const { serial, flashBytes } = this.#device
    return [
      {
        name: 'chip',
        value: flashBytes === undefined ? this.chip : `${this.chip} (${String(flashBytes / 1024)} KiB)`,
      },
      ...(serial === undefined ? [] : [{ name: 'serial', value: serial, source: 'iSerialNumber' } as const]),
    ]
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    const { chip, hasTable = false } = this.#device
    const unknownSize = this.#isSizeUnknown
      ? ({ least: leastOnBoards, why: 'size-blank' } as const)
      : undefined
    return checkRp2({ chip, hasTable, flash: this.#flash, wanted, present, claimedChip, unknownSize })
  }

  /** Others may write again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { session } = this.#device
    if (!session.gone.aborted) await session.reset()
  }

  leave(ctx: Context): Promise<void> {
    const { session, chip } = this.#device
    return session.reboot(chip.name, ctx)
  }

  async #read({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const bytes = blank(length)
    const end = this.#end
    for (let at = 0; at < length; at += readBytes) {
      ctx.checkpoint()
      const count = Math.min(readBytes, length - at)
      const there = Math.max(0, Math.min(count, end - (address + at)))
      if (there > 0) bytes.set(await named('read', () => this.#device.session.read(address + at, there)), at)
      ctx.progress.advance(count, address + at)
    }
    return bytes
  }

  /** Of what is there, as far as that is known: behind it, nothing is read, for it would be the beginning again. */
  get #end(): number {
    return flashAddress + (this.#device.flashBytes ?? this.#limit)
  }

  /** Whole sectors: each erased, then written up to where it is to be blank. */
  async #program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    for (let at = 0; at < bytes.length; at += sectorBytes) {
      ctx.checkpoint()
      const sector = bytes.subarray(at, at + sectorBytes)
      if ((address + at) % sectorBytes !== 0 || sector.length !== sectorBytes)
        throw new FlashError('bug', { during: `programming a part of a sector at ${hex(address + at, 8)}` })
      await this.#write(address + at, sector, ctx)
      ctx.progress.advance(sectorBytes, address + at)
    }
  }

  async #write(address: number, sector: Uint8Array, ctx: Context): Promise<void> {
    const { session } = this.#device
    if (address >= this.#end) {
      if (isBlank(sector)) return
      const available = this.#end - flashAddress
      throw new FlashError('does-not-fit', { memory: 'flash', address, length: sectorBytes, available })
    }
    const used = Math.ceil(lengthBeforeBlank(sector) / pageBytes) * pageBytes
    await named('write', async () => {
      await session.erase(address, sectorBytes)
      if (used > 0) await session.write(address, sector.subarray(0, used))
    })
    const mark = this.#device.flashBytes === undefined && markIn(sector, address - flashAddress)
    if (mark) this.#device.flashBytes = await sizeBy(mark, readerOf(this.#device), this.#limit, ctx)
  }
}

const readerOf =
  ({ session }: PicobootDevice) =>
  (offset: number, length: number) =>
    session.read(flashAddress + offset, length)

/** What the partition table of an RP2350 forbids is told as that. */
async function named<T>(ability: 'read' | 'write', work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isFlashError(error, 'device-refused') || error.detail.status !== 'NOT_PERMITTED') throw error
    const detail = { memory: 'flash', by: 'partition-table' } as const
    throw new FlashError(ability === 'read' ? 'read-protected' : 'write-protected', detail, { cause: error })
  }
}
