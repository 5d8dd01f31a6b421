import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blank, concat } from '#core/bytes.ts'
import type { Image } from '#firmware/image.ts'
import { bytesOf } from '#firmware/test-images.ts'
import type { Evidence, Statement, StatementCode } from './clue.ts'
import { inspect } from './inspect.ts'
import {
  avrCode,
  avrLoader,
  avrProgram,
  cortexProgram,
  espFlash,
  noise,
  thumbCode,
  usbDescriptor,
  wide,
} from './test-firmware.ts'

const at = (address: number, bytes: Uint8Array, more: Partial<Image> = {}) =>
  inspect({ segments: [{ address, bytes }], ...more })
const told = (statements: readonly Statement[], code: StatementCode) =>
  statements.find((one) => one.code === code)
const raw = (bytes: Uint8Array) => at(0, bytes, { isRaw: true })

describe('the inspector', () => {
  it('tells size, ranges, blank bytes, USB ids and texts', () => {
    const descriptor = usbDescriptor(0x16c0, 0x05dc, 0x0104)
    const bytes = concat(descriptor, blank(10), bytesOf('USBasp'))
    expect(at(0x100, bytes)).toMatchObject({
      totalBytes: 34,
      blankBytes: 11,
      ranges: [{ address: 0x100, length: 34 }],
      usbDescriptors: [{ address: 0x100, usbId: '16c0:05dc', version: '1.04' }],
      strings: [{ address: 0x11c, text: 'USBasp', encoding: 'ascii' }],
    })
  })

  it('says what is sure first', () => {
    const { statements } = at(
      0x0800_0000,
      concat(cortexProgram(0x0800_0000, 0x2000_5000, 8192), bytesOf('v1.2.3')),
    )
    const order = ['certain', 'likely', 'possible']
    const levels = statements.map(({ confidence }) => order.indexOf(confidence))
    expect(levels).toEqual(levels.toSorted())
    expect(statements[0]).toMatchObject({ code: 'cortex-program', confidence: 'certain' })
    expect(told(statements, 'version')).toMatchObject({ confidence: 'possible', values: { said: 'v1.2.3' } })
  })
})

describe('AVR', () => {
  it('is told by its vector table, and the chips by its length', () => {
    const { statements } = at(0, avrProgram(26, 2, 4000))
    expect(told(statements, 'avr-program')).toMatchObject({
      confidence: 'certain',
      architecture: 'avr',
      evidence: [
        { code: 'jumps', values: { count: '26', bytes: '2' }, at: { address: 0, length: 52 } },
        { code: 'same-target', values: { count: '25', target: '0x0054' }, at: { address: 0x54, length: 2 } },
      ],
    })
    const chips = told(statements, 'avr-chips')
    expect(chips?.confidence).toBe('likely')
    expect(chips?.values['chips']?.split(', ')).toEqual(expect.arrayContaining(['ATmega48', 'ATmega88']))
    expect(chips?.values['chips']).not.toMatch(/ATmega8,|ATmega168|ATmega328/)
  })

  it('leaves out chips that it is too long for', () => {
    const chips = told(at(0, avrProgram(26, 2, 5000)).statements, 'avr-chips')?.values['chips']?.split(', ')
    expect(chips).toContain('ATmega88')
    expect(chips).not.toContain('ATmega48')
  })

  it('has a boot loader where its chips have their boot section', () => {
    const flash = blank(32_768)
    flash.set(avrProgram(26, 4, 6000))
    flash.set(avrLoader(500), 0x7e00)
    expect(told(at(0, flash).statements, 'avr-bootloader')).toMatchObject({
      values: { address: '0x7e00' },
      evidence: [{ code: 'starts' }, { code: 'self-programming', at: { address: 0x7e82 } }],
    })
    const { statements } = at(0x7e00, avrLoader(500))
    expect(told(statements, 'avr-bootloader')).toMatchObject({ confidence: 'certain' })
    expect(told(statements, 'avr-chips')?.values['chips']).toContain('ATmega328P')
  })

  it('with short jumps in long vectors could be for chips with another table', () => {
    const bytes = avrProgram(38, 2, 4000)
    const padded = new Uint8Array(4000)
    padded.set(avrProgram(38, 4, 4000).subarray(152), 152)
    for (let i = 0; i < 38; i++) padded.set([20 + 2 * (37 - i), 0xc0, 0, 0], i * 4)
    expect(told(at(0, padded).statements, 'avr-chips')).toMatchObject({ confidence: 'possible' })
    expect(told(at(0, bytes).statements, 'avr-program')).toMatchObject({ confidence: 'certain' })
  })

  it('is not said of jumps that go nowhere', () => {
    const bytes = avrProgram(26, 2, 4000).subarray(0, 60)
    expect(told(at(0, bytes).statements, 'avr-program')).toBeUndefined()
  })
})

describe('Cortex-M', () => {
  it('is told by stack, reset and handlers, each with its place', () => {
    const { statements } = at(0x0800_2000, cortexProgram(0x0800_2000, 0x2000_5000, 8192))
    expect(told(statements, 'cortex-program')).toMatchObject({
      confidence: 'certain',
      architecture: 'cortex-m',
      evidence: [
        { code: 'stack', values: { value: '0x2000_5000' }, at: { address: 0x0800_2000, length: 4 } },
        { code: 'reset', values: { value: '0x0800_2119' }, at: { address: 0x0800_2004, length: 4 } },
        { code: 'handlers' },
        { code: 'reserved-words', at: { address: 0x0800_201c } },
      ],
    })
    expect(told(statements, 'cortex-base')).toMatchObject({
      confidence: 'certain',
      values: { base: '0x0800_2000', chips: expect.stringContaining('STM32') as string },
    })
  })

  it.each([
    [0x0800_0000, 0x2000_5000, 'STM32'],
    [0x0800_4000, 0x2000_5000, 'STM32'],
    [0x0000_0000, 0x1000_2000, 'LPC'],
    [0x0000_8000, 0x2000_4000, 'nRF5'],
  ])('of a raw binary is found at %i by where its vectors land', (base, stack, chips) => {
    const program = told(raw(cortexProgram(base, stack, 8192)).statements, 'cortex-base')
    expect(Number(program?.values['base']?.replaceAll('_', ''))).toBe(base)
    expect(program?.values['chips']).toContain(chips)
    expect(program?.confidence).not.toBe('certain')
  })

  /** As `cortexProgram`, with a table of one's own. */
  const withVectors = (base: number, offsets: Readonly<Record<number, number>>) => {
    const bytes = cortexProgram(base, 0x2000_5000, 8192)
    const view = new DataView(bytes.buffer)
    for (const [vector, offset] of Object.entries(offsets))
      view.setUint32(Number(vector) * 4, base + offset + 1, true)
    return bytes
  }

  it('of a raw binary is found where chips have flash, though more handlers fit elsewhere', () => {
    const bytes = withVectors(0x0800_0000, { 1: 0x118, 2: 0x130, 3: 0x148, 11: 0x120, 14: 0x160, 15: 0x178 })
    expect(told(raw(bytes).statements, 'cortex-base')?.values).toMatchObject({ base: '0x0800_0000' })
  })

  it('of a raw binary where no chip has flash is said only when many handlers fit', () => {
    const few = { 1: 0x118, 2: 0x130, 3: 0x148, 11: 0x148, 14: 0x148, 15: 0x148 }
    expect(raw(withVectors(0x0710_0000, few)).statements.map(({ code }) => code)).not.toContain('cortex-base')
    const many = { ...few, 11: 0x160, 14: 0x178, 15: 0x190 }
    expect(told(raw(withVectors(0x0710_0000, many)).statements, 'cortex-base')).toMatchObject({
      confidence: 'likely',
      values: { base: '0x0710_0000', chips: '–' },
    })
  })

  it('of RP2040 is found behind what its ROM starts first', () => {
    const bytes = concat(noise(256), cortexProgram(0x1000_0100, 0x2004_2000, 8192))
    expect(told(raw(bytes).statements, 'cortex-base')?.values).toEqual({
      ...{ base: '0x1000_0100', chips: 'RP2040' },
    })
  })

  it('behind a boot loader is told as a second program', () => {
    const flash = blank(0x6000)
    flash.set(cortexProgram(0x0800_0000, 0x2000_5000, 0x1800))
    flash.set(cortexProgram(0x0800_2000, 0x2000_4000, 0x1800), 0x2000)
    expect(told(at(0x0800_0000, flash).statements, 'cortex-second')?.values).toEqual({
      address: '0x0800_2000',
    })
  })

  it('is not said where a vector points outside or is even', () => {
    const good = cortexProgram(0x0800_0000, 0x2000_5000, 8192)
    const even = good.with(4, 0x18)
    const outside = good.with(10, 0x90)
    for (const bytes of [even, outside])
      expect(told(at(0x0800_0000, bytes).statements, 'cortex-program')).toBeUndefined()
  })
})

describe('others', () => {
  it('a flash of an ESP chip has partitions and says what runs', () => {
    const { statements } = raw(espFlash())
    expect(told(statements, 'esp-flash')).toMatchObject({
      confidence: 'certain',
      values: { count: '2', names: 'nvs, factory' },
      evidence: [{ at: { address: 0x8000, length: 64 } }],
    })
    expect(told(statements, 'esp-application')?.values).toEqual({
      ...{ partition: 'factory', address: '0x0001_0000', name: 'blinky', version: 'v1.2.3' },
      framework: 'ESP-IDF v5.1',
    })
  })

  it('a flash of an ESP chip with several applications is told by the one that starts', () => {
    const flash = concat(espFlash(), espFlash().subarray(0x1_0000))
    flash.copyWithin(0x8040, 0x8020, 0x8040)
    flash.set([0x10, 0x00, 0x10, 0x01], 0x8043) // its subtype and where it is
    flash.set(bytesOf('ota_0\0\0'), 0x804c)
    const second = { name: 'ota_0', address: 0x1_1000, length: 0x1000, isStarted: true } as const
    const partitions = (parts: Image['parts'] = []) =>
      at(0, flash, { parts }).statements.flatMap(({ code, values }) =>
        code === 'esp-application' ? [values['partition']] : [],
      )
    expect(partitions()).toEqual(['factory', 'ota_0'])
    expect(partitions([second])).toEqual(['ota_0', 'factory'])
  })

  it('what a file says of itself is told as its own words', () => {
    const bytes = thumbCode(2048)
    const uf2 = at(0x1000_0000, bytes, { format: 'UF2', claims: { chip: 'RP2040' } }).statements
    expect(told(uf2, 'says-chip')).toMatchObject({ confidence: 'certain', architecture: 'cortex-m' })
    const usb = { vendorId: 0x1d50 }
    expect(
      told(at(0, bytes, { format: 'DFU', claims: { usb } }).statements, 'says-usb-device')?.values,
    ).toEqual({
      ...{ id: '1d50:*', format: 'DFU' },
    })
  })

  it('the firmware of a programmer is known by its own marks, certainly by all of them', () => {
    const usb = usbDescriptor(0x1209, 0xc0ca, 0x0110)
    const whole = concat(noise(100), usb, wide('DirtyJTAG'), noise(100, 2))
    expect(told(raw(whole).statements, 'firmware')).toMatchObject({
      confidence: 'certain',
      values: { name: 'DirtyJTAG', version: '1.10' },
      evidence: [
        { code: 'usb-descriptor', at: { address: 100, length: 18 } },
        { code: 'text', values: { text: 'DirtyJTAG' }, at: { address: 118, length: 18 } },
      ],
    })
    expect(told(raw(concat(usb, wide('Another'))).statements, 'firmware')).toBeUndefined()
    const probe = concat(noise(64), bytesOf('Some CMSIS-DAP'))
    expect(told(raw(probe).statements, 'firmware')).toMatchObject({ confidence: 'possible' })
  })

  it('a device whose serial number is its chip’s own is known like others', () => {
    const usb = usbDescriptor(0x2341, 0x0043, 0x0001).with(16, 0xdc)
    const bytes = concat(noise(100), usb, wide('Arduino (www.arduino.cc)'))
    expect(told(raw(bytes).statements, 'firmware')).toMatchObject({
      confidence: 'certain',
      values: { name: 'arduino-usbserial', version: '0.01' },
    })
  })

  it('DAPLink is known by the block in its vector table', () => {
    const bytes = cortexProgram(0x8000, 0x2000_4000, 8192)
    bytes.set(new Uint8Array(Uint32Array.of(0x9b93_9e8f, 0x9796_9901, 254).buffer), 0x20)
    const names = at(0x8000, concat(bytes, bytesOf('DAPLink CMSIS-DAP'))).statements.filter(
      ({ code }) => code === 'firmware',
    )
    expect(names).toMatchObject([
      { confidence: 'certain', values: { name: 'DAPLink interface, KL26Z', version: '0254' } },
    ])
  })
})

describe('what has no program in it', () => {
  it.each([
    ['0xff', blank(4096), 'only-blank'],
    ['zeros', new Uint8Array(4096), 'only-blank'],
    ['text', bytesOf('The quick brown fox jumps over the lazy dog, 42 times.\n'.repeat(80)), 'only-text'],
    ['noise', noise(65_536), 'no-pattern'],
  ] as const)('%s is called that, and nothing else with certainty', (_, bytes, code) => {
    const { statements } = raw(bytes)
    expect(statements[0]?.code).toBe(code)
    expect(statements.filter(({ architecture }) => architecture)).toEqual([])
  })

  it('blank bytes of both kinds are told as what they are', () => {
    const { evidence } = told(raw(concat(new Uint8Array(256), blank(512))).statements, 'only-blank') ?? {}
    expect(evidence?.map(({ values }) => values['byte'])).toEqual(['0x00', '0xff', '0xff'])
  })

  const text = fc.string({ unit: 'grapheme-ascii', minLength: 200, maxLength: 4000 }).map(bytesOf)
  const random = fc
    .tuple(fc.integer(), fc.constantFrom(512, 4096, 70_000))
    .map(([seed, length]) => noise(length, seed))
  const sparse = fc.tuple(fc.constantFrom(0, 0xff), random).map(([fill, some]) => {
    const bytes = new Uint8Array(16_384).fill(fill)
    bytes.set(some.subarray(0, 300), 5000)
    return bytes
  })

  it('text, noise and nearly blank bytes are for no processor', () => {
    fc.assert(
      fc.property(
        fc.oneof(text, random, sparse),
        fc.constantFrom(0, 0x7000, 0x0800_0000),
        (bytes, address) => {
          const { statements } = at(address, bytes)
          expect(statements.filter((one) => one.architecture && one.confidence !== 'possible')).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('every statement', () => {
  const programs = [
    avrProgram(26, 2, 4000),
    concat(avrProgram(26, 4, 6000), avrLoader(500)),
    cortexProgram(0, 0x2000_4000, 4096),
    espFlash(),
    concat(usbDescriptor(0x1209, 0xc0ca, 0x0110), wide('DirtyJTAG')),
    bytesOf('hsqs'.repeat(400)),
    Uint8Array.from({ length: 3000 }, (_, i) => (i % 2 ? 1 : 18)),
  ]
  const hostile = fc
    .record({
      bytes: fc.oneof(fc.constantFrom(...programs), fc.uint8Array({ maxLength: 2000 })),
      changes: fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 0xff, 0x7f, 18, 0x95, 0xe9)), { maxLength: 8 }),
      cut: fc.nat(),
      address: fc.constantFrom(0, 1, 0x7e00, 0x0800_0000, 0xffff_f000),
    })
    .map(({ bytes, changes, cut, address }) => {
      const changed = Uint8Array.from(bytes)
      for (const [where, value] of changes) changed[where % changed.length] = value
      return { address, bytes: cut % 3 ? changed : changed.subarray(0, cut % (changed.length + 1)) }
    })

  it('has evidence that is in the image, whatever the image is, and there are not too many', () => {
    fc.assert(
      fc.property(hostile, fc.boolean(), (segment, isRaw) => {
        if (segment.bytes.length === 0) return
        const { statements } = at(segment.address, segment.bytes, isRaw ? { isRaw } : {})
        expect(statements.length).toBeLessThanOrEqual(32)
        const end = segment.address + segment.bytes.length
        const isInside = ({ at: range }: Evidence) =>
          !range || (range.address >= segment.address && range.address < end)
        for (const { evidence } of statements) {
          expect(evidence.length).toBeGreaterThan(0)
          expect(evidence.filter((one) => !isInside(one))).toEqual([])
        }
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['device descriptors', Uint8Array.from({ length: 1 << 22 }, (_, i) => (i % 2 ? 1 : 18))],
    ['stack pointers', new Uint8Array(new Uint32Array(1 << 20).fill(0x2000_1001 & ~1).buffer)],
    ['vectors', new Uint8Array(new Uint32Array(1 << 20).fill(0x2000_1001).buffer)],
    ['magic numbers', bytesOf('hsqs'.repeat(1 << 20))],
    ['wide letters', Uint8Array.from({ length: 1 << 22 }, (_, i) => (i % 9 ? (i % 2 ? 0 : 97) : 1))],
  ])('is found in 4 MiB of %s', (_, bytes) => {
    expect(raw(bytes).statements.length).toBeLessThanOrEqual(32)
  })

  it('is found in an image of as many pieces as there can be', () => {
    const segments = Array.from({ length: 65_536 }, (_, i) => ({ address: i * 0x1_0000, bytes: avrCode(16) }))
    expect(inspect({ segments }).texture.length).toBeLessThanOrEqual(256)
  })
})
