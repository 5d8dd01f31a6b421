/** Kinetis as patients, against the emulated ones: met open and closed, written, opened by a mass erase. */
import { describe, expect, test } from 'vitest'
import { TwinKinetis, type TwinKinetisOptions } from '#bench/twin-kinetis.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Contents } from '#core/programmer.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import { directly } from './test-debug-port.ts'

const openField = Uint8Array.from({ length: 16 }, (_, i) => (i === 12 ? 0xfe : 0xff))
const field = (security: number) => openField.with(12, security)

/** With an open configuration field. */
function program(length: number, version = 1): Uint8Array {
  const bytes = practiceProgram(0, length, version)
  bytes.set(openField, 0x400)
  return bytes
}

function wired(options: TwinKinetisOptions) {
  const clock = new VirtualClock()
  const chip = new TwinKinetis({ clock, flash: program(20_000), ...options })
  const port = directly(chip.swd)
  const log: string[] = []
  const ctx = new Context({ clock, log: (line) => log.push(line) })
  return { chip, port, ctx, clock, log, connect: () => connectArm(viaDebugPort(port), ctx) }
}

const wanted = (address: number, bytes: Uint8Array): Contents => new Map([['flash', [{ address, bytes }]]])

describe.each([
  ['KL26Z128', 'KL26Z (128 KiB)', 'cortex-m:kinetis:kl26z:128'],
  ['K20DX128', 'K20DX (128 KiB)', 'cortex-m:kinetis:k20dx5:128'],
] as const)('%s', (chipName, name, kind) => {
  test('says what it is, and is read and written by sectors with the routine in its RAM', async () => {
    const { chip, connect, ctx, log } = wired({ chip: chipName })
    const patient = await connect()
    expect(patient).toMatchObject({ kind, chip: name, unreadable: [], notices: [] })
    expect(patient.facts).toContainEqual({ name: 'flash-security', value: '0xfe', source: 'FSEC' })
    const [main] = patient.memories
    expect(await main?.read?.({ address: 5, length: 5000 }, ctx)).toEqual(program(20_000).slice(5, 5005))
    const next = program(5 * 1024, 2)
    next.fill(0xff, 3000, 4096)
    await main?.program?.(0, next, ctx)
    expect(chip.memory('flash').slice(0, 20_000)).toEqual(
      Uint8Array.from([...next, ...program(20_000).slice(next.length)]),
    )
    expect(chip.watchdog.isOff).toBe(true)
    expect(log).toEqual([])
    await patient[Symbol.asyncDispose]()
    expect(chip.cortex.isHalted).toBe(false)
    expect(await connect()).toMatchObject({ kind })
  })

  test('a whole flash takes longer than its watchdog allows, which was stopped', async () => {
    const { chip, connect, ctx, clock } = wired({ chip: chipName })
    const patient = await connect()
    const next = program(128 * 1024, 3)
    const before = clock.now()
    await patient.memories[0]?.program?.(0, next, ctx)
    expect(clock.now() - before).toBeGreaterThan(3000)
    expect(chip.memory('flash')).toEqual(next)
  })

  test('without its routine, as its RAM does not hold it, it is written all the same', async () => {
    const { chip, connect, ctx } = wired({ chip: chipName, brokenRam: true })
    const patient = await connect()
    const next = program(2048, 2)
    await patient.memories[0]?.program?.(0, next, ctx)
    expect(chip.memory('flash').slice(0, 2048)).toEqual(next)
    await patient[Symbol.asyncDispose]()
    expect(chip.cortex.isHalted).toBe(false)
  })

  test('secured, its own port says so, and a mass erase lets others in', async () => {
    const { chip, connect, ctx } = wired({ chip: chipName, dials: { locked: true } })
    const patient = await connect()
    expect(patient).toMatchObject({ kind: 'cortex-m:kinetis:unknown', chip: 'Kinetis' })
    expect(patient.mayBe).toContain(kind)
    expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
    expect(patient.notices).toEqual([
      { code: 'kinetis-secured', level: 'warning', values: { opens: 'mass-erase' } },
    ])
    await patient.eraseChip?.run(ctx)
    await patient[Symbol.asyncDispose]()
    expect(chip.cortex.isHalted).toBe(true)
    expect(isBlank(chip.memory('flash').subarray(0x410))).toBe(true)
    const open = await connect()
    expect(open).toMatchObject({ kind, unreadable: [] })
    await open.memories[0]?.program?.(0, program(4096), ctx)
    await open[Symbol.asyncDispose]()
    expect(chip.memory('flash').slice(0, 4096)).toEqual(program(4096))
    expect(chip.cortex.isHalted).toBe(false)
  })

  test('only looked at, a secured one is left as it was', async () => {
    const { chip, connect } = wired({ chip: chipName, dials: { locked: true } })
    const before = chip.memory('flash').slice()
    const patient = await connect()
    await patient[Symbol.asyncDispose]()
    expect(chip.memory('flash')).toEqual(before)
    expect(chip.cortex.isHalted).toBe(false)
  })

  test.each([
    [0xef, 'nothing'],
    [0xaf, 'backdoor'],
  ])('secured for good (%i), it is told what could open it: %s', async (security, opens) => {
    const { connect } = wired({ chip: chipName, field: field(security) })
    const patient = await connect()
    expect(patient.eraseChip).toBeUndefined()
    expect(patient.notices).toMatchObject([{ values: { opens } }])
  })

  test('a flash in which the power failed while its configuration field was blank is secured, and recovered', async () => {
    const { chip, connect, ctx, clock } = wired({ chip: chipName })
    const patient = await connect()
    const writing = patient.memories[0]?.program?.(0x400, program(2048, 2).subarray(0x400), ctx)
    await clock.sleep(10) // of 14 for the erase
    chip.brownOut()
    await expect(writing).rejects.toMatchObject({ name: 'FlashError' })
    await Promise.resolve(patient[Symbol.asyncDispose]()).catch(() => undefined) // it is closed
    const closed = await connect()
    expect(closed.kind).toBe('cortex-m:kinetis:unknown')
    await closed.eraseChip?.run(ctx)
    await closed[Symbol.asyncDispose]()
    expect(await connect()).toMatchObject({ kind })
  })
})

test('a closed K, whose reset nobody wires, is not erased: it cannot be held', async () => {
  const { chip, connect, ctx } = wired({ chip: 'K20DX128', dials: { locked: true }, noReset: true })
  const patient = await connect()
  await expect(patient.eraseChip?.run(ctx)).rejects.toMatchObject({
    ...{ code: 'device-refused', detail: { during: 'holding it in reset' } },
  })
  expect(isBlank(chip.memory('flash').subarray(0, 0x400))).toBe(false)
})

describe('the flash configuration field', () => {
  const said = async (contents: Contents, options: TwinKinetisOptions = {}) => {
    const { connect, ctx } = wired(options)
    const patient = await connect()
    const bytes = (await patient.memories[0]?.read?.({ address: 0, length: 20_000 }, ctx)) ?? new Uint8Array()
    const all = patient.check(contents, wanted(0, bytes))
    return all.find(({ code }) => code === 'flash-security')
  }
  const withSecurity = (security: number) => {
    const bytes = program(2048)
    bytes[0x40c] = security
    return wanted(0, bytes)
  }

  test.each([
    [0xfe, 'passed', 'open'],
    [0xee, 'passed', 'open'],
    [0xfc, 'warning', 'secured'],
    [0xff, 'warning', 'blank'],
    [0xef, 'refused', 'for-good'],
    [0x24, 'refused', 'for-good'],
  ])('FSEC %i: %s, %s', async (security, result, why) => {
    expect(await said(withSecurity(security))).toMatchObject({
      ...{ result, values: { why, before: 'ff ff ff ff ff ff ff ff ff ff ff ff fe ff ff ff' } },
    })
  })

  test('stays where the image does not touch it', async () => {
    expect(await said(wanted(0x1000, practiceProgram(0x1000, 64)))).toMatchObject({
      result: 'passed',
      values: { after: '0xfe' },
    })
  })

  test('is never written so that nothing opens the chip again, whoever asks', async () => {
    const { chip, connect, ctx } = wired({})
    const patient = await connect()
    const before = chip.memory('flash').slice()
    const bytes = program(2048)
    bytes[0x40c] = 0xef
    await expect(patient.memories[0]?.program?.(0x400, bytes.subarray(0x400), ctx)).rejects.toMatchObject({
      ...{ code: 'device-refused', detail: { status: 'FSEC 0xef' } },
    })
    expect(chip.memory('flash')).toEqual(before)
  })

  test('protects parts of the flash, which are refused before anything is changed', async () => {
    const { connect, ctx } = wired({ field: openField.with(8, 0xfd) })
    const patient = await connect()
    const hit = patient.check(wanted(0x1800, practiceProgram(0x1800, 16)), new Map()).at(-1)
    expect(hit).toMatchObject({
      code: 'write-protection',
      values: { from: '0x0000_1000', to: '0x0000_1fff' },
    })
    const sector = patient.memories[0]?.program?.(0x1800, practiceProgram(0x1800, 1024), ctx)
    await expect(sector).rejects.toMatchObject({ code: 'write-protected' })
  })
})
