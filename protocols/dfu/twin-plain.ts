/**
 * What a plain DFU 1.1 device holds: its flash from the first block to the last, in order, behind one of its alternate
 * settings; behind the others there is nothing. Its blocks are pages, each erased when it comes. Source: DFU 1.1,
 * sections 6.1 and 6.2; devanlai/dapboot.
 */
import type { StatusName } from './packets.ts'
import { refused, type Pending, type TwinContent } from './twin-device.ts'
import type { TwinFlash } from '#bench/twin-flash.ts'

export interface PlainOptions {
  readonly flash: TwinFlash
  readonly transferBytes: number
  readonly names: readonly string[]
  /** The setting with the flash. */
  readonly setting: number
}

export class PlainContent implements TwinContent {
  readonly version = 0x0110
  readonly leavesFromIdle = false
  readonly flash: TwinFlash
  readonly names: readonly string[]
  readonly #options: PlainOptions
  #next = 0

  constructor(options: PlainOptions) {
    this.#options = options
    this.flash = options.flash
    this.names = options.names
  }

  restart(): void {
    this.#next = 0
  }

  take(block: number, bytes: Uint8Array, setting: number, isFirst: boolean): Pending | undefined {
    const address = this.#follow(block, setting, isFirst)
    if (address === undefined) return undefined
    if (!this.flash.holds(address, bytes.length)) return refused('ADDRESS')
    return { status: 'OK', start: (clock) => this.flash.replace(address, bytes, clock) }
  }

  give(block: number, length: number, setting: number, isFirst: boolean): Uint8Array | StatusName {
    const address = this.#follow(block, setting, isFirst)
    if (address === undefined) return 'STALLEDPKT'
    return this.flash.read(address, Math.min(length, this.flash.address + this.flash.bytes.length - address))
  }

  /** Where this block is; undefined: it is not the one that follows, or nothing is there. */
  #follow(block: number, setting: number, isFirst: boolean): number | undefined {
    if (setting !== this.#options.setting || block !== (isFirst ? 0 : this.#next)) return undefined
    this.#next = block + 1
    return this.flash.address + block * this.#options.transferBytes
  }
}
