/**
 * A target whose program turns its debug lines off at once, behind each kind of probe: whoever holds it in reset while the
 * lines are taken meets it, and lets it go on afterwards.
 */
import { expect, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import type { Programmer, Way } from '#core/programmer.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'

const flashStart = 0x0800_0000

const probes = [
  'cmsis-dap:stm32f103',
  'cmsis-dap:daplink-hid',
  'jlink:v9-stm32f103',
  'jlink:v4-stm32f103',
  'stlink:v2',
  'stlink:v2-1',
  'stlink:v3',
]

async function opened(id: string) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id, { linesOff: true })
  const [attached] = await new Devices(bench, clock).list()
  const candidate = attached && candidateFor(attached.seen)
  if (!attached || !candidate) throw new Error('not recognised')
  const logged: string[] = []
  const ctx = new Context({ clock, log: (line) => void logged.push(line) })
  const programmer = await openProgrammer(attached, candidate, ctx)
  return { plugged, programmer, ctx, logged }
}

function wayBySwd({ ways }: Programmer): Way {
  const way = ways.find(({ to, by }) => to === 'target' && by === 'swd')
  if (!way) throw new Error('no way by SWD')
  return way
}

test.each(probes)('%s: a target that turns its debug lines off is met in reset, and written', async (id) => {
  const { plugged, programmer, ctx } = await opened(id)
  await using probe = programmer
  const way = wayBySwd(probe)
  const page = Uint8Array.from({ length: 1024 }, (_, i) => (i * 7) & 0xff)
  for (let time = 0; time < 2; time++) {
    await using patient = await way.connect(ctx)
    expect(patient.kind).toMatch(/^cortex-m:stm32:410/)
    const flash = patient.memories.find((memory) => memory.id === 'flash')
    const before = plugged.memory('flash').slice(0, 1024)
    expect(await flash?.read?.({ address: flashStart, length: 1024 }, ctx)).toEqual(before)
    await flash?.program?.(flashStart + 0x8000, page, ctx)
    expect(plugged.memory('flash').slice(0x8000, 0x8400)).toEqual(page)
  }
})

test.each(probes)('%s: a target that turns its debug lines off goes on after a look', async (id) => {
  const { programmer, ctx, logged } = await opened(id)
  await using probe = programmer
  const way = wayBySwd(probe)
  await (await way.connect(ctx))[Symbol.asyncDispose]()
  logged.length = 0
  await (await way.connect(ctx))[Symbol.asyncDispose]()
  expect(logged).toContainEqual(expect.stringMatching(/^nobody answers/)) // its program runs
})
