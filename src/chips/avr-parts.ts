/**
 * AVR chips as data: what serial programming (ISP) and the boot loaders need to know of each. Sizes in
 * bytes, times in milliseconds, as upper limits. Source: data sheets, "Memory Programming"; `avrdude.conf`
 * for times; vector counts and factory fuses also from the device headers of avr-libc.
 */
import { FlashError } from '#core/errors.ts'

export interface AvrPart {
  /** As the data sheet spells it; chips that only differ in power carry one entry, e.g. `ATmega8`. */
  readonly name: string
  /** Names of chips with the same signature and the same behaviour here. */
  readonly aliases?: readonly string[]
  readonly signature: readonly [number, number, number]
  readonly flash: { readonly bytes: number; readonly pageBytes: number; readonly ms: number }
  readonly eeprom: {
    readonly bytes: number
    readonly pageBytes: number
    readonly ms: number
    /** Page write instructions C1/C2 exist; else bytes only (C0). */
    readonly paged: boolean
  }
  readonly chipEraseMs: number
  readonly fuseMs: number
  /** Poll RDY/BSY (F0) exists. */
  readonly readyPoll: boolean
  /** Bytes that the calibration instruction reads. */
  readonly calibrationBytes: number
  /** Boot section sizes in bytes by BOOTSZ 11, 10, 01, 00; absent: no boot section. */
  readonly bootBytes?: readonly [number, number, number, number]
  /** Factory values; `extended` absent: the chip has no extended fuse. */
  readonly fuses: { readonly low: number; readonly high: number; readonly extended?: number }
  /** Name of the fuse layout in `avr-fuses.ts`. */
  readonly fuseLayout: FuseLayout
  /** Lock bits that exist. */
  readonly lockMask: number
  /** Length of one interrupt vector in bytes, and how many there are (reset included). */
  readonly vectors: { readonly bytes: 2 | 4; readonly count: number }
  /** STK500 device code (AVR061), for SET_DEVICE. */
  readonly stk500?: number
}

/** Chips whose fuses mean the same share a layout, named after one of them. */
export type FuseLayout =
  | 'mega8'
  | 'mega16'
  | 'mega128'
  | 'mega48'
  | 'mega88'
  | 'mega328'
  | 'mega328pb'
  | 'mega644'
  | 'mega1284'
  | 'mega2560'
  | 'mega32u4'
  | 'usb1286'
  | 'usb162'
  | 'tiny13'
  | 'tiny24'
  | 'tiny25'
  | 'tiny2313'
  | 'tiny88'
  | 'tiny167'

const KiB = 1024

/** What every part below has in common unless it says otherwise. */
const common = { readyPoll: true, calibrationBytes: 1, fuseMs: 9, chipEraseMs: 9, lockMask: 0x3f } as const

/** No RDY/BSY poll, no EEPROM pages, an oscillator with four calibrated frequencies. */
const classic = { ...common, readyPoll: false, calibrationBytes: 4 } as const

/** No boot section, hence no boot lock bits. */
const tiny = { ...common, lockMask: 0x03 } as const

const flash = (bytes: number, pageBytes: number) => ({ bytes, pageBytes, ms: 4.5 })
const eeprom = (bytes: number, ms: number, pageBytes = 4) => ({ bytes, pageBytes, ms, paged: true })
/** Byte writes only; `pageBytes` then serves as the unit of a transfer. */
const byteEeprom = (bytes: number, pageBytes = 4) => ({ bytes, pageBytes, ms: 9, paged: false })
const boot = (smallest: number) => [smallest, smallest * 2, smallest * 4, smallest * 8] as const
const rjmp = (count: number) => ({ bytes: 2, count }) as const
const jmp = (count: number) => ({ bytes: 4, count }) as const
const fuses = (low: number, high: number, extended?: number) =>
  extended === undefined ? { low, high } : { low, high, extended }

const mega48 = {
  ...tiny,
  fuseMs: 4.5,
  chipEraseMs: 45,
  flash: flash(4 * KiB, 64),
  eeprom: eeprom(256, 3.6),
  fuses: fuses(0x62, 0xdf, 0xff),
  fuseLayout: 'mega48',
  vectors: rjmp(26),
  stk500: 0x59,
} as const

const mega88 = {
  ...common,
  fuseMs: 4.5,
  flash: flash(8 * KiB, 64),
  eeprom: eeprom(512, 3.6),
  bootBytes: boot(256),
  fuses: fuses(0x62, 0xdf, 0xf9),
  fuseLayout: 'mega88',
  vectors: rjmp(26),
  stk500: 0x73,
} as const

const mega168 = { ...mega88, flash: flash(16 * KiB, 128), vectors: jmp(26), stk500: 0x86 } as const

const mega328 = {
  ...mega168,
  flash: flash(32 * KiB, 128),
  eeprom: eeprom(1024, 3.6),
  bootBytes: boot(512),
  fuses: fuses(0x62, 0xd9, 0xff),
  fuseLayout: 'mega328',
} as const

const mega164 = {
  ...common,
  chipEraseMs: 55,
  flash: flash(16 * KiB, 128),
  eeprom: eeprom(512, 9),
  bootBytes: boot(256),
  fuses: fuses(0x62, 0x99, 0xff),
  fuseLayout: 'mega644',
  vectors: jmp(31),
  stk500: 0x82,
} as const

const mega324 = {
  ...mega164,
  flash: flash(32 * KiB, 128),
  eeprom: eeprom(1024, 9),
  bootBytes: boot(512),
} as const

const mega644 = {
  ...mega164,
  flash: flash(64 * KiB, 256),
  eeprom: eeprom(2048, 9, 8),
  bootBytes: boot(1024),
} as const

const mega1284 = {
  ...mega644,
  flash: flash(128 * KiB, 256),
  eeprom: eeprom(4096, 9, 8),
  fuseLayout: 'mega1284',
  vectors: jmp(35),
} as const

const mega1280 = {
  ...common,
  flash: flash(128 * KiB, 256),
  eeprom: eeprom(4096, 9, 8),
  bootBytes: boot(1024),
  fuses: fuses(0x62, 0x99, 0xff),
  fuseLayout: 'mega2560',
  vectors: jmp(57),
} as const

const mega2560 = { ...mega1280, flash: flash(256 * KiB, 256), stk500: 0xb2 } as const

const mega16u2 = {
  ...common,
  flash: flash(16 * KiB, 128),
  eeprom: eeprom(512, 9),
  bootBytes: boot(512),
  fuses: fuses(0x5e, 0xd9, 0xf4),
  fuseLayout: 'usb162',
  vectors: jmp(29),
} as const

const mega32u4 = {
  ...mega16u2,
  flash: flash(32 * KiB, 128),
  eeprom: eeprom(1024, 9),
  fuses: fuses(0x52, 0x99, 0xfb),
  fuseLayout: 'mega32u4',
  vectors: jmp(43),
} as const

const usb1286 = {
  ...common,
  flash: flash(128 * KiB, 256),
  eeprom: eeprom(4096, 9, 8),
  bootBytes: boot(1024),
  fuses: fuses(0x5e, 0x99, 0xf3),
  fuseLayout: 'usb1286',
  vectors: jmp(38),
} as const

const tiny85 = {
  ...tiny,
  chipEraseMs: 4.5,
  calibrationBytes: 2,
  flash: flash(8 * KiB, 64),
  eeprom: eeprom(512, 4),
  fuses: fuses(0x62, 0xdf, 0xff),
  fuseLayout: 'tiny25',
  vectors: rjmp(15),
  stk500: 0x14,
} as const
const tiny45 = { ...tiny85, flash: flash(4 * KiB, 64), eeprom: eeprom(256, 4) } as const
const tiny25 = { ...tiny85, flash: flash(2 * KiB, 32), eeprom: eeprom(128, 4) } as const
const tinyX4 = { calibrationBytes: 1, fuseLayout: 'tiny24', vectors: rjmp(17) } as const

export const avrParts: readonly AvrPart[] = [
  {
    ...classic,
    name: 'ATmega8',
    aliases: ['ATmega8A', 'ATmega8L'],
    signature: [0x1e, 0x93, 0x07],
    fuseMs: 5,
    chipEraseMs: 10,
    flash: flash(8 * KiB, 64),
    eeprom: byteEeprom(512),
    bootBytes: boot(256),
    fuses: fuses(0xe1, 0xd9),
    fuseLayout: 'mega8',
    vectors: rjmp(19),
    stk500: 0x70,
  },
  {
    ...classic,
    name: 'ATmega16',
    aliases: ['ATmega16A', 'ATmega16L'],
    signature: [0x1e, 0x94, 0x03],
    flash: flash(16 * KiB, 128),
    eeprom: byteEeprom(512),
    bootBytes: boot(256),
    fuses: fuses(0xe1, 0x99),
    fuseLayout: 'mega16',
    vectors: jmp(21),
    stk500: 0x82,
  },
  {
    ...classic,
    name: 'ATmega32',
    aliases: ['ATmega32A', 'ATmega32L'],
    signature: [0x1e, 0x95, 0x02],
    flash: flash(32 * KiB, 128),
    eeprom: byteEeprom(1024),
    bootBytes: boot(512),
    fuses: fuses(0xe1, 0x99),
    fuseLayout: 'mega16',
    vectors: jmp(21),
    stk500: 0x91,
  },
  {
    ...classic,
    name: 'ATmega64',
    aliases: ['ATmega64A', 'ATmega64L'],
    signature: [0x1e, 0x96, 0x02],
    flash: flash(64 * KiB, 256),
    eeprom: byteEeprom(2048, 8),
    bootBytes: boot(1024),
    fuses: fuses(0xe1, 0x99, 0xfd),
    fuseLayout: 'mega128',
    vectors: jmp(35),
    stk500: 0xa0,
  },
  {
    ...classic,
    name: 'ATmega128',
    aliases: ['ATmega128A', 'ATmega128L'],
    signature: [0x1e, 0x97, 0x02],
    flash: flash(128 * KiB, 256),
    eeprom: byteEeprom(4096, 8),
    bootBytes: boot(1024),
    fuses: fuses(0xe1, 0x99, 0xfd),
    fuseLayout: 'mega128',
    vectors: jmp(35),
    stk500: 0xb2,
  },
  { ...mega48, name: 'ATmega48', aliases: ['ATmega48A', 'ATmega48V'], signature: [0x1e, 0x92, 0x05] },
  { ...mega48, name: 'ATmega48P', aliases: ['ATmega48PA', 'ATmega48PV'], signature: [0x1e, 0x92, 0x0a] },
  { ...mega88, name: 'ATmega88', aliases: ['ATmega88A', 'ATmega88V'], signature: [0x1e, 0x93, 0x0a] },
  { ...mega88, name: 'ATmega88P', aliases: ['ATmega88PA', 'ATmega88PV'], signature: [0x1e, 0x93, 0x0f] },
  { ...mega168, name: 'ATmega168', aliases: ['ATmega168A', 'ATmega168V'], signature: [0x1e, 0x94, 0x06] },
  { ...mega168, name: 'ATmega168P', aliases: ['ATmega168PA', 'ATmega168PV'], signature: [0x1e, 0x94, 0x0b] },
  { ...mega328, name: 'ATmega328', signature: [0x1e, 0x95, 0x14] },
  { ...mega328, name: 'ATmega328P', signature: [0x1e, 0x95, 0x0f] },
  {
    ...mega328,
    name: 'ATmega328PB',
    signature: [0x1e, 0x95, 0x16],
    chipEraseMs: 10.5,
    fuses: fuses(0x62, 0xd9, 0xf7),
    fuseLayout: 'mega328pb',
    vectors: jmp(45),
  },
  { ...mega164, name: 'ATmega164P', aliases: ['ATmega164PA'], signature: [0x1e, 0x94, 0x0a] },
  { ...mega324, name: 'ATmega324P', signature: [0x1e, 0x95, 0x08] },
  { ...mega644, name: 'ATmega644', aliases: ['ATmega644A'], signature: [0x1e, 0x96, 0x09], vectors: jmp(28) },
  { ...mega644, name: 'ATmega644P', aliases: ['ATmega644PA'], signature: [0x1e, 0x96, 0x0a] },
  { ...mega1284, name: 'ATmega1284', signature: [0x1e, 0x97, 0x06] },
  { ...mega1284, name: 'ATmega1284P', signature: [0x1e, 0x97, 0x05] },
  { ...mega1280, name: 'ATmega640', signature: [0x1e, 0x96, 0x08], flash: flash(64 * KiB, 256) },
  { ...mega1280, name: 'ATmega1280', signature: [0x1e, 0x97, 0x03] },
  { ...mega1280, name: 'ATmega1281', signature: [0x1e, 0x97, 0x04], vectors: jmp(51) },
  { ...mega2560, name: 'ATmega2560', signature: [0x1e, 0x98, 0x01] },
  { ...mega2560, name: 'ATmega2561', signature: [0x1e, 0x98, 0x02], vectors: jmp(51) },
  { ...mega16u2, name: 'ATmega8U2', signature: [0x1e, 0x93, 0x89], flash: flash(8 * KiB, 128) },
  { ...mega16u2, name: 'ATmega16U2', signature: [0x1e, 0x94, 0x89] },
  {
    ...mega16u2,
    name: 'ATmega32U2',
    signature: [0x1e, 0x95, 0x8a],
    flash: flash(32 * KiB, 128),
    eeprom: eeprom(1024, 9),
  },
  { ...mega16u2, name: 'AT90USB82', signature: [0x1e, 0x93, 0x82], flash: flash(8 * KiB, 128) },
  { ...mega16u2, name: 'AT90USB162', signature: [0x1e, 0x94, 0x82] },
  {
    ...mega32u4,
    name: 'ATmega16U4',
    signature: [0x1e, 0x94, 0x88],
    flash: flash(16 * KiB, 128),
    eeprom: eeprom(512, 9),
  },
  { ...mega32u4, name: 'ATmega32U4', signature: [0x1e, 0x95, 0x87] },
  {
    ...usb1286,
    name: 'AT90USB646',
    aliases: ['AT90USB647'],
    signature: [0x1e, 0x96, 0x82],
    flash: flash(64 * KiB, 256),
    eeprom: eeprom(2048, 9, 8),
  },
  { ...usb1286, name: 'AT90USB1286', aliases: ['AT90USB1287'], signature: [0x1e, 0x97, 0x82] },
  {
    ...tiny,
    name: 'ATtiny13',
    aliases: ['ATtiny13A', 'ATtiny13V'],
    signature: [0x1e, 0x90, 0x07],
    fuseMs: 4.5,
    chipEraseMs: 4,
    calibrationBytes: 2,
    flash: flash(1 * KiB, 32),
    eeprom: eeprom(64, 4),
    fuses: fuses(0x6a, 0xff),
    fuseLayout: 'tiny13',
    vectors: rjmp(10),
    stk500: 0x14,
  },
  { ...tiny25, name: 'ATtiny25', aliases: ['ATtiny25V'], signature: [0x1e, 0x91, 0x08] },
  { ...tiny45, name: 'ATtiny45', aliases: ['ATtiny45V'], signature: [0x1e, 0x92, 0x06] },
  { ...tiny85, name: 'ATtiny85', aliases: ['ATtiny85V'], signature: [0x1e, 0x93, 0x0b] },
  { ...tiny25, ...tinyX4, name: 'ATtiny24', aliases: ['ATtiny24A'], signature: [0x1e, 0x91, 0x0b] },
  { ...tiny45, ...tinyX4, name: 'ATtiny44', aliases: ['ATtiny44A'], signature: [0x1e, 0x92, 0x07] },
  { ...tiny85, ...tinyX4, name: 'ATtiny84', aliases: ['ATtiny84A'], signature: [0x1e, 0x93, 0x0c] },
  {
    ...tiny25,
    name: 'ATtiny2313',
    aliases: ['ATtiny2313A', 'ATtiny2313V'],
    signature: [0x1e, 0x91, 0x0a],
    chipEraseMs: 9,
    calibrationBytes: 2,
    fuses: fuses(0x64, 0xdf, 0xff),
    fuseLayout: 'tiny2313',
    vectors: rjmp(19),
    stk500: 0x23,
  },
  {
    ...tiny45,
    name: 'ATtiny4313',
    signature: [0x1e, 0x92, 0x0d],
    chipEraseMs: 9,
    calibrationBytes: 2,
    fuseLayout: 'tiny2313',
    vectors: rjmp(21),
    stk500: 0x23,
  },
  {
    ...tiny85,
    name: 'ATtiny88',
    signature: [0x1e, 0x93, 0x11],
    fuseMs: 4.5,
    chipEraseMs: 9,
    calibrationBytes: 1,
    eeprom: eeprom(64, 3.6),
    fuses: fuses(0x6e, 0xdf, 0xff),
    fuseLayout: 'tiny88',
    vectors: rjmp(20),
    stk500: 0x73,
  },
  {
    ...tiny85,
    name: 'ATtiny167',
    signature: [0x1e, 0x94, 0x87],
    chipEraseMs: 15,
    calibrationBytes: 1,
    flash: flash(16 * KiB, 128),
    fuseLayout: 'tiny167',
    vectors: jmp(20),
  },
]

export function findAvrPart(signature: ArrayLike<number>): AvrPart | undefined {
  return avrParts.find((part) => part.signature.every((byte, i) => byte === signature[i]))
}

/** Of names that this project itself gives. */
export function avrPartNamed(name: string): AvrPart {
  const part = avrPartByName(name)
  if (!part) throw new FlashError('bug', { during: `looking up ${name}` })
  return part
}

/** By data sheet name or alias, whatever the case: `ATmega328P`, `atmega8a`. */
export function avrPartByName(name: string): AvrPart | undefined {
  const wanted = name.trim().toLowerCase()
  return avrParts.find((part) =>
    [part.name, ...(part.aliases ?? [])].some((known) => known.toLowerCase() === wanted),
  )
}
