import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Check, CheckCode, Contents, MemoryId, Segment } from '#core/programmer.ts'
import { checkAvr, type AvrCheckInput } from './avr-check.ts'
import { findBootloader, jumpTarget, readVectorTable } from './avr-code.ts'
import { avrPartByName, avrParts, type AvrPart } from './avr-parts.ts'

function partOf(name: string): AvrPart {
  const part = avrPartByName(name)
  if (!part) throw new Error(`no ${name}`)
  return part
}

// ---- small programs, as a compiler lays them out -------------------------------------------------

const little = (...words: number[]) => Uint8Array.from(words.flatMap((word) => [word & 0xff, word >> 8]))
const rjmp = (from: number, to: number) => 0xc000 | (((to - from - 2) >> 1) & 0xfff)
const jmp = (to: number) => [0x940c | ((to >> 18) << 4) | ((to >> 17) & 1), (to >> 1) & 0xffff]

/** A table of `count` vectors that all jump behind it, and code there. */
function application(bytes: 2 | 4, count: number, codeBytes = 200, base = 0): Segment {
  const end = base + bytes * count
  const table = Array.from({ length: count }, (_, i) => (bytes === 4 ? jmp(end) : [rjmp(base + i * 2, end)]))
  const code = Array.from({ length: codeBytes / 2 }, () => 0x2411) // eor r1, r1
  return { address: base, bytes: little(...table.flat(), ...code) }
}

const bootloader = (address: number, length: number): Segment => ({
  address,
  bytes: new Uint8Array(length).fill(0x24),
})

const filled = (length: number, ...segments: readonly Segment[]): Segment[] => {
  const bytes = new Uint8Array(length).fill(0xff)
  for (const segment of segments) bytes.set(segment.bytes, segment.address)
  return [{ address: 0, bytes }]
}

const contents = (memories: Partial<Record<MemoryId, Segment[] | number[]>>): Contents =>
  new Map(
    Object.entries(memories).map(([id, what]) => [
      id as MemoryId,
      what
        .map((item) =>
          typeof item === 'number' ? { address: 0, bytes: Uint8Array.from(what as number[]) } : item,
        )
        .slice(0, typeof what[0] === 'number' ? 1 : undefined),
    ]),
  )

const none: Contents = new Map()

function checks(name: string, input: Partial<AvrCheckInput>): readonly Check[] {
  return checkAvr({ part: partOf(name), wanted: none, present: none, ...input })
}

const only = (all: readonly Check[], code: CheckCode): Check[] => all.filter((check) => check.code === code)

/** `passed: count` for the one check of that code. */
function verdict(all: readonly Check[], code: CheckCode): string {
  const [check, ...more] = only(all, code)
  expect(more).toEqual([])
  return check ? `${check.result}: ${check.values['why'] ?? ''}` : 'not checked'
}

describe('the chip', () => {
  const backup = (...signature: number[]) => ({ wanted: contents({ signature }) })
  test('a backup of another chip is refused with both names', () => {
    expect(checks('ATmega88', backup(0x1e, 0x93, 0x07))).toContainEqual({
      code: 'chip-matches',
      result: 'refused',
      values: { expected: 'ATmega88', found: 'ATmega8' },
    })
    expect(verdict(checks('ATmega8', backup(0x1e, 0x93, 0x07)), 'chip-matches')).toBe('passed: ')
  })

  test('what a file or link claims is held against the chip found', () => {
    expect(verdict(checks('ATmega8', { claimedChip: 'atmega8a' }), 'chip-matches')).toBe('passed: ')
    expect(verdict(checks('ATmega8', { claimedChip: 'ATmega88' }), 'chip-matches')).toBe('refused: ')
    expect(verdict(checks('ATmega8', { claimedChip: 'STM32' }), 'chip-matches')).toBe('warning: unknown-chip')
    expect(verdict(checks('ATmega8', {}), 'chip-matches')).toBe('not checked')
  })

  test('a chip that runs the same programs under another signature is as good', () => {
    expect(verdict(checks('ATmega88P', { claimedChip: 'ATmega88' }), 'chip-matches')).toBe('passed: sister')
    expect(verdict(checks('ATmega88', { claimedChip: 'ATmega48' }), 'chip-matches')).toBe('refused: ')
    expect(verdict(checks('ATmega328P', { claimedChip: 'ATmega328PB' }), 'chip-matches')).toBe('refused: ')
  })
})

describe('the size', () => {
  test('an over-long boot loader is refused and says where it leaves the flash', () => {
    // As some distributions build it: 534 bytes from 0x7e00.
    const all = checks('ATmega328P', { wanted: contents({ flash: [bootloader(0x7e00, 534)] }) })
    expect(only(all, 'size-fits')).toEqual([
      {
        code: 'size-fits',
        result: 'refused',
        values: { memory: 'flash', available: '32768', last: '0x8015', beyond: '0x8000', excess: '22' },
      },
    ])
  })

  test('EEPROM content is held against the EEPROM', () => {
    const eeprom = [{ address: 500, bytes: new Uint8Array(13) }]
    expect(verdict(checks('ATmega8', { wanted: contents({ eeprom }) }), 'size-fits')).toBe('refused: ')
    expect(verdict(checks('ATmega328P', { wanted: contents({ eeprom }) }), 'size-fits')).toBe('passed: ')
  })
})

describe('the boot loader that is there', () => {
  const uno = { fuses: Uint8Array.of(0xff, 0xde, 0xfd), loader: bootloader(0x7e00, 500) }
  const present = contents({ flash: filled(0x8000, application(4, 26), uno.loader) })
  const fuses = uno.fuses
  const overlap = (flash: Segment[], more: Partial<AvrCheckInput> = {}) =>
    verdict(
      checks('ATmega328P', { wanted: contents({ flash }), present, fuses, ...more }),
      'bootloader-overlap',
    )

  test('an application below it leaves it alone', () => {
    expect(overlap([application(4, 26)])).toBe('passed: untouched')
  })
  test('an application that reaches into it replaces it', () => {
    expect(overlap([application(4, 26, 0x7e00)])).toBe('warning: replaced')
  })
  test('a raw image padded with FF erases it', () => {
    expect(overlap(filled(0x8000, application(4, 26)))).toBe('warning: erased')
  })
  test('the same boot loader again changes nothing', () => {
    expect(overlap(filled(0x8000, application(4, 26), uno.loader))).toBe('passed: same')
  })
  test('a boot loader cannot overwrite itself', () => {
    const bootBytes = 512
    expect(overlap([application(4, 26, 0x7e00)], { bootBytes })).toBe('refused: protected')
    expect(overlap(filled(0x8000, application(4, 26)), { bootBytes })).toBe('passed: untouched')
    expect(overlap(filled(0x8000, application(4, 26), uno.loader), { bootBytes })).toBe('passed: same')
  })
  test('it is found by its content when the fuses do not start it', () => {
    const all = checks('ATmega328P', {
      wanted: contents({ flash: [application(4, 26, 0x7e00)] }),
      present,
      fuses: Uint8Array.of(0xff, 0xdf, 0xfd),
    })
    expect(only(all, 'bootloader-overlap')[0]?.values).toMatchObject({ address: '0x7e00', bytes: '512' })
  })
  test('a blank chip has none', () => {
    expect(overlap([application(4, 26)], { present: contents({ flash: filled(0x8000) }) })).toBe(
      'passed: none',
    )
  })
  test('a long application is not taken for one', () => {
    const [long] = filled(0x8000, application(4, 26, 0x7d00))
    expect(findBootloader(partOf('ATmega328P'), long ? [long] : [])).toBeUndefined()
  })
})

describe('the vector table', () => {
  const vectors = (name: string, ...flash: Segment[]) =>
    verdict(checks(name, { wanted: contents({ flash }) }), 'vector-table')

  test.each(avrParts.map((part) => [part.name, part] as const))('a program for %s passes', (name, part) => {
    expect(vectors(name, application(part.vectors.bytes, part.vectors.count))).toBe('passed: count')
  })

  test.each([
    ['ATmega8', 'ATmega88'],
    ['ATmega8', 'ATmega48'],
    ['ATmega88', 'ATmega8'],
    ['ATmega88', 'ATmega168'],
    ['ATmega328P', 'ATmega88'],
    ['ATmega328P', 'ATmega2560'],
    ['ATtiny85', 'ATtiny84'],
    ['ATmega16', 'ATmega328P'],
  ])('a program for %s is refused for %s', (builtFor, name) => {
    const { bytes, count } = partOf(builtFor).vectors
    const all = checks(name, { wanted: contents({ flash: [application(bytes, count)] }) })
    expect(verdict(all, 'vector-table')).toBe('refused: other-chip')
    expect(only(all, 'vector-table')[0]?.values['chips']).toContain(builtFor)
  })

  test.each([
    ['ATmega328P', 'ATmega328PB'],
    ['ATmega168', 'ATmega328P'],
    ['ATtiny2313', 'ATtiny4313'],
    ['ATmega644P', 'ATmega1284P'],
  ])('a program for %s passes on its larger sister %s', (builtFor, name) => {
    const { bytes, count } = partOf(builtFor).vectors
    expect(vectors(name, application(bytes, count))).toBe('passed: count')
  })

  test('a count that no chip has is a warning', () => {
    expect(vectors('ATmega328P', application(4, 12))).toBe('warning: unusual-count')
  })

  test('code without a table says nothing about the chip', () => {
    expect(vectors('ATmega328P', application(2, 1))).toBe('passed: jump')
  })

  test('a blank start, a missing start and a start that is no jump are warnings', () => {
    expect(vectors('ATmega8', ...filled(8192))).toBe('warning: blank')
    expect(vectors('ATmega8', { address: 0x100, bytes: new Uint8Array(64) })).toBe('warning: missing')
    expect(vectors('ATmega8', { address: 0, bytes: new Uint8Array(64) })).toBe('warning: no-jump')
  })

  test('a jump beyond the flash is refused', () => {
    const image = { address: 0, bytes: little(...jmp(0x8000), 0, 0) }
    const all = checks('ATmega328P', { wanted: contents({ flash: [image] }) })
    expect(only(all, 'vector-table')).toEqual([
      {
        code: 'vector-table',
        result: 'refused',
        values: { why: 'beyond-flash', start: '0x0000', target: '0x8000' },
      },
    ])
  })

  test('a jump to where there is nothing is a warning, unless something is there already', () => {
    const flash = [{ address: 0, bytes: little(...jmp(0x1000), 0, 0) }]
    const present = contents({ flash: filled(0x8000, bootloader(0x1000, 20)) })
    expect(verdict(checks('ATmega328P', { wanted: contents({ flash }) }), 'vector-table')).toBe(
      'warning: target-empty',
    )
    expect(verdict(checks('ATmega328P', { wanted: contents({ flash }), present }), 'vector-table')).toBe(
      'passed: jump',
    )
  })

  test('a boot loader alone is judged at its own start', () => {
    expect(vectors('ATmega328P', bootloader(0x7e00, 500))).toBe('passed: bootloader')
    expect(vectors('ATmega2560', application(4, 57, 600, 0x3_e000))).toBe('passed: bootloader')
    expect(vectors('ATmega8', application(2, 19, 600, 0x1c00))).toBe('passed: bootloader')
  })

  test('relative jumps wrap around an 8-KiB flash, and are read backwards elsewhere', () => {
    expect(jumpTarget([{ address: 0, bytes: little(rjmp(0, 0x1c00)) }], 0, 8192)).toBe(0x1c00)
    expect(jumpTarget([{ address: 0x100, bytes: little(rjmp(0x100, 0x80)) }], 0x100, 32768)).toBe(0x80)
  })

  test('a flash full of jumps ends the count', () => {
    expect(
      readVectorTable(filled(8192).map(({ address, bytes }) => ({ address, bytes: bytes.fill(0xc0) }))).count,
    ).toBe(128)
  })
})

describe('where the chip starts', () => {
  const loader = bootloader(0x7e00, 500)
  const start = (hfuse: number, wanted: Contents, present: Contents = none) =>
    verdict(checks('ATmega328P', { wanted, present, fuses: Uint8Array.of(0xff, hfuse, 0xfd) }), 'fuses-fit')

  test('a boot loader needs BOOTRST and the right BOOTSZ', () => {
    const wanted = contents({ flash: [loader] })
    expect(start(0xde, wanted)).toBe('passed: bootloader')
    expect(start(0xdf, wanted)).toBe('warning: bootrst-off')
    expect(start(0xda, wanted)).toBe('warning: other-start')
  })
  test('fuses that are written along with it count', () => {
    expect(start(0xdf, contents({ flash: [loader], fuses: [0xff, 0xde, 0xfd] }))).toBe('passed: bootloader')
  })
  test('starting in a boot section with nothing in it is a warning', () => {
    const wanted = contents({ flash: [application(4, 26)] })
    expect(start(0xde, wanted, contents({ flash: filled(0x8000) }))).toBe('warning: start-empty')
    expect(start(0xde, wanted, contents({ flash: filled(0x8000, loader) }))).toBe('passed: bootloader')
    expect(start(0xdf, wanted)).toBe('passed: application')
  })
  test('of a locked flash it is said that its boot loader goes, and not that there is none', () => {
    const wanted = contents({ flash: [application(4, 26)] })
    expect(start(0xde, wanted)).toBe('warning: start-hidden')
    expect(start(0xde, contents({ flash: [loader] }))).toBe('passed: bootloader')
    expect(verdict(checks('ATmega328P', { wanted }), 'bootloader-overlap')).toBe('not checked')
  })
  test('unknown fuses are not judged', () => {
    expect(verdict(checks('ATmega328P', { wanted: contents({ flash: [loader] }) }), 'fuses-fit')).toBe(
      'not checked',
    )
  })
})

describe('lock bits and fuses', () => {
  const lock = (then: number[] | undefined, now: number[]) =>
    verdict(
      checks('ATmega328P', {
        wanted: then ? contents({ lock: then }) : none,
        present: contents({ lock: now }),
      }),
      'lock-bits',
    )

  test('what locks is a warning, what only guards the boot section is not', () => {
    expect(lock([0xfc], [0xff])).toBe('warning: prevents-reading')
    expect(lock([0xfe], [0xff])).toBe('warning: prevents-writing')
    expect(lock([0xcf], [0xff])).toBe('passed: boot-section')
    expect(lock([0xff], [0xff])).toBe('passed: open')
    expect(lock([0xff], [0xcf])).toBe('warning: needs-erase')
    expect(lock(undefined, [0xfc])).toBe('warning: locked-now')
  })

  test('each dangerous fuse change is named with what it means', () => {
    const all = checks('ATmega328P', {
      wanted: contents({ fuses: [0xe0, 0x51, 0xfc] }),
      present: contents({ fuses: [0xff, 0xd9, 0xfd] }),
    })
    expect(
      only(all, 'fuse-danger').map(({ values }) => `${values['bit'] ?? ''} ${values['danger'] ?? ''}`),
    ).toEqual(['CKSEL clock', 'RSTDISBL lost', 'BODLEVEL supply'])
    expect(only(all, 'fuse-danger')[0]).toEqual({
      code: 'fuse-danger',
      result: 'warning',
      values: {
        danger: 'clock',
        fuse: 'low',
        bit: 'CKSEL',
        from: 'crystal',
        to: 'external-clock',
        meaning: 'external-clock',
        before: '0xff',
        after: '0xe0',
      },
    })
    expect(only(all, 'fuse-danger')[2]?.values).toMatchObject({ 'from-volts': '2.7', volts: '4.3' })
  })

  test('what ISP cannot change is refused, not warned of', () => {
    const all = checks('ATmega328P', {
      wanted: contents({ fuses: [0xff, 0xf9, 0xfd] }),
      present: contents({ fuses: [0xff, 0xd9, 0xfd] }),
    })
    expect(only(all, 'fuse-danger')).toMatchObject([
      { result: 'refused', values: { bit: 'SPIEN', danger: 'fixed' } },
    ])
  })

  test('the same fuses are no danger', () => {
    const fuses = [0xff, 0xde, 0xfd]
    expect(
      only(
        checks('ATmega328P', { wanted: contents({ fuses }), present: contents({ fuses }) }),
        'fuse-danger',
      ),
    ).toEqual([])
  })
})

test('whatever an image holds, the checks end and give evidence as text', () => {
  const segment = fc.record({
    address: fc.oneof(fc.nat({ max: 0x4_0000 }), fc.nat({ max: 0xffff_ffff })),
    bytes: fc.uint8Array({ maxLength: 64 }),
  })
  const memory = fc.array(segment, { maxLength: 4 })
  fc.assert(
    fc.property(
      fc.constantFrom(...avrParts),
      memory,
      memory,
      memory,
      memory,
      (part, flash, fuses, lock, present) => {
        const wanted: Contents = new Map([
          ['flash', flash],
          ['fuses', fuses],
          ['lock', lock],
          ['signature', lock],
        ])
        const all = checkAvr({
          part,
          wanted,
          present: new Map([
            ['flash', present],
            ['fuses', fuses],
          ]),
        })
        for (const { values } of all)
          for (const value of Object.values(values)) expect(value).not.toMatch(/undefined|NaN/)
      },
    ),
  )
})
