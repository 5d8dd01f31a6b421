/**
 * What is plugged in: the devices this page may see, who each could be, and where they come from: this
 * computer or the practice bench. Switching between the two is one substitution at the very bottom.
 */
import { toFlashError, type FlashError } from '#core/errors.ts'
import { systemClock, type Clock } from '#core/time.ts'
import type { Plugged, PracticeBench, ShelfEntry } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { candidates, chooserFilters, type Candidate } from '#jobs/identify.ts'
import { browserSource, Devices, type Attached } from '#transport/devices.ts'

export interface Present {
  readonly attached: Attached
  readonly candidates: readonly Candidate[]
}

/** How fast time passes on the practice bench. */
export const practiceSpeeds = [1, 5, 25] as const

export class BenchState {
  present: readonly Present[] = $state.raw([])
  error: FlashError | undefined = $state.raw()
  practice: Practice | undefined = $state.raw()
  #devices: Devices = $state.raw(new Devices(browserSource()))
  #stop: () => void

  constructor() {
    this.#stop = this.#devices.onChange(() => void this.refresh())
    void this.refresh()
  }

  get can(): Devices['can'] {
    return this.#devices.can
  }

  /** What everything that waits for a device must wait on. */
  get clock(): Clock {
    return this.practice?.bench.clock ?? systemClock
  }

  async refresh(): Promise<void> {
    const devices = this.#devices
    try {
      const list = await devices.list()
      if (devices !== this.#devices) return
      const known = new Map(this.present.map((one) => [one.attached.key, one]))
      this.present = list.map(
        (attached) => known.get(attached.key) ?? { attached, candidates: candidates(attached.seen) },
      )
    } catch (error) {
      this.error = toFlashError(error, 'listing devices')
    }
  }

  /** Opens the chooser; needs a click. Undefined: nothing was chosen, or `error` says why not. */
  async request(api: 'usb' | 'serial', everything = false): Promise<Present | undefined> {
    this.error = undefined
    try {
      const attached = await this.#devices.request(api, everything ? [] : chooserFilters(api))
      if (!attached) return undefined
      await this.refresh()
      return (
        this.present.find((one) => one.attached.key === attached.key) ?? {
          attached,
          candidates: candidates(attached.seen),
        }
      )
    } catch (error) {
      this.error = toFlashError(error, 'choosing a device')
      return undefined
    }
  }

  async forget({ attached }: Present): Promise<void> {
    await attached.forget()
    await this.refresh()
  }

  async startPractice(speed: number): Promise<void> {
    const { PracticeBench, shelf } = await import('#bench/bench.ts')
    const { VirtualClock } = await import('#bench/virtual-clock.ts')
    const bench = new PracticeBench({ clock: new VirtualClock({ speed }) })
    this.practice = new Practice(bench, await shelf(), speed)
    this.#use(new Devices(bench, bench.clock))
  }

  stopPractice(): void {
    this.practice = undefined
    this.#use(new Devices(browserSource()))
  }

  #use(devices: Devices): void {
    this.#stop()
    this.#devices = devices
    this.present = []
    this.error = undefined
    this.#stop = devices.onChange(() => void this.refresh())
    void this.refresh()
  }
}

/** The practice bench and the one thing that is plugged into it. */
export class Practice {
  readonly bench: PracticeBench
  readonly shelf: readonly ShelfEntry[]
  readonly speed: number
  plugged: Plugged | undefined = $state.raw()
  /** How the plugged thing stands. */
  standing: 'in' | 'out' | 'by-itself' | 'nothing-appeared' = $state('in')

  constructor(bench: PracticeBench, shelf: readonly ShelfEntry[], speed: number) {
    this.bench = bench
    this.shelf = shelf
    this.speed = speed
  }

  async plug(id: string, dials: Dials): Promise<void> {
    await this.bench.clear()
    this.plugged = await this.bench.plug(id, dials)
    this.standing = 'in'
  }

  async unplug(): Promise<void> {
    await this.plugged?.unplug()
    this.standing = 'out'
  }

  async replug(): Promise<void> {
    await this.plugged?.replug()
    this.standing = 'in'
  }

  async plugInByItself(): Promise<void> {
    this.standing = (await this.plugged?.plugInByItself()) ? 'by-itself' : 'nothing-appeared'
  }
}
