/** STM32s of all families as patients, against the emulated ones: met, written, protected. */
import { describe, expect, test } from 'vitest'
import { TwinStm32f0 } from '#bench/twin-stm32f0.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { TwinStm32f4 } from '#bench/twin-stm32f4.ts'
import { TwinStm32f7 } from '#bench/twin-stm32f7.ts'
import type { TwinStm32 } from '#bench/twin-stm32.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { Dials } from '#bench/twin.ts'
import { isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { MemoryId, Patient } from '#core/programmer.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import { directly } from './test-debug-port.ts'

const flashStart = 0x0800_0000
const flash = practiceProgram(flashStart, 12_000)

type Make = (clock: VirtualClock, dials: Dials) => TwinStm32
const makers: readonly (readonly [name: string, kind: string, make: Make])[] = [
  [
    'STM32F030x4',
    'cortex-m:stm32:444',
    (clock, dials) => new TwinStm32f0({ clock, dials, flash, chip: 'STM32F030x4' }),
  ],
  [
    'STM32F072xB',
    'cortex-m:dfu:0483:df11:64×2 KiB',
    (clock, dials) => new TwinStm32f0({ clock, dials, flash, chip: 'STM32F072xB' }),
  ],
  ['STM32F103', 'cortex-m:stm32:410', (clock, dials) => new TwinStm32f1({ clock, dials, flash, kib: 64 })],
  [
    'STM32F405',
    'cortex-m:dfu:0483:df11:4×16 + 1×64 + 7×128 KiB',
    (clock, dials) => new TwinStm32f4({ clock, dials, flash }),
  ],
  [
    'STM32F410x8',
    'cortex-m:stm32:458',
    (clock, dials) => new TwinStm32f4({ clock, dials, flash, chip: 'STM32F410x8' }),
  ],
  [
    'STM32F723xE',
    'cortex-m:dfu:0483:df11:4×16 + 1×64 + 3×128 KiB',
    (clock, dials) => new TwinStm32f7({ clock, dials, flash }),
  ],
]

function wired(make: Make, dials: Dials = {}) {
  const clock = new VirtualClock()
  const chip = make(clock, dials)
  const port = directly(chip.swd)
  const ctx = new Context({ clock })
  return { chip, port, ctx, clock, connect: () => connectArm(viaDebugPort(port), ctx) }
}

const memoryOf = ({ memories }: Patient, id: MemoryId) => {
  const memory = memories.find((one) => one.id === id)
  if (!memory?.program && !memory?.read) throw new Error(`no ${id}`)
  return memory
}
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

describe.each(makers)('%s', (name, kind, make) => {
  test('is known by its ids, read, and written in whole sectors of its own sizes', async () => {
    const { chip, connect, ctx } = wired(make)
    await using patient = await connect()
    expect(patient.kind).toBe(kind)
    expect(patient.chip).toContain(name.slice(0, 7))
    const main = memoryOf(patient, 'flash')
    expect(await main.read?.({ address: flashStart + 1, length: 4096 }, ctx)).toEqual(flash.slice(1, 4097))
    const options = memoryOf(patient, 'options')
    expect(await options.read?.(options, ctx)).toEqual(chip.memory('options'))
    const first = main.sectors?.[0]?.length ?? main.pageBytes
    const second = main.sectors?.[1]?.length ?? main.pageBytes
    const bytes = pattern(first + second)
    bytes.fill(0xff, first + second - 1001) // the end stays blank, and is an odd one
    await main.program?.(flashStart, bytes, ctx)
    expect(chip.memory('flash').slice(0, first + second)).toEqual(bytes)
    expect(chip.memory('flash').slice(first + second, flash.length)).toEqual(flash.slice(first + second))
  })

  test('read-protected it is named and not read, and opens by losing what it holds', async () => {
    const { chip, connect, ctx } = wired(make, { locked: true })
    const before = await connect()
    expect(before.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
    expect(memoryOf(before, 'flash')).toMatchObject({ locked: true })
    expect(isBlank(chip.memory('flash'))).toBe(false)
    await before.eraseChip?.run(ctx)
    await before[Symbol.asyncDispose]()
    expect(isBlank(chip.memory('flash'))).toBe(true)
    const after = await connect()
    expect(after.unreadable).toEqual([])
    const main = memoryOf(after, 'flash')
    const length = main.sectors?.[0]?.length ?? main.pageBytes
    await main.program?.(flashStart, pattern(length), ctx)
    expect(chip.memory('flash').slice(0, length)).toEqual(pattern(length))
    await after[Symbol.asyncDispose]()
    expect(chip.cortex.isHalted).toBe(false)
  })

  test('an option byte lock that stays shut is told, and nothing is erased', async () => {
    const { chip, port, connect, ctx } = wired(make, { locked: true })
    const patient = await connect()
    const transfer = port.transfer.bind(port)
    const optionKey = name.startsWith('STM32F4') || name.startsWith('STM32F7') ? 0x4002_3c08 : 0x4002_2008
    // a key that does not reach it
    port.transfer = (row, within) => {
      const isKey = (at: number) => {
        const access = row[at - 1]
        return access !== undefined && 'write' in access && access.write === optionKey
      }
      return transfer(
        row.filter((_, at) => !isKey(at)),
        within,
      )
    }
    await expect(patient.eraseChip?.run(ctx)).rejects.toMatchObject({
      code: 'device-refused',
      detail: { during: 'unlocking its option bytes' },
    })
    expect(isBlank(chip.memory('flash'))).toBe(false)
  })

  test('let go after a look, its watchdogs are as they were', async () => {
    const { chip, connect } = wired(make)
    const at = name.startsWith('STM32F0') ? 0x4001_5808 : name === 'STM32F103' ? 0xe004_2004 : 0xe004_2008
    const held = name === 'STM32F103' ? 0x300 : 0x1800
    const patient = await connect()
    expect(chip.bus.read(at, 4)).toBe(held)
    expect(chip.cortex.isHalted).toBe(true)
    await patient[Symbol.asyncDispose]()
    expect(chip.bus.read(at, 4)).toBe(0)
    expect(chip.cortex.isHalted).toBe(false)
  })
})

test('a bit that does not take what it should is told by the controller of an STM32F4 or not at all, and read back', async () => {
  const { connect, ctx } = wired((clock, dials) => new TwinStm32f4({ clock, dials, chip: 'STM32F410x8' }), {
    stuckBit: 8,
  })
  await using patient = await connect()
  const main = memoryOf(patient, 'flash')
  await main.program?.(flashStart, new Uint8Array(16 * 1024).fill(0x5f), ctx)
  expect((await main.read?.({ address: flashStart, length: 4 }, ctx))?.[1]).toBe(0x5e)
})

test('sectors that an STM32F4 protects are refused before anything is changed', async () => {
  const { chip, connect } = wired((clock, dials) => new TwinStm32f4({ clock, dials, flash }))
  chip.memory('options')[8] = 0xfd // nWRP1
  chip.brownOut()
  await using patient = await connect()
  const wanted = new Map([['flash', [{ address: flashStart + 0x4000, bytes: Uint8Array.of(1) }]]] as const)
  expect(patient.check(wanted, new Map()).find(({ code }) => code === 'write-protection')).toMatchObject({
    result: 'refused',
    values: { from: '0x0800_4000', to: '0x0800_7fff' },
  })
})

test('an error that the program of an STM32F4 left in the controller does not stop the lifting', async () => {
  const { chip, connect, ctx } = wired((clock, dials) => new TwinStm32f4({ clock, dials, flash }), {
    locked: true,
  })
  const patient = await connect()
  for (const key of [0x4567_0123, 0xcdef_89ab]) chip.bus.write(0x4002_3c04, 4, key)
  chip.bus.write(0x4002_3c10, 4, 0x1_0002, 'debugger') // an erase, which protection refuses
  expect(chip.bus.read(0x4002_3c0c, 4)).toBe(0x10)
  await patient.eraseChip?.run(ctx)
  await patient[Symbol.asyncDispose]()
  expect(isBlank(chip.memory('flash'))).toBe(true)
})

test('an STM32F0 of protection level 2 answers nobody', async () => {
  const optionBytes = Uint8Array.of(0xcc, 0x33, ...Array<number[]>(7).fill([0xff, 0]).flat())
  const { connect } = wired((clock) => new TwinStm32f0({ clock, optionBytes }))
  await expect(connect()).rejects.toMatchObject({ code: 'target-missing' })
})

test('an STM32F0 keeps its own option bytes when it is opened', async () => {
  const optionBytes = Uint8Array.of(
    0x00,
    0xff,
    0x6f,
    0x90,
    0x12,
    0xed,
    0x34,
    0xcb,
    0xff,
    0,
    0xff,
    0,
    0xff,
    0,
    0xff,
    0,
  )
  const { chip, connect, ctx } = wired((clock) => new TwinStm32f0({ clock, optionBytes }))
  const patient = await connect()
  await patient.eraseChip?.run(ctx)
  await patient[Symbol.asyncDispose]()
  expect(chip.memory('options').slice(0, 8)).toEqual(
    Uint8Array.of(0xaa, 0x55, 0x6f, 0x90, 0x12, 0xed, 0x34, 0xcb),
  )
})

test('an erase whose power failed leaves a chip that is met and written again', async () => {
  const { chip, connect, ctx, clock } = wired((at, dials) => new TwinStm32f4({ clock: at, dials, flash }))
  const patient = await connect()
  const writing = memoryOf(patient, 'flash').program?.(flashStart, pattern(16 * 1024), ctx)
  await clock.sleep(100) // of 250 ms
  chip.brownOut()
  await expect(writing).rejects.toMatchObject({ name: 'FlashError' })
  // its debug port had forgotten everything, too, and was woken again when it was missed
  await patient[Symbol.asyncDispose]()
  await using again = await connect()
  await memoryOf(again, 'flash').program?.(flashStart, pattern(16 * 1024), ctx)
  expect(chip.memory('flash').slice(0, 16 * 1024)).toEqual(pattern(16 * 1024))
})
