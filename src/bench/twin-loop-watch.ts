/** Finds out that an emulated core only waits, so that its time can be passed over instead of run. */
import type { ArmCore } from './twin-arm-core.ts'

/** Sees when a loop only waits: it came back to where it was, with nothing changed and nothing written. */
export class LoopWatch {
  readonly #core: ArmCore
  readonly #r = new Uint32Array(16)
  #pc = -1
  #xpsr = 0
  #stores = 0
  #cycles = 0

  constructor(core: ArmCore) {
    this.#core = core
  }

  /** After a branch back: the cycles that a turn takes, or 0. */
  periodSinceLast(): number {
    const { r, pc, xpsr, stores, cycles } = this.#core
    const isSame = pc === this.#pc && stores === this.#stores && xpsr === this.#xpsr
    const period = isSame && r.every((value, i) => value === this.#r[i]) ? cycles - this.#cycles : 0
    if (!period) this.#r.set(r)
    this.#pc = pc
    this.#xpsr = xpsr
    this.#stores = stores
    this.#cycles = cycles
    return period
  }
}
