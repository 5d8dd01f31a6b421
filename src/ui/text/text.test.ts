import { afterEach, describe, expect, test } from 'vitest'
import { FlashError, type ErrorCode, type ErrorDetails, type LikelyCause } from '#core/errors.ts'
import type { Check, CheckCode, Fact, FactName, MemoryId, NoticeCode } from '#core/programmer.ts'
import type { Platform } from '#host/platform.ts'
import type { Certificate } from '#jobs/certificate.ts'
import type { Consequence } from '#jobs/plan.ts'
import { certificateContent } from '#jobs/test-papers.ts'
import type { JobView, StepName } from '#jobs/view.ts'
import { evidenceCodes, statementCodes } from '#inspector/clue.ts'
import { heldAfter, patientLine, proofText } from './certificates.ts'
import { checkResult, checkText, consentText, consequenceText } from './checks.ts'
import { errorWord } from './error-words.ts'
import { errorText, type Situation } from './errors.ts'
import {
  confidenceText,
  factHelp,
  factName,
  factValue,
  memoryHelp,
  memoryName,
  unreadableText,
} from './facts.ts'
import { moment, shortHash, size } from './format.ts'
import { fuseByteName, fuseMeaning, fuseName } from './fuses.ts'
import { overwriteGetLocale } from './generated/runtime.js'
import { announcement, jobSteps } from './job.ts'
import { sizeText } from './map.ts'
import { noticeText } from './notices.ts'
import { evidenceText, statementText } from './statements.ts'

const locales = ['en', 'de'] as const
type Locale = (typeof locales)[number]
const speak = (locale: Locale) => overwriteGetLocale(() => locale)
afterEach(() => speak('en'))

/** The same text in both languages; a text must be a finished sentence in each. */
function inBoth(tell: () => string): { en: string; de: string } {
  const [en, de] = locales.map((locale) => {
    speak(locale)
    const text = tell()
    expect(text, text).toMatch(/\S/)
    expect(text, 'an unfilled gap or a lost value').not.toMatch(/[{}]|undefined|null|NaN|\[object/)
    expect(text, 'calm').not.toContain('!')
    return text
  })
  return { en: en ?? '', de: de ?? '' }
}

type Messages = Record<string, unknown>
const files = import.meta.glob<Messages>('./{en,de}/*.json', { eager: true, import: 'default' })
const areas = Object.keys(files)
  .filter((path) => path.startsWith('./en/'))
  .map((path) => path.slice('./en/'.length))

describe('the catalogue of messages', () => {
  const gaps = (message: unknown) =>
    [...new Set(JSON.stringify(message).match(/\{\w+\}/g) ?? [])].sort().join(' ')

  test.each(areas)('%s has the same keys and gaps in both languages', (area) => {
    const en = files[`./en/${area}`] ?? {}
    const de = files[`./de/${area}`] ?? {}
    expect(Object.keys(de)).toEqual(Object.keys(en))
    for (const [key, message] of Object.entries(en))
      expect(`${key} ${gaps(de[key])}`).toBe(`${key} ${gaps(message)}`)
  })

  test('no key stands in two areas', () => {
    const keys = areas.flatMap((area) => Object.keys(files[`./en/${area}`] ?? {}))
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([])
  })

  test('no message shouts', () => {
    for (const [path, messages] of Object.entries(files))
      for (const [key, message] of Object.entries(messages))
        expect(JSON.stringify(message), `${path} ${key}`).not.toContain('!')
  })
})

const details: { [C in ErrorCode]: readonly ErrorDetails[C][] } = {
  cancelled: [{}, { during: 'writing flash' }],
  'click-needed': [{ api: 'usb' }],
  'browser-unsupported': [{ api: 'usb' }, { api: 'serial' }, { api: 'hid' }, { api: 'storage' }],
  'permission-denied': [
    { api: 'usb', vendorId: 0x16c0, productId: 0x05dc },
    { api: 'usb' },
    { api: 'serial', vendorId: 0x2341, productId: 0x0043 },
    { api: 'serial' },
    { api: 'hid', vendorId: 0x0d28, productId: 0x0204 },
    { api: 'hid' },
  ],
  'blocked-by-policy': [{ api: 'usb' }, { api: 'serial' }, { api: 'hid' }],
  'device-busy': [
    { api: 'usb', holder: 'other-tab' },
    { api: 'usb', holder: 'other-program' },
    { api: 'serial' },
    { api: 'hid' },
  ],
  'device-gone': [{}, { during: 'READFLASH' }],
  timeout: [{ during: 'ENABLEPROG', timeoutMs: 5000 }],
  stalled: [{ during: 'TRANSMIT' }],
  'short-transfer': [{ during: 'READFLASH', expected: 200, found: 199 }],
  'transfer-failed': [{ during: 'CONNECT' }],
  'unexpected-answer': [{ during: 'sync', sent: '30 20', found: '14 11' }],
  'device-refused': [
    { during: 'PROG_PAGE', status: 'STK_FAILED' },
    { during: 'asking its boot loader', status: 'protocol 4', by: 'signed-only' },
  ],
  'device-silent': [{ tried: ['115200', '57600'] }, { tried: [] }, { tried: ['7F'], by: 'boot-pins' }],
  'target-missing': [{ tried: ['1.5 MHz', '187.5 kHz'] }, { tried: [] }],
  'target-busy': [{ during: 'reading 0x0800_0000', by: 'SWD' }],
  'target-unknown': [
    { signature: '0x2ba0_1477' },
    { signature: '1e 99 99' },
    { signature: 'ff ff ff' },
    { signature: '00 01 02' },
  ],
  'target-changed': [{ expected: 'ATmega8', found: 'ATmega88' }],
  'read-protected': [{ memory: 'flash' }, { memory: 'flash', by: 'option-bytes' }],
  'write-protected': [{ memory: 'fuses' }],
  'bad-file': [
    { format: 'Intel HEX', why: 'empty' },
    { format: 'Intel HEX', why: 'too-large' },
    { format: 'Intel HEX', why: 'not-text', offset: 0 },
    { format: 'Intel HEX', why: 'no-start-code', line: 2, offset: 44, found: 'x' },
    { format: 'Intel HEX', why: 'bad-digit', line: 2, offset: 44, found: 'g' },
    { format: 'Intel HEX', why: 'bad-length', line: 2, offset: 44 },
    { format: 'Intel HEX', why: 'bad-checksum', line: 2, offset: 44, found: '0x1f', expected: '0x20' },
    { format: 'Intel HEX', why: 'bad-record-type', line: 2, offset: 44, found: '0x09' },
    { format: 'Intel HEX', why: 'truncated', line: 2, offset: 44 },
    { format: 'Intel HEX', why: 'no-end-record', line: 9 },
    { format: 'Intel HEX', why: 'overlap', line: 9, firstLine: 3, address: 0x1f40 },
    { format: 'Intel HEX', why: 'address-overflow', address: 0x1_0000_0000 },
    { format: 'Intel HEX', why: 'no-bytes' },
    { format: 'unknown', why: 'unknown-format' },
    { format: 'HTML', why: 'unknown-format', found: 'HTML' },
    { format: 'UF2', why: 'unknown-format', found: 'UF2' },
    { format: 'link', why: 'bad-compression' },
    { format: 'link', why: 'bad-structure' },
    { format: 'UF2', why: 'bad-magic', offset: 0 },
    { format: 'UF2', why: 'missing-block', found: '7', expected: '8' },
    { format: 'UF2', why: 'overlap', offset: 512, firstOffset: 0, address: 0x1000_0000 },
    { format: 'UF2', why: 'several-parts', parts: [{ id: '0xe48b_ff56', name: 'RP2040' }] },
    { format: 'UF2', why: 'no-such-part', expected: 'x', parts: [{ id: '0xe48b_ff56', name: 'RP2040' }] },
    { format: 'ESP image', why: 'bad-hash' },
    { format: 'Motorola S-record', why: 'bad-count', line: 3, offset: 60, found: '3', expected: '2' },
  ],
  'wrong-device': [{ expected: 'USBasp', found: 'maker Lamp' }],
  'does-not-fit': [{ memory: 'flash', address: 0x1f40, length: 512, available: 192 }],
  'bad-link': [
    { field: 'sha256', why: 'not-a-hash' },
    { field: 'url', why: 'not-https' },
    { field: 'link', why: 'something newer' },
  ],
  'download-blocked': [
    { url: 'https://example.org/firmware.hex', why: 'cors' },
    { url: 'not an address', why: 'offline' },
  ],
  'hash-mismatch': [{ expected: 'a'.repeat(64), found: 'b'.repeat(64) }],
  'size-mismatch': [{ expected: 4700, found: 120 }],
  'verify-mismatch': [
    { memory: 'flash', address: 0x10, expected: 0x12, found: 0x13, count: 1 },
    { memory: 'flash', address: 0x10, expected: 0x12, found: 0xff, count: 1200, likely: 'not-written' },
    { memory: 'flash', address: 0x10, expected: 0x12, found: 0x10, count: 2, likely: 'stuck-bit' },
    { memory: 'eeprom', address: 0x10, expected: 0x12, found: 0x10, count: 2, likely: 'not-erased' },
    { memory: 'flash', address: 0x10, expected: 0x12, found: 0x10, count: 2, likely: 'changing' },
  ],
  'backup-mismatch': [
    { memory: 'flash', address: 0x10, expected: 0x12, found: 0x13, count: 1, likely: 'bad-contact' },
    { memory: 'flash', address: 0x10, expected: 0x12, found: 0x13, count: 7, likely: 'changing' },
  ],
  'backup-corrupt': [
    { name: '001-ATmega8/flash.bin', why: 'hash' },
    { name: 'archive', why: 'not a ZIP file' },
  ],
  'backup-needed': [{ name: 'ATmega8' }, { name: 'ATmega8', by: 'open-job' }],
  'not-proven': [
    { expected: 'USBasp 1.04', found: 'USBasp 1.02' },
    { expected: 'USBasp 1.04', found: 'USBasp 1.04', why: 'tool' },
    { expected: 'USBasp 1.04', found: 'USBasp 1.04', why: 'was-there' },
    { expected: 'USBasp 1.04', found: 'USBasp 1.04', why: 'like-the-tool' },
    { expected: 'USBasp 1.04', found: 'USBasp 1.04', why: 'another' },
  ],
  'storage-full': [{ needed: 40_000, available: 1000 }, {}],
  'storage-failed': [{ during: 'storing a backup' }],
  'worker-ended': [{ during: 'parse' }],
  bug: [{}, { during: 'planning' }],
}

const platforms: readonly Platform[] = [
  { os: 'windows' },
  { os: 'macos' },
  { os: 'linux' },
  { os: 'chromeos' },
  { os: 'android' },
  { os: 'other' },
]
const backupAt = '2026-01-31T14:02:00Z'
const platform: Platform = { os: 'linux' }
const situations: readonly Situation[] = [
  ...platforms.map((each) => ({ platform: each, halfWritten: false })),
  { platform, halfWritten: false, backupAt },
  { platform, halfWritten: true, backupAt },
  { platform, halfWritten: true },
  { platform, halfWritten: true, isBack: true, backupAt },
  { platform, halfWritten: false, isBack: true },
  { platform, halfWritten: false, backupAt, written: true },
  { platform, halfWritten: false, tool: 'usbasp' },
  { platform, halfWritten: false, tool: 'stk500' },
  { platform, halfWritten: false, by: 'swd' },
  { platform, halfWritten: false, by: 'bootloader' },
  { platform, halfWritten: false, about: 'library' },
  { platform, halfWritten: false, about: 'file' },
]
const everyError = Object.entries(details).flatMap(([code, all]) =>
  all.map((detail) => new FlashError(code as ErrorCode, detail)),
)

test('a screen reader is told an operation once, then its quarters, and at its end nothing again', () => {
  const event = { path: ['backup', 'read', 'flash'], total: 8192, range: undefined, fraction: 0 }
  const told = Array.from({ length: 65 }, (_, i) => announcement({ ...event, done: i * 128 })).filter(
    (said, i, all) => said && said !== all[i - 1],
  )
  expect(told).toHaveLength(4)
  expect(new Set(told).size).toBe(4)
})

describe('an error', () => {
  test.each(everyError)(
    '$code says what happened, what is safe and what to do, in both languages',
    (error) => {
      for (const situation of situations) {
        const tell = (part: 'happened' | 'safe') => inBoth(() => errorText(error, situation)[part])
        for (const part of ['happened', 'safe'] as const) {
          const { en, de } = tell(part)
          expect(de).not.toBe(en)
        }
        for (const locale of locales) {
          speak(locale)
          const { now, copy } = errorText(error, situation)
          expect(now.length).toBeGreaterThan(0)
          for (const step of now) inBoth(() => step)
          for (const { label, text } of copy) inBoth(() => label + text.replace(/[{}]/g, ''))
        }
      }
    },
  )

  const on = (os: Platform['os']): Situation => ({ platform: { os }, halfWritten: false })
  const denied = new FlashError('permission-denied', { api: 'usb', vendorId: 0x16c0, productId: 0x05dc })
  const copied = (error: FlashError, situation: Situation) =>
    errorText(error, situation).copy.map(({ text }) => text)

  test('about a stranger on a shared id speaks of the device, not of a file', () => {
    speak('en')
    const stranger = new FlashError('wrong-device', { expected: 'USBasp', found: 'maker Lamp' })
    const { happened, now } = errorText(stranger, on('linux'))
    expect(happened).toContain('“maker Lamp” is no USBasp')
    expect([happened, ...now].join(' ')).not.toMatch(/file|firmware/)
  })

  test('denied on Linux offers a rule for exactly this device, and the way back', () => {
    const [rule, undo] = copied(denied, on('linux'))
    expect(rule).toContain('ATTR{idVendor}=="16c0", ATTR{idProduct}=="05dc"')
    expect(rule).toContain('TAG+="uaccess"')
    expect(rule).toMatch(/rules\.d\/70-/) // uaccess is honoured below 73 only
    expect(undo).toContain('rm /etc/udev/rules.d/70-reflasher-16c0-05dc.rules')
  })

  test('a browser on Linux may be a snap or a Flatpak: both permissions are offered', () => {
    const commands = copied(denied, on('linux')).join('\n')
    expect(commands).toContain('sudo snap connect chromium:raw-usb')
    expect(commands).toContain('flatpak override --user --device=all')
  })

  test('a serial port that Linux does not open names the group first, then who may hold it, then sandboxes', () => {
    const closed = new FlashError('device-busy', { api: 'serial' })
    const commands = copied(closed, on('linux'))
    expect(
      commands.map((command) => /dialout|uucp|fuser|ModemManager|snap|flatpak/.exec(command)?.[0]),
    ).toEqual([...['dialout', 'uucp', 'fuser', 'ModemManager', 'snap', 'flatpak', 'flatpak']])
    speak('en')
    expect(errorText(closed, on('linux')).happened).toContain('no right to it, or another program')
    expect(errorText(closed, on('windows')).happened).toBe('Another program holds the serial port.')
  })

  test('denied on a serial port of Linux names the group', () => {
    const serial = new FlashError('permission-denied', { api: 'serial' })
    expect(copied(serial, on('linux'))[0]).toBe('sudo usermod -aG dialout "$USER"')
  })

  test('denied on Windows is a missing driver: it names the id to look for in Zadig and how to undo it', () => {
    const { now, copy } = errorText(denied, on('windows'))
    expect(now.join(' ')).toContain('16C0 05DC')
    expect(copy.at(-1)?.text).toContain('Scan for hardware changes')
  })

  test('a policy lets this page ask, and nothing more', () => {
    const [policy] = copied(new FlashError('blocked-by-policy', { api: 'usb' }), on('linux'))
    expect(JSON.parse(policy ?? '')).toEqual({ WebUsbAskForUrls: [expect.stringMatching(/^https?:/)] })
  })

  test('while half-written it never says that nothing was written, and ends with the way on', () => {
    const gone = new FlashError('device-gone', {})
    const { safe, now } = errorText(gone, { platform: { os: 'linux' }, halfWritten: true, backupAt })
    expect(safe).toContain('partly written')
    expect(safe).toContain(`from ${moment(backupAt)}`)
    expect(now.at(-1)).toContain('restore the backup')
  })

  test('while half-written it promises no backup of what no backup holds', () => {
    const situation = { ...on('linux'), halfWritten: true, backupAt, unsaved: ['flash'] } as const
    const { safe, now } = errorText(new FlashError('device-gone', {}), situation)
    expect(safe).toContain('There is no backup')
    expect([safe, ...now].join(' ')).not.toMatch(/is safe|restore the backup/)
  })

  test('of a proof by the wrong device says which answered, which is awaited, and what to do', () => {
    for (const why of [undefined, 'tool', 'was-there', 'like-the-tool', 'another'] as const) {
      const gaps = { expected: 'USBasp 1.11', found: 'USBasp 1.02' }
      const error = new FlashError('not-proven', { ...gaps, ...(why && { why }) })
      const both = inBoth(() => errorText(error, { ...on('linux'), written: true }).happened)
      for (const told of Object.values(both)) {
        expect(told).toContain('USBasp 1.11')
        expect(told).toContain('USBasp 1.02')
      }
      const { now } = errorText(error, { ...on('linux'), written: true })
      expect(now.length).toBeGreaterThan(0)
    }
  })

  test('while the written is read back says that everything was written, and that it is not proven', () => {
    const situation = { ...on('linux'), halfWritten: true, allWritten: true, backupAt }
    for (const error of [new FlashError('device-gone', {}), new FlashError('cancelled', {})]) {
      inBoth(() => errorText(error, situation).safe)
      speak('en')
      const { happened, safe, now } = errorText(error, situation)
      expect(safe).toContain('Everything was written')
      expect([happened, safe, ...now].join(' ')).not.toMatch(/partly|while it was writing|finish writing/)
    }
  })

  test('that nobody expects asks for a report, with the log to save and the details to read', () => {
    speak('en')
    const { now, details, asksForReport } = errorText(
      new FlashError('stalled', { during: 'reading' }),
      on('linux'),
    )
    expect(now.at(-1)).toContain('save the log below')
    expect(details).toContain('reading')
    expect(asksForReport).toBe(true)
    expect(errorText(new FlashError('device-gone', {}), on('linux')).asksForReport).toBe(false)
  })

  test('of ours promises a continuation only when a write had begun', () => {
    speak('en')
    const told = (halfWritten: boolean) =>
      errorText(new FlashError('bug', {}), { ...on('linux'), halfWritten }).now.join(' ')
    expect(told(false)).not.toMatch(/continue/i)
    expect(told(true)).toMatch(/continue this write/)
  })

  test('of a chip that its new fuses have shut out names them instead of the cable', () => {
    const silent = [
      new FlashError('target-missing', { tried: ['SCK 375 kHz'] }),
      new FlashError('target-unknown', { signature: 'ff ff ff' }),
    ]
    const written = (...fuses: { bit: string; danger: string }[]): Situation => ({
      ...on('linux'),
      written: true,
      fuses: fuses.map((values) => ({ values })),
    })
    for (const error of silent) {
      const both = written({ bit: 'RSTDISBL', danger: 'lost' }, { bit: 'CKSEL', danger: 'clock' })
      inBoth(() => errorText(error, both).happened)
      speak('en')
      const { happened, now } = errorText(error, both)
      expect(happened).toContain('RSTDISBL, CKSEL')
      expect(now).toEqual([expect.stringContaining('high-voltage')])
      expect(errorText(error, { ...both, family: 'usbasp' }).sheet).toBe('usbasp') // to bring it back
      const clock = errorText(
        error,
        written({ bit: 'CKSEL', danger: 'clock' }, { bit: 'CKDIV8', danger: 'slow' }),
      )
      expect(clock.now).toEqual([expect.stringContaining('XTAL1'), expect.stringContaining('slowest SCK')])
      const harmless = errorText(error, written({ bit: 'BOOTRST', danger: 'caution' }))
      expect(harmless.now.join(' ')).toContain('cable')
      const supply = errorText(error, written({ bit: 'BODLEVEL', danger: 'supply' }))
      expect(supply.now).toEqual([expect.stringContaining('above its brown-out level')])
    }
  })

  test('of a silent target behind an Arduino tells its wires and its sketch, and no part of a USBasp', () => {
    speak('en')
    const silent = [
      new FlashError('target-missing', { tried: [] }),
      new FlashError('target-unknown', { signature: '00 00 00' }),
    ]
    for (const error of silent) {
      const now = errorText(error, { ...on('linux'), tool: 'stk500' }).now.join(' ')
      expect(now).toMatch(/D13 .*SCK.*D10 .*reset.*5V/)
      expect(now).toContain('one speed')
      expect(now).not.toMatch(/pin 1|J1|J3|slowest|update/)
      expect(errorText(error, { ...on('linux'), tool: 'usbasp' }).now.join(' ')).toMatch(/pin 1.*J1.*J3/)
    }
    const slowed = { ...on('linux'), written: true, fuses: [{ values: { bit: 'CKDIV8', danger: 'slow' } }] }
    for (const error of silent)
      expect(errorText(error, { ...slowed, tool: 'stk500' }).now).toEqual([
        expect.stringContaining('SPI_CLOCK'),
      ])
    const { what, help } = noticeText({ code: 'no-sck-choice', level: 'info', values: { fixed: 'sketch' } })
    expect(`${what} ${help}`).not.toMatch(/J3|update/)
  })

  test('of readings that disagree speaks of the wires there are: a USB cable has neither MOSI nor a speed to choose', () => {
    const place = { memory: 'flash', address: 0x10, expected: 0x12, found: 0x13, count: 1 } as const
    for (const code of ['verify-mismatch', 'backup-mismatch'] as const) {
      const now = (by: Situation['by'], likely: LikelyCause = 'bad-contact') =>
        errorText(new FlashError(code, { ...place, likely }), { ...on('linux'), by }).now.join(' ')
      expect(now('isp')).toMatch(/slower speed/)
      expect(now('swd')).not.toMatch(/MOSI/)
      for (const likely of ['bad-contact', 'not-written'] as const) {
        expect(now('bootloader', likely)).toMatch(/cable/)
        expect(now('bootloader', likely)).not.toMatch(/MOSI|speed|programmer/)
      }
    }
  })

  test('of a USBasp with nothing behind it shows the way to update that USBasp itself', () => {
    speak('en')
    const told = (given: Partial<Situation>) =>
      errorText(new FlashError('target-missing', { tried: [] }), { ...on('linux'), ...given })
    const alone = told({ tool: 'usbasp' })
    expect(alone.now[0]).toContain('second programmer')
    expect(alone.sheet).toBe('usbasp')
    for (const other of [
      told({ tool: 'stk500' }),
      told({ tool: 'usbasp', rescuing: true }),
      told({ tool: 'usbasp', backupAt }),
    ]) {
      expect(other.now.join(' ')).not.toContain('second programmer')
      expect(other.sheet).toBeUndefined()
    }
  })

  test('after the verify it never says that nothing was written', () => {
    const { safe } = errorText(new FlashError('device-gone', {}), {
      platform: { os: 'linux' },
      halfWritten: false,
      written: true,
    })
    expect(safe).toBe('What was written was read back and is equal.')
  })

  test('a bad file is told with its place', () => {
    const bad = new FlashError('bad-file', {
      format: 'Intel HEX',
      why: 'bad-checksum',
      line: 3,
      offset: 97,
      found: '0x1f',
      expected: '0x20',
    })
    expect(errorText(bad, on('linux')).happened).toBe(
      'A checksum in the file is wrong (line 3, byte 97, found 0x1f, expected 0x20).',
    )
  })
})

test('room is told in the same units everywhere', () => {
  const room: Check = { code: 'storage-room', result: 'passed', values: { why: 'free', free: '3221225472' } }
  expect(inBoth(() => checkText(room).text).en).toBe('3 GiB free in the browser’s storage.')
  const full = new FlashError('storage-full', { needed: 40_960, available: 1024 })
  expect(
    inBoth(() => errorText(full, { platform: { os: 'linux' }, halfWritten: false }).happened).en,
  ).toContain('40 KiB are needed, 1 KiB are free')
})

test.each(Object.keys(details))('%s is told in a few words too, in both languages', (code) => {
  const { en, de } = inBoth(() => errorWord(code))
  expect(de).not.toBe(en)
  expect(en).not.toBe(code)
})

describe('a proof by reading', () => {
  const hash = 'ab'.repeat(32)
  const proved = (facts: readonly Fact[]) => {
    const proof = { kind: 'read-again', expected: hash, found: hash, facts } as const
    const view: Partial<JobView> = { next: 'nothing', done: ['prove'], proof }
    return inBoth(() => jobSteps(view as JobView, 'prove', ['prove'])[0]?.result ?? '')
  }

  test('is told in words, with the firmware when that was recognised, and by no hash', () => {
    expect(proved([]).en).toBe('read again, equal')
    const named = proved([{ name: 'firmware', value: 'USBasp 1.10' }])
    expect(named.en).toBe('USBasp 1.10: read again, equal')
    expect(named.de).toMatch(/^USBasp 1\.10: .*gleich$/)
  })
})

describe('a certificate', () => {
  const content: Certificate = { ...certificateContent, format: 'reflasher-certificate', version: 1 }
  const { patient, before, after, proof } = content
  const holding = (version: string) => ({
    ...{ family: 'usbasp', name: 'USBasp', version, confidence: 'certain', evidence: [] },
  })
  const usbasp: Certificate = {
    ...content,
    patient: { ...patient, model: 'USBasp', serial: '0042' },
    before: { ...before, firmware: holding('1.05') as Certificate['before']['firmware'] },
    after: { ...after, firmware: holding('1.11') as Certificate['after']['firmware'] },
  }

  test('names the programmer with its versions, chip and serial number; else the chip alone', () => {
    const { en, de } = inBoth(() => patientLine(usbasp))
    expect(en).toBe('USBasp, firmware 1.05 → 1.11, ATmega8, serial 0042')
    expect(de).toBe('USBasp, Firmware 1.05 → 1.11, ATmega8, Seriennummer 0042')
    expect(patientLine(content)).toBe('ATmega8')
    expect(inBoth(() => patientLine({ ...usbasp, before })).en).toContain('firmware not recognised → 1.11')
  })

  test('takes the image for what it holds only where its flash was written', () => {
    const source = { ...content.source, version: '1.11' }
    const unknown = { ...usbasp, source, after }
    expect(patientLine(unknown)).toContain('1.05 → 1.11')
    expect(heldAfter(unknown)).toBe('x.hex')
    const eeprom = { memories: [{ id: 'eeprom' as const, length: 8, sha256: 'ab'.repeat(32) }] }
    expect(patientLine({ ...unknown, after: eeprom })).toContain('1.05 → not recognised')
    expect(heldAfter({ ...unknown, after: eeprom })).toBe('not recognised')
  })

  const of = (changes: Partial<Certificate['proof']>): Certificate => ({
    ...content,
    proof: { ...proof, kind: 'running-version', ...changes },
  })
  const unread = (changes: Partial<Certificate['proof']>): Certificate => ({
    ...of(changes),
    written: { erase: 'none', programmedBytes: 100, verifiedBytes: 0 },
  })
  test.each([
    [of({ distinct: 'yes' }), 'Proven: the new version is running'],
    [of({}), 'Proven: the new version is running'], // an older certificate
    [of({ distinct: 'no' }), 'Proven: it runs, and its bytes were read back'],
    [of({ distinct: 'unknown' }), 'Proven: it runs, and its bytes were read back'],
    [unread({ distinct: 'no' }), 'It answers as expected; nothing was read back'],
    [unread({ distinct: 'unknown' }), 'It answers as expected; nothing was read back'],
    [unread({ distinct: 'yes' }), 'Proven: the new version is running'],
    [of({ kind: 'none', found: '' }), 'Not proven'],
    [of({ kind: 'none', found: '1.02', why: 'not-proven' }), 'Not proven: it says something else'],
    [of({ kind: 'none', found: '0x42', why: 'verify-mismatch' }), 'Not proven: it holds something else'],
  ])('claims no more than its proof %#', (certificate, title) => {
    expect(proofText(certificate).title).toBe(title)
    if (title.includes('bytes')) inBoth(() => proofText(certificate).what ?? '')
  })

  test('proven by reading names what was compared, and what could not be', () => {
    const told = (...ids: Certificate['after']['memories'][number]['id'][]) => {
      const memories = ids.map((id) => ({ id, length: 8, sha256: 'ab'.repeat(32) }))
      return proofText({ ...of({ kind: 'read-again' }), after: { memories } }).what
    }
    expect(told('flash', 'lock')).toBe(
      'The chip was met anew and read. As planned: Flash, Lock bits. What is running was not asked.',
    )
    expect(told('flash', 'eeprom')).toContain(
      'As planned: Flash. EEPROM: compared when it was written, not again, because what runs may change it.',
    )
    expect(told('eeprom')).toContain('As planned: EEPROM. What')
  })

  test('without a proof says why', () => {
    const told = (changes: Partial<Certificate['proof']>) =>
      inBoth(() => proofText(of({ kind: 'none', found: '', ...changes })).what ?? '').en
    expect(told({})).toMatch(/Whether it runs was not proven\.$/)
    const written = { erase: 'none', programmedBytes: 0, verifiedBytes: 8192 } as const
    const nothing = inBoth(() => proofText({ ...of({ kind: 'none', found: '' }), written }).what ?? '').en
    const nobody = inBoth(() => proofText(unread({ kind: 'none', found: '' })).what ?? '').en
    expect(nobody).toMatch(
      /^It was written, and the boot loader confirmed each block; nobody can read it back\./,
    )
    expect(nothing).toMatch(/^Nothing had to be written: every byte was read back and is equal\. Whether/)
    expect(told({})).toMatch(/^It was written, and every byte/)
    expect(told({ why: 'stalled' })).toMatch(/The proof after that ended early: .+\.$/)
    expect(told({ why: 'not-proven', found: 'USBasp 1.02' })).toMatch(/it said something else/)
    expect(told({ why: 'verify-mismatch', found: 'flash 0x0010: 0x42' })).toMatch(/held something else/)
  })
})

describe('a step that is done', () => {
  const memory = (id: MemoryId, length: number) => ({ id, length })
  const locked = {
    memories: [memory('fuses', 3), memory('lock', 1), memory('calibration', 4)],
    unreadable: [
      { memory: 'flash', reason: 'read-protected' },
      { memory: 'eeprom', reason: 'read-protected' },
    ],
  }
  const whole = {
    memories: [memory('flash', 8192)],
    unreadable: [{ memory: 'eeprom', reason: 'not-through-this-way' }],
  }
  const step = (name: StepName, view: object) => {
    const [only] = jobSteps({ next: 'nothing', done: [name], ...view } as unknown as JobView, 'prove', [name])
    return only
  }

  test('is no success where a locked chip kept its contents back, and says what is missing', () => {
    const { en, de } = inBoth(() => step('back-up', { backup: locked })?.result ?? '')
    expect(en).toBe('8 B read twice. Not in it: Flash, EEPROM (not readable)')
    expect(de).toContain('Flash, EEPROM')
    expect(step('back-up', { backup: locked })?.state).toBe('partly')
  })

  test('is none where nothing at all could be read, and tells no bytes', () => {
    const nothing = { ...locked, memories: [] }
    expect(inBoth(() => step('back-up', { backup: nothing })?.result ?? '').en).toBe(
      'Nothing could be read: Flash, EEPROM (locked)',
    )
    expect(step('back-up', { backup: nothing })?.state).toBe('partly')
  })

  test('is one where everything that can be lost was read', () => {
    expect(step('back-up', { backup: whole })).toMatchObject({
      state: 'done',
      result: '8 KiB, read twice, equal',
    })
  })

  test('is not to be connected while the plug is out', () => {
    const programmer = { model: 'USBasp' }
    const connect = (next: JobView['next']) => step('connect', { next, programmer })
    expect(connect('choose')).toMatchObject({ state: 'done', result: 'USBasp' })
    expect(connect('replug')?.state).toBe('partly')
    expect(inBoth(() => connect('replug')?.result ?? '').en).toBe('not connected now')
  })

  test('is none without its proof', () => {
    const proof = { kind: 'none', expected: 'x', found: '', facts: [] }
    expect(step('prove', { proof })?.state).toBe('partly')
    expect(step('prove', { proof: { ...proof, kind: 'read-again' } })?.state).toBe('done')
  })
})

describe('a plan', () => {
  const step = (view: Partial<JobView>) =>
    inBoth(() => jobSteps({ next: 'write', done: [], ...view } as JobView, 'plan', ['plan'])[0]?.result ?? '')
  const plan = { erase: 'none', programBytes: 0 } as JobView['plan']
  const outcome = { erase: 'chip', programmedBytes: 100 } as JobView['outcome']

  test('of what the device holds already says that nothing will be written', () => {
    expect(step({ plan, halfWritten: false }).en).toBe('nothing to write')
  })

  test('for the rest of a broken write never says that there was nothing to write', () => {
    expect(step({ plan, halfWritten: true }).en).not.toBe('nothing to write')
    expect(step({ plan, outcome, halfWritten: false }).en).not.toBe('nothing to write')
  })
})

describe('a notice', () => {
  const values: Record<NoticeCode, readonly Record<string, string>[]> = {
    'shared-usb-id': [
      { manufacturer: 'Acme', product: 'DMX' },
      { manufacturer: '', product: '' },
    ],
    'clone-strings': [{ manufacturer: '', product: 'USBasp' }],
    'clone-firmware': [{}],
    'old-usb-id': [{}],
    'usbisp-hid': [{}],
    'maybe-usbasploader': [{}],
    'no-sck-choice': [{}, { fixed: 'sketch' }],
    'slow-sck-used': [{}, { speed: '93.75 kHz' }],
    locked: [
      { lock: '0xfc', prevents: 'reading' },
      { lock: '0xfe', prevents: 'writing' },
    ],
    'bootloader-no-fuses': [{}, { eeprom: 'yes' }],
    'bootloader-locked': [{}],
    'hold-bootsel': [{}],
    'probe-bootsel': [{}],
    'stlink-v1': [{}],
    'stlink-v3pwr': [{}],
    'stlink-v3pwr-loader': [{}],
    'firmware-too-old': [{ version: 'V2J17S4', needs: 'V2J26' }],
    'stlink-replug': [{}],
    'stlink-v2-waits': [{}],
    'stlink-v3-for-good': [{}],
    'stlink-small': [{ room: '48' }],
    'flash-size-unknown': [{}],
    'f103-clone': [{ name: 'GD32F103 (GigaDevice)' }],
    'kinetis-secured': ['mass-erase', 'backdoor', 'nothing'].map((opens) => ({ opens })),
    'clone-size': ['empty', 'more', 'less'].map((why) => ({ why, kib: '128', sure: '64' })),
    'programmer-recognised': [{}, { name: 'USBasp 1.04' }],
    'boot-pins': [{}],
    'pages-unknown': [{}],
    'generic-serial': [{}],
    'other-protocol': [{ protocol: 'STK500v2' }],
    ...{
      'jlink-firmware': [{}],
      'jlink-clone': [{}],
      'jlink-older': [{ model: 'J-Link V9', date: '2019-05-17', newest: '2023-12-08' }],
      'jlink-windows': [{}],
    },
    ...{ 'jlink-serial-only': [{}], 'jlink-no-firmware': [{}], 'no-target-voltage': [{}] },
    ...{ 'lpc-no-isp': [{}], 'sam3-starts-rom': [{}] },
    'sam3-locked': [{ from: '0x0008_0000', to: '0x0008_1fff' }],
    'rescue-chip': [{ name: 'USBasp', chip: 'ATmega8' }],
    'rescue-other-chip': [{ name: 'USBasp', chip: 'ATtiny13', chips: 'ATmega8, ATmega88' }],
  }
  test.each(Object.keys(values) as NoticeCode[])('%s is told in both languages', (code) => {
    for (const gaps of values[code]) {
      const notice = { code, level: 'info', values: gaps } as const
      const { en, de } = inBoth(() => noticeText(notice).what)
      expect(de).not.toBe(en)
      inBoth(() => noticeText(notice).help)
    }
  })
})

describe('a check', () => {
  const evidence = {
    ...{ address: '0x1f00', available: '8192', beyond: '0x2000', bytes: '256', bootloader: '0x7e00' },
    ...{
      chips: 'ATmega88',
      reason: 'slow-programming',
      excess: '12',
      expected: 'ATmega8',
      found: 'ATmega88',
    },
    ...{ from: '1.02', hash: 'ab'.repeat(32), last: '0x125b', level: '40 %', lock: '0xff', memory: 'flash' },
    ...{
      least: '512',
      needed: '4700',
      start: '0x0000',
      target: '0x0026',
      to: '1.04',
      vectors: '19 × 2',
      ...{ after: '0xfc', before: 'ff ff fe ff' },
      word: '0x2411',
    },
  }
  const whys: Partial<Record<CheckCode, readonly string[]>> = {
    'chip-matches': ['unknown-chip'],
    'device-matches': ['unknown', 'itself', 'target'],
    'usb-matches': ['unknown'],
    'size-fits': ['for-ram', 'size-smallest', 'size-protected', 'size-blank', 'size-claimed'],
    'flash-security': ['open', 'secured', 'blank', 'for-good'],
    'bootloader-overlap': ['none', 'untouched', 'same', 'protected', 'erased', 'replaced'],
    'vector-table': [
      ...['missing', 'blank', 'no-jump', 'beyond-flash', 'target-empty', 'bootloader', 'jump', 'count'],
      ...['other-chip', 'unusual-count', 'boot2', 'no-boot2', 'image-block', 'no-image-block', 'stays'],
      ...['partitioned', 'checksum'],
    ],
    'lock-bits': [
      'locked-now',
      'prevents-reading',
      'prevents-writing',
      'needs-erase',
      'open',
      'boot-section',
      ...['crp', 'no-isp'],
    ],
    'fuses-fit': ['bootrst-off', 'other-start', 'application', 'bootloader', 'start-empty', 'start-hidden'],
  }
  const codes: Record<CheckCode, true> = {
    ...{
      'device-matches': true,
      'chip-matches': true,
      'content-matches': true,
      'usb-matches': true,
      'size-fits': true,
      'flash-security': true,
      'bootloader-overlap': true,
      'vector-table': true,
    },
    ...{
      'lock-bits': true,
      'write-protection': true,
      'fuses-fit': true,
      'fuse-danger': true,
      version: true,
      'known-bad': true,
    },
    ...{ 'same-device': true, 'image-matches-hash': true, 'host-battery': true, 'other-tab': true },
    ...{ 'storage-room': true, 'backup-proven': true, 'nothing-to-do': true, 'one-way': true },
    'becomes-other': true,
  }

  /** Results that a check never has. */
  const never: Partial<Record<CheckCode, readonly Check['result'][]>> = {
    'known-bad': ['refused'],
    'image-matches-hash': ['warning'],
    'other-tab': ['warning', 'refused'],
    'one-way': ['refused'],
    'becomes-other': ['passed', 'refused'],
    'storage-room': ['refused'],
  }
  const checkers = import.meta.glob<string>(
    ['../../jobs/check.ts', '../../chips/avr-check.ts', '../../../protocols/stlink/loader-check.ts'],
    {
      query: '?raw',
      import: 'default',
      eager: true,
    },
  )

  test.each(Object.entries(never))('%s is never %s', (code, results) => {
    const lines = Object.values(checkers).flatMap((text) => text.split('\n'))
    const telling = lines.filter((line) => line.includes(`'${code}'`)).join('\n')
    expect(telling).toMatch(/'(passed|warning)'/)
    for (const result of results) expect(telling).not.toContain(`'${result}'`)
  })

  test.each(Object.keys(codes) as CheckCode[])(
    '%s has a title and a sentence for every result it can have',
    (code) => {
      const fuse =
        code === 'fuse-danger'
          ? {
              bit: 'CKSEL',
              from: 'crystal',
              to: 'external-clock',
              danger: 'clock',
              before: '0xff',
              after: '0xf0',
            }
          : {}
      const told = new Set<string>()
      for (const why of [undefined, ...(whys[code] ?? [])])
        for (const result of ['passed', 'warning', 'refused'] as const) {
          if (never[code]?.includes(result)) continue
          const check: Check = { code, result, values: { ...evidence, ...fuse, ...(why && { why }) } }
          inBoth(() => checkText(check).title)
          const { en, de } = inBoth(() => checkText(check).text)
          expect(en, 'more than the title').not.toBe(checkText(check).title)
          expect(de).not.toBe(en)
          expect(en).not.toContain('–')
          if (why) told.add(en)
        }
      expect(told.size, 'every reason has its own sentence').toBe(whys[code]?.length ?? 0)
    },
  )

  test('evidence that is not given shows as a dash, not as a hole', () => {
    const { text } = checkText({ code: 'chip-matches', result: 'refused', values: {} })
    expect(text).toBe('The firmware is for –; connected is –. It would not run there.')
  })

  test('a dangerous fuse is told with what it means and what it costs', () => {
    const { title, text } = checkText({
      code: 'fuse-danger',
      result: 'warning',
      values: {
        ...{ danger: 'lost', fuse: 'high', bit: 'RSTDISBL', from: 'off', to: 'on', meaning: 'on' },
        ...{ before: '0xd9', after: '0x59' },
      },
    })
    expect(title).toBe('Fuse RSTDISBL')
    expect(text).toContain('off → on (0xd9 → 0x59)')
    expect(text).toContain('cannot be reached by ISP')
  })

  test('a brown-out level is told with the level before and after, and what a supply below it costs', () => {
    const values = {
      ...{ danger: 'supply', fuse: 'extended', bit: 'BODLEVEL', from: 'bod-level', to: 'bod-level' },
      ...{ 'from-volts': '2.7', volts: '4.3', before: '0xfd', after: '0xfc' },
    }
    const consequence = { id: 'fuse-danger', code: 'fuse-danger', typed: true, values } as const
    for (const text of [
      checkText({ code: 'fuse-danger', result: 'warning', values }).text,
      consequenceText(consequence),
    ]) {
      expect(text).toContain('2.7 V → 4.3 V (0xfd → 0xfc)')
      expect(text).toMatch(/stays in reset.*until the supply is raised/)
      expect(text).not.toContain('reachable')
    }
    inBoth(() => consequenceText(consequence))
  })

  test('what was consented to is told by the id that a certificate keeps, and of a newer app as it stands', () => {
    expect(inBoth(() => consentText('no-backup:flash')).en).toBe('Flash is lost')
    expect(inBoth(() => consentText('fuse-danger:low.CKSEL')).de).toBe('Fuse CKSEL ist gefährlich')
    expect(consentText('newer:thing')).toBe('newer:thing')
  })

  test('what the catalogue has against an image is told in both languages, by a code', async () => {
    const { catalogue } = await import('#catalogue/catalogue.ts')
    const reasons = new Set((await catalogue()).flatMap(({ reason = [] }) => reason))
    expect(reasons.size).toBeGreaterThan(5)
    for (const reason of reasons) {
      const { en, de } = inBoth(
        () => checkText({ code: 'known-bad', result: 'warning', values: { reason } }).text,
      )
      expect(en).not.toBe(de)
      expect(en).toMatch(/^[A-Z].*\.$/)
    }
  })

  test('results and consequences are told in both languages', () => {
    for (const result of ['passed', 'warning', 'refused'] as const) inBoth(() => checkResult(result))
    const consequences: Record<Consequence['code'], Record<string, string>> = {
      'no-backup': { memory: 'eeprom' },
      'fuse-danger': {
        ...{ bit: 'SPIEN', from: 'on', to: 'off', danger: 'lost', before: '0xd9', after: '0xf9' },
      },
      'lock-bits': {},
      'one-way': {},
      'protection-lifted': {},
      'bootloader-replaced': { address: '0x7e00' },
      'other-device': {},
      'maybe-other-device': {},
      'warning-overridden': { checks: 'version, host-battery' },
    }
    for (const [code, values] of Object.entries(consequences)) {
      const consequence = { id: code, code: code as Consequence['code'], typed: true, values }
      const { en, de } = inBoth(() => consequenceText(consequence))
      expect(de).not.toBe(en)
      expect(en).not.toContain('–')
    }
  })
})

describe('words', () => {
  const facts: Record<FactName, true> = {
    ...{ model: true, mode: true, firmware: true, 'firmware-version': true, 'device-version': true },
    ...{ manufacturer: true, product: true, serial: true, 'usb-id': true, capabilities: true, chip: true },
    ...{ signature: true, fuses: true, lock: true, calibration: true, clock: true, speed: true, baud: true },
    ...{ bootloader: true, sectors: true, protocol: true, core: true, 'debug-port': true },
    'target-voltage': true,
    ...{ hardware: true, 'firmware-date': true, 'flash-security': true, mac: true },
  }
  test.each(Object.keys(facts) as FactName[])('the fact %s has a name and an explanation', (name) => {
    inBoth(() => factName(name))
    const { en, de } = inBoth(() => factHelp(name))
    expect(de).not.toBe(en)
  })

  test.each(['flash', 'eeprom', 'fuses', 'lock', 'calibration', 'signature', 'config'] satisfies MemoryId[])(
    'the memory %s has a name and an explanation, also when it cannot be read',
    (memory) => {
      inBoth(() => memoryName(memory))
      inBoth(() => memoryHelp(memory))
      inBoth(() => unreadableText({ memory, reason: 'read-protected' }))
      inBoth(() => unreadableText({ memory, reason: 'not-through-this-way' }))
    },
  )

  test('modes are translated, other values are not', () => {
    speak('de')
    expect(factValue({ name: 'mode', value: 'application' })).toBe('Anwendung')
    expect(factValue({ name: 'chip', value: 'ATmega8' })).toBe('ATmega8')
    expect(confidenceText('likely')).toBe('wahrscheinlich')
  })

  test('fuses are named', () => {
    expect(fuseName('SPIEN')).toBe('Programming by ISP')
    expect(fuseByteName('high')).toBe('High fuse')
    expect(fuseMeaning('bod-level', { volts: '2.7' })).toBe('2.7 V')
  })

  test('sizes, times and hashes are short', () => {
    expect([0, 512, 1536, 32_768, 3_670_016, 2 ** 33].map(size)).toEqual([
      '0 B',
      '512 B',
      '1.5 KiB',
      '32 KiB',
      '3.5 MiB',
      '8 GiB',
    ])
    speak('de')
    expect(size(1536)).toBe('1,5 KiB')
    expect(shortHash('3f9a27c1'.padEnd(64, '0'))).toBe('3f9a 27c1 …')
    const at = new Date(2026, 0, 31, 14, 2)
    expect(moment(at.toISOString(), at)).toBe('14:02')
    expect(moment(at.toISOString(), new Date(2026, 1, 1))).toContain('31.01.2026')
  })
})

describe('a statement of the inspector', () => {
  const values = {
    ...{ address: '0x7e00', base: '0x0800_0000', bits: '7.9', byte: '0xff', bytes: '2', chip: 'ESP32' },
    ...{ chips: 'STM32', count: '26', format: 'UF2', framework: 'ESP-IDF v5.1', from: '0x0000', id: '1:2' },
    ...{ machine: 'MIPS', name: 'blinky', names: 'nvs', partition: 'factory', percent: '90', said: 'v1.2' },
    ...{ set: 'AVR', target: '0x0054', text: 'USBasp', to: '0x00ff', value: '0x2000_5000', version: '1.2' },
  }

  test.each(statementCodes)('%s is a sentence in both languages, with all or nothing known', (code) => {
    expect(inBoth(() => statementText({ code, values })).en).not.toContain('–')
    inBoth(() => statementText({ code, values: {} }))
  })

  test.each(evidenceCodes)('its evidence %s too', (code) => {
    expect(inBoth(() => evidenceText({ code, values })).en).not.toContain('–')
  })
})

test('sectors of several sizes are told by their number, not as pages', () => {
  const sector = (address: number, kib: number) => ({ address, length: kib * 1024 })
  const layout = { id: 'flash', address: 0, length: 96 * 1024, pageBytes: 16 * 1024 } as const
  expect(sizeText({ ...layout, sectors: [sector(0, 16), sector(0x4000, 80)] }, 6)).toBe(
    '96 KiB · 2 sectors of 16 KiB to 80 KiB',
  )
  expect(sizeText({ ...layout, sectors: [sector(0, 48), sector(0xc000, 48)] }, 6)).toBe(
    '96 KiB · 6 pages of 16 KiB',
  )
  expect(sizeText({ ...layout, length: 512, pageBytes: 512 }, 1)).toBe('512 B')
})
