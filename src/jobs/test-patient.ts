/**
 * A programmer and a chip for the tests of the jobs: memories where writing clears bits, a chip erase, lock
 * bits, and faults. Small (512 bytes of flash in pages of 32) so that a test can fail it at every operation.
 */
import { blank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Check, Memory, MemoryId, Patient, Programmer, Range, Way } from '#core/programmer.ts'

export class TestChip {
  readonly memories = new Map<MemoryId, Uint8Array>([
    ['flash', blank(512)],
    ['eeprom', blank(32)],
    ['fuses', Uint8Array.of(0xe2, 0xd9)],
    ['lock', Uint8Array.of(0xff)],
    ['calibration', Uint8Array.of(0x9a)],
  ])
  kind = 'test:chip'
  chip = 'TestChip'
  checks: readonly Check[] = []

  constructor(contents: Partial<Record<MemoryId, Uint8Array>> = {}) {
    for (const [id, bytes] of Object.entries(contents) as [MemoryId, Uint8Array][]) this.at(id).set(bytes)
  }

  at(id: MemoryId): Uint8Array {
    const bytes = this.memories.get(id)
    if (!bytes) throw new Error(`no ${id}`)
    return bytes
  }

  snapshot(): Map<MemoryId, Uint8Array> {
    return new Map([...this.memories].map(([id, bytes]) => [id, bytes.slice()]))
  }
}

export class TestProgrammer implements Programmer {
  readonly chip: TestChip
  readonly facts = [{ name: 'serial', value: 'T-1' }] as const
  readonly notices = []
  /** Every operation in order, e.g. `program flash 0x20`. */
  readonly operations: string[] = []
  /** Called before each operation with its number, from 1; may throw or change things. */
  before: (count: number, operation: string) => void = () => undefined
  /** Address in the flash whose lowest bit is wrong on every second reading of it, the first included. */
  flicker: number | undefined
  /** Mask of flash bits that stay 0 after programming, by address. */
  readonly stuck = new Map<number, number>()
  /** As asked for when its way was gone last. */
  speedHz: number | undefined
  /** A bootloader: no erase, no fuses, and a reserved range at the top. */
  readonly byLoader: boolean
  #flickers = 0
  #gone = new AbortController()
  disposed = 0

  constructor(chip = new TestChip(), options: { byLoader?: boolean } = {}) {
    this.chip = chip
    this.byLoader = options.byLoader ?? false
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  unplug(): void {
    this.#gone.abort(new FlashError('device-gone', {}))
  }

  get ways(): readonly Way[] {
    const connect = async (ctx: Context, speedHz?: number) => {
      this.speedHz = speedHz
      await this.operate('connect', ctx)
      return this.#patient()
    }
    return [{ to: 'target', by: this.byLoader ? 'bootloader' : 'isp', speedsHz: [100_000, 10_000], connect }]
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed++
    return Promise.resolve()
  }

  async operate(operation: string, ctx: Context): Promise<void> {
    this.#refuseGone()
    this.operations.push(operation)
    this.before(this.operations.length, operation)
    this.#refuseGone()
    await ctx.sleep(1)
    ctx.checkpoint()
    this.#refuseGone()
  }

  #refuseGone(): void {
    if (this.gone.aborted) throw this.gone.reason as FlashError
  }

  #patient(): Patient {
    const { chip } = this
    const lock = chip.at('lock')[0] ?? 0xff
    const [isHidden, isLocked] = [(lock & 2) === 0, (lock & 3) !== 3]
    const ids: readonly MemoryId[] = this.byLoader ? ['flash'] : [...chip.memories.keys()]
    const hidden = isHidden && !this.byLoader ? (['flash', 'eeprom'] as const) : []
    return {
      kind: chip.kind,
      chip: chip.chip,
      speedHz: this.speedHz,
      facts: [{ name: 'chip', value: chip.chip }],
      notices: [],
      memories: ids.map((id) =>
        this.#memory(
          id,
          hidden.some((one) => one === id),
          isLocked,
        ),
      ),
      unreadable: this.byLoader
        ? [{ memory: 'eeprom', reason: 'not-through-this-way' }]
        : hidden.map((memory) => ({ memory, reason: 'read-protected' })),
      ...(!this.byLoader && {
        eraseChip: {
          erases: ['flash', 'eeprom', 'lock'],
          ms: 10,
          run: async (ctx: Context) => {
            await this.operate('erase', ctx)
            for (const id of ['flash', 'eeprom', 'lock'] as const) chip.at(id).fill(0xff)
          },
        },
      }),
      check: () => chip.checks,
      [Symbol.asyncDispose]: () => {
        this.operations.push('release')
        return Promise.resolve()
      },
    }
  }

  #memory(id: MemoryId, isHidden: boolean, isLocked: boolean): Memory {
    const bytes = this.chip.at(id)
    const isAnd = !this.byLoader && (id === 'flash' || id === 'lock')
    return {
      id,
      address: 0,
      length: bytes.length,
      pageBytes: { flash: 32, eeprom: 4 }[id as string] ?? 1,
      write: isAnd ? 'and' : 'overwrite',
      reserved: this.byLoader ? [{ address: 448, length: 64, why: 'bootloader' }] : [],
      pageMs: 1,
      ...(isLocked && !this.byLoader && id !== 'lock' && { locked: true }),
      ...(!isHidden && { read: (range: Range, ctx: Context) => this.#read(id, range, ctx) }),
      ...(id !== 'calibration' && {
        program: (address: number, page: Uint8Array, ctx: Context) =>
          this.#program(id, address, page, ctx, isAnd, isLocked && !this.byLoader && id !== 'lock'),
      }),
    }
  }

  async #read(id: MemoryId, { address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const parts: number[] = []
    for (let at = address; at < address + length; at += 128) {
      const size = Math.min(128, address + length - at)
      await this.operate(`read ${id} 0x${at.toString(16)}`, ctx)
      const part = this.chip.at(id).slice(at, at + size)
      if (id === 'flash' && this.flicker !== undefined && this.flicker >= at && this.flicker < at + size) {
        const bit = ++this.#flickers % 2
        part[this.flicker - at] = (part[this.flicker - at] ?? 0) ^ bit
      }
      parts.push(...part)
      ctx.progress.advance(size, at)
    }
    return Uint8Array.from(parts)
  }

  async #program(
    id: MemoryId,
    address: number,
    bytes: Uint8Array,
    ctx: Context,
    isAnd: boolean,
    isLocked: boolean,
  ): Promise<void> {
    const page = { flash: 32, eeprom: 4 }[id as string] ?? 1
    if (address % page || bytes.length % page) throw new Error(`${id}: not whole pages`)
    if (isLocked) throw new FlashError('write-protected', { memory: id })
    for (let at = address; at < address + bytes.length; at += page) {
      await this.operate(`program ${id} 0x${at.toString(16)}`, ctx)
      for (let i = at; i < at + page; i++) {
        const value = bytes[i - address] ?? 0xff
        const memory = this.chip.at(id)
        memory[i] = isAnd ? (memory[i] ?? 0) & value : value
        if (id === 'flash') memory[i] = (memory[i] ?? 0) & ~(this.stuck.get(i) ?? 0)
      }
      ctx.progress.advance(page, at)
    }
  }
}

/** Programmed bytes that are never blank. */
export const code = (length: number, from = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => ((i * 5 + from) % 251) & 0xfe)
