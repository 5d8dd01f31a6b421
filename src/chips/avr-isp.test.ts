import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TwinAvr, type TwinAvrOptions } from '#bench/twin-avr.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { cancelSource, Context, type Phase } from '#core/context.ts'
import type { Memory, MemoryId, Patient } from '#core/programmer.ts'
import { Progress, type ProgressEvent } from '#core/progress.ts'
import { connectAvr } from './avr-isp.ts'
import { avrPartByName, type AvrPart } from './avr-parts.ts'
import type { Instruction, IspMaster } from './isp-master.ts'

function partOf(name: string): AvrPart {
  const part = avrPartByName(name)
  if (!part) throw new Error(`no ${name}`)
  return part
}

/** The plainest programmer: four bytes at a time, and the chip on its wires. */
class WireMaster implements IspMaster {
  readonly speedsHz: readonly number[] = [
    1_500_000, 750_000, 375_000, 187_500, 93_750, 32_000, 16_000, 8000, 4000, 1000,
  ]
  readonly chip: TwinAvr
  readonly executed: string[] = []
  readonly tried: (number | undefined)[] = []
  entered = false
  prepared: AvrPart | undefined
  #sckHz = 0
  constructor(chip: TwinAvr) {
    this.chip = chip
  }
  async enter(speedHz: number | undefined, ctx: Context): Promise<boolean> {
    this.tried.push(speedHz)
    this.#sckHz = speedHz ?? 375_000
    this.entered = true
    this.chip.reset(false)
    await ctx.sleep(1)
    this.chip.reset(true)
    await ctx.sleep(20)
    return this.#shift([0xac, 0x53, 0, 0])[2] === 0x53
  }
  execute(instruction: Instruction): Promise<number> {
    this.executed.push(instruction.map((byte) => byte.toString(16).padStart(2, '0')).join(' '))
    return Promise.resolve(this.#shift(instruction)[3])
  }
  leave(): Promise<void> {
    this.entered = false
    this.chip.reset(false)
    return Promise.resolve()
  }
  prepare(part: AvrPart): Promise<void> {
    this.prepared = part
    return Promise.resolve()
  }
  #shift(bytes: Instruction): Instruction {
    const [a, b, c, d] = bytes.map((byte) => this.chip.shift(byte, this.#sckHz))
    return [a ?? 0, b ?? 0, c ?? 0, d ?? 0]
  }
  count = (opcode: string) => this.executed.filter((instruction) => instruction.startsWith(opcode)).length
}

function bench(name: string, options: TwinAvrOptions = {}) {
  const clock = new VirtualClock()
  const chip = new TwinAvr(partOf(name), { clock, ...options })
  const events: ProgressEvent[] = []
  const phases: Phase[] = []
  const { signal, cancel } = cancelSource()
  const ctx = new Context({
    clock,
    signal,
    progress: Progress.root((event) => events.push(event)),
    onPhase: (phase) => phases.push(phase),
  })
  return { clock, chip, ctx, events, phases, cancel, master: new WireMaster(chip) }
}

function memoryOf(patient: Patient, id: MemoryId): Memory {
  const memory = patient.memories.find((m) => m.id === id)
  if (!memory) throw new Error(`no ${id}`)
  return memory
}

async function read(patient: Patient, id: MemoryId, ctx: Context, address = 0, length?: number) {
  const memory = memoryOf(patient, id)
  if (!memory.read) throw new Error(`${id} cannot be read`)
  return memory.read({ address, length: length ?? memory.length }, ctx)
}

async function program(
  patient: Patient,
  id: MemoryId,
  ctx: Context,
  address: number,
  bytes: readonly number[] | Uint8Array,
) {
  await memoryOf(patient, id).program?.(address, Uint8Array.from(bytes), ctx)
}

const fact = (patient: Patient, name: string) => patient.facts.find((f) => f.name === name)?.value

/** Bytes that repeat with no power of two, so that a wrong address shows. */
const pattern = (length: number, step = 37) =>
  Uint8Array.from({ length }, (_, i) => (i * step + (i >> 8) * 11) & 0xff)

describe('finding the chip', () => {
  test('its facts are what it holds', async () => {
    const { master, ctx } = bench('ATmega328P', { fuses: Uint8Array.of(0xff, 0xde, 0xfd), lock: 0xcf })
    const patient = await connectAvr(master, ctx)
    expect(patient.kind).toBe('avr:1e950f')
    expect(patient.chip).toBe('ATmega328P')
    expect(Object.fromEntries(patient.facts.map(({ name, value }) => [name, value]))).toEqual({
      chip: 'ATmega328P',
      signature: '1e 95 0f',
      fuses: 'ff de fd',
      lock: 'cf',
      calibration: 'b1',
      bootloader: '0x7e00',
    })
    expect(patient.notices).toEqual([])
    expect(master.prepared?.name).toBe('ATmega328P')
  })

  test('a chip at 1 MHz is found by slowing down, and the user is told', async () => {
    const { master, ctx } = bench('ATmega8', { dials: { targetHz: 1_000_000 } })
    const patient = await connectAvr(master, ctx)
    expect(master.tried).toEqual([undefined, 375_000, 187_500])
    expect(fact(patient, 'speed')).toBe('187.5 kHz')
    expect(patient.notices).toEqual([
      { code: 'slow-sck-used', level: 'info', values: { speed: '187.5 kHz' } },
    ])
    expect(await read(patient, 'signature', ctx)).toEqual(Uint8Array.of(0x1e, 0x93, 0x07))
  })

  test('a chip at 16 kHz is still found', async () => {
    const { master, ctx } = bench('ATtiny85', { dials: { targetHz: 16_000 } })
    expect(fact(await connectAvr(master, ctx), 'speed')).toBe('1 kHz')
  })

  test('a speed that was asked for is the only one tried', async () => {
    const { master, ctx } = bench('ATmega8', { dials: { targetHz: 1_000_000 } })
    await expect(connectAvr(master, ctx, 375_000)).rejects.toMatchObject({
      code: 'target-missing',
      detail: { tried: ['375 kHz: no answer'] },
    })
    expect(master.tried).toEqual([375_000])
  })

  test('no chip: what was tried is told, the wires are released, and it takes less than a second', async () => {
    const { master, ctx, clock } = bench('ATmega8', { dials: { noTarget: true } })
    await expect(connectAvr(master, ctx)).rejects.toMatchObject({
      code: 'target-missing',
      detail: {
        tried: [
          'auto: no answer',
          ...['375 kHz', '187.5 kHz', '93.75 kHz', '16 kHz', '4 kHz', '1 kHz'].map(
            (hz) => `${hz}: no answer`,
          ),
        ],
      },
    })
    expect(master.entered).toBe(false)
    expect(clock.now()).toBeLessThan(1000)
  })

  test.each([
    ['all FF', [0xff, 0xff, 0xff], 'target-missing'],
    ['all 00', [0, 0, 0], 'target-missing'],
    ['the address echoed', [0, 1, 2], 'target-missing'],
    ['an AVR that is not in the table', [0x1e, 0x99, 0x99], 'target-unknown'],
  ])('a programmer that cannot tell whether something answered: signature %s', async (_, signature, code) => {
    const { master, ctx, chip } = bench('ATmega8')
    chip.signature.set(signature)
    await expect(connectAvr(master, ctx)).rejects.toMatchObject({ code })
    expect(master.entered).toBe(false)
  })

  test('a signature that changes between readings is not believed', async () => {
    const { master, ctx } = bench('ATmega8')
    const execute = master.execute.bind(master)
    let reads = 0
    master.execute = async (instruction) =>
      instruction[0] === 0x30 && instruction[2] === 2 && reads++ % 3 === 2 ? 0x0a : execute(instruction)
    await expect(connectAvr(master, ctx)).rejects.toMatchObject({
      code: 'target-missing',
      detail: { tried: expect.arrayContaining(['auto: 1e 93 07 / 1e 93 0a']) as string[] },
    })
  })

  test('a cancel stops the search and releases the chip', async () => {
    const { master, ctx, cancel } = bench('ATmega8', { dials: { noTarget: true } })
    const connecting = connectAvr(master, ctx)
    cancel()
    await expect(connecting).rejects.toMatchObject({ code: 'cancelled' })
    expect(master.entered).toBe(false)
  })

  test('disposing lets the chip run, once more after a failure to leave', async () => {
    const { master, ctx } = bench('ATmega8')
    {
      await using patient = await connectAvr(master, ctx)
      expect(patient.chip).toBe('ATmega8')
      expect(master.entered).toBe(true)
    }
    expect(master.entered).toBe(false)
    const again = await connectAvr(master, ctx)
    master.leave = () => Promise.reject(new Error('unplugged'))
    await again[Symbol.asyncDispose]()
  })
})

describe.each([
  'ATmega8',
  'ATmega48',
  'ATmega328P',
  'ATtiny13',
  'ATtiny85',
  'ATmega128',
  'ATmega2560',
  'ATmega32U4',
])('the memories of an %s', (name) => {
  const part = partOf(name)
  const flash = pattern(part.flash.bytes)
  const eeprom = pattern(part.eeprom.bytes, 53)

  test('are read whole', async () => {
    const { master, ctx, chip } = bench(name, { flash, eeprom })
    const patient = await connectAvr(master, ctx)
    expect(Buffer.compare(await read(patient, 'flash', ctx), flash)).toBe(0)
    expect(Buffer.compare(await read(patient, 'eeprom', ctx), eeprom)).toBe(0)
    expect(await read(patient, 'calibration', ctx)).toEqual(chip.calibration)
    expect(await read(patient, 'fuses', ctx)).toEqual(
      chip.fuses.subarray(0, memoryOf(patient, 'fuses').length),
    )
    expect(await read(patient, 'lock', ctx)).toEqual(chip.lock)
  })

  test('are erased and written whole, and the progress tells every byte', async () => {
    const { master, ctx, chip, events } = bench(name, { flash: new Uint8Array(part.flash.bytes), eeprom })
    const patient = await connectAvr(master, ctx)
    await patient.eraseChip?.run(ctx)
    expect(chip.flash.every((byte) => byte === 0xff)).toBe(true)
    await program(patient, 'flash', ctx, 0, flash)
    await program(patient, 'eeprom', ctx, 0, eeprom)
    expect(Buffer.compare(chip.flash, flash)).toBe(0)
    expect(Buffer.compare(chip.eeprom, eeprom)).toBe(0)
    expect(events.at(-1)?.done).toBe(part.flash.bytes + part.eeprom.bytes)
  })
})

test('any range is read as it is, also across the 128-KiB border', async () => {
  const flash = pattern(0x4_0000)
  const { master, ctx } = bench('ATmega2560', { flash })
  const patient = await connectAvr(master, ctx)
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0x1_fe00, max: 0x2_0200 }),
      fc.integer({ min: 0, max: 600 }),
      async (address, length) => {
        expect(await read(patient, 'flash', ctx, address, length)).toEqual(
          flash.subarray(address, address + length),
        )
      },
    ),
    { numRuns: 30 },
  )
})

test('pages of an ATmega2560 land on both sides of the 128-KiB border', async () => {
  const { master, ctx, chip } = bench('ATmega2560')
  const patient = await connectAvr(master, ctx)
  const bytes = pattern(1024)
  await program(patient, 'flash', ctx, 0x1_fe00, bytes)
  expect(chip.flash.subarray(0x1_fe00, 0x2_0200)).toEqual(bytes)
  expect(master.count('4d')).toBe(2)
})

test('blank pages and blank words cost nothing', async () => {
  const { master, ctx, chip } = bench('ATmega328P')
  const patient = await connectAvr(master, ctx)
  const bytes = new Uint8Array(256).fill(0xff)
  bytes[131] = 0x42
  await program(patient, 'flash', ctx, 0, bytes)
  expect(chip.flash.subarray(0, 256)).toEqual(bytes)
  expect(master.executed.filter((line) => /^4[08c]/.test(line))).toEqual([
    '40 00 01 ff',
    '48 00 01 42',
    '4c 00 40 00',
  ])
})

test('a range outside the memory is refused before anything is sent', async () => {
  const { master, ctx } = bench('ATmega8')
  const patient = await connectAvr(master, ctx)
  const before = master.executed.length
  await expect(program(patient, 'flash', ctx, 8192, new Uint8Array(64))).rejects.toMatchObject({
    code: 'does-not-fit',
  })
  await expect(read(patient, 'eeprom', ctx, 500, 20)).rejects.toMatchObject({ code: 'does-not-fit' })
  expect(master.executed.length).toBe(before)
})

test('a cancel takes effect between pages, never within one', async () => {
  const { master, ctx, chip, cancel, events } = bench('ATmega328P')
  const patient = await connectAvr(master, ctx)
  const execute = master.execute.bind(master)
  master.execute = (instruction) => {
    if (instruction[0] === 0x48 && master.count('4c') === 2) cancel()
    return execute(instruction)
  }
  await expect(program(patient, 'flash', ctx, 0, new Uint8Array(1024))).rejects.toMatchObject({
    code: 'cancelled',
  })
  expect(chip.flash.findIndex((byte) => byte !== 0)).toBe(3 * 128)
  expect(events.at(-1)?.done).toBe(3 * 128)
})

test('a programmer with block paths is used by them, and a short answer is an error', async () => {
  const { master, ctx } = bench('ATmega8', { flash: pattern(8192) })
  const asked: string[] = []
  Object.assign(master, {
    readFlash: (_: AvrPart, address: number, length: number) => {
      asked.push(`read ${String(address)} ${String(length)}`)
      return Promise.resolve(new Uint8Array(length - (address === 64 ? 1 : 0)))
    },
    programFlash: (_: AvrPart, address: number, bytes: Uint8Array) => {
      asked.push(`program ${String(address)} ${String(bytes.length)}`)
      return Promise.resolve()
    },
  })
  const patient = await connectAvr(master, ctx)
  await read(patient, 'flash', ctx)
  await program(patient, 'flash', ctx, 128, new Uint8Array(64))
  expect(asked).toEqual(['read 0 8192', 'program 128 64'])
  await expect(read(patient, 'flash', ctx, 64, 64)).rejects.toMatchObject({
    code: 'short-transfer',
    detail: { expected: 64, found: 63 },
  })
})

test('a chip that stays busy is a timeout, not an endless wait', async () => {
  const { master, ctx } = bench('ATmega328P')
  const patient = await connectAvr(master, ctx)
  const execute = master.execute.bind(master)
  master.execute = (instruction) => (instruction[0] === 0xf0 ? Promise.resolve(1) : execute(instruction))
  await expect(program(patient, 'flash', ctx, 0, new Uint8Array(128))).rejects.toMatchObject({
    code: 'timeout',
  })
})

test('a page that stands still between two questions is not a busy chip', async () => {
  const { master, ctx } = bench('ATmega328P')
  const patient = await connectAvr(master, ctx)
  const execute = master.execute.bind(master)
  let stoodMs = 0
  master.execute = (instruction) => {
    if (instruction[0] !== 0xf0 || stoodMs > 0) return execute(instruction)
    stoodMs = 10_000
    return Promise.resolve(1)
  }
  const clock = {
    now: () => ctx.clock.now() + stoodMs,
    after: ctx.clock.after.bind(ctx.clock),
    sleep: ctx.clock.sleep.bind(ctx.clock),
  }
  await program(patient, 'flash', new Context({ clock }), 0, pattern(128))
  expect(await read(patient, 'flash', ctx, 0, 128)).toEqual(pattern(128))
})

test('a stuck bit shows when read back', async () => {
  const { master, ctx } = bench('ATmega8', { dials: { stuckBit: 70 * 8 } })
  const patient = await connectAvr(master, ctx)
  await program(patient, 'flash', ctx, 64, new Uint8Array(64).fill(0x55))
  const back = await read(patient, 'flash', ctx, 64, 64)
  expect(back.findIndex((byte) => byte !== 0x55)).toBe(6)
})

describe('chip erase', () => {
  test('takes the EEPROM along, unless EESAVE is programmed, and says so before', async () => {
    const content = { eeprom: pattern(1024) }
    const plain = bench('ATmega328P', content)
    const patient = await connectAvr(plain.master, plain.ctx)
    expect(patient.eraseChip?.erases).toEqual(['flash', 'eeprom', 'lock'])
    await patient.eraseChip?.run(plain.ctx)
    expect(plain.chip.eeprom.every((byte) => byte === 0xff)).toBe(true)

    const kept = bench('ATmega328P', { ...content, fuses: Uint8Array.of(0x62, 0xd1, 0xff) })
    const keeper = await connectAvr(kept.master, kept.ctx)
    expect(keeper.eraseChip?.erases).toEqual(['flash', 'lock'])
    await keeper.eraseChip?.run(kept.ctx)
    expect(kept.chip.eeprom).toEqual(content.eeprom)
  })

  test('is critical: a cancel waits until the chip is back in programming mode', async () => {
    const { master, ctx, chip, cancel, phases, clock } = bench('ATmega48', { flash: new Uint8Array(4096) })
    const patient = await connectAvr(master, ctx)
    const before = clock.now()
    const erasing = patient.eraseChip?.run(ctx)
    cancel()
    await expect(erasing).rejects.toMatchObject({ code: 'cancelled' })
    expect(phases).toEqual(['critical', 'free'])
    expect(clock.now() - before).toBeGreaterThan(45)
    expect(chip.flash[0]).toBe(0xff)
    expect(await read(patient, 'signature', new Context({ clock }))).toEqual(chip.signature)
  })

  test('enters again at the speed that worked', async () => {
    const { master, ctx } = bench('ATmega8', { dials: { targetHz: 1_000_000 } })
    const patient = await connectAvr(master, ctx)
    await patient.eraseChip?.run(ctx)
    expect(master.tried).toEqual([undefined, 375_000, 187_500, 187_500])
  })

  test('another chip, or none, after it is an error', async () => {
    const swapped = bench('ATmega8')
    const patient = await connectAvr(swapped.master, swapped.ctx)
    swapped.chip.signature.set([0x1e, 0x93, 0x0a])
    await expect(patient.eraseChip?.run(swapped.ctx)).rejects.toMatchObject({
      code: 'target-changed',
      detail: { expected: '1e 93 07', found: '1e 93 0a' },
    })
    const gone = bench('ATmega8')
    const lost = await connectAvr(gone.master, gone.ctx)
    gone.master.enter = () => Promise.resolve(false)
    await expect(lost.eraseChip?.run(gone.ctx)).rejects.toMatchObject({ code: 'target-missing' })
  })
})

describe('a locked chip', () => {
  const locked = { flash: pattern(32768), eeprom: pattern(1024), dials: { locked: true } }

  test('says what cannot be read, and still tells signature, fuses, lock bits and calibration', async () => {
    const { master, ctx, chip } = bench('ATmega328P', locked)
    const patient = await connectAvr(master, ctx)
    expect(patient.unreadable).toEqual([
      { memory: 'flash', reason: 'read-protected' },
      { memory: 'eeprom', reason: 'read-protected' },
    ])
    expect(patient.memories.filter((memory) => 'read' in memory).map(({ id }) => id)).toEqual([
      'fuses',
      'lock',
      'calibration',
      'signature',
    ])
    expect(patient.memories.filter(({ locked }) => locked).map(({ id }) => id)).toEqual([
      'flash',
      'eeprom',
      'fuses',
    ])
    expect(patient.notices).toEqual([
      { code: 'locked', level: 'warning', values: { lock: '0xfc', prevents: 'reading' } },
    ])
    expect(await read(patient, 'fuses', ctx)).toEqual(chip.fuses)
    expect(await read(patient, 'lock', ctx)).toEqual(Uint8Array.of(0xfc))
  })

  test('takes nothing before an erase, and is open after it', async () => {
    const { master, ctx, chip } = bench('ATmega328P', locked)
    const patient = await connectAvr(master, ctx)
    for (const [id, length] of [
      ['flash', 128],
      ['eeprom', 4],
      ['fuses', 3],
    ] as const)
      await expect(program(patient, id, ctx, 0, new Uint8Array(length))).rejects.toMatchObject({
        code: 'write-protected',
        detail: { memory: id },
      })
    expect(chip.flash[0]).toBe(locked.flash[0])

    await patient.eraseChip?.run(ctx)
    expect(patient.unreadable).toEqual([])
    expect(patient.memories.filter(({ locked }) => locked)).toEqual([])
    expect(patient.notices).toEqual([])
    expect(fact(patient, 'lock')).toBe('ff')
    await program(patient, 'flash', ctx, 0, new Uint8Array(128))
    expect(await read(patient, 'flash', ctx, 0, 128)).toEqual(new Uint8Array(128))
  })

  test('that only forbids writing is read, and the notice says which', async () => {
    const { master, ctx } = bench('ATmega328P', { flash: locked.flash, lock: 0xfe })
    const patient = await connectAvr(master, ctx)
    expect(patient.unreadable).toEqual([])
    expect(patient.notices[0]?.values).toEqual({ lock: '0xfe', prevents: 'writing' })
    expect(await read(patient, 'flash', ctx, 0, 64)).toEqual(locked.flash.subarray(0, 64))
  })
})

describe('fuses', () => {
  test('only bytes that change are written, each read back', async () => {
    const { master, ctx, chip } = bench('ATmega328P')
    const patient = await connectAvr(master, ctx)
    await program(patient, 'fuses', ctx, 0, [0x62, 0xd1, 0xff])
    expect(master.executed.filter((line) => line.startsWith('ac'))).toEqual(['ac a8 00 d1'])
    expect([...chip.fuses]).toEqual([0x62, 0xd1, 0xff])
    expect(fact(patient, 'fuses')).toBe('62 d1 ff')
    expect(patient.eraseChip?.erases).not.toContain('eeprom')
  })

  test('bits that do not exist are written as 1 and never compared', async () => {
    const { master, ctx, chip } = bench('ATmega328P')
    const patient = await connectAvr(master, ctx)
    await program(patient, 'fuses', ctx, 0, [0x62, 0xd9, 0x05])
    expect(chip.fuses[2]).toBe(0xfd)
    await program(patient, 'fuses', ctx, 0, [0x62, 0xd9, 0xf5])
    expect(master.count('ac a4')).toBe(1)
  })

  test('a fuse that does not take is an error at once, before the next one is touched', async () => {
    const { master, ctx } = bench('ATmega328P')
    const patient = await connectAvr(master, ctx)
    const execute = master.execute.bind(master)
    master.execute = (instruction) =>
      instruction[0] === 0xac && instruction[1] === 0xa0 ? Promise.resolve(0) : execute(instruction)
    await expect(program(patient, 'fuses', ctx, 0, [0xff, 0xde, 0xfd])).rejects.toMatchObject({
      code: 'verify-mismatch',
      detail: { memory: 'fuses', address: 0, expected: 0xff, found: 0x62, count: 1 },
    })
    expect(master.count('ac a8')).toBe(0)
  })

  test('a chip without extended fuse has two', async () => {
    const { master, ctx } = bench('ATmega8')
    const patient = await connectAvr(master, ctx)
    expect(memoryOf(patient, 'fuses').length).toBe(2)
    expect(await read(patient, 'fuses', ctx)).toEqual(Uint8Array.of(0xe1, 0xd9))
  })
})

describe('lock bits', () => {
  test('are programmed, and shut the memories at once', async () => {
    const { master, ctx, chip } = bench('ATmega8', { flash: pattern(8192) })
    const patient = await connectAvr(master, ctx)
    await program(patient, 'lock', ctx, 0, [0xfc])
    expect(chip.lock[0]).toBe(0xfc)
    expect(patient.unreadable).toHaveLength(2)
  })

  test('cannot be unprogrammed without an erase, and equal ones are not written', async () => {
    const { master, ctx } = bench('ATmega8', { lock: 0xcf })
    const patient = await connectAvr(master, ctx)
    await program(patient, 'lock', ctx, 0, [0x0f])
    expect(master.count('ac e0')).toBe(0)
    await expect(program(patient, 'lock', ctx, 0, [0xff])).rejects.toMatchObject({ code: 'write-protected' })
  })
})

test('the checks know the fuses of this chip and what the image claims', async () => {
  const { master, ctx } = bench('ATmega328P', { fuses: Uint8Array.of(0xff, 0xde, 0xfd) })
  const patient = await connectAvr(master, ctx)
  const flash = [{ address: 0, bytes: Uint8Array.of(0x0c, 0x94, 0x02, 0x00, 0x11, 0x24) }]
  const checks = patient.check(new Map([['flash', flash]]), new Map(), 'ATmega168')
  expect(checks.find(({ code }) => code === 'fuses-fit')?.values).toEqual({
    why: 'start-hidden',
    start: '0x7e00',
  })
  expect(checks.find(({ code }) => code === 'chip-matches')?.result).toBe('refused')
})

test('a chip that started anew in between is no blank chip', async () => {
  const { chip, ctx, master } = bench('ATmega8')
  const patient = await connectAvr(master, ctx)
  chip.brownOut()
  const signature = patient.memories.find(({ id }) => id === 'signature')
  await expect(signature?.read?.({ address: 0, length: 3 }, ctx)).rejects.toMatchObject({
    code: 'target-changed',
    detail: { found: 'ff ff ff' },
  })
})

test('lock bits that read differently twice hide nothing', async () => {
  const { ctx, master } = bench('ATmega8')
  let readings = 0
  const execute = master.execute.bind(master)
  master.execute = async (instruction) => {
    const answer = await execute(instruction)
    const isLock = instruction[0] === 0x58 && instruction[1] === 0
    return isLock && readings++ === 0 ? answer & 0xfc : answer
  }
  await expect(connectAvr(master, ctx)).rejects.toMatchObject({ code: 'unexpected-answer' })
})
