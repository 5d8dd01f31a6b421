/**
 * The USBasp firmware as it behaves, seven versions of it, with an AVR target behind its wires: requests, SPI
 * bytes, waits, and how it dies when asked in the wrong order. Everything that the published images did in
 * an emulator is here (`npm run witness` compares); TPI is not.
 */
import { blank } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import type { TwinAvr } from '#bench/twin-avr.ts'
import {
  BlockFlag,
  parseBlock,
  parseLongAddress,
  parseTransmit,
  Request,
  sckOptionsHz,
  type Arguments,
} from './packets.ts'
import { bos, describeVersion, msSet, msSetIndex, msVendorCode } from './twin-descriptors.ts'

/** What tells the versions apart. */
interface Behaviour {
  /** GETCAPABILITIES; empty: unknown to it. */
  readonly capabilities: readonly number[]
  /** SETISPSCK is known. */
  readonly choosesSck: boolean
  /** Knows SETLONGADDRESS; else only 64 KiB can be reached by blocks. */
  readonly hasLongAddress: boolean
  /** What option 0, or no option, means. */
  readonly automatic: number
  /** ENABLEPROG goes down from the chosen speed until something answers, with a reset pulse each time. */
  readonly slowsDown: boolean
  /** What the other ones do between their 32 tries. */
  readonly resync: 'reset' | 'sck'
  /** The jumper on PC2 is looked at. */
  readonly hasSlowJumper: boolean
  /** How long CONNECT pulses RESET. */
  readonly connectMs: number
  /** SPI before the first CONNECT: bit by bit at 8 kHz, or the way in which the firmware is lost. */
  readonly unconnected: 'slow' | Lost['how']
  /** What it takes for the target's extended address at CONNECT; undefined: it never sends one. */
  readonly extendedAddress: number | undefined
  /** Lengths have 16 bits and only vendor requests to the device count. */
  readonly isWide: boolean
}

const v103: Behaviour = {
  capabilities: [],
  choosesSck: true,
  hasLongAddress: true,
  automatic: 10,
  slowsDown: false,
  resync: 'sck',
  hasSlowJumper: true,
  connectMs: 0.02,
  unconnected: 'restart',
  extendedAddress: undefined,
  isWide: false,
}
const v104: Behaviour = { ...v103, capabilities: [1, 0, 0, 0], resync: 'reset', extendedAddress: 0 }
const v107: Behaviour = {
  ...v104,
  automatic: 12,
  slowsDown: true,
  hasSlowJumper: false,
  connectMs: 0.32,
  unconnected: 'replug',
  extendedAddress: 0xff,
}

/** By bcdDevice. 1.00 stands for those before 2006, which know requests 1 to 8. 1.02 is LC Technology's factory firmware, which clones come with, and fischl's of 2007. */
const behaviours: Readonly<Record<string, Behaviour>> = {
  '1.00': { ...v103, choosesSck: false, hasLongAddress: false, connectMs: 0.13, unconnected: 'hung' },
  '1.02': {
    ...v103,
    choosesSck: false,
    automatic: 8,
    hasSlowJumper: false,
    connectMs: 19.4,
    unconnected: 'slow',
  },
  '1.02 (2007)': { ...v103, choosesSck: false, connectMs: 0.13, unconnected: 'hung' },
  '1.03': v103,
  '1.04': v104,
  '1.05': { ...v104, extendedAddress: 0xff },
  '1.07': v107,
  '1.10': { ...v107, capabilities: [0x81, 0, 0, 0], isWide: true },
}
export const twinVersions: readonly string[] = Object.keys(behaviours)

export interface UsbaspTwinOptions {
  /** As bcdDevice says; of versions that are not known the next older one behaves. */
  readonly version?: string | undefined
  readonly target?: TwinAvr | undefined
  /** The jumper that asks for a slow SCK is closed. */
  readonly slowJumper?: boolean
  readonly descriptors?: UsbDescriptors
}

/**
 * Thrown within: the firmware is lost. `hung`: it waits for ever, and only power helps. `restart`: it sits
 * unaddressed until a port reset. `replug`: it restarts with a disconnect pulse. `unplugged`: it lost its power.
 */
class Lost {
  readonly how: 'hung' | 'restart' | 'replug' | 'unplugged'
  constructor(how: Lost['how']) {
    this.how = how
  }
}

const tick = 0.32 // milliseconds of its clock
/** What options 1 to 7 really are: each bit takes a little longer than the two waits in it. */
const bitBangedHz: readonly number[] = [0, 480, 950, 1800, 3600, 7200, 15_600, 32_000]
const empty = new Uint8Array()

export class UsbaspTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'low'
  readonly descriptors: UsbDescriptors
  readonly #version: Behaviour
  readonly #target: TwinAvr | undefined
  readonly #slowJumper: boolean
  #bus: TwinBus | undefined
  #lost: Lost['how'] | undefined
  #owedMs = 0
  /** Counts power-ons: what began in another life is not gone on with. */
  #life = 0
  // the firmware's variables; `startUp` sets what it sets
  #sckOption = 0
  #transmit: 'unset' | 'hardware' | 'software' = 'unset'
  #spiEnabled = false
  #sckHz = 0
  #hasLongAddress = false
  #address = 0
  #extendedAddress = 0
  #pageCounter = 0

  constructor({ version = '1.04', target, slowJumper = false, descriptors }: UsbaspTwinOptions = {}) {
    this.#version = behaviours[twinVersions.findLast((known) => known <= version) ?? '1.02'] ?? v104
    this.descriptors = descriptors ?? describeVersion(version)
    this.#target = target
    this.#slowJumper = slowJumper
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
    this.#target?.power(bus.clock)
    this.#startUp()
  }

  unplugged(): void {
    this.#life++
    this.#owedMs = 0
    this.#target?.losePower()
  }

  /** The firmware goes on where it was, unless it had restarted: then it is found again. */
  reset(): void {
    if (this.#lost === 'restart') this.#startUp()
  }

  async control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    if (this.#lost) return 'broken'
    try {
      const answer = await this.#answer(setup, bytes)
      await this.#catchUp()
      return answer instanceof Uint8Array ? answer.subarray(0, setup.length) : answer
    } catch (lost) {
      if (!(lost instanceof Lost)) throw lost
      if (lost.how === 'unplugged') return 'broken'
      await this.#catchUp()
      this.#lost = lost.how
      if (lost.how === 'replug') this.#bus?.detach({ twin: this, ms: 10 })
      return lost.how === 'hung' ? 'silent' : 'broken'
    }
  }

  #startUp(): void {
    this.#lost = undefined
    this.#sckOption = 0
    this.#transmit = this.#version.unconnected === 'slow' ? 'software' : 'unset'
    this.#spiEnabled = false
    this.#sckHz = bitBangedHz[5] ?? 0
    this.#hasLongAddress = false
    this.#pageCounter = 0
    this.#target?.reset(false)
  }

  // ---- requests ---------------------------------------------------------------------------------

  async #answer(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    const { requestType, request, value, index } = setup
    const kind = requestType & 0x60
    if (kind === 0) return this.#version.isWide && request === 6 && value === 0x0f00 ? bos : empty
    if (this.#version.isWide && (requestType & 0x7f) !== 0x40) return this.#hidReport(setup)
    switch (request) {
      case Request.Connect:
        return this.#connect()
      case Request.Disconnect:
        return this.#disconnect()
      case Request.Transmit:
        return Uint8Array.from(parseTransmit({ value, index }), (byte) => this.#shift(byte))
      case Request.EnableProg:
        return Uint8Array.of((await this.#enableProgramming()) ? 0 : 1)
      case Request.ReadFlash:
      case Request.ReadEeprom:
      case Request.WriteFlash:
      case Request.WriteEeprom:
        return this.#block(setup, bytes)
      case Request.SetLongAddress:
        return this.#setLongAddress({ value, index })
      case Request.SetIspSck:
        if (!this.#version.choosesSck) return empty
        this.#sckOption = value & 0xff
        return Uint8Array.of(0)
      case Request.GetCapabilities:
        return Uint8Array.from(this.#version.capabilities)
      case msVendorCode:
        return this.#version.isWide && (index & 0xff) === msSetIndex ? msSet : empty
      default:
        return empty
    }
  }

  /** The HID interface of 1.10: a feature report of 8 bytes, capabilities in its second half. */
  #hidReport({ requestType, request, value }: SetupPacket): Uint8Array {
    const isGetFeature = requestType === 0xa1 && request === 1 && value >> 8 === 3
    return isGetFeature ? Uint8Array.of(0, 0, 0, 0, ...this.#version.capabilities) : empty
  }

  async #connect(): Promise<Uint8Array> {
    const { hasSlowJumper, connectMs, extendedAddress, slowsDown } = this.#version
    this.#selectSck(hasSlowJumper && this.#slowJumper ? 5 : this.#sckOption)
    this.#spiEnabled = !slowsDown // newer ones switch it on in ENABLEPROG
    this.#hasLongAddress = false
    this.#extendedAddress = extendedAddress ?? 0
    await this.#pulseReset(connectMs)
    return empty
  }

  #disconnect(): Uint8Array {
    this.#target?.reset(false)
    this.#spiEnabled = false
    if (this.#version.slowsDown) this.#sckOption = 0
    return empty
  }

  #setLongAddress(address: Arguments): Uint8Array {
    if (!this.#version.hasLongAddress) return empty
    this.#hasLongAddress = true
    this.#address = parseLongAddress(address)
    return empty
  }

  // ---- entering programming mode ----------------------------------------------------------------

  async #enableProgramming(): Promise<boolean> {
    return this.#version.slowsDown ? this.#enableSlowingDown() : this.#enablePatiently()
  }

  async #enablePatiently(): Promise<boolean> {
    for (let tries = 32; tries > 0; tries--) {
      if (this.#sendProgrammingEnable()) return true
      if (this.#version.resync === 'reset') await this.#pulseReset(0.05)
      else this.#owedMs += 0.2 // one pulse on SCK
    }
    return false
  }

  async #enableSlowingDown(): Promise<boolean> {
    if (this.#sckOption === 0) this.#sckOption = this.#version.automatic
    while (this.#sckOption > 0) {
      this.#spiEnabled = true
      for (let tries = 3; tries > 0; tries--) {
        await this.#pulseReset(tick)
        await this.#wait(62 * tick) // meant as 20 ms
        if (this.#sendProgrammingEnable()) return true
      }
      this.#spiEnabled = false
      this.#selectSck(--this.#sckOption)
    }
    return false
  }

  #sendProgrammingEnable(): boolean {
    const [, , echo] = [0xac, 0x53, 0, 0].map((byte) => this.#shift(byte))
    return echo === 0x53
  }

  #selectSck(option: number): void {
    const known = this.#version.slowsDown ? 13 : 12
    const chosen = option === 0 || option > known ? this.#version.automatic : option
    this.#sckHz = bitBangedHz[chosen] ?? sckOptionsHz[chosen] ?? 0
    this.#transmit = chosen < bitBangedHz.length ? 'software' : 'hardware'
  }

  // ---- blocks -----------------------------------------------------------------------------------

  async #block(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    const { requestType, request, value, index, length } = setup
    const reads = request === Request.ReadFlash || request === Request.ReadEeprom
    if (length > 0 && reads !== (requestType & 0x80) > 0) return 'stall'
    // Without a long address it takes 16 bits as a signed number.
    if (!this.#hasLongAddress) this.#address = ((value << 16) >> 16) >>> 0
    if (request === Request.ReadFlash) return this.#read(length, (address) => this.#readFlash(address))
    if (request === Request.ReadEeprom) return this.#read(length, (address) => this.#readEeprom(address))
    if (request === Request.WriteFlash) return this.#writeFlash(parseBlock(index), bytes)
    for (const byte of bytes) {
      this.#instruct(0xc0, this.#address >> 8, this.#address, byte)
      this.#address++
      await this.#wait(30 * tick)
    }
    return empty
  }

  /** Narrow firmware keeps lengths in a byte, where 255 means "no answer yet". */
  #read(length: number, read: (address: number) => number): TwinAnswer {
    const count = this.#version.isWide ? length : length & 0xff
    if (count === 0xff && !this.#version.isWide) return 'silent'
    return blank(count).map(() => read(this.#address++))
  }

  async #writeFlash(
    { pageBytes, flags }: ReturnType<typeof parseBlock>,
    bytes: Uint8Array,
  ): Promise<TwinAnswer> {
    if (flags & BlockFlag.First) this.#pageCounter = pageBytes & 0xff
    for (const [i, byte] of bytes.entries()) {
      this.#loadPage(this.#address, byte)
      if (pageBytes === 0) await this.#poll(this.#address, 0x7f, byte)
      else {
        this.#pageCounter = (this.#pageCounter - 1) & 0xff
        if (this.#pageCounter === 0) {
          await this.#flushPage(this.#address, byte)
          this.#pageCounter = pageBytes & 0xff
        }
      }
      const isLast = i === bytes.length - 1 && (flags & BlockFlag.Last) !== 0
      if (isLast && this.#pageCounter !== pageBytes) await this.#flushPage(this.#address, byte)
      this.#address++
    }
    return empty
  }

  #loadPage(address: number, byte: number): void {
    this.#extend(address)
    this.#instruct(0x40 | ((address & 1) << 3), address >> 9, address >> 1, byte)
  }

  async #flushPage(address: number, lastByte: number): Promise<void> {
    this.#extend(address)
    this.#instruct(0x4c, address >> 9, address >> 1, 0)
    await this.#poll(address, 0xff, lastByte)
  }

  /** Waits until `address` reads as something else; when it should read as just that, for 4.8 ms. */
  async #poll(address: number, busyValue: number, written: number): Promise<void> {
    if (written === busyValue) return this.#wait(15 * tick)
    for (let retries = 30; retries > 0 && this.#readFlash(address) === busyValue; retries--)
      await this.#wait(tick)
  }

  #readFlash(address: number): number {
    this.#extend(address)
    return this.#instruct(0x20 | ((address & 1) << 3), address >> 9, address >> 1, 0)
  }

  #readEeprom(address: number): number {
    return this.#instruct(0xa0, address >> 8, address, 0)
  }

  #extend(address: number): void {
    const high = (address >>> 17) & 0xff
    if (this.#version.extendedAddress === undefined || high === this.#extendedAddress) return
    this.#extendedAddress = high
    this.#instruct(0x4d, 0, high, 0)
  }

  // ---- wires and time ---------------------------------------------------------------------------

  #instruct(...bytes: [number, number, number, number]): number {
    return bytes.map((byte) => this.#shift(byte & 0xff))[3] ?? 0xff
  }

  #shift(byte: number): number {
    const { unconnected } = this.#version
    if (this.#transmit === 'unset' && unconnected !== 'slow') throw new Lost(unconnected)
    // It waits for the flag of an SPI that is switched off.
    if (this.#transmit === 'hardware' && !this.#spiEnabled) throw new Lost('hung')
    this.#owedMs += 8000 / this.#sckHz
    return this.#target?.shift(byte, this.#sckHz) ?? 0xff
  }

  async #pulseReset(ms: number): Promise<void> {
    this.#target?.reset(false)
    await this.#wait(ms)
    this.#target?.reset(true)
  }

  async #wait(ms: number): Promise<void> {
    this.#owedMs += ms
    await this.#catchUp()
  }

  /** The time of many SPI bytes is waited for at once. */
  async #catchUp(): Promise<void> {
    const [ms, life] = [this.#owedMs, this.#life]
    this.#owedMs = 0
    if (ms > 0) await this.#bus?.clock.sleep(ms)
    if (life !== this.#life) throw new Lost('unplugged')
  }
}
