import { describe as group, expect, test } from 'vitest'
import type { Identity, MemoryId, Recognition, SeenUsb } from '#core/programmer.ts'
import type { Attached } from '#transport/devices.ts'
import { cancelSource, Context } from '#core/context.ts'
import {
  asWritable,
  restorableMemories,
  ruleFor,
  wantedFromBackup,
  wantedFromFile,
  type Parse,
} from './choose.ts'
import { describe } from './describe.ts'
import {
  candidates,
  chooserFilters,
  findRescue,
  identities,
  openProgrammer,
  recogniseFirmware,
  secondProgrammers,
} from './identify.ts'
import type { Backup } from '#store/backups.ts'

const usb = (changes: Partial<SeenUsb> = {}): SeenUsb => ({
  link: 'usb',
  vendorId: 0x1234,
  productId: 0xabcd,
  deviceVersion: [1, 0, 4],
  deviceClass: 0,
  manufacturer: undefined,
  product: undefined,
  serial: undefined,
  interfaces: [],
  ...changes,
})
const withClass = (classCode: number, subclass = 0) =>
  usb({ interfaces: [{ number: 0, classCode, subclass, protocol: 0 }] })

test.each([
  [0x2341, 0x8036, ['avr109']],
  [0x2341, 0x0036, ['avr109']],
  [0x1b4f, 0x9206, ['avr109']],
  [0x2341, 0x0043, ['stk500']],
])('a serial port %x:%x is claimed by one protocol alone', (vendorId, productId, expected) => {
  const found = candidates({ link: 'serial', vendorId, productId })
  expect(found.map(({ identity }) => identity.id)).toEqual(expected)
})

group('what a second programmer brings back', () => {
  test.each([
    ['usbasp', 'usbasp', 'ATmega8'],
    ['usbisp', 'usbasp', 'ATmega88'],
    ['arduino', 'stk500', 'ATmega328P'],
  ])('%s runs the firmware of %s on an %s', async (sheet, family, chip) => {
    const rescue = await findRescue(sheet)
    if (!rescue) throw new Error('nobody knows it')
    expect(rescue.family).toBe(family)
    expect(rescue.chips).toContain(chip)
    for (const home of rescue.homes) expect(new URL(home).protocol).toBe('https:')
    expect(secondProgrammers(rescue).map(({ id }) => id)).toEqual(
      expect.arrayContaining(['usbasp', 'stk500']),
    )
  })

  test.each([
    ['st-link', 'dfu', 'STM32F10x medium-density'],
    ['black-magic', 'dfu', 'STM32F10x medium-density'],
    ['daplink', 'cmsis-dap', 'nRF52820'],
    ['pico', 'picoboot', 'RP2040'],
  ])('%s runs the firmware of %s on an %s, and any probe brings it back', async (sheet, family, chip) => {
    const rescue = await findRescue(sheet)
    if (!rescue) throw new Error('nobody knows it')
    expect(rescue.family).toBe(family)
    expect(rescue.chips).toContain(chip)
    expect(secondProgrammers(rescue).map(({ id }) => id)).toEqual(
      expect.arrayContaining(['cmsis-dap', 'stlink', 'jlink']),
    )
  })

  test('is nothing where no folder says so', async () => {
    expect(await findRescue('arduino-isp')).toBeUndefined()
  })
})

group('candidates', () => {
  const identity = (id: string, confidence: Recognition['confidence'], usable = true): Identity => ({
    id,
    name: id,
    link: 'usb',
    filters: [],
    toTarget: [],
    recognise: () => ({ model: id, mode: 'application', confidence, usable, facts: [], notices: [] }),
    proven: { identify: [], backup: [], flash: [], verify: [] },
  })

  test('come surest first, and what cannot be driven last', () => {
    const among = [
      identity('possible', 'possible'),
      identity('unusable', 'certain', false),
      identity('certain', 'certain'),
      { ...identity('nobody', 'certain'), recognise: () => undefined },
      identity('likely', 'likely'),
    ]
    expect(candidates(usb(), among).map(({ recognition }) => recognition.model)).toEqual([
      'certain',
      'likely',
      'possible',
      'unusable',
    ])
  })

  test('are none for a device that nobody knows', () => {
    expect(candidates(usb())).toEqual([])
  })

  test('of the folders have each its name and are offered in the chooser of their link', () => {
    expect(identities.length).toBeGreaterThan(1)
    expect(new Set(identities.map(({ id }) => id)).size).toBe(identities.length)
    expect(chooserFilters('usb')).toContainEqual({ vendorId: 0x16c0, productId: 0x05dc })
    expect(chooserFilters('serial').length).toBeGreaterThan(0)
  })

  test('that cannot be driven are not opened', async () => {
    const attached = { link: 'usb', seen: usb(), key: 'x' } as Attached
    const [unusable] = candidates(usb(), [identity('usbasp', 'certain', false)])
    if (!unusable) throw new Error('no candidate')
    await expect(openProgrammer(attached, unusable, new Context())).rejects.toMatchObject({
      code: 'device-refused',
    })
  })
})

group('opening that does not answer', () => {
  const links = {
    usb: { link: 'usb', seen: usb({ vendorId: 0x16c0, productId: 0x05dc, product: 'USBasp' }), key: 'x' },
    serial: { link: 'serial', seen: { link: 'serial', vendorId: 0x2341, productId: 0x0043 }, key: 'y' },
  } as const
  test.each(['usb', 'serial'] as const)(
    'of %s is given up at a cancel, and closed if it comes',
    async (link) => {
      let resolve: (link: AsyncDisposable) => void = () => undefined
      const promise = new Promise<AsyncDisposable>((opened) => (resolve = opened))
      const attached = { ...links[link], open: () => promise, forget: () => Promise.resolve() }
      const [candidate] = candidates(attached.seen)
      if (!candidate) throw new Error('no candidate')
      const { signal, cancel } = cancelSource()
      const opening = openProgrammer(attached as unknown as Attached, candidate, new Context({ signal }))
      cancel('connect')
      await expect(opening).rejects.toMatchObject({ code: 'cancelled' })
      await new Promise<void>((closed) => {
        resolve({ [Symbol.asyncDispose]: () => Promise.resolve(closed()) })
      })
    },
  )
})

group('a device that nobody recognises', () => {
  test.each([
    [0x03, 0, 'hid'],
    [0x08, 6, 'mass-storage'],
    [0xfe, 1, 'dfu'],
    [0xff, 0, 'vendor-specific'],
    [0x02, 2, 'usb-serial'],
    [0x02, 6, 'network'],
    [0x42, 0, 'unknown'],
  ])('with interface class %i/%i is taken for: %s', (classCode, subclass, guess) => {
    expect(describe(withClass(classCode, subclass)).guess).toBe(guess)
  })

  test('with several interfaces is what says most', () => {
    const interfaces = [...withClass(0xff).interfaces, ...withClass(0x08).interfaces]
    expect(describe(usb({ interfaces })).guess).toBe('mass-storage')
  })

  test('that is a bridge with a class of its own is a serial port', () => {
    expect(describe({ ...withClass(0xff), vendorId: 0x1a86 }).guess).toBe('usb-serial')
  })

  test('shows its descriptors as facts', () => {
    const { facts } = describe(usb({ product: 'Lamp', serial: '7' }))
    expect(facts.map(({ name, value }) => `${name} ${value}`)).toEqual([
      'usb-id 1234:abcd',
      'product Lamp',
      'serial 7',
      'firmware-version 1.04',
    ])
  })

  test('on a port that is not on USB is only that', () => {
    expect(describe({ link: 'serial', vendorId: undefined, productId: undefined })).toEqual({
      facts: [],
      guess: 'serial-port',
    })
  })
})

test('a flash content that is no known firmware is not recognised', async () => {
  expect(await recogniseFirmware([{ address: 0, bytes: new Uint8Array(8192) }], 'ATmega8')).toBeUndefined()
  expect(await recogniseFirmware([], undefined)).toBeUndefined()
})

test('a flash that cannot be read is recognised by its fuses, if at all', async () => {
  const known = await recogniseFirmware([], 'ATmega8', undefined, Uint8Array.of(0xef, 0xc9))
  expect(known).toMatchObject({ family: 'usbasp', confidence: 'possible' })
})

group('choosing a file', () => {
  const parse: Parse = async (file) => ({
    image: {
      format: 'binary',
      segments: [{ address: 0, bytes: new Uint8Array(await file.arrayBuffer()) }],
      claims: {},
      warnings: [],
    },
    sizeBytes: file.size,
    sha256: 'aa'.repeat(32),
    imageSha256: 'aa'.repeat(32),
  })
  const choice = { kind: 'link', file: new Blob([Uint8Array.of(1, 2, 3)]), name: 'x.bin' } as const

  test('with the promised size and hash is what is wanted', async () => {
    const promised = { sha256: 'aa'.repeat(32), sizeBytes: 3 }
    const wanted = await wantedFromFile({ ...choice, promised, chip: 'ATmega8', version: '1.2' }, parse)
    expect(wanted.source).toEqual({
      kind: 'link',
      name: 'x.bin',
      version: '1.2',
      chip: 'ATmega8',
      sha256: 'aa'.repeat(32),
      promisedSha256: 'aa'.repeat(32),
      sizeBytes: 3,
    })
    expect(wanted.contents.get('flash')?.[0]?.bytes).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('of another size is refused before it is read', async () => {
    const never: Parse = () => Promise.reject(new Error('was read'))
    await expect(
      wantedFromFile({ ...choice, promised: { sha256: 'aa'.repeat(32), sizeBytes: 4 } }, never),
    ).rejects.toMatchObject({ code: 'size-mismatch', detail: { expected: 4, found: 3 } })
  })

  test('of another hash is refused', async () => {
    await expect(
      wantedFromFile({ ...choice, promised: { sha256: 'bb'.repeat(32), sizeBytes: 3 } }, parse),
    ).rejects.toMatchObject({ code: 'hash-mismatch' })
  })

  test('for the EEPROM goes there', async () => {
    const wanted = await wantedFromFile({ ...choice, memory: 'eeprom' }, parse)
    expect([...wanted.contents.keys()]).toEqual(['eeprom'])
  })
})

group('choosing a backup', () => {
  const memory = (id: 'flash' | 'fuses' | 'calibration') => ({
    ...{ id, address: 0, length: 2, sha256: '' },
    bytes: Uint8Array.of(1, 2),
  })
  const hidden = (id: MemoryId) => ({ memory: id, reason: 'read-protected' as const })
  const backup = {
    id: 'b',
    name: 'Old',
    sha256: 'cc'.repeat(32),
    origin: { patient: { chip: 'ATmega8' } },
    memories: [memory('flash'), memory('fuses'), memory('calibration')],
    unreadable: [],
  } as unknown as Backup

  test('restores what can be written, and only what was selected', () => {
    expect([...wantedFromBackup(backup).contents.keys()]).toEqual(['flash', 'fuses'])
    expect([...wantedFromBackup(backup, ['fuses', 'calibration']).contents.keys()]).toEqual(['fuses'])
  })

  test('never locks again what was hidden when it was saved', () => {
    const lock = { ...memory('fuses'), id: 'lock' as const }
    const locked: Backup = { ...backup, memories: [memory('fuses'), lock], unreadable: [hidden('flash')] }
    expect(restorableMemories(locked)).toEqual(['fuses'])
    expect([...wantedFromBackup(locked, ['lock']).contents.keys()]).toEqual([])
    expect(restorableMemories({ ...locked, unreadable: [] })).toEqual(['fuses', 'lock'])
  })

  test('restores of it only what this way can write', () => {
    const layout = {
      length: 2,
      pageBytes: 1,
      pageMs: 0,
      write: 'overwrite',
      reserved: [],
      readable: true,
    } as const
    const patient = { memories: [{ ...layout, id: 'flash', address: 0, writable: true }] } as const
    const { contents, source } = asWritable(wantedFromBackup(backup), patient)
    expect([[...contents.keys()], source.sizeBytes]).toEqual([['flash'], 2])
  })
})

test('only a programmer that becomes another programmer is blanked behind its image', () => {
  const firmware = (link: 'usb' | 'serial') => ({
    ...{ family: 'x', name: 'x', version: undefined, confidence: 'certain' as const, evidence: [] },
    appears: { link },
  })
  const wanted = (link: 'usb' | 'serial') => ({ ...wantedFromNothing, firmware: firmware(link) })
  expect(ruleFor(firmware('usb'), wanted('usb')).outside).toBe('blank')
  expect(ruleFor(firmware('serial'), wanted('usb')).outside).toBe('keep')
  expect(ruleFor(undefined, wanted('usb')).outside).toBe('keep')
})
const wantedFromNothing = {
  contents: new Map(),
  source: { kind: 'file', name: '', version: undefined, sha256: '', sizeBytes: 0 },
} as const
