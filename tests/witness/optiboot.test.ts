/**
 * Real boot loaders as witnesses: Debian's builds of optiboot and ATmegaBOOT run in an emulated chip behind our
 * whole transport, our driver flashes through them, and our twins answer the same bytes the same way.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { blank, concat, equal, fromHex, hex, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Contents, MemoryId, Patient, Range, Segment } from '#core/programmer.ts'
import { checkAvr } from '#chips/avr-check.ts'
import { avrPartByName } from '#chips/avr-parts.ts'
import { parseIntelHex } from '#firmware/intel-hex.ts'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import type { SerialTwin } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from '#transport/devices.ts'
import driver from '#protocols/stk500/driver.ts'
import recogniseFirmware from '#protocols/stk500/firmware.ts'
import identity from '#protocols/stk500/identity.ts'
import { BareLine } from '#protocols/stk500/test-line.ts'
import shelf from '#protocols/stk500/twin.ts'
import { bootLoaderFile } from './arduino-core.ts'
import { Avr8jsBoard, chips } from './avr8js-serial.ts'

interface Loader {
  readonly file: string
  readonly chip: keyof typeof chips
  readonly bootStart: number
  readonly baud: number
  readonly name: string
  readonly hasEeprom: boolean
}

const ch340 = { usb: { vendorId: 0x1a86, productId: 0x7523 }, bridge: 'ch340' } as const

const optibootAtmega8: Loader = {
  file: 'optiboot/optiboot_atmega8.hex',
  chip: 'ATmega8',
  bootStart: 0x1e00,
  baud: 115_200,
  name: 'Optiboot 4.4',
  hasEeprom: false,
}
const duemilanove: Loader = {
  file: 'atmega/ATmegaBOOT_168_atmega328.hex',
  chip: 'ATmega328P',
  bootStart: 0x7800,
  baud: 57_600,
  name: 'ATmegaBOOT',
  hasEeprom: true,
}
const diecimila: Loader = {
  ...duemilanove,
  file: 'atmega/ATmegaBOOT_168_diecimila.hex',
  chip: 'ATmega168',
  bootStart: 0x3800,
  baud: 19_200,
}
const mega1280: Loader = {
  ...duemilanove,
  file: 'atmega/ATmegaBOOT_168_atmega1280.hex',
  chip: 'ATmega1280',
  bootStart: 0x1_f000,
}

const imageOf = (file: string) => parseIntelHex(bootLoaderFile(file))

/** An emulated second costs a third of a real one where nothing else is running; the rest is for busy machines. */
const timeout = 240_000
/** The longest answer of 130 bytes at 57600 baud. */
const answerMs = 35

const boards: Avr8jsBoard[] = []
afterEach(() => {
  for (const board of boards.splice(0)) board.stop()
})

function boardWith({ file, chip, bootStart, name }: Loader): Avr8jsBoard {
  const board = new Avr8jsBoard({
    chip: chips[chip],
    image: imageOf(file).segments,
    bootStart,
    ...(name === 'ATmegaBOOT' ? { bridge: ch340 } : {}),
  })
  boards.push(board)
  return board
}

/** The same every time, and never blank. */
function pattern(length: number, seed: number): Uint8Array {
  let state = seed
  return new Uint8Array(length).map(() => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 24)
}

describe.each([optibootAtmega8, duemilanove, diecimila, mega1280])('$file', (loader) => {
  async function connect() {
    const clock = new VirtualClock()
    const board = boardWith(loader)
    const serial = new TwinSerialBus({ clock, granted: true })
    serial.plug(board)
    const [attached] = await new Devices({ serial }, clock).list()
    const seen = attached && identity.recognise(attached.seen)
    if (attached?.link !== 'serial' || !seen) throw new Error('no port')
    const ctx = new Context({ clock })
    const programmer = await driver.open(attached, seen, ctx)
    const [way] = programmer.ways
    if (!way) throw new Error('no way')
    const patient = await way.connect(ctx)
    return { board, programmer, patient, ctx }
  }

  const accessTo = (patient: Patient, id: MemoryId, ctx: Context) => {
    const memory = patient.memories.find((one) => one.id === id)
    return {
      memory,
      read: async (range: Range) => (await memory?.read?.(range, ctx)) ?? new Uint8Array(),
      program: async (address: number, bytes: Uint8Array) => memory?.program?.(address, bytes, ctx),
    }
  }

  test('our driver finds it, writes and reads back', { timeout }, async () => {
    const { board, programmer, patient, ctx } = await connect()
    expect(programmer.facts.find(({ name }) => name === 'bootloader')?.value).toBe(loader.name)
    expect(programmer.facts.find(({ name }) => name === 'baud')?.value).toBe(String(loader.baud))
    expect(patient.chip).toBe(loader.chip)

    const flash = accessTo(patient, 'flash', ctx)
    const { flashBytes, pageBytes } = board.chip
    expect(flash.memory).toMatchObject({
      length: flashBytes,
      pageBytes,
      reserved: [{ address: loader.bootStart, length: flashBytes - loader.bootStart, why: 'bootloader' }],
    })
    const bootSection = board.flash.slice(loader.bootStart)
    const blockBytes = 2 * pageBytes
    for (const address of [0, flashBytes / 2, loader.bootStart - blockBytes]) {
      await flash.program(address, pattern(blockBytes, address + 1))
      await flash.program(address, pattern(blockBytes, address + 2)) // pages overwrite
      const bytes = pattern(blockBytes, address + 2)
      expect(equal(await flash.read({ address, length: blockBytes }), bytes)).toBe(true)
      expect(equal(board.flash.subarray(address, address + blockBytes), bytes)).toBe(true)
    }
    expect(equal(board.flash.subarray(loader.bootStart), bootSection)).toBe(true)

    const eeprom = accessTo(patient, 'eeprom', ctx)
    expect(eeprom.memory !== undefined).toBe(loader.hasEeprom)
    if (loader.hasEeprom) {
      await eeprom.program(16, pattern(80, 3))
      expect(equal(board.eeprom.subarray(0, 112), concat(blank(16), pattern(80, 3), blank(16)))).toBe(true)
      expect(equal(await eeprom.read({ address: 9, length: 100 }), board.eeprom.subarray(9, 109))).toBe(true)
    }
    await patient[Symbol.asyncDispose]()
    await programmer[Symbol.asyncDispose]()
  })

  test('it is recognised in the flash', () => {
    const known = recogniseFirmware(imageOf(loader.file).segments, loader.chip)
    // what the driver finds in the running loader, above
    const says = [{ name: 'bootloader', value: loader.name }]
    expect(known).toMatchObject({
      confidence: 'certain',
      chips: [loader.chip],
      appears: { link: 'serial', says },
    })
    expect([known?.name, known?.version].filter(Boolean).join(' ')).toBe(loader.name)
  })
})

/** A step: bytes to send (with another speed behind `@`), `reset` or `wait`, each with milliseconds. */
const anybody = [
  '30 20',
  '41 80 20',
  '41 81 20',
  '41 82 20',
  '41 93 20',
  '50 20',
  '52 20',
  '75 20',
  '76 20',
  '56 30 00 01 00 20',
  `42 ${'00'.repeat(20)} 20`,
  '45 05 04 d7 c2 00 20',
  '31 20',
]
const hexPattern = (length: number, seed: number) => hexBytes(pattern(length, seed))

const optibootSteps = [
  'reset 450',
  ...anybody,
  '99 20',
  `55 00 00 20 64 00 40 46 ${hexPattern(64, 1)} 20`,
  '55 00 00 20 74 00 40 46 20',
  '55 40 00 20 64 00 04 46 01 02 03 04 20', // a short page: the rest comes from RAM
  '55 40 00 20 74 00 40 46 20',
  `55 60 00 20 64 00 40 45 ${hexPattern(64, 2)} 20`, // EEPROM goes to the flash
  '55 60 00 20 74 00 40 45 20',
  '30 21', // dies
  '30 20',
  'reset 450',
  '30 20@19200', // noise
  '30 20',
  'reset 450',
  'wait 900',
  '30 20',
  'wait 1100', // the window is over
  '30 20',
  'reset 450',
  '51 20',
  '30 20',
  'reset 450',
  '55 00 00 20 64 00 40 46 01 02', // cut off: the page is erased
  'reset 100', // heard during the flashes, answered after
  '55 00 00 20',
  'wait 400',
  '30 20',
]

const atmegaBootSteps = [
  'reset 300',
  ...anybody,
  `55 00 00 20 64 00 80 46 ${hexPattern(128, 1)} 20`,
  '55 00 00 20 74 00 80 46 20',
  '55 40 00 20 64 00 04 46 01 02 03 04 20',
  '55 40 00 20 74 00 80 46 20',
  '74 00 10 46 20', // goes on where twice the address leads
  `55 08 00 20 64 00 04 45 ${hexPattern(4, 4)} 20`,
  '55 08 00 20 74 00 20 45 20',
  '40 84 20',
  '40 90 00 20',
  '30 21',
  '30 20',
  '99 99 99',
  '30 20',
  '99', // the fifth error
  '30 20',
  'reset 300',
  '51 20',
  '30 20',
  'wait 1300', // the window is over
  '30 20',
]

describe.each([
  ['optiboot-atmega8', optibootAtmega8, optibootSteps],
  ['nano-old', duemilanove, atmegaBootSteps],
] as const)('our twin %s', (variant, loader, steps) => {
  async function answers(twin: SerialTwin): Promise<string[]> {
    const line = new BareLine(new VirtualClock(), twin)
    const heard: string[] = []
    for (const step of steps) {
      const [word = '', ms] = step.split(' ')
      if (word === 'reset') await line.reset(Number(ms))
      else if (word === 'wait') await line.wait(Number(ms))
      else {
        const [bytes = '', baud = loader.baud] = step.split('@')
        const answer = await line.ask(fromHex(bytes), Number(baud), answerMs)
        heard.push(`${step.slice(0, 40)} -> ${hexBytes(answer)}`)
      }
    }
    return heard
  }

  test('answers as the real one, and leaves the same in flash and EEPROM', { timeout }, async () => {
    const real = boardWith(loader)
    const setup = shelf[variant].make()
    if (setup.twin.link !== 'serial') throw new Error('not a serial twin')
    const [flash, eeprom] = [setup.memory('flash'), setup.memory('eeprom')]
    flash.fill(0xff, 0, loader.bootStart)
    eeprom.fill(0xff)
    expect(await answers(setup.twin)).toEqual(await answers(real))
    expect(equal(flash.subarray(0, loader.bootStart), real.flash.subarray(0, loader.bootStart))).toBe(true)
    expect(equal(eeprom, real.eeprom)).toBe(true)
  })
})

describe.each([
  ['optiboot/optiboot_atmega328.hex', 'ATmega328P', 0x8000],
  ['optiboot/optiboot_atmega168.hex', 'ATmega168', 0x4000],
])('Debian’s %s, whose code runs over the end of the flash', (file, chip, flashBytes) => {
  test('is no file: its code and its version word claim the same bytes', () => {
    expect(() => imageOf(file)).toThrow(
      expect.objectContaining({
        code: 'bad-file',
        detail: expect.objectContaining({ why: 'overlap', address: flashBytes - 2, line: 35 }) as unknown,
      }),
    )
  })

  test('is refused by its size, even without the version word', () => {
    const records = new TextDecoder().decode(bootLoaderFile(file)).split(/\r?\n/)
    const text = records.filter((_, i) => i !== 34).join('\n')
    const { segments } = parseIntelHex(new TextEncoder().encode(text))
    const part = avrPartByName(chip)
    if (!part) throw new Error(chip)
    const flash = (content: readonly Segment[]): Contents => new Map([['flash', content]])
    const present = flash([{ address: 0, bytes: blank(part.flash.bytes) }])
    const checks = checkAvr({ part, wanted: flash(segments), present })
    expect(checks.filter(({ result }) => result === 'refused')).toEqual([
      {
        code: 'size-fits',
        result: 'refused',
        values: {
          memory: 'flash',
          available: String(flashBytes),
          last: hex(flashBytes + 0x13, 4),
          beyond: hex(flashBytes, 4),
          excess: '20',
        },
      },
    ])
  })
})
