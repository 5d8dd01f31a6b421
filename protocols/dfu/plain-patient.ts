/**
 * The firmware of a plain DFU device as a patient: no addresses, no sizes, one image from the first block to the last.
 * How long it is, an upload shows. A download is always the whole, because what a device does with a part is not said.
 * Source: DFU 1.1, sections 6.1 and 6.2.
 */
import { blank, exactly, hex, usbId } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type {
  Check,
  Comeback,
  Contents,
  Fact,
  Memory,
  Notice,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'
import { checkCortexM } from '#chips/cortex-m-check.ts'
import type { UsbLink } from '#transport/links.ts'
import { dfuClass, type DfuInterface } from './descriptors.ts'
import type { KnownDevice } from './devices.ts'
import type { DfuSession } from './session.ts'

export interface PlainDevice {
  readonly link: UsbLink
  readonly session: DfuSession
  readonly dfu: DfuInterface
  readonly known: KnownDevice | undefined
  /** Measured once; undefined: not yet, or a reading has shown another one. */
  extent?: Extent | undefined
}

/** The setting with something in it, and how much. */
interface Extent {
  readonly setting: number
  readonly length: number
}

/** More than any such device has: an upload that never ends. */
const mostBytes = 4 * 1024 * 1024
/** For the estimate; a kibibyte erased and written by an STM32F103. */
const kibibyteMs = 47

export class PlainPatient implements Patient {
  readonly notices: readonly Notice[] = []
  readonly unreadable: readonly Unreadable[] = []
  readonly memories: readonly Memory[]
  readonly kind: string
  readonly chip: string
  readonly #device: PlainDevice
  readonly #extent: Extent
  readonly #memory: Memory
  #hasLeft = false
  /** Of the upload at hand: its next block; undefined: there is none. */
  #next: number | undefined

  private constructor(device: PlainDevice, extent: Extent) {
    this.#device = device
    this.#extent = extent
    const { link, known, session } = device
    const { length } = extent
    const address = known?.startsAt ?? 0
    const id = `dfu:${usbId(link.seen.vendorId, link.seen.productId)}:${String(length)}`
    this.kind = known?.startsAt === undefined ? id : `cortex-m:${id}`
    this.chip = `${known?.chips ?? 'DFU'} (${String(length / 1024)} KiB)`
    const pageBytes = Math.min(session.transferBytes, length)
    this.#memory = {
      ...{ id: 'flash', address, length, pageBytes, sectors: [{ address, length }] },
      ...{ pageMs: (pageBytes / 1024) * kibibyteMs, write: 'overwrite', reserved: [] },
      read: (range, ctx) => this.#read(range, ctx),
      ...(device.dfu.functional?.canDownload && {
        program: (at: number, bytes: Uint8Array, ctx: Context) => this.#program(at, bytes, ctx),
      }),
    }
    this.memories = [this.#memory]
  }

  /** @throws `device-refused` when no setting gives anything, or one never ends */
  static async connect(device: PlainDevice, ctx: Context): Promise<PlainPatient> {
    const { link, session, dfu } = device
    device.extent ??= await measured(device, ctx)
    await session.toIdle(ctx)
    await select(link, dfu, device.extent.setting)
    return new PlainPatient(device, device.extent)
  }

  get facts(): readonly Fact[] {
    const { link, dfu } = this.#device
    const { setting } = this.#extent
    const where = `alternate setting ${String(setting)}`
    const { serial } = link.seen
    return [
      { name: 'chip', value: this.chip },
      ...(dfu.alternates.length > 1
        ? [{ name: 'bootloader', value: where, source: 'bAlternateSetting' } as const]
        : []),
      ...(serial === undefined ? [] : [{ name: 'serial', value: serial, source: 'iSerialNumber' } as const]),
    ]
  }

  /** Where it is in the address space is known of few; else no more than its size can be checked. */
  check(wanted: Contents, present: Contents): readonly Check[] {
    const checks = checkCortexM({ flash: this.#memory, wanted, present })
    return this.#device.known?.startsAt === undefined
      ? checks.filter(({ code }) => code === 'size-fits')
      : checks
  }

  /** In its boot loader again, or as an application that can start that. */
  get hasLeft(): Comeback | undefined {
    const { vendorId, productId } = this.#device.link.seen
    return this.#hasLeft ? { link: 'usb', as: [{ vendorId, productId }, dfuClass] } : undefined
  }

  /** It stays in DFU mode: leaving it would end the job. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  /** Blocks come in order only: what follows the last reading goes on with it, all else begins anew. */
  async #read({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const { session } = this.#device
    const size = session.transferBytes
    const from = address - this.#memory.address
    const bytes = blank(length)
    let block = this.#next
    if (block === undefined || block * size > from) {
      await session.toIdle(ctx)
      block = 0
    }
    for (; block * size < from + length; block++) {
      ctx.checkpoint()
      const at = block * size
      const part = await this.#block(block)
      const wanted = part.subarray(Math.max(0, from - at), from + length - at)
      bytes.set(wanted, Math.max(0, at - from))
      if (wanted.length > 0) ctx.progress.advance(wanted.length, this.#memory.address + Math.max(at, from))
    }
    return bytes
  }

  /** With the last one goes the end. @throws `short-transfer` where it ends elsewhere than it did when it was measured */
  async #block(block: number): Promise<Uint8Array> {
    const { session } = this.#device
    const size = session.transferBytes
    const left = this.#extent.length - block * size
    this.#next = undefined // unless it comes
    const bytes = await session.upload(block, size)
    const isEnd = left === size && bytes.length === size
    const beyond = isEnd ? await session.upload(block + 1, size) : blank(0)
    if (bytes.length !== Math.min(size, left) || beyond.length > 0) this.#device.extent = undefined
    if (left > size) this.#next = block + 1
    exactly(0, beyond, 'reading the end')
    return exactly(Math.min(size, left), bytes, `reading block ${String(block)}`)
  }

  async #program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { session, dfu, link } = this.#device
    if (address !== this.#memory.address || bytes.length !== this.#extent.length)
      throw new FlashError('bug', { during: `programming a part at ${hex(address, 8)}` })
    this.#next = undefined
    await session.toIdle(ctx)
    let block = 0
    for (let at = 0; at < bytes.length; at += session.transferBytes) {
      ctx.checkpoint()
      const part = bytes.subarray(at, at + session.transferBytes)
      await session.download(block++, part, ctx)
      ctx.progress.advance(part.length, address + at)
    }
    const ended = await session.manifest(block, dfu.functional?.isManifestationTolerant ?? false, ctx)
    this.#hasLeft = ended === 'left'
    if (!this.#hasLeft) await select(link, dfu, this.#extent.setting) // which a reset may have changed
  }
}

/** The first setting that gives anything. */
async function measured({ link, session, dfu }: PlainDevice, ctx: Context): Promise<Extent> {
  let cause: unknown
  for (const { setting } of dfu.alternates) {
    await session.toIdle(ctx)
    await select(link, dfu, setting)
    try {
      const length = await uploadedBytes(session, ctx)
      if (length > 0) return { setting, length }
    } catch (error) {
      if (!isFlashError(error, 'stalled')) throw error
      cause = error
    }
  }
  throw cause ?? new FlashError('device-refused', { during: 'reading its firmware', status: 'nothing comes' })
}

/** A device with one setting need not know the request; some stall it. */
async function select(link: UsbLink, { number, alternates }: DfuInterface, setting: number): Promise<void> {
  if (alternates.length > 1) await link.selectAlternate(number, setting)
}

/** @throws `device-refused` when it never ends */
async function uploadedBytes(session: DfuSession, ctx: Context): Promise<number> {
  const size = session.transferBytes
  for (let block = 0, length = 0; length <= mostBytes; block++) {
    ctx.checkpoint()
    const part = await session.upload(block, size)
    length += part.length
    if (part.length < size) return length
  }
  throw new FlashError('device-refused', { during: 'reading its firmware', status: 'it never ends' })
}
