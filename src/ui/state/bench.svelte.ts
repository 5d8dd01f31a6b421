/**
 * What is plugged in: the devices this page may see, who each could be, and where they come from: this
 * computer or the practice bench. Switching between the two is one substitution at the very bottom.
 */
import { toFlashError, type DeviceApi, type FlashError } from '#core/errors.ts'
import type { LinkFilter } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { Candidate } from '#jobs/identify.ts'
import { browserSource, Devices, type Attached } from '#transport/devices.ts'
import type { Practice } from './practice.svelte.ts'
import type { SessionLog } from './session-log.ts'

export interface Present {
  readonly attached: Attached
  readonly candidates: readonly Candidate[]
}

/** Who is who: loaded when there is somebody to recognise, or a chooser to open. */
const whoIsWho = () => import('#jobs/identify.ts')

export class BenchState {
  present: readonly Present[] = $state.raw([])
  error: FlashError | undefined = $state.raw()
  practice: Practice | undefined = $state.raw()
  #devices: Devices = $state.raw(new Devices(browserSource()))
  /** From the first job on, which fills it. */
  log: SessionLog | undefined
  #stop: () => void
  #refreshes = 0

  constructor() {
    this.#stop = this.#devices.onChange(() => void this.refresh())
    void this.refresh()
  }

  get can(): Devices['can'] {
    return this.#devices.can
  }

  /** What went over the wires of the devices here, for a bug report. */
  get recording(): Devices['recording'] {
    return this.#devices.recording
  }

  /** What everything that waits for a device must wait on. */
  get clock(): Clock {
    return this.#devices.clock
  }
  set clock(clock: Clock) {
    this.#devices.clock = clock
  }

  /** Of several at once the newest counts. */
  async refresh(): Promise<void> {
    const turn = ++this.#refreshes
    try {
      const list = await this.#devices.list()
      const { candidates } = list.length > 0 ? await whoIsWho() : { candidates: () => [] }
      if (turn !== this.#refreshes) return
      this.practice?.noticed(list.length)
      const before = this.present
      this.present = list.map(
        (attached) =>
          before.find((one) => one.attached.key === attached.key) ?? {
            attached,
            candidates: candidates(attached.seen),
          },
      )
    } catch (error) {
      if (turn === this.#refreshes) this.error = toFlashError(error, 'listing devices')
    }
  }

  /** Loads what a chooser needs: after a click it has to open within seconds, however slow the network. */
  prepare(): void {
    whoIsWho().catch(() => undefined) // the click tries again, and says so
  }

  /**
   * Opens the chooser; needs a click. `filters`: for these only, empty: for everything; default: for what is known.
   * Undefined: nothing was chosen, or `error` says why not.
   */
  async request(api: DeviceApi, filters?: readonly LinkFilter[]): Promise<Present | undefined> {
    this.error = undefined
    try {
      const { candidates, chooserFilters } = await whoIsWho()
      const attached = await this.#devices.request(api, filters ?? chooserFilters(api))
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
    try {
      await attached.forget()
      await this.refresh()
    } catch (error) {
      this.error = toFlashError(error, 'forgetting a device')
    }
  }

  async startPractice(speed: number): Promise<void> {
    const { Practice } = await import('./practice.svelte.ts')
    this.practice = await Practice.at(speed)
    this.#use(new Devices(this.practice.bench, this.practice.bench.clock))
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
