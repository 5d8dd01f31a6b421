/**
 * DAP_Transfer and DAP_TransferBlock as a probe does them: posted reads, checked writes, what is counted, and how often it
 * waits. Source: ARM-software/CMSIS-DAP, `Firmware/Source/DAP.c`.
 */
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import { Ack } from '#bench/twin-swd.ts'
import { Command } from './packets.ts'
import type { DapWires } from './twin-wires.ts'

const Request = { Ap: 1, Read: 2, Address: 0x0c, MatchValue: 0x10, MatchMask: 0x20 } as const
const readBuffer = 0x0c
const valueMismatch = 0x10

interface Answered {
  readonly ack: number
  readonly value: number
}

export class DapTransfers {
  /** So often an access is done again that is told to wait. */
  waits = 0
  matchTries = 0
  matchMask = 0

  transfer(read: ByteReader, wires: DapWires): Uint8Array {
    if (!wires.select(read.u8())) return Uint8Array.of(Command.Transfer, 0, 0)
    const wanted = read.u8()
    const words: number[] = []
    let [ack, done, isUnchecked]: [number, number, boolean] = [Ack.Ok, 0, false]
    /** Of the register that was asked for, and has not come yet. */
    let posted: { readonly isAp: boolean } | undefined
    for (; done < wanted; done++) {
      const request = read.u8()
      const [isAp, isRead] = [(request & Request.Ap) !== 0, (request & Request.Read) !== 0]
      const isMatch = isRead && (request & Request.MatchValue) !== 0
      const address = request & Request.Address
      const value = isRead && !isMatch ? 0 : read.u32le()
      // the value of a posted read comes with the next one of its kind, or has to be fetched
      if (posted && !(isRead && !isMatch && posted.isAp === isAp)) {
        const fetched = this.#read(wires, false, readBuffer)
        ack = fetched.ack
        if (ack !== Ack.Ok) break
        words.push(fetched.value)
        posted = undefined
      }
      if (!isRead && (request & Request.MatchMask) !== 0) {
        this.matchMask = value
        continue
      }
      if (isMatch) {
        ack = this.#match(wires, isAp, address, value)
        if (ack !== Ack.Ok) break
      } else if (isRead) {
        const answered = this.#read(wires, isAp, address)
        ack = answered.ack
        if (ack !== Ack.Ok) break
        if (posted || !wires.posts(isAp)) words.push(answered.value)
        posted = wires.posts(isAp) ? { isAp } : undefined
        isUnchecked = false
      } else {
        ack = this.#write(wires, isAp, address, value)
        if (ack !== Ack.Ok) break
        isUnchecked = true
      }
    }
    if (ack === Ack.Ok && (posted || isUnchecked)) {
      const fetched = this.#read(wires, false, readBuffer)
      ack = fetched.ack
      if (posted && ack === Ack.Ok) words.push(fetched.value)
    }
    const writer = new ByteWriter().bytes([Command.Transfer, done, ack])
    for (const word of words) writer.u32le(word)
    return writer.done()
  }

  block(read: ByteReader, wires: DapWires): Uint8Array {
    if (!wires.select(read.u8())) return Uint8Array.of(Command.TransferBlock, 0, 0, 0)
    const wanted = read.u16le()
    const request = read.u8()
    const [isAp, isRead] = [(request & Request.Ap) !== 0, (request & Request.Read) !== 0]
    const address = request & Request.Address
    const isPosted = isRead && wires.posts(isAp)
    const words: number[] = []
    let [ack, done]: [number, number] = [Ack.Ok, 0]
    if (isPosted && wanted > 0) ack = this.#read(wires, isAp, address).ack
    for (; done < wanted && ack === Ack.Ok; done++) {
      if (!isRead) ack = this.#write(wires, isAp, address, read.u32le())
      else {
        const isLast = done === wanted - 1
        const answered =
          isPosted && isLast ? this.#read(wires, false, readBuffer) : this.#read(wires, isAp, address)
        ack = answered.ack
        if (ack === Ack.Ok) words.push(answered.value)
      }
      if (ack !== Ack.Ok) break
    }
    if (!isRead && ack === Ack.Ok) ack = this.#read(wires, false, readBuffer).ack
    const writer = new ByteWriter().bytes([Command.TransferBlock]).u16le(done).bytes([ack])
    for (const word of words) writer.u32le(word)
    return writer.done()
  }

  /** Reads it until it is that, or for as often as it may. */
  #match(wires: DapWires, isAp: boolean, address: number, value: number): number {
    if (wires.posts(isAp)) {
      const { ack } = this.#read(wires, isAp, address)
      if (ack !== Ack.Ok) return ack
    }
    for (let left = this.matchTries; ; left--) {
      const found = this.#read(wires, isAp, address)
      if (found.ack !== Ack.Ok) return found.ack
      if ((found.value & this.matchMask) >>> 0 === value) return Ack.Ok
      if (left <= 0) return found.ack | valueMismatch
    }
  }

  #read(wires: DapWires, isAp: boolean, address: number): Answered {
    return this.#patiently(() => wires.read(isAp, address))
  }

  #write(wires: DapWires, isAp: boolean, address: number, value: number): number {
    return this.#patiently(() => ({ ack: wires.write(isAp, address, value), value: 0 })).ack
  }

  /** As often as it is told to wait, and may. */
  #patiently(access: () => Answered): Answered {
    for (let left = this.waits; ; left--) {
      const answered = access()
      if (answered.ack !== Ack.Wait || left <= 0) return answered
    }
  }
}
