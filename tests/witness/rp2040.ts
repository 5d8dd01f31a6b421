/**
 * `npm run witness -- bootrom.ts`: asks the RP2040's own boot ROM in an emulator and our twin the same, and drives the ROM
 * with our driver. Says where they differ; what is written must be there afterwards. With `--record` the ROM's answers are
 * written down, for the test that asks the twin alone.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { TwinFlash } from '#bench/twin-flash.ts'
import { answerControl } from '#bench/twin-usb-descriptors.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank, equal } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { SeenUsb } from '#core/programmer.ts'
import type { UsbLink } from '#transport/links.ts'
import { flashAddress, sectorBytes } from '#chips/rp2-chips.ts'
import driver from '#protocols/picoboot/driver.ts'
import identity from '#protocols/picoboot/identity.ts'
import { Play, practiceProgram } from '#protocols/picoboot/images.ts'
import { BootselTwin } from '#protocols/picoboot/twin-bootsel.ts'
import { loadEmulator, romIn, Rp2040Machine } from './rp2040-machine.ts'
import { Asking, scenarios, type Answer, type Bench } from './rp2040-scenarios.ts'

export type Answers = Readonly<Record<string, readonly string[]>>

export const answersFile = new URL('./rp2040-b1.answers.json', import.meta.url)
const flashBytes = 256 * 1024

/** Of all scenarios, each on a bench of its own. */
export async function answersOf(bench: () => Bench): Promise<Answers> {
  const all: Record<string, readonly string[]> = {}
  for (const [name, ask] of Object.entries(scenarios)) {
    const asking = new Asking(bench())
    await ask(asking)
    all[name] = asking.answers
  }
  return all
}

/** Lines that differ, and where. */
export function differences(expected: Answers, found: Answers): string[] {
  return Object.entries(expected).flatMap(([name, lines]) =>
    lines.flatMap((line, i) => {
      const other = found[name]?.[i] ?? 'nothing'
      return line === other ? [] : [`${name}: ${line}, the other ${other}`]
    }),
  )
}

// ---- the two sides --------------------------------------------------------------------------------

const strings = { manufacturer: 'Raspberry Pi', product: 'RP2 Boot', serial: 'E0C91200A4A1' }

export function twinBench(): Bench {
  const sectors = Array.from({ length: flashBytes / sectorBytes }, (_, i) => ({
    address: flashAddress + i * sectorBytes,
    length: sectorBytes,
  }))
  const flash = new TwinFlash(sectors, { eraseMs: () => 45, programMsPerKib: 1.6 }, blank(flashBytes))
  const twin = new BootselTwin({ chip: 'RP2040', romVersion: 2, strings, flash })
  twin.plugged({ clock: new VirtualClock(), detach: () => undefined })
  const said = (answer: unknown): Answer =>
    answer instanceof Uint8Array || answer === 'stall' ? answer : 'nak'
  return {
    control: async (requestType, request, value, index, length) =>
      said(await answerControl(twin, { requestType, request, value, index, length }, new Uint8Array())),
    bulkIn: async (endpoint, length) => said(await twin.bulkIn(endpoint, length)),
    bulkOut: async (endpoint, bytes) => said(await twin.bulkOut(endpoint, bytes)),
  }
}

const romBench = (machine: Rp2040Machine): Bench => ({
  control: (...asked) => Promise.resolve(machine.control(...asked)),
  bulkIn: (endpoint, length) => Promise.resolve(machine.bulkIn(endpoint, length)),
  bulkOut: (endpoint, bytes) => Promise.resolve(machine.bulkOut(endpoint, bytes)),
})

const seen: SeenUsb = {
  ...{ link: 'usb', vendorId: 0x2e8a, productId: 0x0003, deviceVersion: [1, 0, 0], deviceClass: 0 },
  ...strings,
  interfaces: [
    { number: 0, classCode: 0x08, subclass: 0x06, protocol: 0x50 },
    { number: 1, classCode: 0xff, subclass: 0, protocol: 0 },
  ],
}

/** The ROM as our driver has devices. */
function linkTo(machine: Rp2040Machine): UsbLink {
  const got = (answer: Answer, during: string): Promise<Uint8Array> => {
    if (answer instanceof Uint8Array) return Promise.resolve(answer)
    const error =
      answer === 'stall'
        ? new FlashError('stalled', { during })
        : new FlashError('timeout', { during, timeoutMs: 0 })
    return Promise.reject(error)
  }
  const types = { standard: 0, class: 0x20, vendor: 0x40 } as const
  const control = (direction: number, asked: Parameters<UsbLink['controlIn']>[0], length: number) => {
    const type = direction | types[asked.requestType] | 1
    return got(machine.control(type, asked.request, asked.value, asked.index, length), 'control')
  }
  return {
    ...{ seen, gone: new AbortController().signal },
    controlIn: (setup, length) => control(0x80, setup, length),
    controlOut: async (setup) => {
      await control(0, setup, 0)
    },
    bulkIn: (endpoint, length) => got(machine.bulkIn(endpoint, length), 'in'),
    bulkOut: async (endpoint, bytes) => {
      await got(machine.bulkOut(endpoint, bytes), 'out')
    },
    clearHalt: async (direction, endpoint) => {
      await got(machine.control(2, 1, 0, endpoint | (direction === 'in' ? 0x80 : 0), 0), 'clear')
    },
    selectAlternate: () => Promise.reject(new FlashError('bug', { during: 'an alternate setting' })),
    reset: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

// ---- the whole ----------------------------------------------------------------------------------------

/** True when nothing differs. `print` gets one line at a time. */
export async function witnessRp2040(
  path: string,
  print: (line: string) => void,
  record: boolean,
): Promise<boolean> {
  const rom = romIn(await readFile(path, 'utf8'))
  const emulator = await loadEmulator().catch((cause: unknown) => {
    throw new Error('the emulator is not installed: npm install --no-save rp2040js@1.4.1', { cause })
  })
  const machine = () => new Rp2040Machine(emulator, rom, flashBytes)
  const real = await answersOf(() => romBench(machine()))
  if (record) await writeFile(answersFile, `${JSON.stringify(real, null, 2)}\n`)
  const wrong = differences(real, await answersOf(twinBench))
  print(`${String(Object.keys(real).length)} scenarios, answered by the ROM and by our twin`)
  wrong.push(...(await drive(machine(), print)))
  for (const line of wrong) print(`DIFFERS  ${line}`)
  return wrong.length === 0
}

/** Our driver: backs up, writes whole sectors, reads back, and finds the size. */
async function drive(machine: Rp2040Machine, print: (line: string) => void): Promise<string[]> {
  const ctx = new Context({ clock: new VirtualClock() })
  const link = linkTo(machine)
  const recognition = identity.recognise(seen)
  if (!recognition) return ['the ROM is not recognised']
  const program = practiceProgram({
    chip: 'RP2040',
    plays: Play.probe,
    version: 0x0231,
    length: 3 * sectorBytes,
  })
  machine.flash.bytes.set(program.subarray(0, 2 * sectorBytes))
  machine.flash.bytes.fill(0x5a, 0x2_0000, 0x2_1234)
  const before = machine.flash.bytes.slice()
  await using programmer = await driver.open(link, recognition)
  await using patient = await programmer.ways[0]?.connect(ctx)
  const [flash] = patient?.memories ?? []
  if (!flash?.read || !flash.program) return ['the ROM gives no flash']
  const wrong: string[] = []
  if (flash.length !== flashBytes) wrong.push(`a flash of ${String(flash.length)} bytes`)
  if (!equal(await flash.read(flash, ctx), before)) wrong.push('another backup than the flash')
  await flash.program(flashAddress, program, ctx)
  const expected = before.slice()
  expected.set(program)
  if (!equal(machine.flash.bytes, expected)) wrong.push('another flash than was written')
  if (!equal(await flash.read(flash, ctx), expected)) wrong.push('another flash read than written')
  print(
    `our driver: ${programmer.facts.at(-1)?.value ?? ''}, ${patient?.kind ?? ''}, backed up, written, read back`,
  )
  return wrong
}
