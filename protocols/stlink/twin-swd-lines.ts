/**
 * What an ST-Link's firmware does on the debug wires for its memory commands: a debug port woken, and words, halfwords and
 * bytes through its memory access port. Sources: Arm IHI 0031 (ADIv5.2), B2, B4, C2; which status tells what:
 * openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (`stlink_usb_error_check`).
 */
import { Ack, type TwinSwd } from '#bench/twin-swd.ts'
import { Status } from './packets.ts'

/** Bits of one access on the wire, with the turnarounds and one idle cycle. */
const accessBits = 46
/** So often an access is tried that has to wait, before the host hears of it. */
const mostTries = 100

const jtagToSwd = Uint8Array.from([
  ...Array<number>(7).fill(0xff),
  ...[0x9e, 0xe7],
  ...Array<number>(7).fill(0xff),
  0,
])
const Dp = { Idr: 0x0, Abort: 0x0, Stat: 0x4, Select: 0x8, Buffer: 0xc } as const
const clearErrors = 0x1e
const abortAll = 0x1f
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

export class SwdLines {
  /** Bits on the wire since somebody counted. */
  bits = 0
  readonly #swd: TwinSwd

  constructor(swd: TwinSwd) {
    this.#swd = swd
  }

  reset(asserted: boolean): void {
    this.#swd.reset(asserted)
  }

  /** DPIDR; undefined: nobody answers. */
  connect(): number | undefined {
    this.bits += jtagToSwd.length * 8
    this.#swd.sequence(jtagToSwd, jtagToSwd.length * 8)
    try {
      const idcode = this.#read(false, Dp.Idr)
      this.#write(false, Dp.Abort, clearErrors)
      this.#write(false, Dp.Select, 0)
      this.#write(false, Dp.Stat, powerUp)
      return idcode
    } catch {
      return undefined
    }
  }

  readIdcode(): number | undefined {
    try {
      return this.#read(false, Dp.Idr)
    } catch {
      return undefined
    }
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
      return Status.Ok
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const isWait = error.status === Status.ApWait || error.status === Status.DpWait
      this.bits += accessBits
      this.#swd.write(false, Dp.Abort, isWait ? abortAll : clearErrors)
      return error.status
    }
  }

  #read(isAp: boolean, address: number): number {
    return this.#patiently(isAp, () => this.#swd.read(isAp, address))
  }

  #write(isAp: boolean, address: number, value: number): void {
    this.#patiently(isAp, () => ({ ack: this.#swd.write(isAp, address, value), value: 0 }))
  }

  #patiently(isAp: boolean, access: () => { readonly ack: number; readonly value: number }): number {
    for (let left = mostTries; ; left--) {
      this.bits += accessBits
      const { ack, value } = access()
      if (ack === Ack.Ok) return value
      if (ack === Ack.Wait && left > 0) continue
      if (ack === Ack.Wait) throw new Refused(isAp ? Status.ApWait : Status.DpWait)
      if (ack === Ack.Fault) throw new Refused(Status.ApFault)
      throw new Refused(isAp ? Status.ApError : Status.DpError)
    }
  }
}
