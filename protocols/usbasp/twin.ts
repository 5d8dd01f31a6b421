/**
 * The USBasps of the practice bench: a tool with one of several targets, a pair of which one is the patient,
 * and two things that only look like one. Sources: `Makefile` of USBasp and `boards.txt` of ArduinoCore-avr for
 * fuses.
 */
import { blank, concat, fromHex } from '#core/bytes.ts'
import type { Dials, TwinSetup, TwinShelf, TwinVariant, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { TwinAvr, type TwinAvrOptions } from '#bench/twin-avr.ts'
import { avrPartNamed, type AvrPart } from '#chips/avr-parts.ts'
import practiceFirmware, { fillerCode, vectorTable } from './practice-firmware.ts'
import { describeVersion } from './twin-descriptors.ts'
import { UsbaspTwin } from './twin-firmware.ts'
import { runByItself } from './twin-patient.ts'

const toolDials = [
  'version',
  'chip',
  'targetHz',
  'noTarget',
  'halfWritten',
  'locked',
  'stuckBit',
  'flickerBit',
] as const satisfies (keyof Dials)[]

/**
 * Something in flash to back up: vectors of the chip, a third of it filled, and a word for people; and what
 * stands for a boot loader, where the board has one.
 */
function practiceProgram(part: AvrPart, loader: number | undefined): Uint8Array {
  const start = part.vectors.bytes * part.vectors.count
  const text = new TextEncoder().encode('practice program')
  const length = Math.floor(part.flash.bytes / 3) & ~1
  const program = concat(
    vectorTable(part, start + text.length, start + text.length),
    text,
    fillerCode(length, length),
  )
  if (loader === undefined) return program
  return concat(program, blank(loader - program.length), fillerCode(part.flash.bytes - loader, loader))
}

const practiceEeprom = new TextEncoder().encode('practice EEPROM')

/** A tool with a board behind it; `board` says how that leaves its maker. */
const withTarget = (
  chip: string,
  board: { name?: string; hz: number; loader?: number } & Omit<TwinAvrOptions, 'dials' | 'flash'>,
): TwinVariant => ({
  name: `USBasp 1.04 with ${board.name ?? `an ${chip}`}`,
  dials: toolDials,
  make(dials = {}): TwinSetup {
    const part = avrPartNamed(dials.chip ?? chip)
    const isAsSold = part.name === chip
    const target = new TwinAvr(part, {
      ...(isAsSold ? board : {}),
      dials: { targetHz: board.hz, ...dials },
      flash: practiceProgram(part, isAsSold ? board.loader : undefined),
      eeprom: practiceEeprom,
    })
    return {
      twin: new UsbaspTwin({ version: dials.version, target }),
      patient: target,
      memory: (id) => target.memory(id),
    }
  },
})

/** Of USBasp boards by chip: a full-swing crystal, no divider. */
const boardFuses: Readonly<Record<string, readonly number[]>> = {
  ATmega8: [0xef, 0xc9, 0xff],
  ATmega48: [0xff, 0xdd, 0xff],
  ATmega88: [0xff, 0xdd, 0xf9],
}

const pair: TwinVariant = {
  name: 'Two USBasps: 1.04 as tool, 1.03 as patient with its self-programming jumper closed',
  dials: [...toolDials, 'liesAboutVersion'],
  make(dials = {}): TwinSetup {
    const chip = dials.chip ?? 'ATmega8'
    const fuses = boardFuses[chip]
    const old = practiceFirmware.find((image) => image.chip === chip && image.version === '1.03')
    const patient = new TwinAvr(avrPartNamed(chip), {
      dials: { targetHz: 12_000_000, ...dials },
      flash: old?.build()[0]?.bytes ?? new Uint8Array(),
      ...(fuses ? { fuses: Uint8Array.from(fuses) } : {}),
    })
    const before = runByItself(patient)
    return {
      twin: new UsbaspTwin({ version: dials.version, target: patient }),
      patient,
      memory: (id) => patient.memory(id),
      byItself: () => (dials.liesAboutVersion ? before : runByItself(patient)),
    }
  },
}

/** Answers every request with zero bytes, as V-USB does with what it does not know. */
class StrangeTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'low'
  readonly descriptors: UsbDescriptors
  constructor(descriptors: UsbDescriptors) {
    this.descriptors = descriptors
  }
  plugged(): void {
    // has no clock of its own
  }
  reset(): void {
    // keeps nothing that a port reset could change
  }
  control(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array())
  }
}

const strange = (name: string, descriptors: UsbDescriptors): TwinVariant => ({
  name,
  dials: [],
  make: () => ({ twin: new StrangeTwin(descriptors), memory: () => new Uint8Array() }),
})

export default {
  atmega328p: withTarget('ATmega328P', {
    name: 'an ATmega328P board as Arduino sells it',
    hz: 16_000_000,
    fuses: Uint8Array.of(0xff, 0xde, 0xfd),
    lock: 0xcf,
    loader: 0x7e00,
  }),
  atmega8: withTarget('ATmega8', { name: 'an ATmega8 fresh from the factory, at 1 MHz', hz: 1_000_000 }),
  attiny85: withTarget('ATtiny85', { hz: 8_000_000, fuses: Uint8Array.of(0xe2, 0xdf, 0xff) }),
  attiny13: withTarget('ATtiny13', { hz: 9_600_000, fuses: Uint8Array.of(0x7a, 0xff, 0xff) }),
  pair,
  clone: strange('A "USB ISP" clone with its HID firmware', {
    device: fromHex('12 01 10 01 00 00 00 08 eb 03 b4 c8 00 01 01 02 00 01'),
    configuration: fromHex(
      '09 02 22 00 01 01 00 80 32 09 04 00 00 01 03 00 00 00 09 21 01 01 00 01 22 21 00 07 05 81 03 08 00 0a',
    ),
    strings: { 1: 'zhifengsoft', 2: 'USBHID' },
    missing: 'empty',
  }),
  other: strange('Something else with the shared id 16c0:05dc', {
    ...describeVersion('1.03'),
    strings: { 1: 'practice maker', 2: 'Lamp' },
  }),
} satisfies TwinShelf
