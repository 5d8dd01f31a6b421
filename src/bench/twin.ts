/**
 * What a twin is: an emulated device that behaves (memory, modes, timing, faults). Types only.
 *
 * A twin gives raw descriptors and answers; `twin-usb.ts`, `twin-hid.ts` and `twin-serial.ts` put it behind the W3C
 * shapes (`USB`, `HID`, `Serial`) for the browser and the tests, and the lab puts the same twin behind USB/IP. A
 * twin may use its folder's `packets.ts`, never its `driver.ts`.
 */
import type { Clock } from '#core/time.ts'
import type { MemoryId, Parity, Segment } from '#core/programmer.ts'

/** Setup packet as on the wire (USB 2.0, 9.3). */
export interface SetupPacket {
  readonly requestType: number
  readonly request: number
  readonly value: number
  readonly index: number
  readonly length: number
}

/** IN data (for OUT: an empty array is the ACK), STALL, endless NAK, or no valid handshake at all. */
export type TwinAnswer = Uint8Array | 'stall' | 'silent' | 'broken'

export interface UsbDescriptors {
  /** 18 bytes. */
  readonly device: Uint8Array
  /** The whole configuration as on the wire. */
  readonly configuration: Uint8Array
  /** By index; a missing one is answered as `missing` says. */
  readonly strings: Readonly<Record<number, string>>
  /** What a request for an absent string or BOS gives; V-USB: zero bytes. */
  readonly missing: 'stall' | 'empty'
}

/** As what a twin comes back to the bus: a bridge is a device on it, too. */
export interface Comeback<T extends Twin = Twin> {
  readonly twin: T
  readonly ms: number
}

/** What a plugged-in twin may do to its bus. */
export interface TwinBus {
  readonly clock: Clock
  /** It goes away, and comes back as `next` after `ms`, if given. */
  detach(next?: Comeback): void
}

export interface UsbTwin {
  readonly link: 'usb'
  /** Its user chooses it among HID devices; default: among USB devices. Where all is granted it shows itself as that. */
  readonly chosenAs?: 'hid'
  readonly speed: 'low' | 'full' | 'high' | 'super'
  readonly descriptors: UsbDescriptors
  /** As what its power brings it up, where its flash decides. Default: itself. */
  powersUpAs?(): UsbTwin
  /** Power-on. */
  plugged(bus: TwinBus): void
  /** Power lost. */
  unplugged?(): void
  /** Port reset. */
  reset(): void
  /** Vendor and class requests, and standard ones that the plumbing does not know. Takes its time on `bus.clock`. */
  control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer>
  /** Of an interrupt endpoint, too. */
  bulkOut?(endpoint: number, bytes: Uint8Array): Promise<TwinAnswer>
  /** Of an interrupt endpoint, too. May stay pending until there is something to say. */
  bulkIn?(endpoint: number, length: number): Promise<TwinAnswer>
}

/** The computer's side of a serial line, as a twin sees it. */
export interface SerialWire {
  readonly clock: Clock
  /** The twin's TX, at its own speed; what arrives at another speed or parity than the port's is noise. */
  send(bytes: Uint8Array, baud: number, parity?: Parity): void
  /** As of a `TwinBus`: what has its own USB can go, and come back as another port. */
  detach(next?: Comeback<SerialTwin>): void
}

export interface SerialTwin {
  readonly link: 'serial'
  /** The bridge's ids, e.g. 2341:0043; and what the kernel knows it as. */
  readonly usb: { readonly vendorId: number; readonly productId: number } | undefined
  /** `native`: the chip's own USB as CDC ACM, without a line or a serial number; any speed is right (`usbBaud`). */
  readonly bridge: 'cdc-acm' | 'ch340' | 'cp210x' | 'ftdi' | 'native'
  /** It stalls SET_CONTROL_LINE_STATE, as Caterina does: DTR and RTS cannot be driven. */
  readonly refusesSignals?: boolean
  /** As of a `UsbTwin`. */
  powersUpAs?(): SerialTwin
  plugged(wire: SerialWire): void
  /** Power lost. */
  unplugged?(): void
  /** The speed that the port is set to (SET_LINE_CODING), told when it is opened and before its signals. */
  lineCoding?(baud: number): void
  /** One call a byte or more, in order; `baud` and `parity` are what the port is set to. Bytes arrive paced by the baud rate. */
  receive(bytes: Uint8Array, baud: number, parity?: Parity): void
  /** DTR and RTS as asserted (TTL low) or not; called on every change, also by opening and closing. */
  signals(dtr: boolean, rts: boolean): void
}

export type Twin = UsbTwin | SerialTwin

/** Faults inside a device; each variant says which it has. The wire's own faults are in `WireFaults`. */
export interface Dials {
  /** The target's clock in Hz; a slow one answers only at a slow SCK. */
  targetHz?: number
  /** Lock bits set so that memories read as nothing. */
  locked?: boolean
  /** One flash bit that always reads as 0 after programming: `address * 8 + bit`. */
  stuckBit?: number
  /** One flash bit that flips on every second read: a bad contact. */
  flickerBit?: number
  /** The target's last write was interrupted: of what its flash should hold, the second half is missing. */
  halfWritten?: boolean
  /** No target connected. */
  noTarget?: boolean
  /** Which firmware the programmer, or the boot loader, has, of those that its twin knows. */
  version?: string
  /** Plugged in by itself after an update, it is the version that it was before: two of a kind were mixed up. */
  liesAboutVersion?: boolean
  /** The target's RAM loses what is written to it, or its core comes back from nothing there. */
  ram?: 'forgets' | 'runs-nothing'
  /** The target's program turns its debug lines off as soon as it runs. */
  linesOff?: boolean
  /** Another chip than the variant's. */
  chip?: string
}

/** Faults of the wire, counted in transfers (USB) or in writes and reads of the host (serial), from 1. */
export interface WireFaults {
  unplugAt?: number
  stallAt?: number
  /** The answer of this transfer is one byte short. */
  shortAt?: number
  /** This transfer never ends. */
  hangAt?: number
  /** The answer of this transfer, and all that follows it, is held up for longer than anybody waits. */
  lateAt?: number
  /** One bit of the answer of this transfer is flipped; a different one for each number. */
  flipAt?: number
  /** One bit of the bytes that this transfer sends is flipped: a bad wire behind what checks itself. */
  flipOutAt?: number
}

/** How the patient's power can fail. */
export interface TwinPatient {
  /** Called when its chip begins to erase or to write, with the milliseconds that it takes. */
  onWork: (ms: number) => void
  /** Its own supply fails for a moment: what was being written stays half-written, and it starts anew. */
  brownOut(): void
}

/** What stands on the bench in one variant, once made. */
export interface TwinSetup {
  /** What is plugged into the computer at the start. */
  readonly twin: Twin
  /** The patient's memories as they are now, for tests and the bench's inspector: what a job changes. */
  memory(id: MemoryId): Uint8Array
  readonly patient?: TwinPatient
  /** The same of the programmer's own chip, where a job can change that one too. */
  readonly itself?: Pick<TwinSetup, 'memory' | 'patient'>
  /** The patient unplugged from the programmer and plugged in by itself: what its flash makes of it, if anything. */
  byItself?(): Twin | undefined
}

/** protocols/x/twin.ts, default export: variant name → maker. */
export type TwinShelf = Readonly<Record<string, TwinVariant>>

export interface TwinVariant {
  /** For lists: what it is, in the field's words (not translated), e.g. `USBasp 1.04 with an ATmega328P`. */
  readonly name: string
  /** The dials that do something here, with their choices where they are not on/off. */
  readonly dials: readonly (keyof Dials)[]
  /** Its wires lead to the patient of this one on the shelf, `protocol:variant`, which `make` then gets. */
  readonly patientOf?: string
  make(dials?: Dials, wired?: TwinSetup): TwinSetup
}

/** One of protocols/x/practice-firmware.ts, default export: a made-up image that a twin can hold and be given. */
export interface PracticeFirmware {
  readonly id: string
  /** What it plays, short and with its version, e.g. `USBasp 1.10`; `practiceName` adds that it only plays it. */
  readonly name: string
  readonly chip: string
  readonly version: string
  build(): Segment[]
}
