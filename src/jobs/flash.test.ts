import { FlashError } from '#core/errors.ts'
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import { cancelSource, Context, type Phase } from '#core/context.ts'
import type { Contents, MemoryId } from '#core/programmer.ts'
import { Progress, type ProgressEvent } from '#core/progress.ts'
import { Backups, type Receipt } from '#store/backups.ts'
import { openDatabase, type Database } from '#store/db.ts'
import { acknowledge, atRisk, readContents, type NoBackup } from './backup.ts'
import { flash, type FlashOptions } from './flash.ts'
import { layoutOf, planFlash, type Plan } from './plan.ts'
import { code, TestChip, TestProgrammer } from './test-patient.ts'
import { likelyCause } from './verify.ts'

let db: Database
beforeEach(async () => {
  db = await openDatabase('flash-test')
})
afterEach(async () => {
  db.close()
  await deleteDB('flash-test')
})

const clock = new VirtualClock()
const rule = { outside: 'keep', reserved: 'refuse' } as const
const way = (programmer: TestProgrammer) => (ctx: Context) => {
  const [first] = programmer.ways
  if (!first) throw new Error('no way')
  return first.connect(ctx)
}

/** A chip in use, backed up, and the plan for `wanted`. */
async function prepared(
  programmer: TestProgrammer,
  wanted: Contents = new Map([['flash', [{ address: 0, bytes: code(100, 77) }]]]),
): Promise<{ plan: Plan; receipt: Receipt; ctx: Context }> {
  const ctx = new Context({ clock })
  const patient = await way(programmer)(ctx)
  const { memories, unreadable } = await readContents(patient, ctx)
  const { receipt } = await new Backups(db).add({
    origin: {
      programmer: { model: 'Test', facts: [] },
      way: { to: 'target', by: 'isp' },
      patient: { kind: patient.kind, chip: patient.chip, facts: [], serial: undefined },
    },
    firmware: undefined,
    memories,
    unreadable,
  })
  const present = new Map(memories.map(({ id, bytes }) => [id, bytes]))
  const plan = planFlash({ layout: layoutOf(patient), wanted, present, rule })
  programmer.operations.length = 0
  return { plan, receipt, ctx }
}

const usedChip = (changes: Partial<Record<MemoryId, Uint8Array>> = {}) => {
  const used = blank(512)
  used.set(code(200))
  used.set(code(40, 9), 460)
  return new TestChip({ flash: used, eeprom: code(12, 33), lock: Uint8Array.of(0xcf), ...changes })
}

const write = (
  programmer: TestProgrammer,
  plan: Plan,
  safety: Receipt | NoBackup,
  ctx: Context,
  more: Partial<FlashOptions> = {},
) =>
  flash({ connect: way(programmer), plan, safety, beforeFirstChange: () => Promise.resolve(), ...more }, ctx)

describe('a write', () => {
  test('leaves exactly what was planned, the rest as it was', async () => {
    const programmer = new TestProgrammer(usedChip())
    const before = programmer.chip.snapshot()
    const { plan, receipt, ctx } = await prepared(programmer)
    await write(programmer, plan, receipt, ctx)
    const { chip } = programmer
    expect(chip.at('flash').subarray(0, 100)).toEqual(code(100, 77))
    expect(chip.at('flash').subarray(100)).toEqual(before.get('flash')?.subarray(100))
    for (const id of ['eeprom', 'fuses', 'lock'] as const) expect(chip.at(id), id).toEqual(before.get(id))
    expect(plan.verifyBytes).toBe(512 + 32 + 1)
    expect(programmer.operations.at(-1)).toBe('release')
  })

  test('goes flash, EEPROM, read back, fuses, lock bits; the reset vector last of the flash', async () => {
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt, ctx } = await prepared(
      programmer,
      new Map([
        ['flash', [{ address: 0, bytes: code(64, 77) }]],
        ['fuses', [{ address: 1, bytes: Uint8Array.of(0xd1) }]],
      ]),
    )
    await write(programmer, plan, receipt, ctx)
    const changes = programmer.operations.filter((operation) => !operation.startsWith('read'))
    expect(changes).toEqual([
      'connect',
      'erase',
      ...['20', '40', '60', '80', 'a0', 'c0', '1c0', '1e0', '0'].map((at) => `program flash 0x${at}`),
      ...['0', '4', '8'].map((at) => `program eeprom 0x${at}`),
      'program fuses 0x1',
      'program lock 0x0',
      'release',
    ])
    const { operations } = programmer
    expect(operations.indexOf('program fuses 0x1')).toBeGreaterThan(operations.lastIndexOf('read eeprom 0x0'))
    expect(operations.slice(operations.indexOf('program fuses 0x1') + 1)[0]).toBe('read fuses 0x0')
  })

  test('of nothing new only reads back', async () => {
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt, ctx } = await prepared(
      programmer,
      new Map([['flash', [{ address: 0, bytes: code(200) }]]]),
    )
    const known = programmer.operations.length
    let touched = false
    await write(programmer, plan, receipt, ctx, {
      beforeFirstChange: () => {
        touched = true
        return Promise.resolve()
      },
    })
    expect(touched).toBe(false)
    expect(plan).toMatchObject({ programBytes: 0, verifyBytes: 512 })
    const operations = programmer.operations.slice(known)
    const readBack = ['0', '80', '100', '180'].map((at) => `read flash 0x${at}`)
    expect(operations.slice(-5)).toEqual([...readBack, 'release'])
    expect(operations.some((operation) => /program|erase/.test(operation))).toBe(false)
  })

  test('through a boot loader never touches it, even where the image would', async () => {
    const programmer = new TestProgrammer(usedChip(), { byLoader: true })
    const { plan, receipt, ctx } = await prepared(programmer)
    await write(programmer, plan, receipt, ctx)
    expect(programmer.operations.filter((operation) => operation.startsWith('program'))).toEqual(
      ['20', '40', '60', '0'].map((at) => `program flash 0x${at}`),
    )
  })

  test('tells phases: erasing and fuses critical, pages at boundaries', async () => {
    const phases: Phase[] = []
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt } = await prepared(
      programmer,
      new Map([
        ['flash', [{ address: 0, bytes: code(64, 77) }]],
        ['fuses', [{ address: 1, bytes: Uint8Array.of(0xd1) }]],
      ]),
    )
    programmer.before = (_, operation) => {
      const what = operation.split(' ').slice(0, 2).join(' ')
      if (!/^read|connect/.test(what) && seen.at(-1)?.[0] !== what) seen.push([what, phases.at(-1) ?? 'free'])
    }
    const seen: [string, Phase][] = []
    await write(programmer, plan, receipt, new Context({ clock, onPhase: (phase) => phases.push(phase) }))
    expect(seen).toEqual([
      ['erase', 'critical'],
      ['program flash', 'boundary'],
      ['program eeprom', 'boundary'],
      ['program fuses', 'critical'],
      ['program lock', 'critical'],
    ])
    expect(phases.at(-1)).toBe('free')
  })

  test('has a progress that only rises and ends at 1', async () => {
    const events: ProgressEvent[] = []
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt } = await prepared(programmer)
    const progress = Progress.root((event) => events.push(event))
    await write(programmer, plan, receipt, new Context({ clock, progress }))
    const fractions = events.map(({ fraction }) => fraction)
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(fractions.at(-1)).toBeCloseTo(1)
    expect(new Set(events.map(({ path }) => path.join('/')))).toContain('program/flash')
  })
})

describe('a page that meets a moment of trouble on the wire', () => {
  const stalled = () => new FlashError('stalled', { during: 'test' })

  test('is written again after a pause, and progress tells it once', async () => {
    const undisturbed = new TestProgrammer(usedChip())
    const wanted = await prepared(undisturbed)
    await write(undisturbed, wanted.plan, wanted.receipt, wanted.ctx)

    const events: ProgressEvent[] = []
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt } = await prepared(programmer)
    let troubles = 0
    programmer.before = (_, operation) => {
      if (operation === 'program flash 0x40' && troubles++ < 2) throw stalled()
    }
    const progress = Progress.root((event) => events.push(event))
    await write(programmer, plan, receipt, new Context({ clock, progress }))
    expect(programmer.operations.filter((operation) => operation === 'program flash 0x40')).toHaveLength(3)
    expect(programmer.chip.memories).toEqual(undisturbed.chip.memories)
    const flash = events.filter(({ path }) => path.join('/') === 'program/flash')
    expect(flash.every(({ done, total }) => done <= (total ?? 0))).toBe(true)
    expect(flash.at(-1)?.done).toBe(flash.at(-1)?.total)
  })

  test('that stays is told, and so is another trouble at once', async () => {
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt, ctx } = await prepared(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'program flash 0x40') throw stalled()
    }
    await expect(write(programmer, plan, receipt, ctx)).rejects.toMatchObject({ code: 'stalled' })

    const other = new TestProgrammer(usedChip())
    const planned = await prepared(other)
    other.before = (_, operation) => {
      if (operation === 'program flash 0x40')
        throw new FlashError('device-refused', { during: '', status: '' })
    }
    await expect(write(other, planned.plan, planned.receipt, planned.ctx)).rejects.toMatchObject({
      code: 'device-refused',
    })
    expect(other.operations.filter((operation) => operation === 'program flash 0x40')).toHaveLength(1)
  })
})

describe('before the first change it is refused', () => {
  test.each([
    ['another chip of another kind', (chip: TestChip) => (chip.kind = 'test:other')],
    ['one that was written meanwhile', (chip: TestChip) => chip.at('flash').fill(0x55, 0, 1)],
    ['other fuses', (chip: TestChip) => chip.at('fuses').fill(0xff)],
    ['another unit by its calibration', (chip: TestChip) => chip.at('calibration').fill(0x88)],
    ['another end of the program', (chip: TestChip) => chip.at('flash').fill(0x55, 499, 500)],
  ])('%s', async (_, change) => {
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt, ctx } = await prepared(programmer)
    change(programmer.chip)
    const before = programmer.chip.snapshot()
    await expect(write(programmer, plan, receipt, ctx)).rejects.toMatchObject({ code: 'target-changed' })
    expect(programmer.chip.memories).toEqual(before)
    expect(programmer.operations.at(-1)).toBe('release')
  })

  test('a receipt for another kind of chip', async () => {
    const programmer = new TestProgrammer(usedChip())
    const { receipt, ctx } = await prepared(programmer)
    programmer.chip.kind = 'test:other'
    const { plan } = await prepared(programmer)
    await expect(write(programmer, plan, receipt, ctx)).rejects.toMatchObject({ code: 'target-changed' })
    expect(programmer.operations).toEqual([])
  })

  test('a locked chip, unless what is lost was acknowledged', async () => {
    const programmer = new TestProgrammer(usedChip({ lock: Uint8Array.of(0xc0) }))
    const { plan, receipt, ctx } = await prepared(programmer)
    await expect(write(programmer, plan, receipt, ctx)).rejects.toMatchObject({ code: 'backup-corrupt' })
    expect(programmer.operations).toEqual([])
    const patient = await way(programmer)(ctx)
    await write(programmer, plan, acknowledge(atRisk(patient.unreadable, patient), receipt), ctx)
    expect(programmer.chip.at('flash').subarray(0, 100)).toEqual(code(100, 77))
    expect(programmer.chip.at('lock')).toEqual(Uint8Array.of(0xff))
  })

  test('a journal that cannot be opened', async () => {
    const programmer = new TestProgrammer(usedChip())
    const before = programmer.chip.snapshot()
    const { plan, receipt, ctx } = await prepared(programmer)
    const failing = write(programmer, plan, receipt, ctx, {
      beforeFirstChange: () => Promise.reject(new Error('disk')),
    })
    await expect(failing).rejects.toThrow('disk')
    expect(programmer.chip.memories).toEqual(before)
  })
})

describe('a read-back that is wrong', () => {
  test.each([
    ['a stuck bit', 'stuck-bit', (programmer: TestProgrammer) => programmer.stuck.set(40, 0x40)],
    ['a bad contact', 'bad-contact', (programmer: TestProgrammer) => (programmer.flicker = 300)],
  ])('is a mismatch that looks like %s', async (_, likely, fault) => {
    const programmer = new TestProgrammer(usedChip())
    const { plan, receipt, ctx } = await prepared(
      programmer,
      new Map([['flash', [{ address: 0, bytes: Uint8Array.from(code(100), (byte) => byte | 0x40) }]]]),
    )
    const beforeFirstChange = () => {
      fault(programmer)
      return Promise.resolve()
    }
    await expect(write(programmer, plan, receipt, ctx, { beforeFirstChange })).rejects.toMatchObject({
      code: 'verify-mismatch',
      detail: { memory: 'flash', count: 1, likely },
    })
  })

  test.each([
    ['blank where there should be bytes', [0x12, 0x34], [0xff, 0xff], 'not-written'],
    ['old bits still cleared', [0xf3, 0xc7], [0xf1, 0x42], 'not-erased'],
    ['one bit everywhere', [0x11, 0x33], [0x10, 0x32], 'stuck-bit'],
    ['anything', [0x12, 0x34], [0xa9, 0x18], undefined],
    ['nothing', [0x12], [0x12], undefined],
  ])('with %s', (_, expected, found, cause) => {
    expect(likelyCause(Uint8Array.from(expected), Uint8Array.from(found))).toBe(cause)
  })
})

describe('at every single operation', () => {
  test('an unplug is device-gone and the chip can be finished from what is in it', async () => {
    const target = new TestProgrammer(usedChip())
    const planned = await prepared(target)
    await write(target, planned.plan, planned.receipt, planned.ctx)
    const expected = target.chip.snapshot()
    const total = target.operations.length
    expect(total).toBeGreaterThan(20)

    for (let unplugAt = 1; unplugAt < total; unplugAt++) {
      const programmer = new TestProgrammer(usedChip())
      const kept = programmer.chip.snapshot()
      const { plan, receipt, ctx } = await prepared(programmer)
      programmer.before = (count) => {
        if (count === unplugAt) programmer.unplug()
      }
      await expect(write(programmer, plan, receipt, ctx), String(unplugAt)).rejects.toMatchObject({
        code: 'device-gone',
      })

      const again = new TestProgrammer(programmer.chip)
      const patient = await way(again)(ctx)
      const { memories } = await readContents(patient, ctx)
      const finish = planFlash({
        layout: layoutOf(patient),
        wanted: new Map([['flash', [{ address: 0, bytes: code(100, 77) }]]]),
        present: new Map(memories.map(({ id, bytes }) => [id, bytes])),
        kept,
        rule,
      })
      await write(again, finish, receipt, ctx)
      expect(again.chip.memories, String(unplugAt)).toEqual(expected)
    }
  })

  test('a cancel ends as cancelled, never within an erase, a page or a pair of fuses', async () => {
    const wanted: Contents = new Map([
      ['flash', [{ address: 0, bytes: code(100, 77) }]],
      ['fuses', [{ address: 0, bytes: Uint8Array.of(0xff, 0xd1) }]],
    ])
    for (let cancelAt = 1; ; cancelAt++) {
      const programmer = new TestProgrammer(usedChip())
      const { plan, receipt } = await prepared(programmer, wanted)
      const { signal, cancel } = cancelSource()
      programmer.before = (count) => {
        if (count === cancelAt) cancel()
      }
      const writing = write(programmer, plan, receipt, new Context({ clock, signal }))
      const ended = await writing.then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      )
      const fuses = [...programmer.chip.at('fuses')]
      expect(
        [
          [0xe2, 0xd9],
          [0xff, 0xd1],
        ],
        String(cancelAt),
      ).toContainEqual(fuses)
      if (ended === 'done') break // the cancel came too late to stop anything
      expect(ended, String(cancelAt)).toBe('cancelled')
      expect(programmer.operations.at(-1)).toBe(cancelAt === 1 ? 'connect' : 'release')
    }
  })

  test('a cancel while a chip is met anew, now that its lock bits are erased, lets it go', async () => {
    const programmer = new TestProgrammer(usedChip({ lock: Uint8Array.of(0xc0) }))
    const { plan, receipt, ctx } = await prepared(programmer)
    const patient = await way(programmer)(ctx)
    const safety = acknowledge(atRisk(patient.unreadable, patient), receipt)
    programmer.operations.length = 0
    const { signal, cancel } = cancelSource()
    programmer.before = (count, operation) => {
      if (count > 1 && operation === 'connect') cancel()
    }
    await expect(write(programmer, plan, safety, new Context({ clock, signal }))).rejects.toMatchObject({
      code: 'cancelled',
    })
    expect(programmer.operations.slice(-2)).toEqual(['connect', 'release'])
  })
})

describe('reading for a backup', () => {
  const read = async (programmer: TestProgrammer, ctx = new Context({ clock })) =>
    readContents(await way(programmer)(ctx), ctx)

  test('reads every memory twice and measures its speed', async () => {
    const programmer = new TestProgrammer(usedChip())
    const { memories, bytesPerSecond } = await read(programmer)
    expect(memories.map(({ id }) => id)).toEqual(['flash', 'eeprom', 'fuses', 'lock', 'calibration'])
    expect(memories[0]?.bytes).toEqual(programmer.chip.at('flash'))
    expect(programmer.operations.filter((operation) => operation === 'read fuses 0x0')).toHaveLength(2)
    expect(bytesPerSecond).toBe(128_000)
  })

  test('with a flickering bit is no backup but a bad contact, with its address', async () => {
    const programmer = new TestProgrammer(usedChip())
    programmer.flicker = 300
    await expect(read(programmer)).rejects.toMatchObject({
      code: 'backup-mismatch',
      detail: { memory: 'flash', address: 300, count: 1, likely: 'bad-contact' },
    })
  })

  test('of a content that changed and stays so says that somebody else writes', async () => {
    const programmer = new TestProgrammer(usedChip())
    programmer.before = (_, operation) => {
      const times = programmer.operations.filter((one) => one === 'read eeprom 0x0').length
      if (operation === 'read eeprom 0x0' && times === 2) programmer.chip.at('eeprom').fill(0x55, 3, 5)
    }
    await expect(read(programmer)).rejects.toMatchObject({
      code: 'backup-mismatch',
      detail: { memory: 'eeprom', address: 3, count: 2, likely: 'changing' },
    })
  })

  test('of a blank flash behind lock bits does not pass for a backup', async () => {
    const programmer = new TestProgrammer(new TestChip({ lock: Uint8Array.of(0xfe) }))
    const { memories, unreadable } = await read(programmer)
    expect(memories.map(({ id }) => id)).not.toContain('flash')
    expect(unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
  })

  test('of a blank flash with boot lock bits only is a backup', async () => {
    const programmer = new TestProgrammer(new TestChip({ lock: Uint8Array.of(0xcf) }))
    expect((await read(programmer)).unreadable).toEqual([])
  })

  test('asks for an acknowledgement only where something can be lost', async () => {
    const ctx = new Context({ clock })
    const locked = await way(new TestProgrammer(usedChip({ lock: Uint8Array.of(0xc0) })))(ctx)
    expect(atRisk(locked.unreadable, locked).map(({ memory }) => memory)).toEqual(['flash', 'eeprom'])
    const loader = await way(new TestProgrammer(usedChip(), { byLoader: true }))(ctx)
    expect(atRisk(loader.unreadable, loader)).toEqual([])
  })

  test('can be stopped at every operation', async () => {
    const whole = new TestProgrammer(usedChip())
    await read(whole)
    for (let cancelAt = 1; cancelAt <= whole.operations.length; cancelAt++) {
      const programmer = new TestProgrammer(usedChip())
      const { signal, cancel } = cancelSource()
      programmer.before = (count) => {
        if (count === cancelAt) cancel()
      }
      await expect(read(programmer, new Context({ clock, signal }))).rejects.toMatchObject({
        code: 'cancelled',
      })
    }
  })
})
