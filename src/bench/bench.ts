/**
 * The practice bench: a shelf of all twins, found by glob and loaded when asked for, and a computer that
 * they can be plugged into. Everything above the browser's shapes is the same as with hardware.
 *
 * Whatever waits for a device of this bench must do so on `bench.clock`: with a speed, device and page then
 * agree on how long a second is.
 */
import { FlashError } from '#core/errors.ts'
import type { MemoryId, Seen } from '#core/programmer.ts'
import { TwinHid } from './twin-hid.ts'
import { TwinSerialBus, type PluggedSerial } from './twin-serial.ts'
import type { Dials, Twin, TwinPatient, TwinSetup, TwinShelf, TwinVariant, WireFaults } from './twin.ts'
import { TwinUsb, type PluggedTwin } from './twin-usb.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface ShelfEntry {
  /** `protocol:variant`. */
  readonly id: string
  readonly protocol: string
  readonly variant: string
  /** In the field's words, not translated. */
  readonly name: string
  readonly dials: TwinVariant['dials']
}

const shelves = import.meta.glob<TwinShelf>('../../protocols/*/twin.ts', { import: 'default' })

async function variants(): Promise<{ entry: ShelfEntry; twin: TwinVariant }[]> {
  const loaded = await Promise.all(
    Object.entries(shelves).map(
      async ([path, load]) => [path.split('/').at(-2) ?? '', await load()] as const,
    ),
  )
  return loaded.flatMap(([protocol, shelf]) =>
    Object.entries(shelf).map(([variant, twin]) => {
      const { name, dials } = twin
      return { entry: { id: `${protocol}:${variant}`, protocol, variant, name, dials }, twin }
    }),
  )
}

/** Everything that can be put on a bench, by protocol and in the order of its shelf. */
export async function shelf(): Promise<ShelfEntry[]> {
  return (await variants()).map(({ entry }) => entry)
}

/** A fresh one, with what is on its wires. */
export async function take(id: string, dials: Dials = {}): Promise<{ entry: ShelfEntry; setup: TwinSetup }> {
  const all = await variants()
  const found = (which: string) => {
    const variant = all.find(({ entry }) => entry.id === which)
    if (!variant) throw new FlashError('bug', { during: `taking ${which} from the shelf` })
    return variant
  }
  const { entry, twin } = found(id)
  const wired = twin.patientOf === undefined ? undefined : found(twin.patientOf).twin.make(dials)
  return { entry, setup: twin.make(dials, wired) }
}

export interface BenchOptions {
  /** Default: real time. */
  readonly clock?: VirtualClock
  /** Twins are allowed without the chooser. Default true. */
  readonly granted?: boolean
}

export class PracticeBench {
  readonly clock: VirtualClock
  readonly usb: TwinUsb
  readonly hid: TwinHid
  readonly serial: TwinSerialBus
  readonly #plugged = new Set<Plugged>()

  constructor({ clock = new VirtualClock({ speed: 1 }), granted = true }: BenchOptions = {}) {
    this.clock = clock
    this.serial = new TwinSerialBus({ clock, granted })
    this.usb = new TwinUsb({ clock, granted, ports: this.serial })
    this.hid = new TwinHid(this.usb)
  }

  /** Takes a fresh one from the shelf and plugs it in. */
  async plug(id: string, dials: Dials = {}, faults: WireFaults = {}): Promise<Plugged> {
    const { entry, setup } = await take(id, dials)
    const plugged = new Plugged(entry, dials, setup, (twin) => this.#insert(twin))
    plugged.faults = faults
    this.#plugged.add(plugged)
    return plugged
  }

  /** Unplugs everything; what was there does not come back. */
  async clear(): Promise<void> {
    const all = [...this.#plugged]
    this.#plugged.clear()
    await Promise.all(all.map((plugged) => plugged.unplug()))
  }

  #insert(twin: Twin): PluggedTwin | PluggedSerial {
    return twin.link === 'usb' ? this.usb.plug(twin) : this.serial.plug(twin)
  }
}

/** On which link the page finds it. */
const shownAs = (twin: Twin): Seen['link'] => (twin.link === 'usb' && twin.chosenAs) || twin.link

/** One thing from the shelf, on the bench. */
export class Plugged {
  readonly entry: ShelfEntry
  readonly dials: Dials
  readonly link: Seen['link']
  /** The patient's memory as it is now. */
  readonly memory: (id: MemoryId) => Uint8Array
  /** How its power can fail; undefined: there is no chip. */
  readonly patient: TwinPatient | undefined
  /** The programmer's own chip, where it can be the patient. */
  readonly itself: TwinSetup['itself']
  /** Whether the patient could be plugged in alone. */
  readonly runsByItself: boolean
  readonly #byItself: () => Twin | undefined
  readonly #insert: (twin: Twin) => PluggedTwin | PluggedSerial
  readonly #whole: PluggedTwin | PluggedSerial
  /** What is in the computer: the whole, or the patient alone. */
  #inside: PluggedTwin | PluggedSerial

  constructor(
    entry: ShelfEntry,
    dials: Dials,
    setup: TwinSetup,
    insert: (twin: Twin) => PluggedTwin | PluggedSerial,
  ) {
    this.entry = entry
    this.dials = dials
    this.link = shownAs(setup.twin)
    this.memory = (id) => setup.memory(id)
    this.patient = setup.patient
    this.itself = setup.itself
    this.runsByItself = setup.byItself !== undefined
    this.#byItself = () => setup.byItself?.()
    this.#insert = insert
    this.#whole = this.#inside = insert(setup.twin)
  }

  get faults(): WireFaults {
    return this.#inside.faults
  }
  /** Counted from now on, see `PluggedTwin` and `PluggedSerial`. */
  set faults(faults: WireFaults) {
    this.#inside.faults = faults
  }

  /** Called at the beginning of every transfer (USB) or write (serial) with its number, and of which kind it is. */
  set onTransfer(listener: (count: number, kind: string) => void) {
    this.#inside.onTransfer = listener
  }

  /** What was transferred since it was plugged in. */
  get transfers(): PluggedTwin['transfers'] | PluggedSerial['transfers'] {
    return this.#inside.transfers
  }

  /** The page ends, as it is, and another one finds the device anew. */
  reload(): void {
    this.#inside.reload()
  }

  /** Resolves when the page has been told. */
  unplug(): Promise<void> {
    return this.#inside.unplug()
  }

  /** Programmer and patient together, as at the start. */
  async replug(): Promise<void> {
    if (this.#inside !== this.#whole) await this.#inside.unplug()
    this.#inside = this.#whole
    await this.#whole.replug()
  }

  /**
   * Takes the patient off its programmer and plugs it in alone. False: nothing appears, because the patient
   * has no plug or its flash holds nothing that shows itself.
   */
  async plugInByItself(): Promise<boolean> {
    await this.#inside.unplug()
    const twin = this.#byItself()
    if (!twin) return false
    this.#inside = this.#insert(twin)
    return true
  }
}
