/**
 * `npm run witness -- FILE.hex`: runs a USBasp firmware, asks it and our twin the same, and drives it with our
 * driver. Says where they differ; what is written must be there afterwards.
 */
import { readFile } from 'node:fs/promises'
import { equal, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { isFlashError } from '#core/errors.ts'
import { findUsbDescriptors } from '#core/find.ts'
import type { MemoryId, Patient, Segment } from '#core/programmer.ts'
import { readVectorTable } from '#chips/avr-code.ts'
import { avrPartByName } from '#chips/avr-parts.ts'
import { findImage } from '#catalogue/catalogue.ts'
import { readImage } from '#firmware/formats.ts'
import { spanOf } from '#firmware/image.ts'
import type { TwinAnswer } from '#bench/twin.ts'
import driver from '#protocols/usbasp/driver.ts'
import identity from '#protocols/usbasp/identity.ts'
import { Request } from '#protocols/usbasp/packets.ts'
import { twinVersions } from '#protocols/usbasp/twin-firmware.ts'
import type { MachineChip } from './usbasp-machine.ts'
import { Questions, scenarios } from './usbasp-scenarios.ts'
import { FirmwareSide, SideLink, TwinSide, type Bench, type Side } from './usbasp-sides.ts'

interface Witnessed {
  readonly firmware: readonly Segment[]
  readonly chip: MachineChip
  /** Which of the twin's versions it is held against. */
  readonly version: string
}

/** True when nothing differs. `print` gets one line at a time. */
export async function witness(path: string, print: (line: string) => void): Promise<boolean> {
  const image = await readImage(new Uint8Array(await readFile(path)), path)
  const entry = await findImage(image.segments)
  const witnessed = identify(image.segments, entry?.name)
  print(`${path}: ${entry ? entry.name : 'an image that the catalogue does not know'}`)
  print(`runs as ${witnessed.chip}, held against the twin's ${witnessed.version}`)
  let same = 0
  let differences = 0
  const report = (name: string, found: readonly string[], ms: string) => {
    if (found.length) differences++
    else same++
    print(`${found.length ? 'DIFFERS' : 'same   '}  ${ms}  ${name}`)
    for (const line of found) print(`         ${line}`)
  }
  for (const scenario of scenarios) {
    const { name, bench } = scenario
    const [real, twin] = sides(witnessed, bench)
    const [asked, expected] = [new Questions(real), new Questions(twin)]
    const ms = times(
      await timed(real, () => scenario.ask(asked)),
      await timed(twin, () => scenario.ask(expected)),
    )
    report(name, compareAnswers(asked.answers, expected.answers), ms)
  }
  for (const [name, bench] of jobs) {
    const [real, twin] = sides(witnessed, bench)
    const { problems, exchanges, ms } = await runJob(real)
    const replayed = await replay(exchanges, twin)
    const memories = (['flash', 'eeprom', 'fuses', 'lock'] as const).filter(
      (id) => !equal(real.target.memory(id), twin.target.memory(id)),
    )
    report(
      `our driver: ${name} (${String(exchanges.length)} requests)`,
      [...problems, ...replayed.differences, ...memories.map((id) => `${id} of the two targets differs`)],
      times(ms, replayed.ms),
    )
  }
  print(`${String(same)} scenarios the same, ${String(differences)} different`)
  return differences === 0
}

function identify(firmware: readonly Segment[], name = ''): Witnessed {
  const table = readVectorTable(firmware)
  const size = spanOf(firmware).length
  const chip = table.count === 19 ? 'ATmega8' : size <= 4096 ? 'ATmega48' : 'ATmega88'
  const found = findUsbDescriptors(firmware).find(({ usbId }) => usbId === '16c0:05dc')
  if (!found || table.bytes !== 2) throw new Error('This is no USBasp firmware for an ATmega8, 48 or 88.')
  const wanted = name.includes('2007') ? '1.02 (2007)' : found.version
  return { firmware, chip, version: twinVersions.findLast((known) => known <= wanted) ?? '1.02' }
}

const sides = ({ firmware, chip, version }: Witnessed, bench: Bench): [FirmwareSide, TwinSide] => [
  new FirmwareSide(firmware, chip, bench),
  new TwinSide(version, bench),
]

async function timed({ clock }: Side, work: () => Promise<void>): Promise<number> {
  const from = clock.now()
  await work()
  return clock.now() - from
}

const times = (real: number, twin: number): string =>
  `${real.toFixed(0).padStart(6)} ms, twin ${twin.toFixed(0).padStart(6)} ms`

const text = (answer: TwinAnswer | 'lost' | undefined): string =>
  answer instanceof Uint8Array ? `[${hexBytes(answer)}]` : String(answer)

function compareAnswers(real: Questions['answers'], twin: Questions['answers']): string[] {
  const differences = real.flatMap(({ name, answer }, i) => {
    const [found, expected] = [text(answer), text(twin[i]?.answer)]
    return found === expected ? [] : [`${name}: ${clip(found, expected)}, twin ${clip(expected, found)}`]
  })
  return real.length === twin.length ? differences : [...differences, 'the twin was asked something else']
}

/** Long answers from a little before the first difference. */
function clip(answer: string, other: string): string {
  const at = Array.from(answer).findIndex((char, i) => char !== other[i])
  const from = Math.max(0, at - 9)
  return answer.length <= 80
    ? answer
    : `…${answer.slice(from, from + 60)}… (${String(answer.length)} characters)`
}

// ---- our driver ---------------------------------------------------------------------------------

const part = (chip: string) => {
  const found = avrPartByName(chip)
  if (!found) throw new Error(`no chip ${chip}`)
  return found
}
const jobs: readonly (readonly [string, Bench])[] = [
  ['a whole ATmega328P', { part: part('ATmega328P') }],
  ['an ATmega8 at 8 MHz', { part: part('ATmega8'), dials: { targetHz: 8_000_000 } }],
  ['an ATmega8 at 1 MHz', { part: part('ATmega8'), dials: { targetHz: 1_000_000 } }],
  ['an ATtiny85', { part: part('ATtiny85'), dials: { targetHz: 8_000_000 } }],
  ['an ATtiny13, locked', { part: part('ATtiny13'), dials: { targetHz: 9_600_000, locked: true } }],
]

interface JobReport {
  readonly problems: readonly string[]
  readonly exchanges: SideLink['exchanges']
  readonly ms: number
}

/** Backs up, erases, writes and reads back everything; what the target holds afterwards decides. */
async function runJob(side: FirmwareSide): Promise<JobReport> {
  const problems: string[] = []
  const link = new SideLink(side, await look(side))
  const ctx = new Context({ clock: side.clock })
  const ms = await timed(side, async () => {
    try {
      const seen = identity.recognise(link.seen)
      if (!seen) throw new Error('our identity does not know it')
      await using programmer = await driver.open(link, seen, ctx)
      await using patient = await programmer.ways[0]?.connect(ctx)
      if (patient) problems.push(...(await rewrite(patient, side, ctx)))
    } catch (error) {
      // one that knows a single speed does not reach a slow target; the twin must say the same then
      if (!isFlashError(error, 'target-missing')) problems.push(String(error))
    }
  })
  return { problems, exchanges: link.exchanges, ms }
}

async function rewrite(patient: Patient, { target }: Side, ctx: Context): Promise<string[]> {
  const problems: string[] = []
  const memory = (id: MemoryId) => patient.memories.find((one) => one.id === id)
  const check = async (id: MemoryId, when: string) => {
    const found = memory(id)
    const read = await found?.read?.({ address: 0, length: found.length }, ctx)
    if (read && !equal(read, target.memory(id).slice(0, found?.length)))
      problems.push(`${id} read wrongly ${when}`)
  }
  for (const id of ['flash', 'eeprom', 'fuses', 'lock', 'calibration', 'signature'] as const)
    await check(id, 'before')
  await patient.eraseChip?.run(ctx)
  for (const id of ['flash', 'eeprom'] as const) {
    const found = memory(id)
    const wanted = Uint8Array.from({ length: found?.length ?? 0 }, (_, i) => (i * 11 + (i >> 7)) & 0xff)
    await found?.program?.(0, wanted, ctx)
    if (!equal(target.memory(id), wanted)) problems.push(`${id} written wrongly`)
    await check(id, 'afterwards')
  }
  await memory('lock')?.program?.(0, Uint8Array.of(0xfc), ctx)
  if (((target.lock[0] ?? 0) & 3) !== 0) problems.push('lock bits written wrongly')
  return problems
}

/** As a browser sees it. */
async function look(side: Side): Promise<SideLink['seen']> {
  const read = async (type: number, index: number) => {
    const setup = {
      requestType: 0x80,
      request: 6,
      value: (type << 8) | index,
      index: index && 0x0409,
      length: 255,
    }
    const answer = await side.control(setup)
    return answer instanceof Uint8Array ? answer : new Uint8Array()
  }
  const string = async (index: number) => {
    const bytes = index ? await read(3, index) : new Uint8Array()
    return bytes.length > 2 ? new TextDecoder('utf-16le').decode(bytes.subarray(2)) : undefined
  }
  const device = await read(1, 0)
  const [found] = findUsbDescriptors([{ address: 0, bytes: device }])
  if (!found) throw new Error('The firmware does not answer on USB.')
  const { vendorId, productId, deviceVersion, deviceClass } = found
  const [manufacturer, product, serial] = [
    await string(device[14] ?? 0),
    await string(device[15] ?? 0),
    await string(device[16] ?? 0),
  ]
  return {
    ...{ link: 'usb', vendorId, productId, deviceVersion, deviceClass },
    ...{ manufacturer, product, serial, interfaces: [] },
  }
}

/**
 * The same requests to the twin, each no earlier than it was asked of the firmware. Whether the chip is
 * still busy depends on the microsecond, so the answers to that question are not compared.
 */
async function replay(
  exchanges: SideLink['exchanges'],
  twin: TwinSide,
): Promise<{ differences: string[]; ms: number }> {
  const differences: string[] = []
  const startMs = exchanges[0]?.atMs ?? 0
  const fromMs = twin.clock.now()
  for (const { atMs, setup, bytes, answer } of exchanges) {
    const waitMs = atMs - startMs - (twin.clock.now() - fromMs)
    if (waitMs > 0) await twin.clock.sleep(waitMs)
    const found = await twin.control(setup, bytes)
    const isBusyPoll = setup.request === Request.Transmit && (setup.value & 0xff) === 0xf0
    if (isBusyPoll || text(found) === text(answer)) continue
    const name = `request ${String(setup.request)} (${String(setup.value)}, ${String(setup.index)})`
    differences.push(`${name}: ${clip(text(answer), text(found))}, twin ${clip(text(found), text(answer))}`)
  }
  return { differences: differences.slice(0, 10), ms: twin.clock.now() - fromMs }
}
