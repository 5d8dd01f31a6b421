import { describe, expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import type { Check, Contents, KnownFirmware, MemoryId, Segment } from '#core/programmer.ts'
import type { Backup } from '#store/backups.ts'
import type { Wanted, WantedSource } from '#store/journal.ts'
import { checkAll, type CheckRequest } from './check.ts'
import { code } from './test-patient.ts'

const firmware = (version: string | undefined, changes: Partial<KnownFirmware> = {}): KnownFirmware => ({
  family: 'usbasp',
  name: 'USBasp',
  version,
  confidence: 'certain',
  evidence: [],
  ...changes,
})

interface Changes {
  id?: string
  sha256?: string
  kind?: string
  serial?: string
  calibration?: number
  practice?: true
}
const backup = (changes: Changes = {}): Backup => {
  const { id = 'now', sha256 = 'aa'.repeat(32), kind = 'avr:1e9307', serial, calibration, practice } = changes
  return {
    id,
    createdAt: '2026-01-01T00:00:00.000Z',
    name: 'old',
    note: '',
    origin: {
      ...(practice && { practice }),
      programmer: { model: 'USBasp', facts: [] },
      way: { to: 'target', by: 'isp' },
      patient: { kind, chip: 'ATmega8', facts: [], serial },
    },
    firmware: undefined,
    memories:
      calibration === undefined
        ? []
        : [{ id: 'calibration', address: 0, length: 1, sha256: '', bytes: Uint8Array.of(calibration) }],
    unreadable: [],
    source: 'read',
    sha256,
  }
}
/** Made earlier, with another content. */
const earlier = (changes: Changes = {}): Backup =>
  backup({ id: 'earlier', sha256: 'bb'.repeat(32), ...changes })

const wanted = (changes: Partial<Wanted> = {}, source: Partial<WantedSource> = {}): Wanted => ({
  contents: new Map([['flash', [{ address: 0, bytes: code(64) }]]]),
  firmware: undefined,
  source: {
    kind: 'file',
    name: 'x.hex',
    version: undefined,
    sha256: 'bb'.repeat(32),
    sizeBytes: 200,
    ...source,
  },
  ...changes,
})

const request = (changes: Partial<CheckRequest> = {}): CheckRequest => ({
  patient: { kind: 'avr:1e9307', chip: 'ATmega8', check: () => [] },
  layout: {
    kind: 'avr:1e9307',
    memories: [
      {
        ...{ id: 'flash', address: 0, length: 256, pageBytes: 32, pageMs: 5, write: 'overwrite' },
        ...{ reserved: [{ address: 192, length: 64, why: 'bootloader' }], readable: true, writable: true },
      },
    ],
    unreadable: [],
    chipErase: undefined,
  },
  nature: [],
  usb: undefined,
  wanted: wanted(),
  rule: { outside: 'keep', reserved: 'refuse' },
  present: new Map([['flash', blank(256)]]),
  kept: new Map([['flash', blank(256)]]),
  presentFirmware: undefined,
  way: 'target',
  family: 'usbasp',
  backup: backup(),
  isProven: true,
  restored: undefined,
  own: new Set(['now']),
  known: undefined,
  battery: { charging: true, level: 1 },
  storageRoom: 1e9,
  ...changes,
})

const verdict = (wantedCode: Check['code'], changes: Partial<CheckRequest> = {}) => {
  const found = checkAll(request(changes)).filter(({ code }) => code === wantedCode)
  return found.map(({ result, values }) => [result, values['why']].filter(Boolean).join(' ')).join(', ')
}

test('what holds no byte is refused, for it is not "there already"', () => {
  const empty: Wanted['contents'] = new Map([['flash', []]])
  expect(verdict('nothing-to-do', { wanted: { ...wanted(), contents: empty } })).toBe('refused')
  expect(verdict('nothing-to-do', { wanted: { ...wanted(), contents: new Map() } })).toBe('refused')
})

describe('the version', () => {
  test.each([
    ['1.04', '1.10', 'passed newer'],
    ['1.10', '1.04', 'warning older'],
    ['1.04', '1.04', 'passed same'],
    ['1.04', '2011-05-28', 'passed unknown'],
    ['2009-02-28', '2011-05-28', 'passed newer'],
  ])('%s → %s: %s', (from, to, expected) => {
    expect(
      verdict('version', { presentFirmware: firmware(from), wanted: wanted({ firmware: firmware(to) }) }),
    ).toBe(expected)
  })

  test('of a file that nobody recognises, over a programmer that is known, is a warning', () => {
    expect(verdict('version', { presentFirmware: firmware('1.04') })).toBe('warning unknown-after')
  })

  test('of a backup is meant, whatever it is', () => {
    const before = { presentFirmware: firmware('1.10'), restored: earlier() }
    expect(verdict('version', { ...before, wanted: wanted({ firmware: firmware('1.04') }) })).toBe(
      'passed older',
    )
    expect(verdict('version', before)).toBe('passed unknown-after')
  })

  test('over what nobody recognises cannot be compared', () => {
    const now = wanted({ firmware: firmware('1.04') })
    expect(verdict('version', { wanted: now })).toBe('passed unknown-before')
  })

  test('that a damaged image says of itself reassures nobody, and still warns', () => {
    const check = (result: Check['result']) => (): Check[] => [{ code: 'vector-table', result, values: {} }]
    const asked = (to: string, result: Check['result']) => {
      const patient = { kind: 'avr:1e9307', chip: 'ATmega8', check: check(result) }
      const known = { presentFirmware: firmware('1.04'), wanted: wanted({ firmware: firmware(to) }) }
      return verdict('version', { ...known, patient })
    }
    expect(asked('1.10', 'passed')).toBe('passed newer')
    expect(asked('1.10', 'warning')).toBe('')
    expect(asked('1.02', 'warning')).toBe('warning older')
  })

  test('of other firmware is a warning', () => {
    const other = firmware('1.0', { family: 'usbtiny', name: 'USBtinyISP' })
    expect(
      verdict('version', { presentFirmware: firmware('1.04'), wanted: wanted({ firmware: other }) }),
    ).toBe('warning other')
  })

  test('is no question where nothing was and nothing is known', () => {
    expect(verdict('version')).toBe('')
  })
})

describe('the chip', () => {
  test.each([
    ['the link says this one', { chip: 'atmega8' }, undefined, 'passed'],
    ['the link says another one', { chip: 'ATmega88' }, undefined, 'refused'],
    ['the firmware certainly is for others', {}, firmware('1', { chips: ['ATmega88'] }), 'refused'],
    [
      'the firmware probably is for others',
      {},
      firmware('1', { chips: ['ATmega88'], confidence: 'likely' }),
      'warning other-chip',
    ],
    ['nobody says anything', {}, undefined, ''],
  ])('when %s', (_, source, found, expected) => {
    expect(verdict('chip-matches', { wanted: wanted({ firmware: found }, source) })).toBe(expected)
  })

  test.each([
    ['STM32F10x medium-density (128 KiB)', ['STM32F103xB', 'STM32F10x medium-density'], 'passed'],
    ['nRF52820 (256 KiB)', ['nRF52820'], 'passed'],
    ['nRF52833 (512 KiB)', ['nRF52820'], 'refused'],
  ])('%s and what is for %s', (chip, chips, expected) => {
    const patient = { kind: 'cortex-m:any', chip, check: () => [] }
    expect(verdict('chip-matches', { patient, wanted: wanted({ firmware: firmware('1', { chips }) }) })).toBe(
      expected,
    )
  })

  test('is judged by the chip code where that has an opinion', () => {
    const check = (_: Contents, __: Contents, claimed?: string): Check[] => [
      { code: 'chip-matches', result: 'passed', values: { found: claimed ?? '' } },
    ]
    const patient = { kind: 'avr:1e9307', chip: 'ATmega8', check }
    const found = checkAll(request({ patient, wanted: wanted({}, { chip: 'ATmega8A' }) })).filter(
      ({ code }) => code === 'chip-matches',
    )
    expect(found).toEqual([{ code: 'chip-matches', result: 'passed', values: { found: 'ATmega8A' } }])
  })
})

describe('what a link says it is for', () => {
  const of = (source: Partial<WantedSource>) => ({ wanted: wanted({}, source) })
  test.each([
    ['nothing', of({}), ''],
    ['this way', of({ patient: 'target' }), ''],
    ['another way', of({ patient: 'itself' }), 'warning itself'],
    [
      'the chip behind, not the device',
      { ...of({ patient: 'target' }), way: 'itself' as const },
      'warning target',
    ],
    ['what is in the chip', { ...of({ device: 'usbasp' }), presentFirmware: firmware('1.04') }, 'passed'],
    ['something else', { ...of({ device: 'usbtiny' }), presentFirmware: firmware('1.04') }, 'warning'],
    ['what cannot be told', of({ device: 'usbasp' }), 'passed unknown'],
    ['the device itself', { ...of({ device: 'usbasp' }), way: 'itself' as const }, 'passed'],
  ])('%s', (_, changes, expected) => {
    expect(verdict('device-matches', changes)).toBe(expected)
  })
})

describe('a restored backup', () => {
  test.each([
    ['of the same serial number', earlier({ serial: 'A' }), backup({ serial: 'A' }), 'passed serial'],
    ['of another serial number', earlier({ serial: 'A' }), backup({ serial: 'B' }), 'warning other-serial'],
    [
      'with other calibration bytes',
      earlier({ calibration: 1 }),
      backup({ calibration: 2 }),
      'warning other-calibration',
    ],
    ['of another chip', earlier({ kind: 'avr:1e930a' }), backup(), 'refused other-kind'],
    ['that cannot be told apart', earlier({ calibration: 1 }), backup({ calibration: 1 }), 'warning unsure'],
    ['of this very job', backup(), backup(), 'passed this-job'],
    [
      'of this very job, before its EEPROM was saved anew',
      backup(),
      backup({ id: 'anew', sha256: 'cc'.repeat(32) }),
      'passed this-job',
    ],
    [
      'of a content that is there still',
      earlier({ sha256: backup().sha256 }),
      backup(),
      'passed same-content',
    ],
    ['from practice', earlier({ practice: true }), backup(), 'refused practice'],
    ['of a device, in practice', earlier(), backup({ practice: true }), 'refused practice'],
    ['with nothing to tell by', earlier(), backup(), 'warning unsure'],
  ])('%s', (_, restored, now, expected) => {
    expect(verdict('same-device', { restored, backup: now })).toBe(expected)
  })
})

test.each([
  [{ charging: true, level: 0.01 }, 'passed charging'],
  [{ charging: false, level: 0.6 }, 'passed level'],
  [{ charging: false, level: 0.1 }, 'warning low'],
  [undefined, 'warning unknown'],
])('a battery of %j', (battery, expected) => {
  expect(verdict('host-battery', { battery })).toBe(expected)
})

test.each([
  [1e9, 'passed free'],
  [1000, 'warning low'],
  [undefined, 'warning'],
])('room for %s bytes', (storageRoom, expected) => {
  expect(verdict('storage-room', { storageRoom })).toBe(expected)
})

test('a backup that is not in the store any more is refused; one with gaps is a warning', () => {
  expect(verdict('backup-proven', { isProven: false })).toBe('refused')
  expect(verdict('backup-proven')).toBe('passed hashed')
  const unreadable = [{ memory: 'flash', reason: 'read-protected' }] as const
  expect(verdict('backup-proven', { backup: { ...backup(), unreadable } })).toBe('warning')
})

test('a promised hash is checked, an unpromised one is no check', () => {
  const promised = (promisedSha256: string) => wanted({}, { promisedSha256 })
  expect(verdict('image-matches-hash', { wanted: promised('bb'.repeat(32)) })).toBe('passed')
  expect(verdict('image-matches-hash', { wanted: promised('cc'.repeat(32)) })).toBe('refused')
  expect(verdict('image-matches-hash')).toBe('')
})

test('what is known against an image is a warning, a known good image passes, an unknown one says nothing', () => {
  expect(verdict('known-bad', { known: { against: 'slow-programming' } })).toBe('warning')
  expect(verdict('known-bad', { known: { against: undefined } })).toBe('passed')
  expect(verdict('known-bad')).toBe('')
})

describe('what the chip code gets to see', () => {
  /** The flash that `patient.check` was asked about. */
  const seen = (changes: Partial<CheckRequest>): readonly Segment[] | undefined => {
    let contents: Contents = new Map<MemoryId, Segment[]>()
    const check = (asked: Contents): Check[] => {
      contents = asked
      return []
    }
    checkAll(request({ patient: { kind: 'avr:1e9307', chip: 'ATmega8', check }, ...changes }))
    return contents.get('flash')
  }
  const whole = wanted({ contents: new Map([['flash', [{ address: 128, bytes: code(128) }]]]) })

  test('is the image as it is', () => {
    expect(seen({ wanted: whole })).toEqual(whole.contents.get('flash'))
  })

  test('is the image without what is left out', () => {
    const [segment] = seen({ wanted: whole, rule: { outside: 'keep', reserved: 'skip' } }) ?? []
    expect(segment?.bytes.subarray(0, 64)).toEqual(code(128).subarray(0, 64))
    expect(segment?.bytes.subarray(64)).toEqual(blank(64))
  })

  test('is the whole flash when the rest is blanked', () => {
    const [segment] =
      seen({
        rule: { outside: 'blank', reserved: 'refuse' },
        kept: new Map([['flash', code(256)]]),
        present: new Map([['flash', code(256)]]),
      }) ?? []
    expect(segment?.bytes).toHaveLength(256)
    expect(segment?.bytes.subarray(64, 192)).toEqual(blank(128))
  })

  test('has around it what will be put back, not what a broken write left', () => {
    let around: Contents = new Map()
    const check = (_: Contents, rest: Contents) => {
      around = rest
      return []
    }
    const kept = new Map([['flash', code(256)]] as const)
    const present = new Map([
      ['flash', blank(256)],
      ['fuses', code(3)],
    ] as const)
    checkAll(request({ patient: { kind: 'avr:1e9307', chip: 'ATmega8', check }, kept, present }))
    expect(around.get('flash')).toEqual([{ address: 0, bytes: code(256) }])
    expect(around.get('fuses')).toEqual([{ address: 0, bytes: code(3) }])
  })

  test('is the image as it is when it does not fit anyway', () => {
    const beyond = wanted({ contents: new Map([['flash', [{ address: 250, bytes: code(64) }]]]) })
    expect(seen({ wanted: beyond, rule: { outside: 'blank', reserved: 'skip' } })).toEqual(
      beyond.contents.get('flash'),
    )
  })
})
