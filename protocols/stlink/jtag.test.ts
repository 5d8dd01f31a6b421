/** By JTAG: the same commands on other lines; the chip is the same as by SWD. */
import { expect, onTestFinished, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { Dials } from '#bench/twin.ts'
import { equal } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Way } from '#core/programmer.ts'
import { readWord, type TargetMemory } from '#chips/target-memory.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import { abilitiesOf } from './packets.ts'
import { StLinkProbe } from './probe.ts'
import { StLinkSession } from './session.ts'

const ram = 0x2000_0000
const nowhere = 0x6000_0000

async function plugged(id: string, dials: Dials) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const device = await bench.plug(id, dials)
  const [attached] = await new Devices(bench, clock).list()
  const candidate = attached && candidateFor(attached.seen)
  if (attached?.link !== 'usb' || !candidate) throw new Error('not recognised')
  return { device, attached, candidate, ctx: new Context({ clock }) }
}

async function opened(id: string, dials: Dials = {}) {
  const { device, attached, candidate, ctx } = await plugged(id, dials)
  const programmer = await openProgrammer(attached, candidate, ctx)
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  const wayBy = (by: Way['by']) => {
    const way = programmer.ways.find((one) => one.by === by)
    if (!way) throw new Error(`no way by ${by}`)
    return way
  }
  return { device, wayBy, ctx }
}

/** The target's memory by JTAG, without a chip's driver. */
async function reach(id: string): Promise<{ memory: TargetMemory; ctx: Context }> {
  const { attached, ctx } = await plugged(id, {})
  const link = await attached.open()
  onTestFinished(() => link[Symbol.asyncDispose]())
  const session = new StLinkSession(link)
  const { version } = await session.begin()
  const probe = new StLinkProbe(session, abilitiesOf(version), 'JTAG', [1_125_000])
  return { memory: await probe.enter(1_125_000, ctx), ctx }
}

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

test.each([
  ['stlink:v2', 2_250_000],
  ['stlink:v3', 1_000_000],
])('%s reads and writes the chip that it meets by SWD, too', async (id, hz) => {
  const { device, wayBy, ctx } = await opened(id)
  const patient = await wayBy('jtag').connect(ctx)
  expect(patient.speedHz).toBe(hz)
  expect(patient.facts.find(({ name }) => name === 'debug-port')?.value).toBe('0x3ba0_0477')
  const flash = patient.memories.find((memory) => memory.id === 'flash')
  const { address = 0, length = 0 } = flash ?? {}
  expect(await flash?.read?.({ address, length }, ctx)).toEqual(device.memory('flash'))
  await flash?.program?.(address + 4096, pattern(2048), ctx)
  expect(device.memory('flash').slice(4096, 4096 + 2048)).toEqual(pattern(2048))
  await patient[Symbol.asyncDispose]()
  const bySwd = await wayBy('swd').connect(ctx) // the lines are switched each time
  expect(bySwd.chip).toBe(patient.chip)
  await bySwd[Symbol.asyncDispose]()
  const again = await wayBy('jtag').connect(ctx)
  await again[Symbol.asyncDispose]()
})

test('nobody is there without a target, and a protected chip is one', async () => {
  const alone = await opened('stlink:v2', { noTarget: true })
  await expect(alone.wayBy('jtag').connect(alone.ctx)).rejects.toMatchObject({
    ...{ code: 'target-missing', detail: { tried: ['JTAG'] } },
  })
  const closed = await opened('stlink:v2', { locked: true })
  await using patient = await closed.wayBy('jtag').connect(closed.ctx)
  expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
})

test('what the target refuses is told although no acknowledge says so, and the next access is done', async () => {
  const { memory, ctx } = await reach('stlink:v2')
  const refused = { code: 'device-refused', detail: { status: 'ApFault' } }
  await expect(memory.read(nowhere, 64, ctx)).rejects.toMatchObject(refused)
  await expect(memory.write(nowhere, pattern(64), ctx)).rejects.toMatchObject(refused)
  await expect(readWord(memory, nowhere, ctx)).rejects.toMatchObject(refused)
  await memory.write(ram, pattern(200), ctx)
  expect(equal(await memory.read(ram, 200, ctx), pattern(200))).toBe(true)
})
