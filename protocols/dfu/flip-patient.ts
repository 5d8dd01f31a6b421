/**
 * The memories of an AVR in Atmel's DFU boot loader (FLIP) as a patient: flash and EEPROM; the boot section is never
 * written. Builds of Arduino and LUFA erase each page before they write it. Atmel's own only erases everything, and
 * refuses all else until then: it is locked anew whenever it starts, so nothing of it can be backed up.
 *
 * What it says of its chip is trusted where the whole signature comes (Arduino's); else the chip is the one of its id,
 * and what lies behind some loaders' signature is never asked for. Sources: as `flip-packets.ts`; the order of requests
 * as dfu-programmer 0.6.1 sends them, which also says what of Atmel's own is locked.
 */
import { blank, hex, hexBytes } from '#core/bytes.ts'
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
import { checkAvr } from '#chips/avr-check.ts'
import { avrPartByName, findAvrPart, type AvrPart } from '#chips/avr-parts.ts'
import * as flip from './flip-packets.ts'
import { statusText, type Status } from './packets.ts'
import type { DfuSession } from './session.ts'

export interface FlipDevice {
  readonly session: DfuSession
  /** The chip of its id. */
  readonly chip: string
  /** It has a functional descriptor, as builds of LUFA's have: it erases what it writes. */
  readonly overwrites: boolean
  /** Known once it was met. */
  chips?: Chip
  /** How its flash is offered, which must not change when it is unlocked. */
  isWhole?: boolean
}

interface Chip {
  readonly part: AvrPart
  readonly version: string
  /** Where it tells it. */
  readonly signature: Uint8Array | undefined
}

/** Page erase and page write (SPM), 4.5 ms each at most. */
const pageMs = 9
/** Erase and write of one byte. */
const eepromByteMs = 3.4
/** Its blocks are counted, although nobody looks at the number. */
const blocks = 0x1_0000

type Kind = 'flash' | 'eeprom'

export class FlipPatient implements Patient {
  readonly kind: string
  readonly chip: string
  /** All but the boot section; where pages are overwritten nobody needs it. */
  readonly eraseChip?: ChipErase
  readonly #device: FlipDevice
  readonly #chip: Chip
  readonly #isLocked: boolean
  readonly #boot: Range
  #block = 0
  #page64K: number | undefined

  private constructor(device: FlipDevice, chip: Chip, isLocked: boolean) {
    this.#device = device
    this.#chip = chip
    this.#isLocked = isLocked
    const { part } = chip
    this.kind = `avr:${hexBytes(Uint8Array.from(part.signature), '')}`
    this.chip = part.name
    const length = Math.max(0, ...(part.bootBytes ?? []))
    this.#boot = { address: part.flash.bytes - length, length }
    if (!device.isWhole)
      this.eraseChip = {
        erases: ['flash'],
        ms: (this.#boot.address / part.flash.pageBytes) * pageMs,
        run: (ctx) => ctx.critical((critical) => this.#erase(critical)),
      }
  }

  /**
   * @throws `wrong-device` when its signature is not of a chip like that of its id · `target-unknown` ·
   * `unexpected-answer` · `device-refused`
   */
  static async connect(device: FlipDevice, ctx: Context): Promise<FlipPatient> {
    await device.session.toIdle(ctx)
    device.chips ??= await identify(device, ctx)
    const isLocked = await refusesToRead(device.session, ctx)
    device.isWhole ??= device.overwrites && !isLocked
    return new FlipPatient(device, device.chips, isLocked)
  }

  get facts(): readonly Fact[] {
    const { version, signature } = this.#chip
    const { address, length } = this.#boot
    return [
      { name: 'chip', value: this.chip },
      ...(signature
        ? [{ name: 'signature', value: hexBytes(signature), source: 'read 30, 31, 32' } as const]
        : []),
      { name: 'bootloader', value: `FLIP ${version}, ${hex(address, 4)} (${String(length)} B)` },
    ]
  }

  get notices(): readonly Notice[] {
    if (this.#isLocked) return [{ code: 'bootloader-locked', level: 'warning' }]
    return [{ code: 'bootloader-no-fuses', level: 'info', values: { eeprom: 'yes' } }]
  }

  get unreadable(): readonly Unreadable[] {
    return [
      ...(['fuses', 'lock'] as const).map((memory) => ({ memory, reason: 'not-through-this-way' }) as const),
      ...(this.#isLocked ? (['flash', 'eeprom'] as const) : []).map(
        (memory) => ({ memory, reason: 'read-protected' }) as const,
      ),
    ]
  }

  get memories(): readonly Memory[] {
    const { flash, eeprom } = this.#chip.part
    const { isWhole } = this.#device
    const readable = (memory: Kind) =>
      this.#isLocked ? {} : { read: (range: Range, ctx: Context) => this.#read(memory, range, ctx) }
    const writable = (memory: Kind) => ({
      program: (address: number, bytes: Uint8Array, ctx: Context) =>
        this.#program(memory, address, bytes, ctx),
    })
    return [
      {
        ...{ id: 'flash', address: 0, length: isWhole ? flash.bytes : this.#boot.address },
        ...{ pageBytes: flash.pageBytes, pageMs, write: isWhole ? 'overwrite' : 'and' },
        reserved: isWhole ? [{ ...this.#boot, why: 'bootloader' }] : [],
        ...readable('flash'),
        ...writable('flash'),
      },
      {
        ...{ id: 'eeprom', address: 0, length: eeprom.bytes, pageBytes: flip.packetBytes },
        ...{ pageMs: flip.packetBytes * eepromByteMs, write: 'overwrite', reserved: [] },
        ...readable('eeprom'),
        ...(this.#isLocked ? {} : writable('eeprom')),
      },
    ]
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    const { part } = this.#chip
    return checkAvr({ part, wanted, present, claimedChip, bootBytes: this.#boot.length })
  }

  /** By a reset of its watchdog's. */
  async leave(ctx: Context): Promise<void> {
    const { session } = this.#device
    await session.toIdle(ctx)
    await session.hand(this.#nextBlock(), flip.startByReset)
    await session.leave(ctx)
  }

  /** It stays in its boot loader: leaving it would end the job. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  // ---- reading ----------------------------------------------------------------------------------

  /** Flash is read by words. */
  async #read(memory: Kind, { address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const bytes = blank(length)
    const end = address + length
    for (let at = address & ~1; at < end;) {
      ctx.checkpoint()
      await this.#select(memory, at, ctx)
      const count = reach(at, end - at)
      const block = await readBlock(this.#device.session, this.#nextBlock(), memory, at, count, ctx)
      const skip = Math.max(0, address - at)
      const part = block.subarray(skip, Math.min(count, end - at))
      bytes.set(part, at + skip - address)
      ctx.progress.advance(part.length, at + skip)
      at += count
    }
    return bytes
  }

  // ---- writing ----------------------------------------------------------------------------------

  async #program(memory: Kind, address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { flash } = this.#chip.part
    const unit = memory === 'flash' ? flash.pageBytes : flip.packetBytes
    if (address % unit !== 0 || (memory === 'flash' && bytes.length % unit !== 0))
      throw new FlashError('bug', { during: `programming a part of a page at ${hex(address, 4)}` })
    if (memory === 'flash' && address + bytes.length > this.#boot.address)
      throw new FlashError('write-protected', { memory })
    for (let at = 0; at < bytes.length;) {
      ctx.checkpoint()
      await this.#select(memory, address + at, ctx)
      const part = bytes.subarray(at, at + reach(address + at, bytes.length - at))
      await this.#send(flip.program(memory, address + at, part), memory, ctx)
      ctx.progress.advance(part.length, address + at)
      at += part.length
    }
  }

  async #erase(ctx: Context): Promise<void> {
    await this.#send(flip.eraseAll, 'flash', ctx)
    const { address: end } = this.#boot
    for (let at = 0; at < end; at += flip.selectableBytes) {
      await this.#select('flash', at, ctx)
      await this.#send(flip.blankCheck(at, Math.min(flip.selectableBytes, end - at)), 'flash', ctx)
    }
  }

  /** @throws `write-protected` · `device-refused` with its status; it is in dfuIDLE again then */
  async #send(block: Uint8Array, memory: Kind, ctx: Context): Promise<void> {
    const { session } = this.#device
    const status = await sent(session, this.#nextBlock(), block, ctx)
    if (status.status === 'OK') return
    await session.toIdle(ctx)
    if (status.status === 'WRITE') throw new FlashError('write-protected', { memory })
    throw refused(`command ${hexBytes(block.subarray(0, 6))}`, status)
  }

  /** Smaller chips need not know that there is anything to select. */
  async #select(memory: Kind, address: number, ctx: Context): Promise<void> {
    const page = Math.floor(address / flip.selectableBytes)
    const isSmall = this.#chip.part.flash.bytes <= flip.selectableBytes
    if (isSmall || memory === 'eeprom' || page === this.#page64K) return
    await this.#send(flip.selectPage(page), memory, ctx)
    this.#page64K = page
  }

  #nextBlock = (): number => this.#block++ % blocks
}

/** How much can be asked for from here on, of `length` bytes; even. */
const reach = (address: number, length: number): number =>
  Math.min(flip.mostBytes, length + (length & 1), flip.selectableBytes - (address % flip.selectableBytes))

const refused = (during: string, status: Status): FlashError =>
  new FlashError('device-refused', { during, status: statusText(status) })

/** A block that is stalled has a status all the same. */
async function sent(session: DfuSession, block: number, bytes: Uint8Array, ctx: Context): Promise<Status> {
  try {
    return await session.send(block, bytes, ctx)
  } catch (error) {
    if (!isFlashError(error, 'stalled')) throw error
    return await refusal(session, error)
  }
}

/** What it says about a stall; its own words when it says that all is well. */
async function refusal(session: DfuSession, stall: FlashError): Promise<Status> {
  const status = await session.status()
  if (status.status === 'OK') throw stall
  return status
}

/** @throws `read-protected` · `short-transfer` · `device-refused` */
async function readBlock(
  session: DfuSession,
  number: number,
  memory: Kind,
  address: number,
  length: number,
  ctx: Context,
): Promise<Uint8Array> {
  try {
    await session.hand(number, flip.read(memory, address, length))
    return await session.uploadAll(number, length)
  } catch (error) {
    if (!isFlashError(error, 'stalled')) throw error
    const status = await refusal(session, error)
    await session.toIdle(ctx)
    if (status.status === 'FILE' || status.status === 'WRITE')
      throw new FlashError('read-protected', { memory }, { cause: error })
    throw refused(`reading ${memory} at ${hex(address, 4)}`, status)
  }
}

async function refusesToRead(session: DfuSession, ctx: Context): Promise<boolean> {
  try {
    await readBlock(session, 0, 'flash', 0, 2, ctx)
    return false
  } catch (error) {
    if (isFlashError(error, 'read-protected')) return true
    throw error
  }
}

// ---- which chip -----------------------------------------------------------------------------------

async function identify({ session, chip }: FlipDevice, ctx: Context): Promise<Chip> {
  const byId = avrPartByName(chip)
  if (!byId) throw new FlashError('bug', { during: `looking for the chip ${chip}` })
  const version = await info(session, flip.Info.Version, ctx)
  const known = { part: byId, version: hex(version), signature: undefined }
  const maker = await info(session, flip.Info.Manufacturer, ctx)
  if (maker === flip.atmelManufacturer) return known
  if (maker !== flip.avrManufacturer)
    throw new FlashError('unexpected-answer', { during: 'asking for its manufacturer', found: hex(maker) })
  const rest = [await info(session, flip.Info.Family, ctx), await info(session, flip.Info.Third, ctx)]
  const signature = Uint8Array.of(maker, ...rest)
  const part = findAvrPart(signature)
  if (!part) throw new FlashError('target-unknown', { signature: hexBytes(signature) })
  if (part.flash.bytes !== byId.flash.bytes || part.fuseLayout !== byId.fuseLayout)
    throw new FlashError('wrong-device', { expected: byId.name, found: part.name })
  return { ...known, part, signature }
}

async function info(session: DfuSession, which: flip.Info, ctx: Context): Promise<number> {
  const block = flip.readInfo(which)
  const status = await sent(session, 0, block, ctx)
  if (status.status !== 'OK') {
    await session.toIdle(ctx)
    throw refused(`command ${hexBytes(block)}`, status)
  }
  const [value = 0] = await session.uploadAll(0, 1)
  return value
}
