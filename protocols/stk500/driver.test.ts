import { describe, expect, test } from 'vitest'
import { equal } from '#core/bytes.ts'
import { cancelSource, Context } from '#core/context.ts'
import type { ErrorCode } from '#core/errors.ts'
import type { Memory, MemoryId, Patient, Programmer } from '#core/programmer.ts'
import { Progress } from '#core/progress.ts'
import { findAvrPart } from '#chips/avr-parts.ts'
import { TwinAvr } from '#bench/twin-avr.ts'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import type { Dials, SerialTwin, WireFaults } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Devices } from '#transport/devices.ts'
import driver from './driver.ts'
import identity from './identity.ts'
import { TwinBoard } from './twin-board.ts'
import { atmegaBoot } from './twin-loaders.ts'
import shelf from './twin.ts'

type Variant = keyof typeof shelf

/** A board on the bench, plugged in for a while already, through the whole transport. */
async function bench(what: Variant | SerialTwin, dials?: Dials) {
  const clock = new VirtualClock()
  const setup =
    typeof what === 'string' ? shelf[what].make(dials) : { twin: what, memory: () => new Uint8Array() }
  const { twin } = setup
  if (twin.link !== 'serial') throw new Error('not a serial twin')
  const serial = new TwinSerialBus({ clock, granted: true })
  const plugged = serial.plug(twin)
  const devices = new Devices({ serial }, clock)
  await clock.sleep(3000)
  const ctx = new Context({ clock })
  const open = async (): Promise<Programmer> => {
    const [attached] = await devices.list()
    if (attached?.link !== 'serial') throw new Error('no serial port')
    const recognition = identity.recognise(attached.seen)
    if (!recognition) throw new Error('not recognised')
    return driver.open(attached, recognition, ctx)
  }
  return { clock, plugged, ctx, open, memory: (id: MemoryId) => setup.memory(id) }
}

function wayOf(programmer: Programmer, to: 'itself' | 'target') {
  const way = programmer.ways.find((one) => one.to === to)
  if (!way) throw new Error(`no way to ${to}`)
  return way
}

function memoryOf(patient: Patient, id: MemoryId) {
  const memory = patient.memories.find((one) => one.id === id)
  if (!memory) throw new Error(`no ${id}`)
  if (!memory.read || !memory.program) throw new Error(`${id} cannot be read or written`)
  return { ...memory, read: memory.read.bind(memory), program: memory.program.bind(memory) }
}

const whole = ({ address, length }: Pick<Memory, 'address' | 'length'>) => ({ address, length })
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 37) ^ (i >> 8) ^ 0x5a)
const factOf = (source: Programmer | Patient, name: string) =>
  source.facts.find((fact) => fact.name === name)?.value

describe('finding out what is there', () => {
  test.each([
    ['uno', '115200', 'Optiboot 4.4', 'ATmega328P'],
    ['uno-optiboot8', '115200', 'Optiboot 8.3', 'ATmega328P'],
    ['nano-old', '57600', 'ATmegaBOOT', 'ATmega328P'],
    ['diecimila', '19200', 'ATmegaBOOT', 'ATmega168'],
    ['optiboot-atmega8', '115200', 'Optiboot 4.4', 'ATmega8'],
  ] as const)('%s answers at %s baud as %s', async (variant, baud, loader, chip) => {
    const { open, clock } = await bench(variant)
    const before = clock.now()
    await using programmer = await open()
    expect(clock.now() - before).toBeLessThan(3200)
    expect(factOf(programmer, 'baud')).toBe(baud)
    expect(factOf(programmer, 'bootloader')).toBe(loader)
    expect(factOf(programmer, 'chip')).toBe(chip)
    expect(factOf(programmer, 'mode')).toBe('bootloader')
    expect(programmer.ways.map(({ to, by }) => [to, by])).toEqual([['itself', 'bootloader']])
  })

  test('very old firmware is told as far as it says what it is', async () => {
    const { open } = await bench('uno', { version: '1.02' })
    await using board = await open()
    expect(factOf(board, 'bootloader')).toBe('Optiboot')
    const { open: openIsp } = await bench('arduino-isp-atmega8', { version: '1.02' })
    await using programmer = await openIsp()
    expect(factOf(programmer, 'firmware-version')).toBe('1.2')
  })

  test('an Arduino with ArduinoISP is a programmer, and a board with a boot loader too', async () => {
    const { open, clock } = await bench('arduino-isp-atmega8')
    const before = clock.now()
    await using programmer = await open()
    expect(clock.now() - before).toBeLessThan(2500)
    expect(factOf(programmer, 'firmware')).toBe('ArduinoISP')
    expect(factOf(programmer, 'mode')).toBe('application')
    expect(factOf(programmer, 'firmware-version')).toBe('1.18')
    expect(programmer.ways.map(({ to }) => to)).toEqual(['target', 'itself'])
    expect(programmer.notices).toMatchObject([{ code: 'no-sck-choice', values: { fixed: 'sketch' } }])
  })

  test('a capacitor that keeps the sketch running does not matter', async () => {
    const { twin } = shelf['arduino-isp-atmega8'].make()
    if (twin.link !== 'serial') throw new Error('not a serial twin')
    twin.signals = () => undefined
    const { open, ctx } = await bench(twin)
    await using programmer = await open()
    expect(programmer.ways.map(({ to }) => to)).toEqual(['target'])
    await using patient = await wayOf(programmer, 'target').connect(ctx)
    expect(patient.chip).toBe('ATmega8')
  })

  test('nor does a bridge that refuses to drive its signals', async () => {
    const { twin } = shelf['arduino-isp-atmega8'].make()
    if (twin.link !== 'serial') throw new Error('not a serial twin')
    const { open } = await bench(Object.assign(twin, { refusesSignals: true }))
    await using programmer = await open()
    expect(factOf(programmer, 'firmware')).toBe('ArduinoISP')
  })

  const part = findAvrPart([0x1e, 0x95, 0x0f])
  if (!part) throw new Error('no ATmega328P')
  const boardWith = (options: Partial<ConstructorParameters<typeof TwinBoard>[0]>) =>
    new TwinBoard({
      usb: { vendorId: 0x1a86, productId: 0x7523 },
      bridge: 'ch340',
      chip: new TwinAvr(part),
      loader: () => Promise.resolve(),
      ...options,
    })

  test('silence is reported with what was tried, within ten seconds', async () => {
    const { open, clock } = await bench(boardWith({}))
    const before = clock.now()
    await expect(open()).rejects.toMatchObject({
      code: 'device-silent',
      detail: {
        tried: ['GET_SYNC at 115200 baud', 'GET_SYNC at 57600 baud', 'GET_SYNC at 19200 baud'],
      },
    })
    expect(clock.now() - before).toBeLessThan(10_000)
  })

  test('an application that talks all the time is silent in this language', async () => {
    const chatter = boardWith({
      application: () => async (cpu) => {
        cpu.listen(115_200, { bytes: 3, loses: 'last' })
        for (let i = 0; i < 1000; i++) {
          await cpu.work(20)
          cpu.send(...new TextEncoder().encode('Hello, world!\r\n'))
        }
      },
    })
    const { open } = await bench(chatter)
    await expect(open()).rejects.toMatchObject({ code: 'device-silent' })
  })

  test('a chip that is not known is reported by its signature', async () => {
    const chip = new TwinAvr({ ...part, signature: [0x1e, 0x99, 0x99] })
    const { open, ctx } = await bench(
      boardWith({ chip, loader: atmegaBoot({ baud: 57_600, bootStart: 0x7800 }) }),
    )
    await using programmer = await open()
    await expect(wayOf(programmer, 'itself').connect(ctx)).rejects.toMatchObject({
      code: 'target-unknown',
      detail: { signature: '1e 99 99' },
    })
  })

  test('the port is released after a failure, so that one can try again', async () => {
    const { open, plugged } = await bench('uno')
    plugged.faults = { hangAt: 2 }
    await expect(open()).rejects.toMatchObject({ code: 'timeout' })
    plugged.faults = {}
    await using programmer = await open()
    expect(factOf(programmer, 'bootloader')).toBe('Optiboot 4.4')
  })
})

describe('a board flashed by its boot loader', () => {
  test('says what it has and what cannot be had this way', async () => {
    const { open, ctx } = await bench('uno')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    expect(patient.kind).toBe('avr:1e950f')
    expect(patient.unreadable).toEqual(
      (['fuses', 'lock', 'eeprom'] as const).map((memory) => ({ memory, reason: 'not-through-this-way' })),
    )
    expect(memoryOf(patient, 'flash')).toMatchObject({
      length: 32_768,
      pageBytes: 128,
      write: 'overwrite',
      reserved: [{ address: 0x7e00, length: 512, why: 'bootloader' }],
    })
    expect(patient.notices.map(({ code }) => code)).toEqual(['bootloader-no-fuses'])
  })

  test.each(['uno', 'uno-optiboot8', 'nano-old', 'diecimila', 'optiboot-atmega8'] as const)(
    '%s: the flash is read whole, pages are written and nothing else changes',
    async (variant) => {
      const { open, ctx, memory } = await bench(variant)
      await using programmer = await open()
      await using patient = await wayOf(programmer, 'itself').connect(ctx)
      const flash = memoryOf(patient, 'flash')
      const before = memory('flash').slice()
      expect(equal(await flash.read(whole(flash), ctx), before)).toBe(true)

      const bytes = pattern(3 * flash.pageBytes)
      await flash.program(5 * flash.pageBytes, bytes, ctx)
      const expected = before.slice()
      expected.set(bytes, 5 * flash.pageBytes)
      expect(equal(memory('flash'), expected)).toBe(true)
      const read = await flash.read({ address: 5 * flash.pageBytes + 3, length: 200 }, ctx)
      expect(equal(read, expected.subarray(5 * flash.pageBytes + 3).subarray(0, 200))).toBe(true)
    },
  )

  test('progress says each page once', async () => {
    const { open, ctx } = await bench('uno')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    const flash = memoryOf(patient, 'flash')
    const ranges: unknown[] = []
    const progress = Progress.root(({ range }) => ranges.push(range))
    await flash.program(0x100, pattern(256), ctx.under(progress))
    await flash.read({ address: 0x100, length: 200 }, ctx.under(progress))
    expect(ranges).toEqual([
      { address: 0x100, length: 128 },
      { address: 0x180, length: 128 },
      { address: 0x100, length: 128 },
      { address: 0x180, length: 72 },
    ])
  })

  test('its boot loader is never written, nor a part of a page', async () => {
    const { open, ctx, memory } = await bench('uno')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    const flash = memoryOf(patient, 'flash')
    const before = memory('flash').slice()
    await expect(flash.program(0x7d80, pattern(256), ctx)).rejects.toMatchObject({ code: 'write-protected' })
    await expect(flash.program(0, pattern(100), ctx)).rejects.toMatchObject({ code: 'bug' })
    expect(equal(memory('flash'), before)).toBe(true)
  })

  test('the old loader gives the EEPROM too', async () => {
    const { open, ctx, memory } = await bench('nano-old')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    expect(patient.unreadable.map((one) => one.memory)).toEqual(['fuses', 'lock'])
    const eeprom = memoryOf(patient, 'eeprom')
    expect(equal(await eeprom.read(whole(eeprom), ctx), memory('eeprom'))).toBe(true)
    await eeprom.program(100, pattern(80), ctx)
    expect(equal(memory('eeprom').subarray(100, 180), pattern(80))).toBe(true)
  })

  test('a loader that has gone meanwhile is called back', async () => {
    const { open, ctx, clock, memory } = await bench('uno')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    const flash = memoryOf(patient, 'flash')
    await clock.sleep(60_000)
    await flash.program(0, pattern(128), ctx)
    await clock.sleep(60_000)
    expect(equal(await flash.read({ address: 0, length: 128 }, ctx), pattern(128))).toBe(true)
    expect(equal(memory('flash').subarray(0, 128), pattern(128))).toBe(true)
  })

  test('a cancel is heard between two pages, and the board is as good as before', async () => {
    const { open, ctx, clock, memory } = await bench('uno')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    const flash = memoryOf(patient, 'flash')
    const { signal, cancel } = cancelSource()
    const progress = Progress.root(() => {
      cancel()
    })
    const cancelled = new Context({ clock, signal, progress })
    await expect(flash.program(0, pattern(1024), cancelled)).rejects.toMatchObject({ code: 'cancelled' })
    expect(equal(memory('flash').subarray(0, 128), pattern(1024).subarray(0, 128))).toBe(true)
    await flash.program(0, pattern(1024), ctx)
    expect(equal(memory('flash').subarray(0, 1024), pattern(1024))).toBe(true)
  })
})

describe('a target behind ArduinoISP', () => {
  test('is erased, written and read back through the sketch', async () => {
    const { open, ctx, memory } = await bench('arduino-isp-atmega328p')
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'target').connect(ctx)
    expect(patient.chip).toBe('ATmega328P')
    const flash = memoryOf(patient, 'flash')
    await patient.eraseChip?.run(ctx)
    await flash.program(0x7f00, pattern(256), ctx)
    expect(equal(memory('flash').subarray(0x7f00), pattern(256))).toBe(true)
    const read = await flash.read({ address: 0x7f05, length: 250 }, ctx)
    expect(equal(read, pattern(256).subarray(5, 255))).toBe(true)
    const eeprom = memoryOf(patient, 'eeprom')
    await eeprom.program(4, pattern(40), ctx)
    expect(equal(memory('eeprom').subarray(4, 44), pattern(40))).toBe(true)
    expect(equal(await eeprom.read({ address: 3, length: 42 }, ctx), memory('eeprom').subarray(3, 45))).toBe(
      true,
    )
    await memoryOf(patient, 'fuses').program(0, Uint8Array.of(0xff, 0xde, 0xfd), ctx)
    expect([...memory('fuses')]).toEqual([0xff, 0xde, 0xfd])
  })

  test('above 128 KiB the right bank is written', async () => {
    const { open, ctx, memory } = await bench('arduino-isp-atmega328p', { chip: 'ATmega2560' })
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'target').connect(ctx)
    const flash = memoryOf(patient, 'flash')
    await flash.program(0x1_ff00, pattern(512), ctx)
    expect(equal(memory('flash').subarray(0x1_ff00, 0x2_0100), pattern(512))).toBe(true)
    expect(equal(await flash.read({ address: 0x1_ff00, length: 512 }, ctx), pattern(512))).toBe(true)
  })

  test('both ways can be gone one after the other', async () => {
    const { open, ctx } = await bench('arduino-isp-attiny85')
    await using programmer = await open()
    for (const [to, chip] of [
      ['target', 'ATtiny85'],
      ['itself', 'ATmega328P'],
      ['target', 'ATtiny85'],
      ['target', 'ATtiny85'],
    ] as const) {
      await using patient = await wayOf(programmer, to).connect(ctx)
      expect(patient.chip).toBe(chip)
    }
  })

  test.each([
    [{ noTarget: true }, 'target-missing'],
    [{ targetHz: 128_000 }, 'target-missing'],
  ] as const)('%o is reported as %s', async (dials, code) => {
    const { open, ctx } = await bench('arduino-isp-atmega8', dials)
    await using programmer = await open()
    await expect(wayOf(programmer, 'target').connect(ctx)).rejects.toMatchObject({ code })
  })

  test('a locked chip is told before anything is read', async () => {
    const { open, ctx } = await bench('arduino-isp-atmega8', { locked: true })
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'target').connect(ctx)
    expect(patient.unreadable.map(({ memory }) => memory)).toEqual(['flash', 'eeprom'])
  })
})

test.each(['stallAt', 'shortAt'] as const)(
  '%s: a block of a chip behind ArduinoISP whose answer is lost is read again',
  async (fault) => {
    for (let n = 1; ; n++) {
      const { open, ctx, plugged, memory } = await bench('arduino-isp-attiny85')
      await using programmer = await open()
      await using patient = await wayOf(programmer, 'target').connect(ctx)
      const flash = memoryOf(patient, 'flash')
      const before = plugged.transfers.writes
      plugged.faults = { [fault]: n }
      const read = await flash.read({ address: 0, length: 1024 }, ctx)
      expect(read, `write ${String(n)}`).toEqual(memory('flash').slice(0, 1024))
      if (plugged.transfers.writes - before < n) break
    }
  },
)

/** Errors that may come of a disturbed line; above all not `bug`, and nothing that hangs. */
const expected: readonly ErrorCode[] = [
  'timeout',
  'device-refused',
  'unexpected-answer',
  'device-silent',
  'target-missing',
  'target-unknown',
  'target-changed',
  'transfer-failed',
]

describe('a board on a bad line', () => {
  const variant = 'uno'

  /** Open, connect, write two pages and read them back. */
  async function work({ open, ctx }: Awaited<ReturnType<typeof bench>>) {
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    const flash = memoryOf(patient, 'flash')
    await flash.program(0, pattern(2 * flash.pageBytes), ctx)
    return await flash.read({ address: 0, length: 2 * flash.pageBytes }, ctx)
  }

  async function countWrites(): Promise<number> {
    const on = await bench(variant)
    await work(on)
    return on.plugged.transfers.writes
  }

  test.each(['stallAt', 'shortAt'] as const)(
    '%s: one lost answer is asked for again, from the first GET_SYNC on',
    async (fault: keyof WireFaults) => {
      const writes = await countWrites()
      for (let n = 1; n <= writes; n++) {
        const on = await bench(variant)
        on.plugged.faults = { [fault]: n }
        const read = await work(on)
        expect(equal(read, pattern(read.length)), `${fault} ${String(n)}`).toBe(true)
      }
    },
  )

  test('hangAt: at every write an honest error or the right result, and the next try works', async () => {
    const on = await bench(variant)
    const writes = await countWrites()
    for (let n = 1; n <= writes; n++) {
      on.plugged.faults = { hangAt: n }
      await work(on).then(
        (read) => expect(equal(read, pattern(read.length)), `write ${String(n)}`).toBe(true),
        (error: unknown) =>
          expect(expected, `write ${String(n)}: ${String(error)}`).toContain(
            (error as { code?: string }).code,
          ),
      )
    }
    on.plugged.faults = {}
    const read = await work(on)
    expect(equal(read, pattern(read.length))).toBe(true)
  })

  test.each(['stallAt', 'shortAt'] as const)(
    '%s: a block whose answer is lost is sent again, wherever that happens',
    async (fault) => {
      for (let n = 1; ; n++) {
        const { open, ctx, plugged, memory } = await bench(variant)
        await using programmer = await open()
        await using patient = await wayOf(programmer, 'itself').connect(ctx)
        const flash = memoryOf(patient, 'flash')
        const bytes = pattern(2 * flash.pageBytes)
        const before = plugged.transfers.writes
        plugged.faults = { [fault]: n }
        await flash.program(0, bytes, ctx)
        expect(await flash.read({ address: 0, length: bytes.length }, ctx), `write ${String(n)}`).toEqual(
          bytes,
        )
        expect(memory('flash').subarray(0, bytes.length)).toEqual(bytes)
        if (plugged.transfers.writes - before < n) break
      }
    },
  )

  test('a board that falls silent in the middle is reported within ten seconds', async () => {
    const { twin } = shelf.uno.make()
    if (twin.link !== 'serial') throw new Error('not a serial twin')
    const { open, ctx, clock } = await bench(twin)
    await using programmer = await open()
    await using patient = await wayOf(programmer, 'itself').connect(ctx)
    twin.receive = () => undefined
    const from = clock.now()
    await expect(memoryOf(patient, 'flash').read({ address: 0, length: 128 }, ctx)).rejects.toMatchObject({
      code: 'device-silent',
    })
    expect(clock.now() - from).toBeLessThan(10_000)
  })

  test('unplugged at every write it says so, and works again when it is plugged in', async () => {
    const on = await bench(variant)
    const writes = await countWrites()
    for (let n = 1; n < writes; n++) {
      on.plugged.faults = { unplugAt: n }
      await expect(work(on), `write ${String(n)}`).rejects.toMatchObject({ code: 'device-gone' })
      await on.plugged.replug()
      await on.clock.sleep(2000)
    }
    on.plugged.faults = {}
    const read = await work(on)
    expect(equal(read, pattern(read.length))).toBe(true)
  })
})
