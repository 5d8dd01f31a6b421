/** What the option control register of an STM32F4 or F7 says of its sectors. Source: ST, RM0090, RM0368 and RM0430. */
import { expect, test } from 'vitest'
import { ByteWriter } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { CortexM } from './cortex-m.ts'
import { findStm32Part, sectorsOf } from './stm32-parts.ts'
import { Stm32f4Flash } from './stm32f4-flash.ts'
import type { TargetMemory } from './target-memory.ts'

test.each([
  ['an STM32F413 as it is made', 0x463, 1536, 0x7fff_aaed, []],
  ['an STM32F413 whose last two sectors have one bit', 0x463, 1536, 0x3fff_aaed, [14, 15]],
  ['an STM32F401 whose bits keep sectors from being read', 0x423, 256, 0x8002_aaed, [1]],
  ['an STM32F405, without such bits', 0x413, 1024, 0x0ffd_aaed, [1]],
])('%s', async (_, id, kib, options, expected) => {
  const part = findStm32Part(id)
  if (!part) throw new Error('no such part')
  const memory: TargetMemory = {
    idcode: 0,
    read: () => Promise.resolve(new ByteWriter().u32le(options).done()),
    write: () => Promise.resolve(),
    writeWords: () => Promise.resolve(),
  }
  const sectors = sectorsOf(part, kib)
  const flash = new Stm32f4Flash(memory, new CortexM(memory), sectors, id !== 0x413)
  const found = await flash.writeProtected(sectors, new Context())
  expect(found).toEqual(expected.map((index) => sectors[index]))
})
