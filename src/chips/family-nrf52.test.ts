/** nRF52 as patients, against the emulated one: met open and closed, written, opened by its control port. */
import { describe, expect, test } from 'vitest'
import { TwinNrf52, type TwinNrf52Options } from '#bench/twin-nrf52.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import { directly } from './test-debug-port.ts'

const flash = practiceProgram(0, 12_000)
const page = Uint8Array.from({ length: 4096 }, (_, i) => (i < 3001 ? (i * 7) & 0xff : 0xff))

function wired(options: TwinNrf52Options) {
  const clock = new VirtualClock()
  const chip = new TwinNrf52({ clock, flash, ...options })
  const port = directly(chip.swd)
  const ctx = new Context({ clock })
  return { chip, port, ctx, connect: () => connectArm(viaDebugPort(port), ctx) }
}

describe.each([
  ['nRF52820', 'cortex-m:nrf52:52820:256', 'AAD0'],
  ['nRF52832', 'cortex-m:nrf52:52832:512', 'AAB0'],
] as const)('%s', (chipName, kind, variant) => {
  test('says what it is, and is read and written by pages', async () => {
    const { chip, connect, ctx } = wired({ chip: chipName })
    const patient = await connect()
    expect(patient).toMatchObject({ kind, unreadable: [] })
    expect(patient.facts).toContainEqual({ name: 'signature', value: variant, source: 'FICR.INFO.VARIANT' })
    expect(patient.facts).toContainEqual({
      name: 'serial',
      value: '93d210c46b1f77a2',
      source: 'FICR.DEVICEID',
    })
    const [main, options] = patient.memories
    expect(await main?.read?.({ address: 5, length: 5000 }, ctx)).toEqual(flash.slice(5, 5005))
    expect(await options?.read?.(options, ctx)).toEqual(chip.memory('options').slice(0, 0x400))
    await main?.program?.(0x1000, page, ctx)
    expect(chip.memory('flash').slice(0x1000, 0x2000)).toEqual(page)
    await patient[Symbol.asyncDispose]()
    expect(chip.cortex.isHalted).toBe(false)
  })

  test('closed, its control port says that it is one, and lets others in by erasing everything', async () => {
    const { chip, connect, ctx } = wired({ chip: chipName, dials: { locked: true } })
    const patient = await connect()
    expect(patient).toMatchObject({ kind: 'cortex-m:nrf52:unknown', chip: 'nRF52' })
    expect(patient.mayBe).toContain(kind)
    expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
    await patient.eraseChip?.run(ctx)
    expect(isBlank(chip.memory('flash'))).toBe(true)
    await patient.memories[0]?.program?.(0, page, ctx)
    const beyond = patient.memories[0]?.program?.(chip.memory('flash').length, page, ctx)
    await expect(beyond).rejects.toMatchObject({ code: 'does-not-fit' })
    await patient[Symbol.asyncDispose]()
    expect(chip.memory('flash').slice(0, 4096)).toEqual(page)
    expect(await connect()).toMatchObject({ kind, unreadable: [] })
  })
})

test('only looked at, a closed one is left as it was', async () => {
  const { chip, port, connect } = wired({ dials: { locked: true } })
  const patient = await connect()
  await patient[Symbol.asyncDispose]()
  expect(chip.memory('flash').slice(0, flash.length)).toEqual(flash)
  const isWrite = (port.rows.flat() as { isAp: boolean; write?: unknown }[]).filter(
    ({ isAp, write }) => isAp && write === 1,
  )
  expect(isWrite).toEqual([])
})

test('a closed chip without such a port is named by its debug port, and not touched', async () => {
  const { chip, port, connect } = wired({ dials: { locked: true } })
  const read = chip.swd.read.bind(chip.swd)
  let [select, fetched] = [0, 0]
  const write = chip.swd.write.bind(chip.swd)
  chip.swd.write = (isAp, address, value) => {
    if (!isAp && address === 8) select = value
    return write(isAp, address, value)
  }
  // as where there is one access port only
  chip.swd.read = (isAp, address) => {
    const answer = read(isAp, address)
    if (isAp) fetched = select >>> 24
    return !isAp && address === 0xc && fetched === 1 ? { ...answer, value: 0 } : answer
  }
  await expect(connect()).rejects.toMatchObject({
    code: 'target-unknown',
    detail: { signature: '0x2ba0_1477' },
  })
  expect(port.rows.length).toBeGreaterThan(0)
})
