/**
 * The flash of a Kinetis behind its controller: FTFA of a KL26, or FTFL of a K20 with its FlexRAM (NXP, KL26 and K20
 * Sub-Family Reference Manuals, "Flash Memory Module"). It knows registers, commands, times and protections.
 *
 * A command is in FCCOB and begins when CCIF is cleared by a one; errors of before keep it from beginning. FSEC, FOPT and
 * FPROT are loaded from the configuration field at each reset. Whoever reads a busy flash gets a read collision.
 */
import { blank } from '#core/bytes.ts'
import { numberAt, putNumber, withLane, lane, type ChipClock, type Region } from './twin-arm-bus.ts'
import { TwinFlash } from './twin-flash.ts'
import type { Dials } from './twin.ts'

const registersAt = 0x4002_0000
const flexRamAt = 0x1400_0000
const fieldAt = 0x400
/** In that field. */
const Field = { Protection: 0x08, Security: 0x0c, Options: 0x0d } as const
const openSecurity = 0xfe

const Stat = { Ready: 0x80, Collision: 0x40, Access: 0x20, Protected: 0x10, Verify: 0x01 } as const
const errors = Stat.Collision | Stat.Access | Stat.Protected
/** FCNFG: RAMRDY. */
const ramReady = 0x02

/** Typical, as the data sheets of KL26 and K20 give them: tersscr, tpgm4, tersall; tpgmsec1k of a K20. */
const eraseMs = 14
const longwordMs = 0.065
const eraseAllMs = 115
const section1kMs = 9.3
const checkMs = 0.1

export interface KinetisFlashOptions {
  readonly clock: ChipClock
  readonly kib: number
  /** With its configuration field. */
  readonly content: Uint8Array
  /** FTFL: it has FlexRAM, and programs sections of it. */
  readonly flexRamBytes: number
  readonly dials: Dials
}

export class TwinKinetisFlash {
  readonly flash: TwinFlash
  readonly regions: readonly Region[]
  readonly #clock: ChipClock
  readonly #flexRam: Uint8Array
  /** FSTAT to FPROT0, but for FSTAT. */
  readonly #registers = new Uint8Array(0x18)
  #errors = 0
  #busyUntil = 0

  constructor({ clock, kib, content, flexRamBytes, dials }: KinetisFlashOptions) {
    this.#clock = clock
    this.#flexRam = new Uint8Array(flexRamBytes)
    const sectors = Array.from({ length: kib }, (_, i) => ({ address: i * 1024, length: 1024 }))
    const times = { eraseMs: () => eraseMs, programMsPerKib: longwordMs * 256 }
    this.flash = new TwinFlash(sectors, times, content, dials)
    const flexRam = this.#flexRam
    this.regions = [
      {
        ...{ address: registersAt, length: 0x1000 },
        changesAt: (since) => (this.#busyUntil > since ? this.#busyUntil : Infinity),
        read: (address, width) => lane(this.#readWord(address & 0xffc), address, width),
        write: (address, width, value) => {
          this.#write(address & 0xfff, width, value)
          return true
        },
      },
      {
        ...{ address: 0, length: this.flash.bytes.length },
        read: (address, width, master) => {
          if (this.isBusy) this.#errors |= Stat.Collision
          return master === 'core'
            ? numberAt(this.flash.bytes, address, width)
            : numberAt(this.flash.read(address, width), 0, width)
        },
        write: () => false,
      },
      ...(flexRamBytes > 0
        ? [
            {
              ...{ address: flexRamAt, length: flexRamBytes },
              read: (address: number, width: 1 | 2 | 4) => numberAt(flexRam, address - flexRamAt, width),
              write: (address: number, width: 1 | 2 | 4, value: number) => {
                putNumber(flexRam, address - flexRamAt, width, value)
                return true
              },
            },
          ]
        : []),
    ]
  }

  get isBusy(): boolean {
    return this.#clock.now() < this.#busyUntil
  }

  /** FSEC. */
  get security(): number {
    return this.#registers[0x02] ?? 0xff
  }

  get isSecured(): boolean {
    return (this.security & 3) !== 2
  }

  /** Mass erase is not switched off, or needs not to be on. */
  get canMassErase(): boolean {
    return !this.isSecured || (this.security & 0x30) !== 0x20
  }

  /** Any reset: what was running is cut short, and the configuration field counts from here on. */
  reset(): void {
    this.#cutShort()
    const field = this.flash.bytes.subarray(fieldAt, fieldAt + 16)
    this.#errors = 0
    this.#registers.fill(0)
    this.#registers[0x01] = this.#flexRam.length > 0 ? ramReady : 0
    this.#registers[0x02] = field[Field.Security] ?? 0xff
    this.#registers[0x03] = field[Field.Options] ?? 0xff
    this.#registers.set(field.subarray(Field.Protection, Field.Protection + 4), 0x10)
  }

  losePower(): void {
    this.#cutShort()
  }

  /** By the MDM-AP: protected or not. It leaves the chip open, and the byte in its field says so at the next reset. */
  massErase(): void {
    this.#begin(this.flash.eraseAll(this.#clock, eraseAllMs))
    this.flash.bytes[fieldAt + Field.Security] = openSecurity
    this.#registers[0x02] = openSecurity
  }

  #cutShort(): void {
    this.flash.losePower(this.#clock.now())
    this.#busyUntil = 0
  }

  #begin(ms: number): void {
    this.#busyUntil = this.#clock.now() + ms
  }

  #readWord(offset: number): number {
    const word = offset < this.#registers.length ? numberAt(this.#registers, offset, 4) : 0
    return offset === 0 ? (word | this.#errors | (this.isBusy ? 0 : Stat.Ready)) >>> 0 : word
  }

  #write(offset: number, width: 1 | 2 | 4, value: number): void {
    if (offset >= 0x04 && offset < 0x10) {
      if (this.isBusy) return
      const at = offset & ~3
      putNumber(this.#registers, at, 4, withLane(numberAt(this.#registers, at, 4), offset, width, value))
    } else if (offset >= 0x10 && offset < 0x14 && width === 1) {
      // more can be protected, not less
      this.#registers[offset] = (this.#registers[offset] ?? 0) & value
    } else if (offset === 0) this.#writeStatus(value & 0xff)
  }

  #writeStatus(value: number): void {
    if (this.isBusy) return
    this.#errors &= ~(value & errors)
    if ((value & Stat.Ready) === 0 || (this.#errors & (Stat.Access | Stat.Protected)) !== 0) return
    this.#errors &= ~Stat.Verify
    this.#run()
  }

  /** FCCOB0 is the command, 1 to 3 its address; 4 to B have the highest byte first, too. */
  #run(): void {
    const command = this.#registers[0x07] ?? 0
    const address = numberAt(this.#registers, 0x04, 4) & 0xff_ffff
    const data = numberAt(this.#registers, 0x08, 4)
    switch (command) {
      case 0x00:
      case 0x01:
        return this.#check(
          command === 0 ? 0 : address,
          command === 0 ? this.flash.bytes.length : (data >>> 16) * 4,
        )
      case 0x06:
        return this.#program(address, Uint8Array.of(data, data >> 8, data >> 16, data >>> 24), longwordMs)
      case 0x09:
        return this.#eraseSector(address)
      case 0x0b:
        return this.#programSection(address, (data >>> 16) * 4)
    }
    this.#errors |= Stat.Access
  }

  #isRefused(address: number, length: number): boolean {
    if ((address & 3) !== 0 || length === 0 || !this.flash.holds(address, length)) this.#errors |= Stat.Access
    else if (this.#isProtected(address)) this.#errors |= Stat.Protected
    return (this.#errors & (Stat.Access | Stat.Protected)) !== 0
  }

  /** A 32nd of the flash for a bit; FPROT3 has the first eight. */
  #isProtected(address: number): boolean {
    const part = Math.floor(address / (this.flash.bytes.length / 32))
    return ((numberAt(this.#registers, 0x10, 4) >>> part) & 1) === 0
  }

  #eraseSector(address: number): void {
    if (!this.#isRefused(address, 4)) this.#begin(this.flash.erase(address, this.#clock))
  }

  /** What does not come out as it should is told. */
  #program(address: number, bytes: Uint8Array, ms: number): void {
    if (this.#isRefused(address, bytes.length)) return
    this.flash.program(address, bytes, this.#clock)
    this.#begin(ms)
    if (bytes.some((byte, i) => byte !== this.flash.bytes[address + i])) this.#errors |= Stat.Verify
  }

  #programSection(address: number, length: number): void {
    const isThere = length > 0 && length <= this.#flexRam.length && (address % 1024) + length <= 1024
    if (!isThere) this.#errors |= Stat.Access
    else this.#program(address, this.#flexRam.slice(0, length), (section1kMs * length) / 1024)
  }

  #check(address: number, length: number): void {
    if (!this.flash.holds(address, length)) this.#errors |= Stat.Access
    else if (this.flash.bytes.subarray(address, address + length).some((byte) => byte !== 0xff))
      this.#errors |= Stat.Verify
    this.#begin(checkMs)
  }
}

/** What leaves a chip open and unprotected. */
export const openField = (): Uint8Array => {
  const field = blank(16)
  field[Field.Security] = openSecurity
  return field
}
