/**
 * What a DfuSe device holds: each alternate setting shows memory at addresses, and blocks with the number 0 are commands.
 * Sources: ST, UM0424 and AN3156.
 */
import { Command, firstBlock, type StatusName } from './packets.ts'
import { refused, type Pending, type TwinContent } from './twin-device.ts'
import type { TwinFlash } from '#bench/twin-flash.ts'

export interface DfuseOptions {
  readonly flash: TwinFlash
  readonly transferBytes: number
  /** Names of the alternate settings: the flash first, then what else can be read. */
  readonly flashName: string
  readonly others?: readonly { readonly name: string; readonly address: number; readonly bytes: Uint8Array }[]
  /** Addresses of the flash that it takes; others it lists, and neither reads nor writes. */
  readonly takes?: (address: number) => boolean
  /** Against reading, as it is when plugged in: nothing but lifting that, which erases everything, is allowed. */
  readonly isProtected?: boolean
}

const commands = Uint8Array.of(Command.Get, Command.SetAddress, Command.Erase, Command.ReadUnprotect)

export class DfuseContent implements TwinContent {
  readonly version = 0x011a
  readonly leavesFromIdle = true
  readonly flash: TwinFlash
  readonly names: readonly string[]
  readonly #options: DfuseOptions
  #pointer: number
  #isProtected: boolean

  constructor(options: DfuseOptions) {
    const { flash, flashName, others = [], isProtected = false } = options
    this.#options = options
    this.flash = flash
    this.names = [flashName, ...others.map(({ name }) => name)]
    this.#pointer = flash.address
    this.#isProtected = isProtected
  }

  restart(): void {
    this.#pointer = this.flash.address
  }

  take(block: number, bytes: Uint8Array, setting: number): Pending | undefined {
    if (block === 1) return undefined
    return block === 0 ? this.#command(bytes, setting) : this.#write(block, bytes, setting)
  }

  #command(bytes: Uint8Array, setting: number): Pending {
    const { flash } = this
    const { takes = () => true } = this.#options
    const [command] = bytes
    const address = bytes.length === 5 ? new DataView(bytes.slice(1).buffer).getUint32(0, true) : undefined
    if (command === Command.ReadUnprotect && bytes.length === 1)
      return {
        status: 'OK',
        start: (clock) => ((this.#isProtected = false), flash.eraseAll(clock)),
        restarts: true,
      }
    if (this.#isProtected) return refused('VENDOR')
    if (command === Command.SetAddress && address !== undefined) {
      if (!this.#regionAt(address, setting) || !takes(address)) return refused('TARGET')
      return { status: 'OK', start: () => ((this.#pointer = address), 0) }
    }
    if (command === Command.Erase && bytes.length === 1)
      return { status: 'OK', start: (clock) => flash.eraseAll(clock) }
    if (command === Command.Erase && address !== undefined) {
      if (setting !== 0 || !flash.holds(address) || !takes(address)) return refused('TARGET')
      return { status: 'OK', start: (clock) => flash.erase(address, clock) }
    }
    return refused('VENDOR')
  }

  #write(block: number, bytes: Uint8Array, setting: number): Pending {
    if (this.#isProtected) return refused('VENDOR')
    const { takes = () => true } = this.#options
    const address = this.#addressOf(block)
    const isAllowed = setting === 0 && this.flash.holds(address, bytes.length) && takes(address)
    if (!isAllowed) return refused('ADDRESS')
    return { status: 'OK', start: (clock) => this.flash.program(address, bytes, clock) }
  }

  give(block: number, length: number, setting: number): Uint8Array | StatusName {
    if (block === 0) return commands.slice(0, length)
    if (this.#isProtected) return 'VENDOR'
    const address = this.#addressOf(block)
    const region = block === 1 ? undefined : this.#regionAt(address, setting)
    return region ? region.read(address, Math.min(length, region.end - address)) : 'ADDRESS'
  }

  #addressOf(block: number): number {
    return this.#pointer + (block - firstBlock) * this.#options.transferBytes
  }

  /** What this setting shows at an address. */
  #regionAt(
    address: number,
    setting: number,
  ): { readonly end: number; read(from: number, length: number): Uint8Array } | undefined {
    const { flash } = this
    if (setting === 0)
      return flash.holds(address)
        ? { end: flash.address + flash.bytes.length, read: (from, length) => flash.read(from, length) }
        : undefined
    const other = this.#options.others?.[setting - 1]
    if (!other || address < other.address || address >= other.address + other.bytes.length) return undefined
    return {
      end: other.address + other.bytes.length,
      read: (from, length) => other.bytes.slice(from - other.address, from - other.address + length),
    }
  }
}
