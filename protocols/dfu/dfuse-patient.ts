/**
 * The memories of a DfuSe device as a patient. Flash is erased and written by whole sectors; option bytes and OTP are
 * read, so that a backup has them, and never written: writing them restarts the chip, and OTP stays for good.
 *
 * No order of writing can break it: its boot loader is in ROM, or in sectors that it lets nobody write. A boot loader in
 * flash starts what has vectors, so their sector is blanked first and written last: half a program never starts.
 * Sources: ST, UM0424 and AN3156; the order of requests as dfu-util 0.11 sends them.
 */
import { blank, hex, isBlank, usbId } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type {
  Check,
  ChipErase,
  Contents,
  Fact,
  Memory,
  Notice,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'
import { checkCortexM } from '#chips/cortex-m-check.ts'
import { dfuseKind, kibibyteMs, sizesText, unprotectionMs } from '#chips/flash-sectors.ts'
import type { UsbLink } from '#transport/links.ts'
import type { DfuInterface } from './descriptors.ts'
import { riscvFlash, type KnownDevice } from './devices.ts'
import type { Layout, Sector } from './layout.ts'
import { erasePage, firstBlock, readUnprotect, setAddress } from './packets.ts'
import type { DfuSession } from './session.ts'

export interface Region {
  readonly id: 'flash' | 'options' | 'otp'
  /** Its alternate setting. */
  readonly setting: number
  readonly layout: Layout
}

export interface DfuseDevice {
  readonly link: UsbLink
  readonly session: DfuSession
  readonly dfu: DfuInterface
  readonly regions: readonly Region[]
  readonly known: KnownDevice | undefined
  /** What the device counts blocks in; more than `session.transferBytes` where that much cannot be sent. */
  readonly blocksAt: number
}

export class DfusePatient implements Patient {
  readonly notices: readonly Notice[] = []
  readonly unreadable: readonly Unreadable[]
  readonly memories: readonly Memory[]
  readonly kind: string
  readonly chip: string
  readonly eraseChip?: ChipErase
  readonly #device: DfuseDevice
  readonly #flash: readonly Sector[]
  readonly #isRiscv: boolean
  #setting: number | undefined

  private constructor(device: DfuseDevice, flash: readonly Sector[], isProtected = false) {
    this.#device = device
    this.#flash = flash
    const { vendorId, productId } = device.link.seen
    this.#isRiscv = riscvFlash(device.link.seen) !== undefined
    const core = this.#isRiscv ? 'risc-v' : 'cortex-m'
    this.kind = dfuseKind(core, usbId(vendorId, productId), flash)
    const kib = flash.reduce((sum, { length }) => sum + length, 0) / 1024
    this.chip = `${this.#isRiscv ? 'GD32VF103' : (device.known?.chips ?? 'DFU')} (${String(kib)} KiB)`
    const regions = device.regions.filter(({ id }) => !isProtected || id === 'flash')
    this.memories = regions.map((region) => this.#memory(region, isProtected))
    this.unreadable = isProtected ? [{ memory: 'flash', reason: 'read-protected' }] : []
    if (isProtected) this.eraseChip = this.#unprotection
  }

  /** Boot loaders list their own sectors as readable, and hide them: then the flash is what follows. */
  static async connect(device: DfuseDevice, ctx: Context): Promise<DfusePatient> {
    const all = together(device.regions.find(({ id }) => id === 'flash')?.layout.sectors ?? [])
    const firstOpen = all.findIndex(isOpen)
    await device.session.toIdle(ctx)
    try {
      return await DfusePatient.#at(device, all, ctx)
    } catch (error) {
      if (firstOpen <= 0 || !isFlashError(error, 'device-refused')) throw error
      return DfusePatient.#at(device, all.slice(firstOpen), ctx)
    }
  }

  /** One that is protected from being read can still be erased as a whole, by lifting that. */
  static async #at(device: DfuseDevice, flash: readonly Sector[], ctx: Context): Promise<DfusePatient> {
    const patient = new DfusePatient(device, flash)
    await patient.#select('flash')
    try {
      await patient.#seek(flash[0]?.address ?? 0, ctx)
    } catch (error) {
      if (isFlashError(error, 'read-protected')) return new DfusePatient(device, flash, true)
      throw error
    }
    await device.session.abort()
    return patient
  }

  get facts(): readonly Fact[] {
    const serial = this.#isRiscv ? undefined : this.#device.link.seen.serial // the same in all
    return [
      { name: 'chip', value: this.chip },
      { name: 'sectors', value: sizesText(this.#flash), source: 'iInterface' },
      ...(serial === undefined ? [] : [{ name: 'serial', value: serial, source: 'iSerialNumber' } as const]),
    ]
  }

  check(wanted: Contents, present: Contents): readonly Check[] {
    const checks = checkCortexM({ flash: spanOf(this.#flash), wanted, present })
    return this.#isRiscv ? checks.filter(({ code }) => code === 'size-fits') : checks // it has no vector table
  }

  /** It stays in DFU mode: leaving it would end the job. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  async leave(ctx: Context): Promise<void> {
    const { session } = this.#device
    await session.toIdle(ctx)
    await this.#select('flash')
    await this.#seek(this.#flash.find(isOpen)?.address ?? 0, ctx)
    await session.leave(ctx)
  }

  /** It erases everything, and starts anew. Source: AN3156, "Read Unprotect command". */
  get #unprotection(): ChipErase {
    const { session, link } = this.#device
    const { vendorId, productId } = link.seen
    return {
      erases: ['flash'],
      lifts: 'read-protection',
      ms: unprotectionMs,
      restarts: { link: 'usb', as: [{ vendorId, productId }] },
      async run(ctx) {
        await session.toIdle(ctx)
        try {
          await session.download(0, readUnprotect, ctx)
        } catch (error) {
          if (!isFlashError(error, 'device-gone')) throw error
        }
      },
    }
  }

  #memory({ id, layout }: Region, isProtected: boolean): Memory {
    const sectors = id === 'flash' ? this.#flash : together(layout.sectors)
    const isFlash = id === 'flash'
    const fixed = sectors.filter((sector) => !isOpen(sector))
    const first = sectors.find(isOpen)
    const isLoaderInside = !layout.sectors.every(isOpen)
    const pageBytes = Math.min(...sectors.map(({ length }) => length))
    return {
      id,
      ...spanOf(sectors),
      pageBytes,
      sectors,
      pageMs: (pageBytes / 1024) * kibibyteMs,
      write: 'overwrite',
      reserved: isFlash ? fixed.map(({ address, length }) => ({ address, length, why: 'bootloader' })) : [],
      ...(isFlash && isLoaderInside && first && { guard: { address: first.address, length: first.length } }),
      ...(isProtected && { locked: true }),
      ...(!isProtected &&
        sectors.every(({ readable }) => readable) && {
          read: (range: Range, ctx: Context) => this.#read(id, range, ctx),
        }),
      ...(isFlash && {
        program: (address: number, bytes: Uint8Array, ctx: Context) => this.#program(address, bytes, ctx),
      }),
    }
  }

  async #select(id: Region['id']): Promise<void> {
    const { link, dfu, regions } = this.#device
    const setting = regions.find((region) => region.id === id)?.setting ?? 0
    if (setting === this.#setting) return
    // A device with one setting need not know the request; some stall it.
    if (dfu.alternates.length > 1) await link.selectAlternate(dfu.number, setting)
    this.#setting = setting
  }

  /** @throws `read-protected` where the chip says no more than that it may not */
  async #seek(address: number, ctx: Context): Promise<void> {
    try {
      await this.#device.session.download(0, setAddress(address), ctx)
    } catch (error) {
      if (isFlashError(error, 'device-refused') && error.detail.status.endsWith('errVENDOR'))
        throw new FlashError('read-protected', { memory: 'flash', by: 'option-bytes' }, { cause: error })
      throw error
    }
  }

  /** Blocks are counted from the address that was set, in the device's own size. */
  async #read(id: Region['id'], { address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const { session, blocksAt } = this.#device
    await session.toIdle(ctx)
    await this.#select(id)
    const bytes = blank(length)
    for (let at = 0, block = 0; at < length; block++) {
      ctx.checkpoint()
      const isCounting = session.transferBytes === blocksAt && block > 0
      if (!isCounting) {
        if (at > 0) await session.abort()
        await this.#seek(address + at, ctx)
        await session.abort() // upload begins in dfuIDLE; the address stays
      }
      const count = Math.min(session.transferBytes, length - at)
      bytes.set(await session.uploadAll(firstBlock + (isCounting ? block : 0), count), at)
      ctx.progress.advance(count, address + at)
      at += count
    }
    await session.abort()
    return bytes
  }

  /** Whole sectors: each erased, then written where it is not to be blank. */
  async #program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { session } = this.#device
    await session.toIdle(ctx)
    await this.#select('flash')
    for (let at = 0; at < bytes.length;) {
      ctx.checkpoint()
      const sector = this.#flash.find((one) => one.address === address + at)
      if (!sector || at + sector.length > bytes.length)
        throw new FlashError('bug', { during: `programming a part of a sector at ${hex(address + at, 8)}` })
      await session.download(0, erasePage(sector.address), ctx)
      await this.#write(sector.address, bytes.subarray(at, at + sector.length), ctx)
      at += sector.length
    }
    await session.abort()
  }

  async #write(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { session, blocksAt } = this.#device
    const size = session.transferBytes
    /** The next block if the device goes on counting; undefined: the address has to be set. */
    let next: number | undefined
    for (let at = 0; at < bytes.length; at += size) {
      const part = bytes.subarray(at, at + size)
      if (isBlank(part)) next = undefined
      else {
        if (next === undefined) await this.#seek(address + at, ctx)
        const block = next ?? firstBlock
        await session.download(block, part, ctx)
        next = size === blocksAt ? block + 1 : undefined
      }
      ctx.progress.advance(part.length, address + at)
    }
  }
}

const isOpen = ({ erasable, writable }: Sector): boolean => erasable && writable

/** From the first on, up to where there is a gap. */
function together(sectors: readonly Sector[]): readonly Sector[] {
  const gap = sectors.findIndex((sector, i) => {
    const before = sectors[i - 1]
    return before !== undefined && before.address + before.length !== sector.address
  })
  return gap < 0 ? sectors : sectors.slice(0, gap)
}

function spanOf(sectors: readonly Range[]): Range {
  const address = sectors[0]?.address ?? 0
  return { address, length: sectors.reduce((sum, { length }) => sum + length, 0) }
}
