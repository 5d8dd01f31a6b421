import { expect, test } from 'vitest'
import type { KnownFirmware } from '#core/programmer.ts'
import { blank } from '#core/bytes.ts'
import { practiceImages } from '#bench/practice-images.ts'
import { avrPartNamed } from '#chips/avr-parts.ts'
import type { MemoryLayout } from '#jobs/plan.ts'
import type { Backup, BackupEntry } from '#store/backups.ts'
import { offersFor, type OfferedTo } from './offers.ts'

const flash = (chip: string, reserved: MemoryLayout['reserved'] = []): MemoryLayout => ({
  id: 'flash',
  address: 0,
  length: avrPartNamed(chip).flash.bytes,
  pageBytes: 64,
  write: 'and',
  reserved,
  pageMs: 1,
  readable: true,
  writable: true,
})
const behindWires = (chip: string): OfferedTo => ({
  patient: { to: 'target', kind: `avr:${chip}`, chip, memories: [flash(chip)] },
  rescue: undefined,
  firmware: undefined,
  backup: undefined,
  practising: false,
})
const usbasp = (version: string, confidence: KnownFirmware['confidence'] = 'certain'): KnownFirmware => ({
  family: 'usbasp',
  name: 'USBasp',
  version,
  confidence,
  evidence: [],
  appears: { link: 'usb' },
})
const none = () => Promise.resolve([])

test('of a programmer the newest that is published comes next, and nothing once it is there', async () => {
  const { published, next } = await offersFor({ ...behindWires('ATmega8'), firmware: usbasp('1.03') }, none)
  expect(next).toEqual({ published: published.find(({ offer }) => offer === 'yes') })
  expect(published.every(({ family }) => family === 'usbasp')).toBe(true)
  const there = await offersFor({ ...behindWires('ATmega8'), firmware: usbasp('1.10') }, none)
  expect(there.next).toBeUndefined()
  expect(there.published).toEqual(published)
})

test('whoever owns the program of a chip knows alone what comes next', async () => {
  for (const firmware of [undefined, usbasp('1.03', 'possible')]) {
    const { published, next } = await offersFor({ ...behindWires('ATmega8'), firmware }, none)
    expect(published).not.toEqual([])
    expect(next).toBeUndefined()
  }
})

test('a boot loader is not offered to a way that cannot change boot loaders', async () => {
  const to = behindWires('ATmega328P')
  const optiboot = { address: 0x7e00, length: 512, why: 'bootloader' } as const
  const memories = [flash('ATmega328P', [optiboot])]
  const names = async (patient: OfferedTo['patient']) =>
    (await offersFor({ ...to, patient }, none)).published.map(({ name }) => name)
  expect(await names(to.patient)).toContain('Optiboot 8.3')
  expect(await names({ ...to.patient, memories })).not.toContain('Optiboot 8.3')
})

test('what holds a boot loader beside its program is offered by wires alone', async () => {
  const usb = { family: 'dfu', name: '', version: '', confidence: 'certain', evidence: [] } as const
  const to = { ...behindWires('ATmega16U2'), firmware: usb }
  const loader = { address: 0x3000, length: 4096, why: 'bootloader' } as const
  const memories = [flash('ATmega16U2', [loader])]
  const names = async (patient: OfferedTo['patient']) =>
    (await offersFor({ ...to, patient }, none)).published.map(({ name }) => name)
  const both = 'Arduino Uno R3 boot loader and USB serial (2012-09-13)'
  expect(await names(to.patient)).toContain(both)
  const byItself = await names({ ...to.patient, memories })
  expect(byItself).not.toContain(both)
  expect(byItself).toContain('Arduino Uno R3 USB serial (2012-09-13)')
})

test('on the practice bench what is on the chip is told, and the newest practice image comes next', async () => {
  const images = await practiceImages('usbasp')
  const held = (version: string, spoilt?: number): Partial<OfferedTo> => {
    const bytes = blank(8192)
    const image = images.find((one) => one.chip === 'ATmega8' && one.version === version)
    for (const segment of image?.build() ?? []) bytes.set(segment.bytes, segment.address)
    if (spoilt !== undefined) bytes.fill(0xff, spoilt)
    const memories = [{ id: 'flash', address: 0, length: bytes.length, sha256: '', bytes }] as const
    return { firmware: usbasp(version), backup: { memories } as Partial<Backup> as Backup }
  }
  const to = { ...behindWires('ATmega8'), ...held('1.04'), practising: true }
  const { practice, practiceForOthers, onChip, next } = await offersFor(to, none)
  expect(practice.map(({ name }) => name).slice(0, 4)).toEqual(
    ['1.10', '1.04', '1.03', '1.02'].map((version) => `USBasp ${version}`),
  )
  expect(onChip).toBe(practice[1])
  expect(next).toEqual({ practice: practice[0] })
  expect(practice.length + practiceForOthers.length).toBe((await practiceImages(undefined)).length)
  const newest = await offersFor({ ...to, ...held('1.10') }, none)
  expect(newest.next).toBeUndefined()
  expect(newest.onChip?.version).toBe('1.10')
  const half = await offersFor({ ...to, ...held('1.10', 2048) }, none)
  expect(half.onChip).toBeUndefined() // it only says so
  expect(half.next).toEqual({ practice: half.practice[0] })
})

test('what is to be brought back gets its own backup first, and without one the newest, damaged or not', async () => {
  const rescue = {
    sheet: 'usbasp',
    family: 'usbasp',
    name: 'USBasp',
    by: 'isp',
    chips: ['ATmega8'],
    homes: [],
  } as const
  const to = { ...behindWires('ATmega8'), rescue, firmware: usbasp('1.10') }
  const entry = (id: string, family: string) =>
    ({
      ...{ id, firmware: { family }, origin: { patient: { kind: 'avr:ATmega8' } } },
      ...{ memories: [{ id: 'flash' }], unreadable: [] as BackupEntry['unreadable'] },
    }) as unknown as BackupEntry
  const [other, own] = [entry('1', 'stk500'), entry('2', 'usbasp')]
  const offered = await offersFor(to, () => Promise.resolve([other, own]))
  expect(offered).toMatchObject({ ownBackups: [own], backups: [other], next: { backup: own } })
  expect((await offersFor(to, none)).next).toHaveProperty('published')
  const practised = await offersFor({ ...to, practising: true }, none)
  expect(practised.onChip).toBeUndefined()
  expect(practised.practice.map(({ family }) => family)).not.toContain('stk500') // its USB would stay dead
})

test('only what this way can write back is offered for that, and what holds no byte not at all', async () => {
  const entry = (id: string, ...memories: readonly string[]) =>
    ({
      ...{ id, origin: { patient: { kind: 'avr:ATmega8' } }, unreadable: [] as BackupEntry['unreadable'] },
      ...{ firmware: undefined, memories: memories.map((memory) => ({ id: memory })) },
    }) as unknown as BackupEntry
  const [whole, settings, empty] = [entry('1', 'flash'), entry('2', 'signature', 'config'), entry('3')]
  const offered = await offersFor(behindWires('ATmega8'), () => Promise.resolve([whole, settings, empty]))
  expect(offered).toMatchObject({ backups: [whole], records: [settings] })
})

test('what cannot be listed is told, and the rest is there', async () => {
  const offered = await offersFor(behindWires('ATmega8'), () => Promise.reject(new Error('no store')))
  expect(offered.failures.map(({ code }) => code)).toEqual(['bug'])
  expect(offered.published).not.toEqual([])
})
