/** SAM3U as patients, against the emulated ones: met, read, written over lock bits and planes, started from their flash. */
import { describe, expect, test } from 'vitest'
import { TestDebugger } from '#bench/test-swd.ts'
import { TwinSam3u, type TwinSam3uOptions } from '#bench/twin-sam3u.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import { directly } from './test-debug-port.ts'

const flash = practiceProgram(0x8_0000, 10_000)
const pages = Uint8Array.from({ length: 4096 + 512 }, (_, i) => (i * 7) & 0xff)

function wired(options: TwinSam3uOptions = {}) {
  const clock = new VirtualClock()
  const chip = new TwinSam3u({ clock, flash, ...options })
  const ctx = new Context({ clock })
  return { chip, clock, ctx, connect: () => connectArm(viaDebugPort(directly(chip.swd)), ctx) }
}

/** One command to its first flash controller. */
async function command({ chip, clock }: ReturnType<typeof wired>, value: number): Promise<void> {
  const debug = new TestDebugger(chip.swd)
  debug.connect()
  debug.write(0x400e_0804, value)
  await clock.sleep(20)
}

test('says what it is and what keeps it; looked at, it goes on', async () => {
  const { chip, connect, ctx } = wired()
  const patient = await connect()
  expect(patient).toMatchObject({
    ...{ kind: 'cortex-m:sam3u:128', chip: 'SAM3U2C (128 KiB)', unreadable: [], notices: [] },
  })
  expect(patient.facts).toContainEqual({
    name: 'lock',
    value: 'GPNVM 0x2, lock 0 × 8 KiB',
    source: 'GGPB, GLB',
  })
  expect(patient.facts).toContainEqual({
    ...{ name: 'serial', value: '53414D33552070726163746963652037', source: 'STUI' },
  })
  expect(await patient.memories[0]?.read?.({ address: 0x8_0005, length: 5000 }, ctx)).toEqual(
    flash.slice(5, 5005),
  )
  await patient[Symbol.asyncDispose]()
  expect(chip.cortex.isHalted).toBe(false)
})

test('pages are written, and nothing else', async () => {
  const { chip, connect, ctx } = wired()
  const patient = await connect()
  await patient.memories[0]?.program?.(0x8_0200, pages, ctx)
  const is = chip.memory('flash')
  expect(is.slice(0x200, 0x200 + pages.length)).toEqual(pages)
  expect(is.slice(0, 0x200)).toEqual(flash.slice(0, 0x200))
  expect(is.slice(0x200 + pages.length, 10_000)).toEqual(flash.slice(0x200 + pages.length))
})

test('lock bits are told, and cleared where it is written', async () => {
  const one = wired()
  await command(one, 0x5a00_2008)
  await command(one, 0x5a00_4008)
  const patient = await one.connect()
  expect(patient.notices).toEqual([
    { code: 'sam3-locked', level: 'info', values: { from: '0x0008_2000', to: '0x0008_5fff' } },
  ])
  await patient.memories[0]?.program?.(0x8_2000, pages, one.ctx)
  expect(one.chip.memory('flash').slice(0x2000, 0x2000 + pages.length)).toEqual(pages)
  await patient[Symbol.asyncDispose]()
  const again = await one.connect()
  expect(again.notices[0]?.values).toEqual({ from: '0x0008_4000', to: '0x0008_5fff' })
})

test('one that starts its ROM starts its flash once its first page was written', async () => {
  const { chip, connect, ctx } = wired({ gpnvm: 0, flash: new Uint8Array() })
  expect(chip.bus.read(4, 4)).toBe(0x18_0009)
  const patient = await connect()
  expect(patient.notices.map(({ code }) => code)).toEqual(['sam3-starts-rom'])
  await patient.memories[0]?.program?.(0x8_0100, flash.slice(0x100, 0x200), ctx)
  await patient.memories[0]?.program?.(0x8_0000, flash.slice(0, 0x100), ctx)
  await patient[Symbol.asyncDispose]()
  expect(chip.bus.read(4, 4)).toBe(new DataView(flash.buffer).getUint32(4, true))
})

test('closed by its security bit it is named by its debug port, until its pin has erased everything', async () => {
  const { chip, clock, connect } = wired({ dials: { locked: true } })
  await expect(connect()).rejects.toMatchObject({
    ...{ code: 'target-unknown', detail: { signature: '0x2ba0_1477' } },
  })
  chip.assertErase()
  await clock.sleep(20)
  chip.brownOut()
  const patient = await connect()
  expect(patient.notices.map(({ code }) => code)).toEqual(['sam3-starts-rom'])
  expect(chip.memory('flash').every((byte) => byte === 0xff)).toBe(true)
})

describe('with two planes', () => {
  test('both are read and written, and what is between is left alone', async () => {
    const { chip, connect, ctx } = wired({ chip: 'SAM3U4E' })
    const patient = await connect()
    expect(patient).toMatchObject({ kind: 'cortex-m:sam3u:256', chip: 'SAM3U4E (256 KiB)' })
    const [main] = patient.memories
    expect(main).toMatchObject({ length: 0xa_0000, reserved: [{ address: 0xa_0000, length: 0x6_0000 }] })
    await main?.program?.(0x10_0000, pages, ctx)
    expect(chip.memory('flash').slice(0x8_0000, 0x8_0000 + pages.length)).toEqual(pages)
    const read = await main?.read?.({ address: 0x9_ff00, length: 0x6_0300 }, ctx)
    expect(read?.slice(0x6_0100)).toEqual(pages.slice(0, 0x200))
    expect(read?.slice(0, 0x6_0100).every((byte) => byte === 0xff)).toBe(true)
  })

  test('an image for what is between is refused', async () => {
    const { connect } = wired({ chip: 'SAM3U4E' })
    const patient = await connect()
    const at = (address: number, bytes: Uint8Array) =>
      patient.check(new Map([['flash', [{ address, bytes }]]]), new Map())[0]
    expect(at(0x8_0000, flash)).toMatchObject({ code: 'size-fits', result: 'passed' })
    expect(at(0x9_f000, practiceProgram(0x9_f000, 8192))).toMatchObject({
      ...{ code: 'size-fits', result: 'refused' },
      values: { beyond: '0x000a_0000', excess: '4096' },
    })
  })
})
