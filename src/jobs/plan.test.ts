import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import type { Check, Contents, MemoryId, Segment } from '#core/programmer.ts'
import {
  isWritten,
  planFlash,
  planLines,
  type MemoryLayout,
  type PatientLayout,
  type Plan,
  type PlanRule,
  untoldWarnings,
} from './plan.ts'

const memory = (id: MemoryId, length: number, changes: Partial<MemoryLayout> = {}): MemoryLayout => ({
  id,
  address: 0,
  length,
  pageBytes: 1,
  pageMs: 5,
  write: 'overwrite',
  reserved: [],
  readable: true,
  writable: true,
  ...changes,
})

/** A small chip: 256 bytes of flash in pages of 16. */
const flash = memory('flash', 256, { pageBytes: 16, write: 'and' })
const byIsp: PatientLayout = {
  kind: 'test:isp',
  memories: [
    flash,
    memory('eeprom', 32, { pageBytes: 4 }),
    memory('fuses', 2),
    memory('lock', 1, { write: 'and' }),
    memory('calibration', 1, { writable: false }),
  ],
  unreadable: [],
  chipErase: { erases: ['flash', 'eeprom', 'lock'], ms: 10 },
}
const byLoader: PatientLayout = {
  kind: 'test:loader',
  memories: [
    memory('flash', 256, {
      pageBytes: 16,
      reserved: [{ address: 192, length: 64, why: 'bootloader' }],
    }),
  ],
  unreadable: [{ memory: 'eeprom', reason: 'not-through-this-way' }],
  chipErase: undefined,
}

const run = (length: number, from = 1): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) & 0x7f)
const at = (address: number, bytes: Uint8Array): Segment => ({ address, bytes })
const wanting = (contents: Partial<Record<MemoryId, Segment[]>>): Contents =>
  new Map(Object.entries(contents) as [MemoryId, Segment[]][])
const holding = (contents: Partial<Record<MemoryId, Uint8Array>>): Map<MemoryId, Uint8Array> =>
  new Map(Object.entries(contents) as [MemoryId, Uint8Array][])
const over = (bytes: Uint8Array, ...segments: Segment[]): Uint8Array => {
  const result = bytes.slice()
  for (const { address, bytes } of segments) result.set(bytes, address)
  return result
}

/** A chip with a program, a boot loader far above it, EEPROM, and lock bits for the boot section. */
const used = holding({
  flash: over(blank(256), at(0, run(60)), at(224, run(20, 90))),
  eeprom: over(blank(32), at(4, run(6))),
  fuses: Uint8Array.of(0xe2, 0xd9),
  lock: Uint8Array.of(0xcf),
  calibration: Uint8Array.of(0x9a),
})
const keep: PlanRule = { outside: 'keep', reserved: 'refuse' }

describe('through ISP', () => {
  test('new firmware erases the chip and puts back all that is not in the image', () => {
    const plan = planFlash({
      layout: byIsp,
      wanted: wanting({ flash: [at(0, run(40, 50))] }),
      present: used,
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, chip erase",
        "flash       0x0000–0x002f program",
        "flash       0x0030–0x003f refill",
        "flash       0x0040–0x00df keep (outside)",
        "flash       0x00e0–0x00ff refill",
        "eeprom      0x0000–0x0003 keep (outside)",
        "eeprom      0x0004–0x000b refill",
        "eeprom      0x000c–0x001f keep (outside)",
        "fuses       0x0000–0x0001 keep (outside)",
        "lock        0x0000–0x0000 refill",
        "program 105, verify 289 bytes",
      ]
    `)
  })

  test('a whole new firmware leaves nothing of the old one behind', () => {
    const plan = planFlash({
      layout: byIsp,
      wanted: wanting({ flash: [at(0, run(40, 50))] }),
      present: used,
      rule: { ...keep, outside: 'blank' },
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, chip erase",
        "flash       0x0000–0x002f program",
        "flash       0x0030–0x003f blank",
        "flash       0x0040–0x00df keep (outside)",
        "flash       0x00e0–0x00ff blank",
        "eeprom      0x0000–0x0003 keep (outside)",
        "eeprom      0x0004–0x000b refill",
        "eeprom      0x000c–0x001f keep (outside)",
        "fuses       0x0000–0x0001 keep (outside)",
        "lock        0x0000–0x0000 refill",
        "program 57, verify 289 bytes",
      ]
    `)
    expect(plan.expected.get('flash')).toEqual(over(blank(256), at(0, run(40, 50))))
  })

  test('a change that only clears bits needs no erase and touches only its pages', () => {
    const present = new Map(used).set('lock', Uint8Array.of(0xff))
    const plan = planFlash({
      layout: byIsp,
      wanted: wanting({ flash: [at(100, run(30)), at(16, Uint8Array.of(0))] }),
      present,
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, no erase",
        "flash       0x0000–0x000f keep (outside)",
        "flash       0x0010–0x001f program",
        "flash       0x0020–0x005f keep (outside)",
        "flash       0x0060–0x008f program",
        "flash       0x0090–0x00ff keep (outside)",
        "eeprom      0x0000–0x001f keep (outside)",
        "fuses       0x0000–0x0001 keep (outside)",
        "lock        0x0000–0x0000 keep (outside)",
        "program 64, verify 256 bytes",
      ]
    `)
  })

  test('an image that is already there is only read back', () => {
    const plan = planFlash({
      layout: byIsp,
      wanted: wanting({ flash: [at(0, run(60))] }),
      present: used,
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, no erase",
        "flash       0x0000–0x003f keep (same)",
        "flash       0x0040–0x00ff keep (outside)",
        "eeprom      0x0000–0x001f keep (outside)",
        "fuses       0x0000–0x0001 keep (outside)",
        "lock        0x0000–0x0000 keep (outside)",
        "program 0, verify 256 bytes",
      ]
    `)
  })

  test('a restore of everything changes what differs, fuse byte by fuse byte', () => {
    const plan = planFlash({
      layout: byIsp,
      wanted: wanting({
        flash: [at(0, used.get('flash') ?? blank(0))],
        eeprom: [at(0, used.get('eeprom') ?? blank(0))],
        fuses: [at(0, Uint8Array.of(0xe2, 0xd1))],
        lock: [at(0, Uint8Array.of(0xcf))],
      }),
      present: holding({
        flash: run(256, 3),
        eeprom: blank(32),
        fuses: Uint8Array.of(0xe2, 0xd9),
        lock: Uint8Array.of(0xff),
      }),
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, chip erase",
        "flash       0x0000–0x003f program",
        "flash       0x0040–0x00df blank",
        "flash       0x00e0–0x00ff program",
        "eeprom      0x0000–0x0003 keep (same)",
        "eeprom      0x0004–0x000b program",
        "eeprom      0x000c–0x001f keep (same)",
        "fuses       0x0000–0x0000 keep (same)",
        "fuses       0x0001–0x0001 program",
        "lock        0x0000–0x0000 program",
        "program 106, verify 291 bytes",
        "consent lock-bits",
      ]
    `)
  })

  test('EEPROM alone needs no erase', () => {
    const plan = planFlash({
      layout: byIsp,
      wanted: wanting({ eeprom: [at(8, run(5))] }),
      present: used,
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, no erase",
        "flash       0x0000–0x00ff keep (outside)",
        "eeprom      0x0000–0x0007 keep (outside)",
        "eeprom      0x0008–0x000f program",
        "eeprom      0x0010–0x001f keep (outside)",
        "fuses       0x0000–0x0001 keep (outside)",
        "lock        0x0000–0x0000 keep (outside)",
        "program 8, verify 32 bytes",
      ]
    `)
  })

  test('with EESAVE the EEPROM is out of reach of the chip erase and stays', () => {
    const plan = planFlash({
      layout: { ...byIsp, chipErase: { erases: ['flash', 'lock'], ms: 10 } },
      wanted: wanting({ flash: [at(0, run(40, 50))] }),
      present: used,
      rule: keep,
    })
    expect(plan.ranges.filter(({ memory }) => memory === 'eeprom').map(({ action }) => action)).toEqual([
      'keep',
    ])
    expect(plan.expected.has('eeprom')).toBe(false)
  })

  test('a chip that cannot be read is erased, what is lost needs a typed consent, and it stays open', () => {
    const plan = planFlash({
      layout: {
        ...byIsp,
        memories: byIsp.memories.map((one) =>
          one.id === 'flash' || one.id === 'eeprom' ? { ...one, readable: false, locked: true } : one,
        ),
        unreadable: [
          { memory: 'flash', reason: 'read-protected' },
          { memory: 'eeprom', reason: 'read-protected' },
        ],
      },
      wanted: wanting({ flash: [at(0, run(40))] }),
      present: holding({ fuses: Uint8Array.of(0xe2, 0xd9), lock: Uint8Array.of(0xc0) }),
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:isp, chip erase",
        "flash       0x0000–0x002f program",
        "flash       0x0030–0x00ff blank",
        "eeprom      0x0000–0x001f blank",
        "fuses       0x0000–0x0001 keep (outside)",
        "lock        0x0000–0x0000 blank",
        "program 48, verify 289 bytes",
        "consent no-backup:flash (typed)",
        "consent no-backup:eeprom (typed)",
      ]
    `)
    expect(plan.expected.get('lock')).toEqual(Uint8Array.of(0xff))
  })

  test('locked against writing, even cleared bits and fuses need the erase, and the lock comes back', () => {
    const locked = { ...byIsp, memories: byIsp.memories.map((one) => ({ ...one, locked: true as const })) }
    const present = new Map(used).set('lock', Uint8Array.of(0xfe))
    const plan = planFlash({
      layout: locked,
      wanted: wanting({ fuses: [at(0, Uint8Array.of(0xff))] }),
      present,
      rule: keep,
    })
    expect(plan.erase).toBe('chip')
    expect(plan.expected.get('flash')).toEqual(used.get('flash'))
    expect(plan.expected.get('lock')).toEqual(Uint8Array.of(0xfe))
  })
})

describe('through a boot loader', () => {
  const present = holding({ flash: used.get('flash') ?? blank(0) })

  test('only pages that differ are written, and the loader is not touched', () => {
    const plan = planFlash({
      layout: byLoader,
      wanted: wanting({ flash: [at(0, over(run(60), at(20, Uint8Array.of(0))))] }),
      present,
      rule: keep,
    })
    expect(planLines(plan)).toMatchInlineSnapshot(`
      [
        "test:loader, no erase",
        "flash       0x0000–0x000f keep (same)",
        "flash       0x0010–0x001f program",
        "flash       0x0020–0x003f keep (same)",
        "flash       0x0040–0x00bf keep (outside)",
        "flash       0x00c0–0x00ff keep (bootloader)",
        "program 16, verify 256 bytes",
      ]
    `)
  })

  test('an image with another boot loader in it is refused, or written without it', () => {
    const request = {
      layout: byLoader,
      wanted: wanting({ flash: [at(0, run(16, 99)), at(224, run(8))] }),
      present,
    }
    expect(() => planFlash({ ...request, rule: keep })).toThrow(
      expect.objectContaining({ code: 'write-protected' }) as Error,
    )
    const plan = planFlash({ ...request, rule: { ...keep, reserved: 'skip' } })
    expect(plan.expected.get('flash')?.subarray(192)).toEqual(present.get('flash')?.subarray(192))
  })

  test('an image with the same boot loader in it is fine', () => {
    const whole = over(present.get('flash') ?? blank(0), at(0, run(16, 99)))
    const plan = planFlash({
      layout: byLoader,
      wanted: wanting({ flash: [at(0, whole)] }),
      present,
      rule: keep,
    })
    expect(plan.programBytes).toBe(16)
  })
})

describe('what cannot be planned', () => {
  test.each([
    ['beyond the end', { flash: [at(250, run(7))] }, 'does-not-fit'],
    ['before the beginning', { flash: [at(-1, run(7))] }, 'does-not-fit'],
    ['into a memory that cannot be written', { calibration: [at(0, run(1))] }, 'write-protected'],
    ['into a memory that is not there', { signature: [at(0, run(1))] }, 'write-protected'],
  ])('%s', (_, wanted, code) => {
    expect(() => planFlash({ layout: byIsp, wanted: wanting(wanted), present: used, rule: keep })).toThrow(
      expect.objectContaining({ code }) as Error,
    )
  })

  test('setting bits where nothing erases', () => {
    expect(() =>
      planFlash({
        layout: { ...byIsp, chipErase: undefined },
        wanted: wanting({ flash: [at(0, blank(1))] }),
        present: used,
        rule: keep,
      }),
    ).toThrow(expect.objectContaining({ code: 'write-protected', detail: { memory: 'flash' } }) as Error)
  })

  test('an erase that would take a reserved range along', () => {
    const reserved = [{ address: 192, length: 64, why: 'bootloader' as const }]
    expect(() =>
      planFlash({
        layout: { ...byIsp, memories: [{ ...flash, reserved }] },
        wanted: wanting({ flash: [at(0, run(40, 50))] }),
        present: used,
        rule: keep,
      }),
    ).toThrow(expect.objectContaining({ code: 'write-protected' }) as Error)
  })

  test('a memory that could never be read back', () => {
    expect(() =>
      planFlash({
        layout: { ...byIsp, memories: [memory('eeprom', 32, { readable: false })] },
        wanted: wanting({ eeprom: [at(0, run(4))] }),
        present: new Map(),
        rule: keep,
      }),
    ).toThrow(expect.objectContaining({ code: 'read-protected' }) as Error)
  })
})

test('after an interruption, what the erase took is put back from the backup, not from the chip', () => {
  const request = { layout: byIsp, wanted: wanting({ flash: [at(0, run(40, 50))] }), rule: keep }
  const first = planFlash({ ...request, present: used })
  const half = holding({
    flash: over(blank(256), at(0, run(32, 50))),
    eeprom: blank(32),
    fuses: used.get('fuses') ?? blank(0),
    lock: Uint8Array.of(0xff),
  })
  const second = planFlash({ ...request, present: half, kept: used })
  expect(planLines(second)).toMatchInlineSnapshot(`
    [
      "test:isp, no erase",
      "flash       0x0000–0x001f keep (same)",
      "flash       0x0020–0x002f program",
      "flash       0x0030–0x003f refill",
      "flash       0x0040–0x00df keep (outside)",
      "flash       0x00e0–0x00ff refill",
      "eeprom      0x0000–0x0003 keep (outside)",
      "eeprom      0x0004–0x000b refill",
      "eeprom      0x000c–0x001f keep (outside)",
      "fuses       0x0000–0x0001 keep (outside)",
      "lock        0x0000–0x0000 refill",
      "program 73, verify 289 bytes",
    ]
  `)
  expect(second.expected.get('flash')).toEqual(first.expected.get('flash'))
})

describe('consent', () => {
  const plan = (...checks: Check[]) =>
    planFlash({
      layout: byIsp,
      wanted: wanting({ lock: [at(0, Uint8Array.of(0xc0))] }),
      present: used,
      rule: keep,
      checks,
    }).consequences.map(({ id, typed }) => [id, typed])

  test('is typed for fuses that can lose the chip, and clicked for warnings', () => {
    expect(
      plan(
        { code: 'fuse-danger', result: 'warning', values: { fuse: 'high', bit: 'SPIEN', danger: 'lost' } },
        { code: 'fuse-danger', result: 'warning', values: { fuse: 'low', bit: 'SUT', danger: 'caution' } },
        { code: 'same-device', result: 'warning', values: {} },
        { code: 'version', result: 'warning', values: {} },
        { code: 'host-battery', result: 'warning', values: {} },
        { code: 'chip-matches', result: 'passed', values: {} },
      ),
    ).toEqual([
      ['lock-bits', false],
      ['fuse-danger:high.SPIEN', true],
      ['fuse-danger:low.SUT', false],
      ['other-device', true],
      ['warning-overridden', false],
    ])
  })
})

test('lock bits that were there before the erase are put back without asking', () => {
  const lock = Uint8Array.of(0xcf)
  const restore = (kept: Uint8Array) =>
    planFlash({
      layout: byIsp,
      wanted: wanting({ flash: [at(0, new Uint8Array(40).fill(0xfe))], lock: [at(0, lock)] }),
      present: new Map([...used, ['lock', kept]]),
      rule: keep,
    })
  const { ranges, consequences } = restore(lock)
  expect(ranges).toContainEqual(expect.objectContaining({ memory: 'lock', action: 'refill' }))
  expect(consequences).toEqual([])
  expect(restore(Uint8Array.of(0xff)).consequences.map(({ id }) => id)).toEqual(['lock-bits'])
})

test('a warning that its consent tells whole is not told twice', () => {
  const fuse = (bit: string) => ({ fuse: 'low', bit, danger: 'clock' })
  const checks: readonly Check[] = [
    { code: 'fuse-danger', result: 'warning', values: fuse('CKSEL') },
    { code: 'fuse-danger', result: 'warning', values: fuse('CKDIV8') },
    { code: 'same-device', result: 'warning', values: { why: 'other-serial' } },
    { code: 'backup-proven', result: 'warning', values: { memory: 'flash, eeprom' } },
    { code: 'version', result: 'warning', values: {} },
    { code: 'size-fits', result: 'passed', values: {} },
  ]
  const asked = (...ids: string[]) =>
    untoldWarnings(
      checks,
      ids.map((id) => ({ id, code: 'no-backup', typed: true, values: {} })),
    ).map(({ code, values }) => values['bit'] ?? code)
  expect(asked()).toEqual(['CKSEL', 'CKDIV8', 'same-device', 'backup-proven', 'version'])
  expect(asked('fuse-danger:low.CKSEL', 'other-device', 'no-backup:flash', 'warning-overridden')).toEqual([
    ...['CKDIV8', 'same-device', 'backup-proven', 'version'],
  ])
  expect(asked('no-backup:flash', 'no-backup:eeprom')).not.toContain('backup-proven')
  const unsure: readonly Check[] = [{ code: 'same-device', result: 'warning', values: { why: 'unsure' } }]
  const consent = { id: 'maybe-other-device', code: 'maybe-other-device', typed: false, values: {} } as const
  expect(untoldWarnings(unsure, [consent])).toEqual([])
  expect(untoldWarnings(unsure, [])).toEqual(unsure)
})

test('the estimate narrows once the speed of reading is known', () => {
  const request = { layout: byIsp, wanted: wanting({ flash: [at(0, run(40))] }), present: used, rule: keep }
  const [low, high] = planFlash(request).estimateMs
  const [low2, high2] = planFlash({ ...request, readBytesPerSecond: 1000 }).estimateMs
  expect(low2).toBeGreaterThanOrEqual(low)
  expect(high2).toBeLessThan(high)
  expect(high2).toBeGreaterThan(low2)
})

// ---- for every image and every chip content: carrying the plan out gives what it expects ------------

/** Does to a model of the chip what the plan says, and nothing else. */
function carryOut(plan: Plan, layout: PatientLayout, chip: Map<MemoryId, Uint8Array>): void {
  const lengthOf = (id: MemoryId) => layout.memories.find((one) => one.id === id)?.length ?? 0
  if (plan.erase === 'chip')
    for (const id of layout.chipErase?.erases ?? []) chip.set(id, blank(lengthOf(id)))
  for (const range of plan.ranges.filter(isWritten)) {
    const bytes = chip.get(range.memory)
    const expected = plan.expected.get(range.memory)
    const isAnd = layout.memories.find(({ id }) => id === range.memory)?.write === 'and'
    if (!bytes || !expected) throw new Error('the plan writes what it does not expect')
    for (let i = range.address; i < range.address + range.length; i++)
      bytes[i] = isAnd ? (bytes[i] ?? 0) & (expected[i] ?? 0) : (expected[i] ?? 0)
  }
}

/** Bytes with many blanks and many repeats, so that pages are equal, blank or a subset now and then. */
const bytes = (length: number) =>
  fc
    .array(fc.constantFrom(0xff, 0xff, 0xff, 0xf0, 0x0f, 0x00), { minLength: length, maxLength: length })
    .map((values) => Uint8Array.from(values))
const segments = (length: number) =>
  fc
    .array(fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 40 })), { maxLength: 3 })
    .chain((places) => {
      let free = 0
      const fitting = places
        .sort(([a], [b]) => a - b)
        .flatMap(([address, size]) => {
          const start = Math.max(address, free)
          const end = Math.min(length, start + size)
          free = end + 1
          return start < end ? [[start, end - start] as const] : []
        })
      return fc.tuple(...fitting.map(([address, size]) => bytes(size).map((found) => at(address, found))))
    })
const contents = fc.record({ flash: bytes(256), eeprom: bytes(32), fuses: bytes(2), lock: bytes(1) })
const wantedContents = fc
  .record({ flash: segments(256), eeprom: segments(32), fuses: segments(2), lock: segments(1) })
  .map((all) => new Map(Object.entries(all).filter(([, some]) => some.length > 0)) as Contents)

describe('in sectors of several sizes', () => {
  /** 16, 16, 32 and 64 bytes, far up, as an STM32F4 has them; nobody may write to the second. */
  const base = 0x0800_0000
  const sector = (offset: number, length: number) => ({ address: base + offset, length })
  const layout: PatientLayout = {
    ...{ kind: 'test:sectors', unreadable: [], chipErase: undefined },
    memories: [
      memory('flash', 128, {
        ...{ address: base, pageBytes: 16 },
        sectors: [sector(0, 16), sector(16, 16), sector(32, 32), sector(64, 64)],
        reserved: [{ ...sector(16, 16), why: 'bootloader' }],
      }),
    ],
  }
  const present = holding({ flash: run(128) })
  const plan = (rule: PlanRule, ...segments: Segment[]) =>
    planFlash({ layout, wanted: wanting({ flash: segments }), present, rule })

  test('whole ones are written, with what was around the image in them', () => {
    const { ranges, expected } = plan(keep, at(base + 60, blank(8)))
    expect(ranges).toMatchObject([
      { ...sector(0, 16), action: 'keep', why: 'outside' },
      { ...sector(16, 16), action: 'keep', why: 'bootloader' },
      { ...sector(32, 96), action: 'program' },
    ])
    expect(expected.get('flash')).toEqual(over(run(128), at(60, blank(8))))
  })

  test('what is blanked outside the image is so by whole ones', () => {
    const { expected, ranges } = plan({ ...keep, outside: 'blank' }, at(base + 32, run(4, 50)))
    const flash = over(blank(128), at(16, run(16, 17)), at(32, run(4, 50)))
    expect(expected.get('flash')).toEqual(flash)
    expect(ranges.map(({ action }) => action)).toEqual(['program', 'keep', 'program'])
  })

  test('a reserved one is refused, or left out', () => {
    const into = at(base + 30, blank(4))
    expect(() => plan(keep, into)).toThrow(expect.objectContaining({ code: 'write-protected' }) as Error)
    const { expected } = plan({ ...keep, reserved: 'skip' }, into)
    expect(expected.get('flash')).toEqual(over(run(128), at(32, blank(2))))
  })
})

describe('any plan, carried out, leaves exactly what it expects', () => {
  test.each(['keep', 'blank'] as const)('with the rest of the flash: %s', (outside) => {
    fc.assert(
      fc.property(contents, wantedContents, (present, wanted) => {
        const before = holding(present)
        const chip = new Map([...before].map(([id, content]) => [id, content.slice()]))
        const plan = planFlash({ layout: byIsp, wanted, present: before, rule: { ...keep, outside } })
        carryOut(plan, byIsp, chip)
        for (const [id, content] of chip) {
          const expected = plan.expected.get(id) ?? before.get(id)
          expect(content, id).toEqual(expected)
          for (const { address, bytes } of wanted.get(id) ?? [])
            expect(content.subarray(address, address + bytes.length), id).toEqual(bytes)
          if (outside === 'keep') {
            const untouched = over(before.get(id) ?? blank(0), ...(wanted.get(id) ?? []))
            expect(content, id).toEqual(untouched)
          }
        }
      }),
      { numRuns: 400 },
    )
  })

  test('also when it is planned again from any half-done state', () => {
    fc.assert(
      fc.property(contents, contents, wantedContents, (kept, half, wanted) => {
        const chip = holding({ ...half, flash: half.flash.slice() })
        const plan = planFlash({
          layout: byIsp,
          wanted,
          present: holding(half),
          kept: holding(kept),
          rule: keep,
        })
        carryOut(plan, byIsp, chip)
        for (const [id, content] of chip)
          expect(content, id).toEqual(over(holding(kept).get(id) ?? blank(0), ...(wanted.get(id) ?? [])))
      }),
      { numRuns: 400 },
    )
  })

  test('and every range of every writable memory is planned once, in order', () => {
    fc.assert(
      fc.property(contents, wantedContents, (present, wanted) => {
        const { ranges } = planFlash({ layout: byIsp, wanted, present: holding(present), rule: keep })
        for (const { id, length } of byIsp.memories.filter(({ writable }) => writable)) {
          const end = ranges
            .filter((range) => range.memory === id)
            .reduce((free, range) => {
              expect(range.address).toBe(free)
              return range.address + range.length
            }, 0)
          expect(end).toBe(length)
        }
      }),
    )
  })
})

describe('a memory that is only ever written', () => {
  const layout: PatientLayout = {
    kind: 'test:write-only',
    memories: [
      memory('flash', 256, {
        pageBytes: 16,
        readable: false,
        writeOnly: true,
        guard: { address: 0, length: 16 },
      }),
      memory('config', 32, { writable: false }),
    ],
    unreadable: [{ memory: 'flash', reason: 'write-only' }],
    chipErase: undefined,
  }
  const present = holding({ config: run(32) })

  test.each(['keep', 'blank'] as const)(
    'gets the image and no more, gaps filled; its loss is typed (%s)',
    (outside) => {
      const wanted = wanting({ flash: [at(0, run(20)), at(50, run(10))] })
      const plan = planFlash({ layout, wanted, present, rule: { outside, reserved: 'refuse' } })
      expect(planLines(plan)).toEqual([
        'test:write-only, no erase',
        'flash       0x0000–0x003f program',
        'flash       0x0040–0x00ff keep (outside)',
        'program 64, verify 0 bytes',
        'consent no-backup:flash (typed)',
      ])
      expect(plan.expected.get('flash')).toEqual(over(blank(64), at(0, run(20)), at(50, run(10))))
      expect(plan.before).toBe(present)
    },
  )

  test('is left alone by what does not mention it', () => {
    const plan = planFlash({ layout, wanted: wanting({}), present, rule: keep })
    expect([plan.programBytes, plan.expected.size, plan.consequences]).toEqual([0, 0, []])
  })
})
