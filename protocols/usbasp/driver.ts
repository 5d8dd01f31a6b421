/**
 * Drives a USBasp as a programmer for what is on its ISP header. It keeps the one order of requests that no
 * firmware version dies of: SETISPSCK, CONNECT, 100 ms, ENABLEPROG, work, DISCONNECT. It knows no chips.
 *
 * V-USB answers a request that it does not know with zero bytes; that is how functions are told apart, not
 * by version. Sources: as `packets.ts`; avrdude `usbasp.c` for block sizes and waits.
 */
import { exactly, isBlank, versionText } from '#core/bytes.ts'
import type { Context, Log } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Driver, Fact, Notice, Programmer, Recognition, Way } from '#core/programmer.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import { connectAvr } from '#chips/avr-isp.ts'
import type { Instruction, IspMaster } from '#chips/isp-master.ts'
import type { UsbLink } from '#transport/links.ts'
import {
  BlockFlag,
  encodeBlock,
  encodeLongAddress,
  encodeSck,
  encodeTransmit,
  parseCapabilities,
  Request,
  sckOptionsHz,
  type Arguments,
  type Capabilities,
} from './packets.ts'

const none: Arguments = { value: 0, index: 0 }

/** From CONNECT to ENABLEPROG; avrdude's number. */
const settleMs = 100
/** 1.07 and later try each slower speed in one ENABLEPROG, which takes more than a second. */
const enableTimeoutMs = 10_000
/** A "no" that took less came from something with the same version that did not try them. */
const allSpeedsMs = 500
/** Firmware up to 1.07 counts in one byte (1.10 in two), where 255 is a special value; 200 is avrdude's number. */
const blockBytes = 200
/**
 * Below this speed a full block takes too long for one transfer: 200 bytes at 500 Hz 13 s. (The jumper for a slow
 * SCK, which the driver cannot see, means 8 kHz: then it takes a second.)
 */
const slowHz = 10_000
const slowBlockBytes = 20
/** A search down to below `slowHz` takes seven speeds, each three times 20 ms; one to 187.5 kHz takes 206 ms. */
const slowSearchMs = 400
/** EEPROM bytes take 9.6 ms each whatever the chip; this keeps a transfer well below its time limit. */
const eepromBlockBytes = 32

/** The requests, one at a time, and what a failed one needs. */
class Device {
  readonly link: UsbLink
  readonly #log: Log

  constructor(link: UsbLink, log: Log) {
    this.link = link
    this.#log = log
  }

  /** A request without an answer. */
  async tell(request: Request, args = none): Promise<void> {
    await this.#in(request, args, 4)
  }

  /** Exactly `length` bytes. */
  async read(request: Request, args: Arguments, length: number, timeoutMs?: number): Promise<Uint8Array> {
    return exactly(length, await this.#in(request, args, length, timeoutMs), during(request))
  }

  /** Undefined: the firmware does not know the request. */
  async readIfKnown(request: Request, length: number): Promise<Uint8Array | undefined> {
    const bytes = await this.#in(request, none, length)
    return bytes.length === 0 ? undefined : exactly(length, bytes, during(request))
  }

  #in(request: Request, args: Arguments, length: number, timeoutMs?: number): Promise<Uint8Array> {
    return this.#afterFailureReset(
      this.link.controlIn(
        { requestType: 'vendor', recipient: 'device', request, ...args },
        length,
        timeoutMs === undefined ? {} : { timeoutMs },
      ),
    )
  }

  write(request: Request, args: Arguments, bytes: Uint8Array): Promise<void> {
    return this.#afterFailureReset(
      this.link.controlOut({ requestType: 'vendor', recipient: 'device', request, ...args }, bytes),
    )
  }

  /**
   * A firmware that restarted sits unaddressed until a port reset; a link that timed out is spent until then.
   * The request is not repeated: the target's state is unknown, so whoever asked begins again.
   */
  async #afterFailureReset<T>(transfer: Promise<T>): Promise<T> {
    try {
      return await transfer
    } catch (error) {
      if (isFlashError(error, 'transfer-failed', 'timeout'))
        await this.link.reset().catch((failure: unknown) => {
          this.#log(`usbasp reset failed: ${String(failure)}`) // the first error says more
        })
      throw error
    }
  }
}

const during = (request: Request): string => `USBasp request ${String(request)}`

/**
 * Firmware before 2006 has no SETLONGADDRESS, and ignores it in silence. It is as old as SETISPSCK, which can be asked
 * for: without that one, addresses are taken to have 16 bits.
 */
const shortAddressBytes = 0x1_0000

/** What the driver has to know of the firmware's version. */
interface Quirks {
  readonly speedsHz: readonly number[]
  readonly slowsDown: boolean
  readonly mayBeLoader: boolean
}

class UsbaspMaster implements IspMaster {
  readonly speedsHz: readonly number[]
  readonly reachBytes: number
  triedAllSpeeds = false
  readonly #device: Device
  readonly #quirks: Quirks
  #blockBytes = blockBytes

  constructor(device: Device, quirks: Quirks) {
    this.#device = device
    this.#quirks = quirks
    this.speedsHz = quirks.speedsHz
    this.reachBytes = this.speedsHz.length > 0 ? Infinity : shortAddressBytes
  }

  async enter(speedHz: number | undefined, ctx: Context): Promise<boolean> {
    this.#blockBytes = speedHz !== undefined && speedHz < slowHz ? slowBlockBytes : blockBytes
    if (this.speedsHz.length > 0)
      await this.#device.read(Request.SetIspSck, { value: encodeSck(speedHz), index: 0 }, 1)
    await this.#device.tell(Request.Connect)
    await ctx.sleep(settleMs)
    const before = ctx.clock.now()
    const [status] = await this.#device.read(Request.EnableProg, none, 1, enableTimeoutMs)
    if (status === 0 && this.#quirks.mayBeLoader) await this.#refuseLoader()
    const tookMs = ctx.clock.now() - before
    const searched = speedHz === undefined && this.#quirks.slowsDown
    if (searched && tookMs > slowSearchMs) this.#blockBytes = slowBlockBytes
    // The time alone proves nothing: a page may have stood still meanwhile.
    this.triedAllSpeeds = status !== 0 && searched && tookMs > allSpeedsMs
    return status === 0
  }

  /** Shifted out bytes come back one byte later from every chip; a boot loader only makes the answer up. */
  async #refuseLoader(): Promise<void> {
    const readSignature = [0x30, 0, 0, 0] as const
    const [, echo] = await this.#device.read(Request.Transmit, encodeTransmit(readSignature), 4)
    if (echo !== readSignature[0])
      throw new FlashError('device-refused', { during: 'entering programming mode', status: 'USBaspLoader' })
  }

  async execute(instruction: Instruction): Promise<number> {
    const answer = await this.#device.read(Request.Transmit, encodeTransmit(instruction), 4)
    return answer[3] ?? 0xff
  }

  async leave(): Promise<void> {
    await this.#device.tell(Request.Disconnect)
  }

  readFlash(_: AvrPart, address: number, length: number, ctx: Context): Promise<Uint8Array> {
    return this.#read(Request.ReadFlash, address, length, ctx)
  }

  readEeprom(_: AvrPart, address: number, length: number, ctx: Context): Promise<Uint8Array> {
    return this.#read(Request.ReadEeprom, address, length, ctx)
  }

  async #read(request: Request, address: number, length: number, ctx: Context): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let offset = 0; offset < length;) {
      ctx.checkpoint()
      const size = Math.min(this.#blockBytes, length - offset)
      const at = await this.#seek(address + offset)
      bytes.set(await this.#device.read(request, { value: at, index: 0 }, size), offset)
      ctx.progress.advance(size, address + offset)
      offset += size
    }
    return bytes
  }

  async programFlash({ flash }: AvrPart, address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const pages = Math.max(1, Math.floor(this.#blockBytes / flash.pageBytes))
    const size = pages * flash.pageBytes
    for (let offset = 0; offset < bytes.length; offset += size) {
      ctx.checkpoint()
      const piece = bytes.subarray(offset, offset + size)
      if (!isBlank(piece)) await this.#writePages(flash.pageBytes, address + offset, piece)
      ctx.progress.advance(piece.length, address + offset)
    }
  }

  /** The firmware's page counter begins anew with FIRST and runs on over blocks, so a page may take several. */
  async #writePages(pageBytes: number, address: number, bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += this.#blockBytes) {
      const value = await this.#seek(address + offset)
      const index = encodeBlock(pageBytes, offset === 0 ? BlockFlag.First : 0)
      const block = bytes.subarray(offset, offset + this.#blockBytes)
      await this.#device.write(Request.WriteFlash, { value, index }, block)
    }
  }

  async programEeprom(_: AvrPart, address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const size = Math.min(this.#blockBytes, eepromBlockBytes)
    for (let offset = 0; offset < bytes.length; offset += size) {
      ctx.checkpoint()
      const block = bytes.subarray(offset, offset + size)
      const value = await this.#seek(address + offset)
      await this.#device.write(Request.WriteEeprom, { value, index: 0 }, block)
      ctx.progress.advance(block.length, address + offset)
    }
  }

  /** Gives the low 16 bits for the block's own wValue, which is what firmware without long addresses reads. */
  async #seek(address: number): Promise<number> {
    await this.#device.tell(Request.SetLongAddress, encodeLongAddress(address))
    return address & 0xffff
  }
}

class Usbasp implements Programmer {
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly ways: readonly Way[]
  readonly gone: AbortSignal
  readonly #device: Device
  readonly #log: Log

  constructor(device: Device, seen: Recognition, { capabilities, choosesSck }: Abilities, log: Log) {
    const version = versionText(device.link.seen.deviceVersion)
    // A clone's factory firmware (and fischl's of 2007) has no SETISPSCK; a boot loader under the same ids has.
    const mayBeLoader = version === '1.02' && choosesSck
    const lacksSck = version === '1.02' ? 'clone-firmware' : 'no-sck-choice'
    const slowsDown = version >= '1.07'
    const fastest = slowsDown ? sckOptionsHz.length : sckOptionsHz.length - 1
    const speedsHz = choosesSck ? sckOptionsHz.slice(1, fastest).reverse() : []
    this.#device = device
    this.#log = log
    this.gone = device.link.gone
    this.facts = [...seen.facts, ...capabilityFacts(capabilities, version)]
    this.notices = [
      ...seen.notices.filter(({ code }) => code !== 'maybe-usbasploader'),
      ...(mayBeLoader ? [{ code: 'maybe-usbasploader', level: 'warning' } as const] : []),
      ...(choosesSck ? [] : [{ code: lacksSck, level: 'info' } as const]),
    ]
    this.ways = [
      {
        to: 'target',
        by: 'isp',
        speedsHz,
        connect: (ctx, speedHz) =>
          connectAvr(new UsbaspMaster(device, { speedsHz, slowsDown, mayBeLoader }), ctx, speedHz),
      },
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.gone.aborted)
      await this.#device.tell(Request.Disconnect).catch((error: unknown) => {
        this.#log(`usbasp disconnect failed: ${String(error)}`) // it is being closed all the same
      })
    await this.#device.link[Symbol.asyncDispose]()
  }
}

interface Abilities {
  readonly capabilities: Capabilities | undefined
  readonly choosesSck: boolean
}

function capabilityFacts(capabilities: Capabilities | undefined, version: string): Fact[] {
  if (!capabilities) return []
  const { tpi, uart, serialNumber, spiFlash, crystalMhz } = capabilities
  const names = [
    ...(tpi ? ['TPI'] : []),
    ...(uart ? [uart === 'hid' ? 'HID UART' : 'UART'] : []),
    ...(serialNumber ? ['serial number'] : []),
    ...(spiFlash ? ['SPI flash'] : []),
  ]
  const source = 'GETCAPABILITIES'
  const facts: Fact[] = names.length ? [{ name: 'capabilities', value: names.join(', '), source }] : []
  if (crystalMhz && version >= '1.11')
    facts.push({ name: 'clock', value: `${String(crystalMhz)} MHz`, source })
  return facts
}

export default {
  async open(link, seen, ctx): Promise<Programmer> {
    const device = new Device(link, ctx.log)
    const answer = await device.readIfKnown(Request.GetCapabilities, 4)
    const capabilities = answer && parseCapabilities(answer)
    const choosesSck = (await device.readIfKnown(Request.SetIspSck, 1)) !== undefined
    if (seen.confidence === 'possible' && !capabilities && !choosesSck) {
      const { manufacturer = '', product = '' } = link.seen
      throw new FlashError('wrong-device', { expected: 'USBasp', found: `${manufacturer} ${product}`.trim() })
    }
    return new Usbasp(device, seen, { capabilities, choosesSck }, ctx.log)
  },
} satisfies Driver<UsbLink>
