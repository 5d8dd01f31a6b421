/**
 * What an ST-Link's firmware does on the debug wires for its memory commands: a debug port woken, and words, halfwords and
 * bytes through its memory access port. Sources: Arm IHI 0031 (ADIv5.2), B2, C2; which status tells what:
 * openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (`stlink_usb_error_check`).
 */
import { Ack, type TwinSwd } from '#bench/twin-swd.ts'
import type { TwinJtag } from '#bench/twin-jtag.ts'
import { Status, type Lines } from './packets.ts'
import { JtagWires, SwdWires, type Wires } from './twin-wires.ts'

/** So often an access is tried that has to wait, before the host hears of it. */
const mostTries = 100

const Dp = { Stat: 0x4, Select: 0x8, Buffer: 0xc } as const
const powerUp = 0x5000_0000
const csw = { 1: 0x2300_0050, 2: 0x2300_0051, 4: 0x2300_0052 } as const

/** Thrown within; what the host hears of it. */
class Refused extends Error {
  readonly status: number
  constructor(status: number) {
    super(`status ${String(status)}`)
    this.status = status
  }
}

/** What is at the end of the wires. */
export interface Wired {
  readonly swd: TwinSwd
  readonly jtag?: TwinJtag | undefined
}

export class DebugLines {
  readonly #swd: TwinSwd
  readonly #by: Readonly<Record<Lines, Wires>>
  #wires: Wires

  constructor({ swd, jtag }: Wired) {
    this.#swd = swd
    this.#by = { SWD: new SwdWires(swd), JTAG: new JtagWires(jtag) }
    this.#wires = this.#by.SWD
  }

  /** On the wire since somebody counted. */
  get bits(): number {
    return this.#wires.bits
  }
  set bits(bits: number) {
    this.#wires.bits = bits
  }

  reset(asserted: boolean): void {
    this.#swd.reset(asserted)
  }

  /** False: nobody answers, or nobody that it knows. */
  connect(lines: Lines): boolean {
    this.#wires = this.#by[lines]
    this.#wires.bits = 0
    if (!this.#wires.connect()) return false
    this.#wires.write(false, Dp.Select, 0)
    this.#wires.write(false, Dp.Stat, powerUp)
    return true
  }

  readIdcodes(): readonly number[] | undefined {
    return this.#wires.idcodes()
  }

  /** What it could not read is 0. The address counts on as far as the port lets it, and begins anew there. */
  read(address: number, length: number, width: 1 | 2 | 4, ap: number): { bytes: Uint8Array; status: number } {
    const bytes = new Uint8Array(length)
    const view = new DataView(bytes.buffer)
    const status = this.#status(() => {
      this.#towards(address, width, ap)
      this.#read(true, 0xc)
      for (let at = 0; at < length; at += width) {
        const isLast = at + width >= length
        const word = isLast ? this.#read(false, Dp.Buffer) : this.#read(true, 0xc)
        const lane = word >>> (8 * ((address + at) & 3))
        if (width === 4) view.setUint32(at, word, true)
        else if (width === 2) view.setUint16(at, lane & 0xffff, true)
        else bytes[at] = lane
      }
    })
    return { bytes, status }
  }

  write(address: number, bytes: Uint8Array, width: 1 | 2 | 4, ap: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.#status(() => {
      this.#towards(address, width, ap)
      for (let at = 0; at + width <= bytes.length; at += width) {
        const lane = 8 * ((address + at) & 3)
        if (width === 4) this.#write(true, 0xc, view.getUint32(at, true))
        else if (width === 2) this.#write(true, 0xc, (view.getUint16(at, true) << lane) >>> 0)
        else this.#write(true, 0xc, ((bytes[at] ?? 0) << lane) >>> 0)
      }
      this.#read(false, Dp.Buffer) // whether the last one was done
    })
  }

  /** A register of the debug port (`ap` FFFF), or of an access port. */
  readRegister(ap: number, address: number): { value: number; status: number } {
    let value = 0
    const status = this.#status(() => {
      if (ap === 0xffff) {
        this.#select(0, address >> 4)
        value = this.#read(false, address & 0xc)
      } else {
        this.#write(false, Dp.Select, ((ap << 24) | (address & 0xf0)) >>> 0)
        this.#read(true, address & 0xc)
        value = this.#read(false, Dp.Buffer)
      }
    })
    return { value, status }
  }

  writeRegister(ap: number, address: number, value: number): number {
    return this.#status(() => {
      if (ap === 0xffff) this.#write(false, address & 0xc, value)
      else {
        this.#write(false, Dp.Select, ((ap << 24) | (address & 0xf0)) >>> 0)
        this.#write(true, address & 0xc, value)
        this.#read(false, Dp.Buffer)
      }
    })
  }

  #towards(address: number, width: 1 | 2 | 4, ap: number): void {
    this.#select(ap, 0)
    this.#write(true, 0x0, csw[width])
    this.#write(true, 0x4, address)
  }

  #select(ap: number, bank: number): void {
    this.#write(false, Dp.Select, ((ap << 24) | bank) >>> 0)
  }

  /** A fault is cleared before it is told. */
  #status(work: () => void): number {
    try {
      work()
      if (!this.#wires.hasFailed()) return Status.Ok
      this.#wires.clear(false)
      return Status.ApFault
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#wires.clear(error.status === Status.ApWait || error.status === Status.DpWait)
      return error.status
    }
  }

  #read(isAp: boolean, address: number): number {
    return this.#patiently(isAp, () => this.#wires.read(isAp, address))
  }

  #write(isAp: boolean, address: number, value: number): void {
    this.#patiently(isAp, () => ({ ack: this.#wires.write(isAp, address, value), value: 0 }))
  }

  #patiently(isAp: boolean, access: () => { readonly ack: number; readonly value: number }): number {
    for (let left = mostTries; ; left--) {
      const { ack, value } = access()
      if (ack === Ack.Ok) return value
      if (ack === Ack.Wait && left > 0) continue
      if (ack === Ack.Wait) throw new Refused(isAp ? Status.ApWait : Status.DpWait)
      if (ack === Ack.Fault) throw new Refused(Status.ApFault)
      throw new Refused(isAp ? Status.ApError : Status.DpError)
    }
  }
}
