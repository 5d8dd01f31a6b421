/**
 * A SPI NOR flash chip at its pins: bytes while its chip select is low, and what it does when that rises. Sources: data sheets
 * of W25Q64FV, W25Q256JV, MX25L6405D and SST25VF016B (commands, status registers, block protection); JESD216 (SFDP).
 */
import { blank } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

export interface NorModel {
  readonly name: string
  readonly rdid: readonly number[]
  readonly bytes: number
  /** What has none answers as if nobody were there. */
  readonly sfdp?: Uint8Array
  /** With three address bytes, or four in the mode for that. */
  readonly erases: readonly TimedErase[]
  /** With four address bytes in any mode, beside READ 13 and PP 12; such a chip has that mode, too. */
  readonly erases4?: readonly TimedErase[]
  readonly pageMs: number
  readonly chipEraseMs: number
  readonly registers: 'winbond' | 'winbond-large' | 'macronix' | 'sst'
}

export interface TimedErase {
  readonly opcode: number
  readonly bytes: number
  readonly ms: number
}

const Op = {
  ...{
    WriteStatus: 0x01,
    Program: 0x02,
    Read: 0x03,
    WriteDisable: 0x04,
    ReadStatus: 0x05,
    WriteEnable: 0x06,
  },
  ...{ FastRead: 0x0b, WriteStatus3: 0x11, Program4: 0x12, Read4: 0x13, ReadStatus3: 0x15 },
  ...{ WriteStatus2: 0x31, ReadStatus2: 0x35, UniqueId: 0x4b, EnableWriteStatus: 0x50, ReadSfdp: 0x5a },
  ...{ ChipErase: 0x60, ResetEnable: 0x66, ReadIds: 0x90, Reset: 0x99, ReadId: 0x9f, WakeUp: 0xab },
  ...{ ProgramWords: 0xad, EnterFour: 0xb7, PowerDown: 0xb9, ChipEraseToo: 0xc7, ExitFour: 0xe9 },
} as const

const Status = { Busy: 0x01, MayWrite: 0x02, Words: 0x40 } as const
const pageBytes = 256
const statusMs = 10
const wordMs = 0.01
const byteMs = 0.03
const nothing = 0xff
/** More of a command is only data. */
const mostHead = 6

/** What WRSR changes of each register; bits that are burnt in for good are not among them. */
const writable = {
  ...{ winbond: [0xfc, 0x42, 0x60], 'winbond-large': [0xfc, 0x42, 0x60] },
  ...{ macronix: [0xbc, 0, 0], sst: [0xbc, 0, 0] },
} as const

interface Underway {
  readonly opcode: number
  /** The first bytes behind the opcode. */
  readonly head: number[]
  /** Of all bytes behind the opcode. */
  count: number
}

export class TwinSpiNor {
  readonly model: NorModel
  readonly flash: TwinFlash
  readonly #dials: Dials
  readonly #page = blank(pageBytes)
  #clock: Pick<Clock, 'now'> = { now: () => 0 }
  #isSelected = false
  #command: Underway | undefined
  readonly #status: [number, number, number]
  #busyUntil = 0
  #hasFour = false
  #isAsleep = false
  #mayReset = false
  /** Where the next two bytes go, while they are programmed two at a time. */
  #wordsAt: number | undefined

  constructor(model: NorModel, content: Uint8Array, dials: Dials = {}) {
    const { bytes, erases, pageMs, chipEraseMs, registers } = model
    this.model = model
    this.#dials = dials
    const unit = Math.min(...erases.map((one) => one.bytes))
    const sectors = Array.from({ length: bytes / unit }, (_, i) => ({ address: i * unit, length: unit }))
    const programMsPerKib = (pageMs * 1024) / pageBytes
    this.flash = new TwinFlash(sectors, { eraseMs: () => chipEraseMs, programMsPerKib }, content, dials)
    this.#status = [dials.locked || registers === 'sst' ? 0x1c : 0, 0, 0]
  }

  /** Its supply comes, maybe after it failed while something was being written. */
  powerUp(clock: Pick<Clock, 'now'>): void {
    this.flash.losePower(this.#clock.now())
    this.#clock = clock
    this.#busyUntil = 0
    this.#reset()
  }

  /** Chip select falls. */
  select(): void {
    this.#isSelected = true
    this.#command = undefined
  }

  /** Chip select rises: what was asked for begins. */
  deselect(): void {
    const command = this.#command
    this.#isSelected = false
    this.#command = undefined
    if (command) this.#begin(command)
  }

  /** Eight clocks: what it puts out while this byte goes in. */
  exchange(byte: number): number {
    if (!this.#isSelected || this.#dials.noTarget) return nothing
    const command = this.#command
    if (!command) {
      this.#command = { opcode: byte, head: [], count: 0 }
      this.#page.fill(0xff)
      return nothing
    }
    const index = command.count++
    if (index < mostHead) command.head.push(byte)
    const lead = this.#leadBytes(command.opcode)
    if (index < lead) return nothing
    this.#page[(this.#address(command) + index - lead) % pageBytes] = byte
    return this.#answer(command, index - lead)
  }

  get #isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  // ---- what it says -----------------------------------------------------------------------------

  /** Bytes between an opcode and what it answers or takes. */
  #leadBytes(opcode: number): number {
    const address = this.#hasFour ? 4 : 3
    const leads: Readonly<Record<number, number>> = {
      ...{
        [Op.Read]: address,
        [Op.FastRead]: address + 1,
        [Op.Program]: address,
        [Op.Read4]: 4,
        [Op.Program4]: 4,
      },
      ...{ [Op.ReadSfdp]: 4, [Op.UniqueId]: 4, [Op.WakeUp]: 3, [Op.ReadIds]: 3, [Op.ProgramWords]: 3 },
    }
    return leads[opcode] ?? 0
  }

  #address({ opcode, head }: Underway): number {
    const takesFour = [Op.Read4, Op.Program4].some((one) => one === opcode) || this.#isErase4(opcode)
    const bytes = takesFour || (this.#hasFour && opcode !== Op.ReadSfdp) ? 4 : 3
    return head.slice(0, bytes).reduce((address, byte) => address * 256 + byte, 0) % this.model.bytes
  }

  #isErase4 = (opcode: number): boolean => this.model.erases4?.some((one) => one.opcode === opcode) ?? false

  #answer(command: Underway, index: number): number {
    const { model } = this
    const { rdid, sfdp, registers } = model
    const { opcode } = command
    if (opcode === Op.ReadStatus) return this.#status1()
    const isWinbond = registers.startsWith('winbond')
    if (opcode === Op.ReadStatus2 && isWinbond) return this.#status[1]
    if (opcode === Op.ReadStatus3 && isWinbond) return this.#status[2] | (this.#hasFour ? 1 : 0)
    const device = (rdid[2] ?? 0) - 1
    if (opcode === Op.WakeUp) return registers === 'sst' ? (rdid[2] ?? 0) : device
    if (this.#isBusy || this.#isAsleep) return nothing
    const address = this.#address(command)
    switch (opcode) {
      case Op.ReadId:
        return rdid[index % rdid.length] ?? nothing
      case Op.ReadIds:
        return ((index + address) % 2 === 0 ? rdid[0] : device) ?? nothing
      case Op.Read:
      case Op.FastRead:
        return this.#read(address + index)
      case Op.Read4:
        return model.erases4 ? this.#read(address + index) : nothing
      case Op.ReadSfdp:
        return sfdp?.[address + index] ?? nothing
      case Op.UniqueId:
        return isWinbond ? (0xd1 + 0x29 * (index % 8)) & 0xff : nothing
      default:
        return nothing
    }
  }

  #read(address: number): number {
    const at = address % this.model.bytes
    const { flickerBit } = this.#dials
    if (flickerBit !== undefined && flickerBit >> 3 === at) return this.flash.read(at, 1)[0] ?? nothing
    return this.flash.bytes[at] ?? nothing
  }

  #status1(): number {
    const words = this.#wordsAt === undefined ? 0 : Status.Words
    return this.#status[0] | words | (this.#isBusy ? Status.Busy | Status.MayWrite : 0)
  }

  // ---- what it does -----------------------------------------------------------------------------

  #begin(command: Underway): void {
    const { opcode, head, count } = command
    if (this.#isBusy) return
    if (this.#isAsleep) {
      if (opcode === Op.WakeUp) this.#isAsleep = false
      return
    }
    const mayReset = this.#mayReset
    this.#mayReset = opcode === Op.ResetEnable
    if (this.#wordsAt !== undefined && opcode !== Op.ProgramWords && opcode !== Op.WriteDisable) return
    switch (opcode) {
      case Op.WriteEnable:
      case Op.EnableWriteStatus:
        this.#status[0] |= Status.MayWrite
        return
      case Op.WriteDisable:
        this.#wordsAt = undefined
        this.#status[0] &= ~Status.MayWrite
        return
      case Op.EnterFour:
      case Op.ExitFour:
        if (this.model.erases4) this.#hasFour = opcode === Op.EnterFour
        return
      case Op.PowerDown:
        this.#isAsleep = true
        return
      case Op.Reset:
        if (mayReset) this.#reset()
        return
    }
    if ((this.#status[0] & Status.MayWrite) === 0) return
    const ms = this.#change(command, head, count)
    if (ms === undefined) return
    if (this.#wordsAt === undefined) this.#status[0] &= ~Status.MayWrite
    this.#busyUntil = this.#clock.now() + ms
  }

  /** Gives how long it is busy with it; undefined: that was no command of its own. */
  #change(command: Underway, head: readonly number[], count: number): number | undefined {
    const { opcode } = command
    const isSst = this.model.registers === 'sst'
    if (opcode === Op.WriteStatus) return this.#writeStatus(0, head)
    if (opcode === Op.WriteStatus2) return this.#writeStatus(1, head)
    if (opcode === Op.WriteStatus3) return this.#writeStatus(2, head)
    const address = this.#address(command)
    if (opcode === Op.ChipErase || opcode === Op.ChipEraseToo)
      return this.#isProtected(0, this.model.bytes)
        ? 0
        : this.flash.eraseAll(this.#clock, this.model.chipEraseMs)
    const lead = this.#leadBytes(opcode)
    if (opcode === Op.ProgramWords) return isSst ? this.#programWord(head, count) : undefined
    if (opcode === Op.Program || (opcode === Op.Program4 && this.model.erases4))
      return count > lead ? this.#program(address, isSst ? head[lead] : undefined) : undefined
    const has4 = this.#isErase4(opcode)
    const erases = has4 ? this.model.erases4 : this.model.erases
    const erase = erases?.find((one) => one.opcode === opcode)
    if (!erase || count !== (has4 || this.#hasFour ? 4 : 3)) return undefined
    const range = { address: address - (address % erase.bytes), length: erase.bytes }
    return this.#isProtected(range.address, range.length)
      ? 0
      : this.flash.eraseRange(range, this.#clock, erase.ms)
  }

  /** A page; or one byte. */
  #program(address: number, byte: number | undefined): number {
    const at = byte === undefined ? address - (address % pageBytes) : address
    if (this.#isProtected(address, 1)) return 0
    const ms = this.flash.program(at, byte === undefined ? this.#page : Uint8Array.of(byte), this.#clock)
    return byte === undefined ? ms : byteMs
  }

  /** SST25VF016B, 4.4.4: the first with its address, those behind it without. */
  #programWord(head: readonly number[], count: number): number | undefined {
    const address =
      count === 5 ? this.#address({ opcode: Op.ProgramWords, head: [...head], count }) & ~1 : this.#wordsAt
    if (address === undefined || (count !== 5 && count !== 2)) return undefined
    const isProtected = this.#isProtected(address, 2)
    if (!isProtected) this.flash.program(address, Uint8Array.from(head.slice(-2)), this.#clock)
    this.#wordsAt = isProtected || address + 2 >= this.model.bytes ? undefined : address + 2
    return wordMs
  }

  /** One byte is for the first register; what follows, for those behind it. A short write of the first clears the second. */
  #writeStatus(first: number, bytes: readonly number[]): number | undefined {
    const masks = writable[this.model.registers]
    if (bytes.length === 0 || masks[first] === 0) return undefined
    const isWinbond = this.model.registers.startsWith('winbond')
    const given = first === 0 && isWinbond ? [bytes[0], bytes[1] ?? 0] : [bytes[0]]
    for (const [i, byte = 0] of given.entries()) {
      const register = (first + i) as 0 | 1 | 2
      const mask = masks[register] ?? 0
      this.#status[register] = (this.#status[register] & ~mask) | (byte & mask)
    }
    return statusMs
  }

  /** By the block protection bits, whether any of it is. */
  #isProtected(address: number, length: number): boolean {
    const { registers, bytes } = this.model
    const [first, second] = this.#status
    const isLarge = registers !== 'winbond'
    const level = (first >> 2) & (isLarge ? 0xf : 7)
    const isInverted = registers.startsWith('winbond') && (second & 0x40) !== 0
    const smallest = registers === 'winbond' ? Math.max(0x1_0000, bytes / 64) : 0x1_0000
    const isSectors = registers === 'winbond' && (first & 0x40) !== 0
    const size = isSectors ? Math.min(0x8000, 0x1000 << (level - 1)) : smallest * 2 ** (level - 1)
    const isAll = registers === 'sst' ? level >= 6 : level === (isLarge ? 15 : 7)
    const covered = level === 0 ? 0 : isAll ? bytes : Math.min(bytes, size)
    const bottomBit = { winbond: 0x20, 'winbond-large': 0x40, macronix: 0, sst: 0 }[registers]
    const fromBottom = (first & bottomBit) !== 0
    const [from, to] = fromBottom ? [0, covered] : [bytes - covered, bytes]
    const touches = address < to && address + length > from
    const isInside = address >= from && address + length <= to
    return isInverted ? !isInside : touches
  }

  #reset(): void {
    this.#command = undefined
    this.#status[0] &= ~Status.MayWrite
    if (this.model.registers === 'sst') this.#status[0] |= 0x1c
    this.#hasFour = false
    this.#isAsleep = false
    this.#mayReset = false
    this.#wordsAt = undefined
  }
}
