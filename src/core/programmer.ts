/**
 * The words that everything above a protocol shares.
 *
 * A *programmer* is what the user plugs in. A *patient* is something with memories that a job can back
 * up and change: the programmer itself (through its boot loader) or the target behind it. A driver opens
 * a programmer; the programmer offers ways to patients. An ability is an object or method that is there
 * or not; there are no boolean abilities.
 */
import type { Context } from './context.ts'

// ---- what was seen on the bus -------------------------------------------------------------------

export interface SeenUsb {
  readonly link: 'usb'
  readonly vendorId: number
  readonly productId: number
  /** bcdDevice as `major.minor.sub` numbers of the W3C shape, e.g. 1.04 is [1, 0, 4]. */
  readonly deviceVersion: readonly [number, number, number]
  readonly deviceClass: number
  readonly manufacturer: string | undefined
  readonly product: string | undefined
  readonly serial: string | undefined
  readonly interfaces: readonly SeenInterface[]
}

export interface SeenInterface {
  readonly number: number
  readonly classCode: number
  readonly subclass: number
  readonly protocol: number
  readonly name?: string
}

export interface SeenSerial {
  readonly link: 'serial'
  /** Undefined for ports that are not on USB. */
  readonly vendorId: number | undefined
  readonly productId: number | undefined
}

/** Of a HID device a browser tells no maker, no version, no serial number and no names of interfaces. */
export interface SeenHid {
  readonly link: 'hid'
  readonly vendorId: number
  readonly productId: number
  readonly product: string | undefined
  /** On its top level. */
  readonly collections: readonly SeenCollection[]
}

export interface SeenCollection {
  readonly usagePage: number
  readonly usage: number
  readonly inputs: readonly SeenReport[]
  readonly outputs: readonly SeenReport[]
}

/** `id` 0: its reports have none. `bytes`: without the id. */
export interface SeenReport {
  readonly id: number
  readonly bytes: number
}

export type Seen = SeenUsb | SeenSerial | SeenHid

/** Of a serial line: with `even` each byte is a bit longer. */
export type Parity = 'none' | 'even'

/** By ids; or, of USB only, by what an interface is; or, of HID only, by what a collection is for. */
export type LinkFilter =
  | { readonly vendorId: number; readonly productId?: number }
  | { readonly classCode: number; readonly subclassCode: number }
  | { readonly usagePage: number; readonly usage: number }

/** A driver's opinion of something seen. */
export interface Recognition {
  readonly model: string
  readonly mode: Mode
  readonly confidence: 'certain' | 'likely' | 'possible'
  /** False: it is known, but cannot be driven; `notices` say why and what helps. */
  readonly usable: boolean
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
}

export type Mode = 'application' | 'bootloader'

/** protocols/x/identity.ts, small: loaded when there is somebody to recognise, or a chooser to open. */
export interface Identity {
  /** The folder's name. */
  readonly id: string
  readonly name: string
  /** Of several the one that is asked for first comes first. */
  readonly link: Seen['link'] | readonly Seen['link'][]
  /** Given to the browser's choosers, to each those that it knows. */
  readonly filters: readonly LinkFilter[]
  /** How it reaches a target behind it, so that it can bring another programmer back; empty: it does not. */
  readonly toTarget: readonly Way['by'][]
  recognise(seen: Seen): Recognition | undefined
  /**
   * Words of published firmware that its driver looks for in what it reads, and serial numbers that are none: a bug
   * report keeps them.
   */
  readonly marks?: readonly string[]
  /** So many bytes of every answer, or of the one to what was sent, are the programmer's own words: a bug report keeps them. */
  readonly answerHead?: AnswerHead
  /**
   * The same where they are not at its beginning: an answer, to what was sent, with all that is somebody's set to zero.
   * Undefined: there is nothing special about it.
   */
  readonly wordsOf?: WordsOf
  readonly proven: Proven
}

export type AnswerHead = number | ((sent: Uint8Array) => number)
/** `sent`: what was sent last, before the answer came. */
export type WordsOf = (answer: Uint8Array, sent: Uint8Array) => Uint8Array | undefined

/** `real-firmware`: against the device's published firmware in an emulator of its chip. */
export type Proof = 'hardware' | 'chrome' | 'real-firmware' | 'reference-tool' | 'recording' | 'twin' | 'none'
/** What each operation was proven with, best first. */
export type Proven = Readonly<Record<'identify' | 'backup' | 'flash' | 'verify', readonly Proof[]>>

// ---- facts and notices --------------------------------------------------------------------------

/** Something known about a programmer or patient. The name is translated, the value is not. */
export interface Fact {
  readonly name: FactName
  readonly value: string
  /** Where it comes from, in the field's words, e.g. `bcdDevice`, `GETCAPABILITIES`. */
  readonly source?: string
}

export type FactName =
  | 'model'
  | 'mode'
  | 'firmware'
  | 'firmware-version'
  | 'device-version'
  | 'manufacturer'
  | 'product'
  | 'serial'
  | 'usb-id'
  | 'capabilities'
  | 'chip'
  | 'signature'
  | 'sectors'
  | 'fuses'
  | 'lock'
  | 'calibration'
  | 'clock'
  | 'speed'
  | 'baud'
  | 'bootloader'
  | 'protocol'
  | 'core'
  | 'debug-port'
  | 'target-voltage'
  | 'hardware'
  | 'firmware-date'
  | 'mac'
  | 'flash-security' // what a Kinetis keeps debuggers out by

/** Something the user should know; text in `ui/text`. `values` fill the text's gaps. */
export interface Notice {
  readonly code: NoticeCode
  readonly level: 'info' | 'warning'
  readonly values?: Readonly<Record<string, string>>
}

export type NoticeCode =
  | 'shared-usb-id' // 16c0:05dc is used by many devices; the strings did not match
  | 'clone-strings' // speaks the protocol under another maker's name
  | 'clone-firmware' // a clone's factory firmware; what it lacks
  | 'old-usb-id' // pre-2006 ids
  | 'usbisp-hid' // 03eb:c8b4: not a USBasp; can be reflashed into one
  | 'maybe-usbasploader' // ids of a USBasp, answers of a boot loader
  | 'no-sck-choice'
  | 'slow-sck-used' // the target answered only at a slower clock
  | 'locked' // lock bits prevent reading
  | 'bootloader-no-fuses' // a boot loader gives no fuses and lock bits; values: eeprom, where it gives that
  | 'bootloader-locked' // refuses to read and to write until it was told to erase everything
  | 'programmer-recognised' // the target is itself a programmer
  | 'boot-pins' // its boot loader starts only where pins say so, and stays until they say otherwise
  | 'pages-unknown' // a chip that is not erased here: nobody knows its pages for sure
  | 'generic-serial' // a USB-serial bridge says nothing about what is behind it
  | 'other-protocol' // known, but its protocol is not spoken here yet; values: protocol
  | 'probe-bootsel' // a probe whose own program is changed in BOOTSEL mode: by its button
  | 'hold-bootsel' // an RP2040 or RP2350 whose program does not start BOOTSEL mode: by its button
  | 'stlink-v1' // speaks through a drive's interface, which browsers keep to themselves
  | 'stlink-v3pwr' // answers as an ST-Link V3; nobody tried it here
  | 'stlink-v3pwr-loader' // its boot loader takes only what its maker signed
  | 'firmware-too-old' // a probe's, for reaching targets; values: version, needs
  | 'stlink-replug' // a V2 in use: its boot loader is met right after it was plugged in
  | 'stlink-v2-waits' // in its boot loader, each time that it gets power
  | 'stlink-v3-for-good' // what ST's newer firmware does to a V3
  | 'stlink-small' // how much fits; values: room, in KiB
  | 'f103-clone' // made to replace an STM32F103; values: name
  | 'clone-size' // what a clone says of its flash; values: why (empty, more, less), kib, sure
  | 'kinetis-secured' // closed to debuggers; values: opens (mass-erase, backdoor, nothing)
  | 'flash-size-unknown' // a blank flash shows no size; the largest is taken
  | 'jlink-firmware' // nobody but SEGGER can change it
  | 'jlink-older' // than one that is known; values: model, date, newest
  | 'jlink-clone' // what a vendor's update may do to one
  | 'jlink-windows' // which driver it needs there
  | 'jlink-serial-only' // it has only a serial port
  | 'jlink-no-firmware' // its boot loader runs
  | 'lpc-no-isp' // its ROM's boot loader does not listen to its pin
  | 'sam3-starts-rom' // and not its flash, until that is written
  | 'sam3-locked' // lock bits, which a write clears; values: from, to
  | 'no-target-voltage' // nothing, or nothing with power, at its wires
  | 'rescue-chip' // a chip that the programmer to be brought back can have; values: name, chip
  | 'rescue-other-chip' // one that it does not have; values: name, chip, chips

// ---- memories -----------------------------------------------------------------------------------

/** Half-open: `address` … `address + length`. Both in bytes. */
export interface Range {
  readonly address: number
  readonly length: number
}

/**
 * Field's names; `fuses` is low, high, extended at 0, 1, 2; `options` are option bytes; `config` are a programmer's own
 * settings, as its maker lays them out.
 */
export type MemoryId =
  'flash' | 'eeprom' | 'fuses' | 'lock' | 'calibration' | 'signature' | 'options' | 'otp' | 'config'

export interface Memory {
  readonly id: MemoryId
  readonly address: number
  readonly length: number
  /** The program unit, in bytes; `program` takes whole aligned units. */
  readonly pageBytes: number
  /** Where units are of several sizes: all of them, in order and without gaps; `program` takes whole ones of these. */
  readonly sectors?: readonly Range[]
  /**
   * How new bytes meet old ones: `and` clears bits only, so a set bit needs an erase first; `overwrite`
   * needs no erase (EEPROM, fuses, flash behind a boot loader that erases each page itself).
   */
  readonly write: 'and' | 'overwrite'
  /**
   * The unit that its boot loader looks at before it starts what it holds. With any change it is blanked first and
   * written last, so that an unfinished write never starts.
   */
  readonly guard?: Range
  /** Lock bits refuse every write until a chip erase has cleared them. */
  readonly locked?: true
  /**
   * Its loader takes it and never gives it back, but answers for each block. There is neither a backup of it nor a
   * read-back: what was written is proven by what then starts. An image fills it from its beginning.
   */
  readonly writeOnly?: true
  /** Parts that must not be changed this way, and why. */
  readonly reserved: readonly (Range & { readonly why: 'bootloader' | 'never' })[]
  /** What one page costs besides the transfer, for the estimate. */
  readonly pageMs: number
  /** `program` is quicker when it gets so much at once. */
  readonly atOnceBytes?: number
  /** Absent: cannot be read. Resolves with exactly `range.length` bytes. Advances `ctx.progress`. */
  read?(range: Range, ctx: Context): Promise<Uint8Array>
  /** Absent: cannot be written. `address` and `bytes.length` are whole pages. Advances `ctx.progress`. */
  program?(address: number, bytes: Uint8Array, ctx: Context): Promise<void>
}

/** Erases everything that a chip erase erases; there is no smaller erase on such a patient. */
export interface ChipErase {
  /** Memories that are blank afterwards, in this chip's present state (EESAVE keeps the EEPROM). */
  readonly erases: readonly MemoryId[]
  readonly ms: number
  /** It is the price of lifting this, for good: whoever has the chip can read it from then on. */
  readonly lifts?: 'read-protection'
  /** It starts anew afterwards, as this: what follows is for another connection. */
  readonly restarts?: Comeback
  run(ctx: Context): Promise<void>
}

/** Something a job can back up and change. Disposing lets it run again. */
export interface Patient extends AsyncDisposable {
  /** What it is, for matching backups: `avr:1e930f`. Two units of one chip share it. */
  readonly kind: string
  /** Kinds that it may turn out to be, or was taken for, as long as it does not say all of that: how large it is. */
  readonly mayBe?: readonly string[]
  /** The chip's name, e.g. `ATmega328P`. */
  readonly chip: string
  /** At which it answers; absent: the programmer chose. */
  readonly speedHz?: number | undefined
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly memories: readonly Memory[]
  /** Memories that exist but cannot be read here, with the reason that must be acknowledged. */
  readonly unreadable: readonly Unreadable[]
  readonly eraseChip?: ChipErase
  /** Starts what it holds: it goes, and comes back as that. Absent: letting it go does, or its plug. */
  leave?(ctx: Context): Promise<void>
  /** What was written has started by itself: it has gone, and has to be one of these again to be read back. */
  readonly hasLeft?: Comeback | undefined
  /** Checks that only this kind of patient can make; pure. `claimedChip`: what the image says it is for. */
  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[]
}

export interface Unreadable {
  readonly memory: MemoryId
  /** `write-only`: as the memory of that name is. */
  readonly reason: 'read-protected' | 'not-through-this-way' | 'write-only'
}

/** Bytes by memory. Within a memory: sorted, never overlapping segments. */
export type Contents = ReadonlyMap<MemoryId, readonly Segment[]>

export interface Segment {
  readonly address: number
  readonly bytes: Uint8Array
}

export interface Check {
  readonly code: CheckCode
  readonly result: 'passed' | 'warning' | 'refused'
  /** Evidence: fills the gaps of this check's text. */
  readonly values: Readonly<Record<string, string>>
}

export type CheckCode =
  | 'chip-matches' // the file is for this chip
  | 'device-matches' // a link names the device and the way that it is meant for
  | 'content-matches' // what the image is by itself, against what it is written to
  | 'usb-matches' // the USB device that the file says it is for
  | 'size-fits'
  | 'bootloader-overlap'
  | 'vector-table'
  | 'lock-bits'
  | 'write-protection' // pages that option bytes protect; values: from, to
  | 'flash-security' // what a Kinetis' configuration field will hold; values: why, before, after
  | 'fuses-fit'
  | 'fuse-danger' // values: fuse, bit, meaning
  | 'version' // older, same, newer
  | 'known-bad'
  | 'same-device' // a backup restored to the device it came from
  | 'image-matches-hash'
  | 'host-battery'
  | 'other-tab'
  | 'storage-room'
  | 'backup-proven'
  | 'becomes-other' // what it is afterwards is no programmer of its kind; values: why
  | 'one-way' // what it does to its device cannot be undone; values: why
  | 'nothing-to-do'

// ---- programmers --------------------------------------------------------------------------------

/** protocols/x/driver.ts, loaded when chosen. `L` is a `UsbLink`, a `HidLink`, either of them, or a `SerialPortHandle`. */
export interface Driver<L> {
  open(link: L, seen: Recognition, ctx: Context): Promise<Programmer>
}

/** An open programmer. Disposing it leaves the device as it was found and closes the link. */
export interface Programmer extends AsyncDisposable {
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  /** Ways to what can be read or written, most likely first. */
  readonly ways: readonly Way[]
  /** Its own memories can be reached only after this. */
  readonly restart?: Restart
  /** Aborted when the device is unplugged. */
  readonly gone: AbortSignal
}

/** A way from a programmer to a patient. Each phase of a job goes it anew, so nothing is held for minutes. */
export interface Way {
  readonly to: 'itself' | 'target'
  /** How, for wiring pictures and texts. */
  readonly by: 'isp' | 'swd' | 'jtag' | 'bootloader' | 'configuration'
  /** Speeds that can be asked for, in Hz, fastest first; empty: no choice. */
  readonly speedsHz: readonly number[]
  /** Finds out what is there. `speedHz` undefined: automatic, slowing down until it answers. */
  connect(ctx: Context, speedHz?: number): Promise<Patient>
}

/** As what a device comes back that starts anew: one of these, on this link. */
export interface Comeback {
  readonly link: Seen['link']
  readonly as: readonly LinkFilter[]
  /** How long it waits as that, unless somebody opens it, before it is again what it was; absent: as long as it takes. */
  readonly waitsMs?: number
  /** What the computer sees of it does not go away: a bridge in front of it. */
  readonly stays?: true
}

/** It starts anew as another device, which has the way to its own memories: its boot loader. */
export interface Restart extends Comeback {
  /** Resolves when it has gone, or is about to. @throws `device-refused` when it does not go */
  run(ctx: Context): Promise<void>
}

// ---- programmers that are brought back -----------------------------------------------------------

/** A programmer that its own plug does not reach any more: what a second one, wired to it, has to know of it. */
export interface Rescue {
  /** Its rescue sheet. */
  readonly sheet: string
  /** The protocol folder whose firmware it runs. */
  readonly family: string
  readonly name: string
  /** How the second one reaches it. */
  readonly by: Way['by']
  /** Chips that it is made with, as a patient is called, with or without its size. */
  readonly chips: readonly string[]
  /** Older firmware does not run on it; absent: all does. */
  readonly since?: string
  /** Where its firmware is published. */
  readonly homes: readonly string[]
}

/** protocols/x/rescue.ts, default export: all that runs this family's firmware. */
export type Rescues = readonly Omit<Rescue, 'family'>[]

// ---- firmware as a thing that is known ------------------------------------------------------------

/** What a flash content was recognised as. */
export interface KnownFirmware {
  /** The protocol folder that recognised it, e.g. `usbasp`. */
  readonly family: string
  readonly name: string
  readonly version: string | undefined
  readonly confidence: Recognition['confidence']
  /** In the field's words, e.g. `USB descriptor 16c0:05dc bcdDevice 1.04 at 0x0a3c`. */
  readonly evidence: readonly string[]
  /** As what it will appear when plugged in by itself. */
  readonly appears?: Appearance
  /** Chips it runs on, when it can be told. */
  readonly chips?: readonly string[]
  /** Where it is published. */
  readonly homes?: readonly string[]
}

export interface Appearance {
  readonly link: Seen['link']
  readonly vendorId?: number
  readonly productId?: number
  /**
   * What it then says of itself, as facts of its driver or descriptors; of a list (`TPI, UART`) one item. All
   * of it must be found for a proof that it runs; without any, asking proves nothing.
   */
  readonly says?: readonly Fact[]
}

/**
 * protocols/x/firmware.ts: recognises this family's firmware in a flash content; pure, quick. Where the flash is
 * not to be read, or blank, `fuses` (low, high, extended) may at least make it possible.
 */
export type RecogniseFirmware = (
  flash: readonly Segment[],
  chip: string | undefined,
  fuses?: Uint8Array,
) => KnownFirmware | undefined
