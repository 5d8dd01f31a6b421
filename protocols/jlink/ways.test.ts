/** The ways of an emulated J-Link beside SWD, which the contract takes: the same chip by JTAG, and its own settings. */
import { expect, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import type { Dials } from '#bench/twin.ts'
import type { Way } from '#core/programmer.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'

async function opened(id: string, dials: Dials = {}) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id, dials)
  const [attached] = await new Devices(bench, clock).list()
  const candidate = attached && candidateFor(attached.seen)
  if (!attached || !candidate) throw new Error('not recognised')
  const ctx = new Context({ clock })
  const programmer = await openProgrammer(attached, candidate, ctx)
  const wayBy = (by: Way['by']) => {
    const way = programmer.ways.find((one) => one.by === by)
    if (!way) throw new Error(`no way by ${by}`)
    return way
  }
  return { plugged, programmer, wayBy, ctx }
}

test.each(['jlink:v9-stm32f103', 'jlink:v4-stm32f103'])(
  '%s: by JTAG the same chip is read and written',
  async (id) => {
    const { plugged, programmer, wayBy, ctx } = await opened(id)
    const patient = await wayBy('jtag').connect(ctx)
    expect(patient.facts.find(({ name }) => name === 'debug-port')?.value).toBe('0x3ba0_0477')
    const flash = patient.memories.find((memory) => memory.id === 'flash')
    const { address = 0, length = 0 } = flash ?? {}
    expect(await flash?.read?.({ address, length }, ctx)).toEqual(plugged.memory('flash'))
    const page = Uint8Array.from({ length: 2048 }, (_, i) => (i * 7) & 0xff)
    await flash?.program?.(address + 4096, page, ctx)
    expect(plugged.memory('flash').slice(4096, 4096 + 2048)).toEqual(page)
    await patient[Symbol.asyncDispose]()
    const bySwd = await wayBy('swd').connect(ctx) // the wires are switched each time
    expect(bySwd.chip).toBe(patient.chip)
    await bySwd[Symbol.asyncDispose]()
    const again = await wayBy('jtag').connect(ctx)
    await again[Symbol.asyncDispose]()
    await programmer[Symbol.asyncDispose]()
  },
)

test('by JTAG nobody is there without a target, and a protected chip is one', async () => {
  const alone = await opened('jlink:v9-stm32f103', { noTarget: true })
  await expect(alone.wayBy('jtag').connect(alone.ctx)).rejects.toMatchObject({
    code: 'target-missing',
    detail: { tried: ['JTAG'] },
  })
  expect(alone.programmer.notices.map(({ code }) => code)).toContain('no-target-voltage')
  const closed = await opened('jlink:v9-stm32f103', { locked: true })
  await using patient = await closed.wayBy('jtag').connect(closed.ctx)
  expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
})

test('its settings are read alike twice, written whole, and read again', async () => {
  const { plugged, wayBy, ctx } = await opened('jlink:v9-stm32f103')
  await using patient = await wayBy('configuration').connect(ctx)
  expect(patient.facts.find(({ name }) => name === 'mac')?.value).toBe('00:22:c7:34:56:78')
  const [memory] = patient.memories
  const whole = { address: 0, length: 256 }
  const first = (await memory?.read?.(whole, ctx)) ?? new Uint8Array()
  expect(await memory?.read?.(whole, ctx)).toEqual(first)
  await memory?.program?.(0, first.with(0, 2), ctx)
  expect(plugged.memory('config')).toEqual(first.with(0, 2))
  await expect(
    Promise.resolve(memory?.program?.(0, new Uint8Array(256).fill(0xff), ctx)),
  ).rejects.toMatchObject({
    code: 'does-not-fit',
  })
})

test('an area in which nothing is, is never written', async () => {
  const { plugged, wayBy, ctx } = await opened('jlink:v9-stm32f103')
  plugged.memory('config').fill(0xff)
  await using patient = await wayBy('configuration').connect(ctx)
  expect(patient.memories.map((memory) => [memory.id, 'program' in memory])).toEqual([['config', false]])
})
