/** An LPC11U35 as a patient, against the emulated one: met, read, written by its ROM's own functions, checked. */
import { describe, expect, test } from 'vitest'
import { TwinLpc11u35, type TwinLpc11u35Options } from '#bench/twin-lpc11u35.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import type { Contents, Segment } from '#core/programmer.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import { checkLpc, checksumAt, vectorChecksum } from './lpc-check.ts'
import { directly } from './test-debug-port.ts'

function startable(length: number): Uint8Array {
  const bytes = practiceProgram(0, length)
  new DataView(bytes.buffer).setUint32(checksumAt, vectorChecksum(bytes), true)
  return bytes
}

const flash = startable(10_000)
const sector = Uint8Array.from({ length: 4096 }, (_, i) => (i < 3001 ? (i * 7) & 0xff : 0xff))

function wired(options: TwinLpc11u35Options = {}) {
  const clock = new VirtualClock()
  const chip = new TwinLpc11u35({ clock, flash, ...options })
  const ctx = new Context({ clock })
  /** What is seen at 0, once its ROM has had time. */
  const seesFlash = async () => {
    await clock.sleep(1)
    chip.memory('flash')
    return chip.bus.read(0x4004_8000, 4) === 2
  }
  return { chip, ctx, seesFlash, connect: () => connectArm(viaDebugPort(directly(chip.swd)), ctx) }
}

test('says what it is, whatever its manual says of where', async () => {
  const { connect } = wired()
  const patient = await connect()
  expect(patient).toMatchObject({ kind: 'cortex-m:lpc11u3x:64', chip: 'LPC11U35 (64 KiB)', unreadable: [] })
  expect(patient.facts).toContainEqual({
    ...{ name: 'signature', value: '0x0001_bc40 (LPC11U35/401)', source: 'IAP 54' },
  })
  expect(patient.facts).toContainEqual({
    ...{ name: 'serial', value: '312C0C0DB7A0454ED5E29153192000F5', source: 'IAP 58' },
  })
  expect(patient.notices).toEqual([])
})

test('is read from its very beginning, which its ROM hides after a reset, and runs again', async () => {
  const { chip, connect, ctx, seesFlash } = wired()
  const patient = await connect()
  expect(await patient.memories[0]?.read?.({ address: 0, length: 6000 }, ctx)).toEqual(flash.slice(0, 6000))
  await patient[Symbol.asyncDispose]()
  expect(chip.cortex.isHalted).toBe(false)
  expect(await seesFlash()).toBe(true)
})

test('sectors are erased and programmed, as little as there is in them', async () => {
  const { chip, connect, ctx } = wired()
  const patient = await connect()
  const [main] = patient.memories
  for (const used of [0, 100, 300, 1000, 3001]) {
    const bytes = Uint8Array.from(sector, (byte, i) => (i < used ? byte & 0x7f : 0xff))
    await main?.program?.(0x1000, bytes, ctx)
    expect(chip.memory('flash').slice(0x1000, 0x2000)).toEqual(bytes)
  }
  expect(chip.memory('flash').slice(0, 0x1000)).toEqual(flash.slice(0, 0x1000))
  expect(chip.memory('flash').slice(0x2000, 10_000)).toEqual(flash.slice(0x2000))
})

test('its EEPROM is read and written, but for what is its own', async () => {
  const { chip, connect, ctx } = wired()
  const patient = await connect()
  const [, eeprom] = patient.memories
  expect(eeprom).toMatchObject({ length: 4096, reserved: [{ address: 4032, length: 64 }] })
  await eeprom?.program?.(128, sector.slice(0, 192), ctx)
  expect(chip.memory('eeprom').slice(128, 320)).toEqual(sector.slice(0, 192))
  expect(await eeprom?.read?.({ address: 100, length: 333 }, ctx)).toEqual(
    chip.memory('eeprom').slice(100, 433),
  )
  await expect(eeprom?.program?.(4032, sector.slice(0, 64), ctx)).rejects.toMatchObject({
    ...{ code: 'device-refused', detail: { status: 'DST_ADDR_NOT_MAPPED' } },
  })
})

test.each([
  ['blank', new Uint8Array()],
  ['without its checksum', practiceProgram(0, 2000)],
])('%s it waits in its ROM, and is written all the same', async (_, content) => {
  const { connect, ctx, seesFlash } = wired({ flash: content })
  expect(await seesFlash()).toBe(false)
  const patient = await connect()
  await patient.memories[0]?.program?.(0, flash.slice(0, 4096), ctx)
  expect(await patient.memories[0]?.read?.({ address: 0, length: 64 }, ctx)).toEqual(flash.slice(0, 64))
  await patient[Symbol.asyncDispose]()
  expect(await seesFlash()).toBe(true)
})

test('protected, it answers nobody', async () => {
  const { connect } = wired({ dials: { locked: true } })
  await expect(connect()).rejects.toMatchObject({ code: 'target-missing' })
})

test('its boot loader may be out of reach', async () => {
  const { connect } = wired({ flash: withWord(flash, 0x2fc, 0x4e69_7370) })
  const patient = await connect()
  expect(patient.notices.map(({ code }) => code)).toEqual(['lpc-no-isp'])
  expect(patient.facts).toContainEqual({ name: 'lock', value: '0x4e69_7370 (NO_ISP)', source: 'CRP' })
})

describe('checks', () => {
  const at = (bytes: Uint8Array, address = 0): Contents =>
    new Map([['flash', [{ address, bytes } satisfies Segment]]])
  const verdicts = (wanted: Contents, present: Contents = new Map()) =>
    checkLpc({ flash: { address: 0, length: 0x1_0000 }, eepromBytes: 4032, wanted, present }).map(
      ({ code, result, values }) => `${code} ${result} ${values['why'] ?? ''}`.trim(),
    )

  test('an image that its ROM starts passes', () => {
    expect(verdicts(at(flash))).toEqual([
      'size-fits passed',
      'vector-table passed jump',
      'lock-bits passed open',
    ])
  })

  test('one with a wrong checksum is said to stay in the ROM, with the right one', () => {
    const wanted = at(practiceProgram(0, 4000))
    expect(verdicts(wanted)[1]).toBe('vector-table warning checksum')
    const [, check] = checkLpc({
      ...{ flash: { address: 0, length: 0x1_0000 }, eepromBytes: 4032, wanted, present: new Map() },
    })
    expect(check?.values['expected']).toBe('0xdfff_bb2a')
  })

  test('one for further on needs a start that is there', () => {
    const further = at(practiceProgram(0x4000, 4000), 0x4000)
    expect(verdicts(further, at(flash))[1]).toBe('vector-table passed stays')
    expect(verdicts(further)[1]).toBe('vector-table warning missing')
  })

  test.each([
    [0x1234_5678, 'lock-bits refused crp'],
    [0x8765_4321, 'lock-bits refused crp'],
    [0x4321_8765, 'lock-bits refused crp'],
    [0x4e69_7370, 'lock-bits warning no-isp'],
    [0x1234_5679, 'lock-bits passed open'],
  ])('%i at 2FC', (word, verdict) => {
    expect(verdicts(at(withWord(flash, 0x2fc, word)))[2]).toBe(verdict)
  })

  test('an EEPROM ends before what is its own', () => {
    const of = (length: number): Contents =>
      new Map([['eeprom', [{ address: 0, bytes: new Uint8Array(length) }]]])
    expect(verdicts(of(4032))).toEqual(['size-fits passed'])
    expect(verdicts(of(4033))).toEqual(['size-fits refused'])
  })
})

function withWord(bytes: Uint8Array, at: number, word: number): Uint8Array {
  const changed = bytes.slice()
  new DataView(changed.buffer).setUint32(at, word, true)
  return changed
}
