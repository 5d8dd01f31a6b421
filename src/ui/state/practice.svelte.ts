/** The practice bench and the one thing that is plugged into it. */
import { PracticeBench, shelf, type Plugged, type ShelfEntry } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { FlashError } from '#core/errors.ts'
import { candidates } from '#jobs/identify.ts'
import { replayed } from '#transport/replay.ts'
import { parseReport } from '#transport/report-file.ts'
import type { Present } from './bench.svelte.ts'

/** How fast time passes. */
export const practiceSpeeds = [1, 2, 5, 25] as const

export class Practice {
  readonly bench: PracticeBench
  readonly shelf: readonly ShelfEntry[]
  readonly speed: number
  plugged: Plugged | undefined = $state.raw()
  /** Faults that were asked for, and that what is plugged in cannot have. */
  leftOut: readonly (keyof Dials)[] = $state.raw([])
  /** How it was put in last, and whether it is out now. */
  #put: 'in' | 'by-itself' | 'nothing-appeared' = $state('in')
  #isOut = $state(false)

  private constructor(bench: PracticeBench, shelf: readonly ShelfEntry[], speed: number) {
    this.bench = bench
    this.shelf = shelf
    this.speed = speed
  }

  static async at(speed: number): Promise<Practice> {
    return new Practice(new PracticeBench({ clock: new VirtualClock({ speed }) }), await shelf(), speed)
  }

  get standing(): 'in' | 'out' | 'by-itself' | 'nothing-appeared' {
    return this.#isOut && this.#put !== 'nothing-appeared' ? 'out' : this.#put
  }

  async plug(entry: ShelfEntry, dials: Dials): Promise<void> {
    await this.bench.clear()
    const names = Object.keys(dials) as (keyof Dials)[]
    const possible = names.filter((name) => entry.dials.includes(name))
    this.plugged = await this.bench.plug(
      entry.id,
      Object.fromEntries(possible.map((name) => [name, dials[name]])),
    )
    this.leftOut = names.filter((name) => !possible.includes(name))
    this.#stands('in')
  }

  /** The first device of a bug report, which answers as it did then. @throws `bad-file` */
  async replay(file: Blob): Promise<Present> {
    const [attached] = replayed(parseReport(new Uint8Array(await file.arrayBuffer())), this.bench.clock)
    if (!attached) throw new FlashError('bad-file', { format: 'report', why: 'no-bytes' })
    await this.bench.clear()
    this.plugged = undefined
    this.leftOut = []
    return { attached, candidates: candidates(attached.seen) }
  }

  /** A fault may have pulled the plug. */
  noticed(devices: number): void {
    this.#isOut = devices === 0
  }

  async unplug(): Promise<void> {
    await this.plugged?.unplug()
    this.#isOut = true
  }

  async replug(): Promise<void> {
    await this.plugged?.replug()
    this.#stands('in')
  }

  async plugInByItself(): Promise<void> {
    this.#stands((await this.plugged?.plugInByItself()) ? 'by-itself' : 'nothing-appeared')
  }

  #stands(put: 'in' | 'by-itself' | 'nothing-appeared'): void {
    this.#put = put
    this.#isOut = false
  }
}
