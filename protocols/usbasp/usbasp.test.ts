/** The driver over the real link against the twin: whole jobs, versions and their quirks, faults. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { blank, equal } from '#core/bytes.ts'
import { cancelSource, Context } from '#core/context.ts'
import { FlashError, isFlashError, type ErrorCode } from '#core/errors.ts'
import type { MemoryId, Notice, Patient, Programmer, Recognition } from '#core/programmer.ts'
import { Progress } from '#core/progress.ts'
import { TwinUsb, type PluggedTwin } from '#bench/twin-usb.ts'
import type { Dials, TwinSetup, TwinVariant, UsbTwin } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from '#transport/devices.ts'
import driver from './driver.ts'
import identity from './identity.ts'
import { Request } from './packets.ts'
import practiceFirmware from './practice-firmware.ts'
import { describeVersion } from './twin-descriptors.ts'
import { twinVersions } from './twin-firmware.ts'
import shelf from './twin.ts'

interface Bench {
  readonly clock: VirtualClock
  readonly plugged: PluggedTwin
  readonly seen: Recognition
  readonly ctx: Context
  readonly log: string[]
  readonly open: () => Promise<Programmer>
}

async function plug(twin: UsbTwin, signal?: AbortSignal): Promise<Bench> {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const plugged = usb.plug(twin)
  const log: string[] = []
  const ctx = new Context({ clock, log: (line) => log.push(line), ...(signal ? { signal } : {}) })
  const [attached] = await new Devices({ usb }, clock).list()
  if (attached?.link !== 'usb') throw new Error('not listed')
  const seen = identity.recognise(attached.seen)
  if (!seen) throw new Error('not recognised')
  return { clock, plugged, seen, ctx, log, open: async () => driver.open(await attached.open(), seen, ctx) }
}

type Variant = Exclude<keyof typeof shelf, 'clone' | 'other'>

async function connect(variant: Variant, dials: Dials = {}, speedHz?: number) {
  const setup = (shelf[variant] satisfies TwinVariant).make(dials)
  const bench = await plug(setup.twin as UsbTwin)
  const programmer = await bench.open()
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  const [way] = programmer.ways
  if (!way) throw new Error('no way')
  return { ...bench, setup, programmer, way, patient: await way.connect(bench.ctx, speedHz) }
}

function memory(patient: Patient, id: MemoryId) {
  const found = patient.memories.find((one) => one.id === id)
  const missing = () => Promise.reject(new Error(`${id} is not there`))
  const length = found?.length ?? 0
  return {
    length,
    read: (ctx: Context, address = 0, count = length): Promise<Uint8Array> =>
      found?.read?.({ address, length: count }, ctx) ?? missing(),
    program: (address: number, bytes: Uint8Array, ctx: Context): Promise<void> =>
      found?.program?.(address, bytes, ctx) ?? missing(),
  }
}

const pattern = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + seed) & 0xff)

const codes = (notices: readonly Notice[]) => notices.map(({ code }) => code)
const fact = ({ facts }: Pick<Programmer, 'facts'>, name: string) =>
  facts.find((one) => one.name === name)?.value

async function failure(work: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await work
    return 'none'
  } catch (error) {
    if (error instanceof FlashError) return (error as FlashError).code
    throw error
  }
}

describe('a whole job', () => {
  it.each([
    ['atmega328p', 'ATmega328P'],
    ['atmega8', 'ATmega8'],
    ['attiny85', 'ATtiny85'],
  ] as const)(
    'reads, erases, writes and reads back all of %s',
    async (variant, chip) => {
      const { patient, ctx, setup } = await connect(variant)
      expect(patient.chip).toBe(chip)
      const flash = memory(patient, 'flash')
      const eeprom = memory(patient, 'eeprom')
      expect(await flash.read(ctx)).toEqual(setup.memory('flash'))
      expect(await eeprom.read(ctx)).toEqual(setup.memory('eeprom'))

      await patient.eraseChip?.run(ctx)
      expect(await flash.read(ctx)).toEqual(blank(flash.length))
      const program = pattern(flash.length, 1)
      const values = pattern(eeprom.length, 2)
      await flash.program(0, program, ctx)
      await eeprom.program(0, values, ctx)
      expect(equal(setup.memory('flash'), program)).toBe(true)
      expect(equal(setup.memory('eeprom'), values)).toBe(true)
      expect(await flash.read(ctx)).toEqual(program)
      expect(await eeprom.read(ctx)).toEqual(values)
    },
    30_000,
  )

  it('writes fuses and lock bits', async () => {
    const { patient, ctx, setup } = await connect('attiny85')
    await memory(patient, 'fuses').program(1, Uint8Array.of(0xd7), ctx)
    await memory(patient, 'lock').program(0, Uint8Array.of(0xfe), ctx)
    expect(setup.memory('fuses')[1]).toBe(0xd7)
    expect(setup.memory('lock')[0]).toBe(0xfe)
  })

  it('crosses 64 KiB and 128 KiB with pages larger than a block', async () => {
    const { patient, ctx, setup } = await connect('atmega328p', { chip: 'ATmega2560' })
    const flash = memory(patient, 'flash')
    for (const address of [0xff00, 0x1ff00]) {
      setup.memory('flash').fill(0xff, address, address + 512)
      const bytes = pattern(512, address >> 8)
      await flash.program(address, bytes, ctx)
      expect(setup.memory('flash').slice(address, address + 512)).toEqual(bytes)
      expect(await flash.read(ctx, address, 512)).toEqual(bytes)
    }
  })

  it('leaves pages alone that hold nothing', async () => {
    const { patient, ctx, plugged } = await connect('attiny13')
    const before = plugged.transfers.count
    await memory(patient, 'flash').program(0, blank(1024), ctx)
    expect(plugged.transfers.count).toBe(before)
  })

  it('tells its progress block by block, with addresses', async () => {
    const { patient, clock } = await connect('attiny13')
    const ranges: unknown[] = []
    const progress = Progress.root(({ range }) => ranges.push(range))
    await memory(patient, 'flash').read(new Context({ clock, progress }))
    expect(ranges).toEqual(
      [0, 200, 400, 600, 800, 1000].map((address) => ({ address, length: Math.min(200, 1024 - address) })),
    )
  })
})

describe.each(twinVersions)('firmware %s', (version) => {
  it('reads and writes an ATmega8', async () => {
    const { patient, ctx, setup } = await connect('atmega8', { version, targetHz: 8_000_000 })
    const flash = memory(patient, 'flash')
    await patient.eraseChip?.run(ctx)
    const program = pattern(1024, 3)
    await flash.program(0, program, ctx)
    expect(await flash.read(ctx, 0, 1024)).toEqual(program)
    expect(setup.memory('flash').slice(0, 1024)).toEqual(program)
  })

  it('reaches a target of 1 MHz, unless it is older than 2009 and knows one speed only', async () => {
    const connecting = connect('atmega8', { version, targetHz: 1_000_000 })
    expect(await failure(connecting)).toBe(
      ['1.00', '1.02 (2007)'].includes(version) ? 'target-missing' : 'none',
    )
  })

  it(
    'tells the second 64 KiB of an ATmega1284P from the first, and writes them',
    { timeout: 60_000 },
    async () => {
      const dials = { chip: 'ATmega1284P', version, targetHz: 16_000_000 }
      const { patient, ctx, setup } = await connect('atmega328p', dials)
      const flash = memory(patient, 'flash')
      await patient.eraseChip?.run(ctx)
      const [low, high] = [pattern(256, 4), pattern(256, 5)]
      await flash.program(0, low, ctx)
      await flash.program(0x1_0000, high, ctx)
      expect(setup.memory('flash').slice(0, 256)).toEqual(low)
      expect(setup.memory('flash').slice(0x1_0000, 0x1_0100)).toEqual(high)
      expect(await flash.read(ctx, 0, 256)).toEqual(low)
      expect(await flash.read(ctx, 0x1_0000, 256)).toEqual(high)
    },
  )

  it('says in seconds that there is no target', async () => {
    const setup = shelf.atmega8.make({ version, noTarget: true })
    const { open, ctx, clock } = await plug(setup.twin as UsbTwin)
    await using programmer = await open()
    const before = clock.now()
    expect(await failure(programmer.ways[0]?.connect(ctx) ?? Promise.resolve())).toBe('target-missing')
    expect(clock.now() - before).toBeLessThan(3000)
  })
})

it.each([
  ['1.04', 7, 'auto: no answer'],
  ['1.10', 1, 'auto (all speeds): no answer'],
])('%s tells only speeds as tried at which something was sent', async (version, count, first) => {
  const setup = shelf.atmega8.make({ version, noTarget: true })
  const { open, ctx } = await plug(setup.twin as UsbTwin)
  await using programmer = await open()
  const error: unknown = await programmer.ways[0]?.connect(ctx).catch((error: unknown) => error)
  expect(isFlashError(error, 'target-missing') && error.detail.tried).toHaveLength(count)
  expect(isFlashError(error, 'target-missing') && error.detail.tried[0]).toBe(first)
})

describe('facts', () => {
  it.each([
    ['1.02', undefined, ['clone-firmware']],
    ['1.03', undefined, []],
    ['1.04', 'TPI', []],
    ['1.07', 'TPI', []],
    ['1.10', 'TPI, HID UART', []],
  ])('of %s: capabilities %s, notices %o', async (version, capabilities, notices) => {
    const { programmer } = await connect('attiny13', { version })
    expect(fact(programmer, 'firmware-version')).toBe(version)
    expect(fact(programmer, 'manufacturer')).toBe('www.fischl.de')
    expect(fact(programmer, 'product')).toBe('USBasp')
    expect(fact(programmer, 'serial')).toBe(version === '1.10' ? '0001' : undefined)
    expect(fact(programmer, 'capabilities')).toBe(capabilities)
    expect(codes(programmer.notices)).toEqual(notices)
    expect(fact(programmer, 'mode')).toBe('application')
  })

  it.each([
    ['1.02', undefined],
    ['1.04', 1_500_000],
    ['1.07', 3_000_000],
  ])('fastest speed that %s offers: %s Hz', async (version, hz) => {
    const { way } = await connect('attiny13', { version })
    expect(way.speedsHz[0]).toBe(hz)
  })
})

describe('speed', () => {
  it('1.04 needs a slower clock for a target of 1 MHz, and that is said', async () => {
    const { patient } = await connect('atmega8', { targetHz: 1_000_000 })
    expect(codes(patient.notices)).toEqual(['slow-sck-used'])
  })

  it('a page that stands still for a second does not hide the slower clocks of 1.04', async () => {
    const { open, ctx, plugged, clock } = await plug(
      shelf.atmega8.make({ targetHz: 1_000_000 }).twin as UsbTwin,
    )
    let stoodMs = 0
    plugged.onTransfer = () => (stoodMs += 1000)
    const late = {
      now: () => clock.now() + stoodMs,
      after: clock.after.bind(clock),
      sleep: clock.sleep.bind(clock),
    }
    await using programmer = await open()
    const patient = await programmer.ways[0]?.connect(new Context({ clock: late, log: ctx.log }))
    expect(patient?.chip).toBe('ATmega8')
    await patient?.[Symbol.asyncDispose]()
  })

  it('below 10 kHz blocks are short', async () => {
    const { patient, ctx, plugged, setup } = await connect('attiny13', { targetHz: 32_000 }, 4000)
    const before = plugged.transfers.count
    expect(await memory(patient, 'flash').read(ctx, 0, 100)).toEqual(setup.memory('flash').slice(0, 100))
    expect(plugged.transfers.count - before).toBe(5 * 2)
    await patient.eraseChip?.run(ctx)
    const bytes = pattern(64, 9)
    await memory(patient, 'flash').program(32, bytes, ctx)
    expect(setup.memory('flash').slice(32, 96)).toEqual(bytes)
  })

  it.each([16_000, 4000])(
    '1.10, which slows down by itself, reads and writes a target of %i Hz',
    async (targetHz) => {
      const { patient, ctx, plugged, setup } = await connect('attiny13', { version: '1.10', targetHz })
      const before = plugged.transfers.count
      expect(await memory(patient, 'flash').read(ctx, 0, 200)).toEqual(setup.memory('flash').slice(0, 200))
      expect(plugged.transfers.count - before).toBe(10 * 2)
      await patient.eraseChip?.run(ctx)
      const bytes = pattern(64, 9)
      await memory(patient, 'flash').program(32, bytes, ctx)
      expect(setup.memory('flash').slice(32, 96)).toEqual(bytes)
    },
  )

  it('a speed that is asked for is not changed when it fails', async () => {
    const { open, ctx } = await plug(shelf.atmega8.make({ targetHz: 1_000_000 }).twin as UsbTwin)
    await using programmer = await open()
    const connecting = programmer.ways[0]?.connect(ctx, 750_000) ?? Promise.resolve()
    expect(await failure(connecting)).toBe('target-missing')
  })
})

it('a locked chip is known as such, and can be erased and written', async () => {
  const { patient, ctx, setup, way } = await connect('atmega8', { locked: true })
  expect(patient.unreadable).toEqual([
    { memory: 'flash', reason: 'read-protected' },
    { memory: 'eeprom', reason: 'read-protected' },
  ])
  await patient.eraseChip?.run(ctx)
  await patient[Symbol.asyncDispose]()
  const after = await way.connect(ctx)
  expect(after.unreadable).toEqual([])
  await memory(after, 'flash').program(0, pattern(64, 4), ctx)
  expect(setup.memory('flash').slice(0, 64)).toEqual(pattern(64, 4))
})

describe('when something goes wrong', () => {
  it.each([
    ['stalled', { stallAt: 3 }, 'stalled'],
    ['one byte short', { shortAt: 4 }, 'short-transfer'],
    ['never answered', { hangAt: 3 }, 'timeout'],
    ['cut off by unplugging', { unplugAt: 3 }, 'device-gone'],
  ] as const)('a transfer that is %s is reported as such', async (_, faults, code) => {
    const { patient, ctx, plugged, programmer } = await connect('attiny13')
    plugged.faults = faults
    expect(await failure(memory(patient, 'flash').read(ctx))).toBe(code)
    plugged.faults = {}
    await patient[Symbol.asyncDispose]()
    await programmer[Symbol.asyncDispose]()
  })

  it('capabilities that come short are an error, not another firmware', async () => {
    const { open, plugged } = await plug(shelf.attiny13.make().twin as UsbTwin)
    plugged.faults = { shortAt: 1 }
    expect(await failure(open())).toBe('short-transfer')
  })

  it.each([{ stallAt: 5 }, { shortAt: 4 }, { hangAt: 5 }])('after %o the next try works', async (faults) => {
    const { patient, ctx, plugged, way, setup } = await connect('attiny13')
    plugged.faults = faults
    expect(await failure(memory(patient, 'flash').read(ctx))).not.toBe('none')
    await patient[Symbol.asyncDispose]()
    const again = await way.connect(ctx)
    expect(await memory(again, 'flash').read(ctx)).toEqual(setup.memory('flash'))
  })

  it('a firmware that restarted is found again by a port reset', async () => {
    const setup = shelf.attiny13.make({ version: '1.04' })
    const { open, ctx } = await plug(setup.twin as UsbTwin)
    await using programmer = await open()
    // a foreign program asks in the wrong order
    const setupPacket = { requestType: 0xc0, request: Request.Transmit, value: 0, index: 0, length: 4 }
    expect(await (setup.twin as UsbTwin).control(setupPacket, new Uint8Array())).toBe('broken')
    const connecting = () => programmer.ways[0]?.connect(ctx) ?? Promise.resolve(undefined)
    expect(await failure(connecting())).toBe('transfer-failed')
    expect((await connecting())?.chip).toBe('ATtiny13')
  })

  it('cancel stops at a block, and the target is let go', async () => {
    const { signal, cancel } = cancelSource()
    const setup = shelf.atmega328p.make()
    const { open, ctx, clock, plugged } = await plug(setup.twin as UsbTwin, signal)
    await using programmer = await open()
    const patient = await programmer.ways[0]?.connect(ctx)
    if (!patient) throw new Error('no patient')
    const progress = Progress.root(({ done }) => {
      if (done >= 1000) cancel()
    })
    const reading = memory(patient, 'flash').read(new Context({ clock, signal, progress }))
    expect(await failure(reading)).toBe('cancelled')
    expect(plugged.transfers.bytesIn).toBeLessThan(2000)
    await patient[Symbol.asyncDispose]()
  })
})

describe('what only looks like one', () => {
  it('a stranger with the shared id is refused before anything is sent to its pins', async () => {
    const { open, seen, plugged } = await plug(shelf.other.make().twin as UsbTwin)
    expect(seen.confidence).toBe('possible')
    expect(await failure(open())).toBe('wrong-device')
    expect(plugged.transfers.control).toBe(2)
  })

  it('the HID clone is not offered for use', async () => {
    const { seen } = await plug(shelf.clone.make().twin as UsbTwin)
    expect(seen.usable).toBe(false)
  })

  it('a boot loader with the ids of 1.02 is refused, because its answers are made up', async () => {
    const answers: Readonly<Record<number, readonly number[]>> = {
      [Request.SetIspSck]: [0],
      [Request.EnableProg]: [0],
      [Request.Transmit]: [0, 0, 0, 0x1e],
    }
    const loader: UsbTwin = {
      link: 'usb',
      speed: 'low',
      descriptors: describeVersion('1.02'),
      plugged: () => undefined,
      reset: () => undefined,
      control: ({ request }) => Promise.resolve(Uint8Array.from(answers[request] ?? [])),
    }
    const { open, ctx } = await plug(loader)
    await using programmer = await open()
    expect(programmer.notices).toContainEqual({ code: 'maybe-usbasploader', level: 'warning' })
    const connecting = programmer.ways[0]?.connect(ctx) ?? Promise.resolve()
    expect(await failure(connecting)).toBe('device-refused')
  })
})

describe('a USBasp as patient', () => {
  const image = (version: string, chip: string) =>
    practiceFirmware.find((one) => one.version === version && one.chip === chip)?.build()[0]?.bytes ??
    blank(0)
  const versionBySelf = async (setup: TwinSetup): Promise<string | undefined> => {
    const twin = setup.byItself?.()
    return twin && fact((await plug(twin as UsbTwin)).seen, 'firmware-version')
  }

  it('is updated over its self-programming jumper, and shows the new version by itself', async () => {
    const { patient, ctx, setup } = await connect('pair')
    expect(await versionBySelf(setup)).toBe('1.03')
    await patient.eraseChip?.run(ctx)
    expect(setup.byItself?.()).toBeUndefined()
    const flash = memory(patient, 'flash')
    const wanted = blank(8192)
    wanted.set(image('1.10', 'ATmega8'))
    await flash.program(0, wanted.subarray(0, 4096), ctx)
    expect(setup.byItself?.()).toBeUndefined()
    await flash.program(4096, wanted.subarray(4096), ctx)
    expect(await versionBySelf(setup)).toBe('1.10')
  })

  it('stays dark with an image for another chip', async () => {
    const { patient, ctx, setup } = await connect('pair')
    await patient.eraseChip?.run(ctx)
    const wanted = blank(8192)
    wanted.set(image('1.10', 'ATmega88'))
    await memory(patient, 'flash').program(0, wanted, ctx)
    expect(setup.byItself?.()).toBeUndefined()
  })

  it('stays dark without its crystal', async () => {
    const { patient, ctx, setup } = await connect('pair')
    await memory(patient, 'fuses').program(0, Uint8Array.of(0xe1), ctx)
    expect(setup.byItself?.()).toBeUndefined()
  })

  it.each(['ATmega88', 'ATmega48'])('may be an %s as well', async (chip) => {
    const { patient, setup } = await connect('pair', { chip })
    expect(patient.chip).toBe(chip)
    expect(await versionBySelf(setup)).toBe(chip === 'ATmega48' ? '1.03' : undefined)
  })
})
