/** The shelf of STK500v1 twins: Arduinos to be flashed by their boot loaders, and Arduinos as ISP programmers. */
import { avrPartNamed, type AvrPart } from '#chips/avr-parts.ts'
import { concat, blank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import { TwinAvr } from '#bench/twin-avr.ts'
import type { Dials, TwinSetup, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { arduinoIspImage, blinkImage, loaderImage } from './images.ts'
import { signOn } from './packets.ts'
import { arduinoIsp } from './twin-arduino-isp.ts'
import { TwinBoard, type BoardOptions, type Program } from './twin-board.ts'
import { atmegaBoot, optiboot } from './twin-loaders.ts'

type Version = readonly [major: number, minor: number]

interface Board extends Pick<BoardOptions, 'usb' | 'bridge'> {
  readonly chip: string
  readonly loader: { readonly version: Version } | { readonly baud: number }
  readonly loaderBytes: number
  /** Low, high, extended, as `boards.txt` has them. */
  readonly fuses: readonly [number, number, number]
}

const uno = { usb: { vendorId: 0x2341, productId: 0x0043 }, bridge: 'cdc-acm' } as const
const ch340 = { usb: { vendorId: 0x1a86, productId: 0x7523 }, bridge: 'ch340' } as const
const cp210x = { usb: { vendorId: 0x10c4, productId: 0xea60 }, bridge: 'cp210x' } as const
const ftdi = { usb: { vendorId: 0x0403, productId: 0x6001 }, bridge: 'ftdi' } as const

const unoBoard: Board = {
  ...uno,
  chip: 'ATmega328P',
  loader: { version: [4, 4] },
  loaderBytes: 512,
  fuses: [0xff, 0xde, 0xfd],
}

/** Lock bits of Arduino boards: nothing writes the boot section from inside. */
const loaderLocked = 0xcf

function parseVersion(text: string): Version {
  const [major = 0, minor = 0] = text.split('.').map(Number)
  return [major, minor]
}

/** What is wired to a board that is a programmer; its sketch is another version than 1.18, if one is given. */
interface Behind {
  readonly target: TwinAvr
  readonly version: Version | undefined
}

function make(board: Board, dials: Dials, behind?: Behind): { twin: TwinBoard; chip: TwinAvr } {
  const part = avrPartNamed(board.chip)
  const bootStart = part.flash.bytes - board.loaderBytes
  const sketch = behind ? arduinoIspImage(part) : blinkImage(part, 1)
  const version = 'version' in board.loader ? { version: board.loader.version } : {}
  const chip = new TwinAvr(part, {
    dials: dials.stuckBit === undefined ? {} : { stuckBit: dials.stuckBit },
    flash: concat(
      sketch,
      blank(bootStart - sketch.length),
      loaderImage({ bytes: board.loaderBytes, ...version }),
    ),
    eeprom: Uint8Array.from({ length: 64 }, (_, i) => i * 3),
    fuses: Uint8Array.from(board.fuses),
    lock: loaderLocked,
  })
  const twin = new TwinBoard({
    usb: board.usb,
    bridge: board.bridge,
    chip,
    flickerBit: dials.flickerBit,
    loader: loaderProgram(board, bootStart, part),
    ...(behind && {
      target: behind.target,
      application: (flash) =>
        holdsArduinoIsp(flash) ? arduinoIsp(behind.target, behind.version) : undefined,
    }),
  })
  return { twin, chip }
}

function loaderProgram({ loader }: Board, bootStart: number, part: AvrPart): Program {
  if ('baud' in loader) return atmegaBoot({ baud: loader.baud, bootStart })
  const nrwwBytes = Math.max(...(part.bootBytes ?? [0]))
  return optiboot({ version: loader.version, bootStart, nrwwStart: part.flash.bytes - nrwwBytes })
}

/** Whoever flashed something else over the sketch has no programmer any more. */
const holdsArduinoIsp = (flash: Uint8Array): boolean =>
  new TextDecoder('latin1').decode(flash).includes(signOn)

/**
 * A board that is flashed itself. `locked` is no dial of it: LB1 and LB2 stop a programmer, not the boot
 * loader, and those that stop the loader are set on every board (data sheet ATmega328P, "Program And Data
 * Memory Lock Bits").
 */
const board = (name: string, options: Board): TwinVariant => ({
  name,
  dials: ['stuckBit', 'flickerBit', ...('version' in options.loader ? (['version'] as const) : [])],
  make: (dials = {}) => {
    // Of ATmegaBOOT all versions say the same.
    const other = 'version' in options.loader && dials.version !== undefined && parseVersion(dials.version)
    const { twin, chip } = make(other ? { ...options, loader: { version: other } } : options, dials)
    return { twin, patient: twin, memory: (id) => chip.memory(id) }
  },
})

const programmerDials = [
  'version',
  'targetHz',
  'locked',
  'stuckBit',
  'flickerBit',
  'noTarget',
  'chip',
] as const satisfies (keyof Dials)[]

/** An Uno with the ArduinoISP sketch and a target. */
function makeProgrammer(target: TwinAvr, dials: Dials): TwinSetup {
  const version = dials.version === undefined ? undefined : parseVersion(dials.version)
  const { twin, chip } = make(unoBoard, {}, { target, version })
  return {
    ...{ twin, patient: target, memory: (id) => target.memory(id) },
    itself: { patient: twin, memory: (id) => chip.memory(id) },
  }
}

const programmer = (targetName: string): TwinVariant => ({
  name: `Arduino Uno as ISP with an ${targetName}`,
  dials: programmerDials,
  make: (dials = {}) =>
    makeProgrammer(
      new TwinAvr(avrPartNamed(targetName), { dials, eeprom: Uint8Array.of(1, 2, 3, 4) }),
      dials,
    ),
})

/** The same with another programmer on its wires, which has a chip of this kind. */
const bringer = (name: string, patientOf: string): TwinVariant => ({
  name: `Arduino Uno as ISP with ${name}`,
  // which of the two is old would be a guess
  dials: [...programmerDials.filter((dial) => dial !== 'version'), 'halfWritten', 'liesAboutVersion'],
  patientOf,
  make: (dials = {}, wired) => {
    if (!(wired?.patient instanceof TwinAvr))
      throw new FlashError('bug', { during: `wiring an Arduino to ${patientOf}` })
    return {
      ...makeProgrammer(wired.patient, dials),
      ...(wired.byItself && { byItself: () => wired.byItself?.() }),
    }
  },
})

export default {
  uno: board('Arduino Uno (Optiboot 4.4)', unoBoard),
  'uno-optiboot8': board('Arduino Uno (Optiboot 8.3, CP2102)', {
    ...{ ...unoBoard, ...cp210x },
    loader: { version: [8, 3] },
  }),
  'nano-old': board('Arduino Nano with the old boot loader', {
    ...ch340,
    chip: 'ATmega328P',
    loader: { baud: 58_823 }, // 16 MHz / 16 / 17
    loaderBytes: 2048,
    fuses: [0xff, 0xda, 0xfd],
  }),
  diecimila: board('Arduino Diecimila (ATmega168)', {
    ...ftdi,
    chip: 'ATmega168',
    loader: { baud: 19_230 }, // 16 MHz / 16 / 52
    loaderBytes: 2048,
    fuses: [0xff, 0xdd, 0xf8],
  }),
  'optiboot-atmega8': board('ATmega8 with Optiboot 4.4', {
    ...ch340,
    chip: 'ATmega8',
    loader: { version: [4, 4] },
    loaderBytes: 512,
    fuses: [0xbf, 0xcc, 0xff],
  }),
  'arduino-isp-atmega8': programmer('ATmega8'),
  'arduino-isp-atmega328p': programmer('ATmega328P'),
  'arduino-isp-attiny85': programmer('ATtiny85'),
  'arduino-isp-usbasp': bringer('a USBasp', 'usbasp:pair'),
} satisfies TwinShelf
