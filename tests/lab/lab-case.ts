/** What a case of the lab is, and what it has to work with. */
import { createHash } from 'node:crypto'
import type { ShelfEntry } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Guest } from './guest.ts'
import type { Timing, UsbPort } from './usb-port.ts'

/** In a list, which is its file's default export. */
export type LabCase = GuestCase | HereCase

interface AnyCase {
  /** `avrdude, usbasp:pair: flash, EEPROM, fuses and lock bits`: the program, the twin, the job. */
  readonly name: string
  /** Default: 600 s. */
  readonly timeoutMs?: number
  /** It takes long, and runs with `--all` or by its name. */
  readonly onDemand?: boolean
}

export interface GuestCase extends AnyCase {
  /** What is plugged in, by `protocol:variant`; the first is 1-1. */
  readonly twins: readonly { readonly id: string; readonly dials?: Dials }[]
  /** How fast time passes in them; below 1 where the guest, which is slow, has only so long. Default: 1. */
  readonly clockSpeed?: number
  /**
   * Time passes in them on the wire and by themselves alone, as on the practice bench, and not while the guest thinks: what
   * is measured is the time, too, the same on any computer. Of the program's own sleeps there are those that this tells.
   */
  readonly timing?: Timing
  /** Throws when something is not as it should be. */
  readonly run: (lab: Lab) => Promise<void>
  /** Keep what was said to the first twin as `protocols/…/NAME.recording.json`, with `--record`. */
  readonly recordAs?: { readonly program: string; readonly name: string }
  /** Keep what was measured, as `protocols/…/NAME.measured.json`, with `--record`. */
  readonly measuredAs?: { readonly program: string; readonly name: string }
  /** It is built before. */
  readonly opensSite?: true
}

/** Needs no guest: it reaches its twins in another way. */
export interface HereCase extends AnyCase {
  /** Throws when something is not as it should be. */
  readonly runHere: (here: Here) => Promise<void>
}

export interface Here {
  /** The same in every run with the same seed. */
  readonly random: (length: number) => Uint8Array
  /** Aborts when it takes too long. */
  readonly signal: AbortSignal
}

export interface Lab extends Pick<Here, 'random'> {
  readonly guest: Guest
  /** The folder that the site was built into. */
  readonly site: string
  /** What `work` moves over the first twin's wire is what `job` costs this case's program; see `sameImage`. */
  readonly measure: (job: string, work: () => Promise<unknown>) => Promise<void>
  /** In the order of the case. */
  readonly twins: readonly LabTwin[]
  /** Time in them from now on, as `clockSpeed`. */
  readonly setClockSpeed: (speed: number) => void
}

export interface LabTwin {
  readonly entry: ShelfEntry
  readonly port: UsbPort
  /** What the patient holds. */
  memory(id: MemoryId): Uint8Array
  /** Pulls the plug; the guest sees a real disconnect. */
  unplug(): void
  /** The same once a part of a write is in the flash; resolves when that has happened. */
  unplugInMidWrite(): Promise<void>
  /** Plugs in the whole again, powered up anew, and attaches it. */
  replug(): Promise<void>
  /** Takes the patient off its programmer and plugs it in alone. */
  plugInByItself(): Promise<void>
}

/**
 * Holds a tty open, as people do (or solder a capacitor): each opening resets the board, and what a tool asks while
 * the ArduinoISP sketch blinks its greeting is answered later, all at once, and out of step.
 */
export const whileHeldOpen = (tty: string): string => `stty -F ${tty} clocal -hupcl; exec 3<>${tty}; sleep 4`

/** Bytes that look random and come again for the same seed, one sequence a case. */
export function seeded(seed: number, name: string): (length: number) => Uint8Array {
  let count = 0
  return (length) =>
    Uint8Array.from(
      createHash('shake256', { outputLength: length })
        .update(`${String(seed)} ${name} ${String(count++)}`)
        .digest(),
    )
}

/** The job that the programs are compared by: this image into this twin, and verified. */
export const writing = (image: Uint8Array): string => `${String(image.length)} bytes into the flash, verified`

/** The beginning of what is in the flash with some of it changed: an image that any program writes without asking. */
export function sameImage(flash: Uint8Array, length: number): Uint8Array {
  const image = flash.slice(0, length)
  return image.fill(0x5a, length / 2, length - 24)
}
