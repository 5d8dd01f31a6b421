/** Chips whose RAM is of no use, through each kind of probe: their flash is written without it, access by access. */
import { expect, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import { practiceProgram } from './cortex-m-program.ts'

async function met(id: string, dials: Dials) {
  const clock = new VirtualClock()
  const logged: string[] = []
  const ctx = new Context({ clock, log: (line) => logged.push(line) })
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id, dials)
  const [attached] = await new Devices(bench, clock).list()
  const candidate = attached && candidateFor(attached.seen, id.split(':')[0])
  if (!attached || !candidate) throw new Error(`${id} is not recognised`)
  const programmer = await openProgrammer(attached, candidate, ctx)
  const way = programmer.ways.find(({ to }) => to === 'target')
  if (!way) throw new Error(`${id} leads nowhere`)
  return { clock, ctx, plugged, logged, programmer, patient: await way.connect(ctx) }
}

const routes = (['forgets', 'runs-nothing'] as const).flatMap((ram) =>
  [
    ...['stlink:v2', 'stlink:v3', 'cmsis-dap:stm32f103', 'cmsis-dap:daplink-hid'],
    ...['cmsis-dap:stm32f030', 'cmsis-dap:stm32f410', 'cmsis-dap:stm32f730', 'jlink:v9-stm32f103'],
  ].map((id) => [id, ram] as const),
)

test.each(routes)('%s, whose RAM %s: pages are written, and say so', async (id, ram) => {
  const { ctx, plugged, patient, logged } = await met(id, { ram })
  const flash = patient.memories.find((memory) => memory.id === 'flash')
  if (!flash?.program) throw new Error('it has no flash')
  const units =
    flash.sectors ??
    [0, 1, 2].map((i) => ({ address: flash.address + i * flash.pageBytes, length: flash.pageBytes }))
  const [first, second, third] = units
  if (!first || !second || !third) throw new Error('too few')
  // two at once, of which one stays mostly blank, and one that becomes blank
  const both = blank(first.length + second.length)
  both.set(practiceProgram(first.address, 301))
  both.set(Uint8Array.of(1, 2, 3), first.length)
  await flash.program(first.address, both, ctx)
  await flash.program(third.address, blank(third.length), ctx)
  const now = plugged.memory('flash')
  expect(now.subarray(0, both.length)).toEqual(both)
  expect(now.subarray(both.length, both.length + third.length)).toEqual(blank(third.length))
  expect(logged.filter((line) => line.includes('no routine runs in its RAM'))).not.toHaveLength(0)
  await patient[Symbol.asyncDispose]()
})
