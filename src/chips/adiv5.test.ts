/** The debug port's side of an Arm chip, against the emulated one, without a probe in between. */
import { expect, test } from 'vitest'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import { viaDebugPort } from './adiv5.ts'
import { directly } from './test-debug-port.ts'

function entered(noTarget = false) {
  const clock = new VirtualClock()
  const chip = new TwinStm32f1({
    clock,
    kib: 64,
    dials: { noTarget },
    flash: Uint8Array.from({ length: 4096 }, (_, i) => i * 7),
  })
  const port = directly(chip.swd)
  const ctx = new Context({ clock })
  const enter = () => viaDebugPort(port).enter(1_000_000, ctx)
  return { chip, port, ctx, enter }
}

test('it wakes the debug port, and reads and writes in every width over the borders of increments', async () => {
  const { chip, ctx, enter } = entered()
  const memory = await enter()
  expect(memory.idcode).toBe(0x1ba0_1477)
  expect(await memory.read(0x0800_0000, 4096, ctx)).toEqual(chip.memory('flash').slice(0, 4096))
  const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i ^ 0x5a)
  for (const width of [4, 2, 1] as const) {
    await memory.write(0x2000_0204, bytes, ctx, width)
    expect(await memory.read(0x2000_0204, bytes.length, ctx, width)).toEqual(bytes)
    bytes.reverse()
  }
  await memory.writeWords(
    [
      [0x2000_0000, 0xffff_fffe],
      [0x2000_0010, 1],
    ],
    ctx,
  )
  expect(await memory.read(0x2000_0000, 4, ctx)).toEqual(Uint8Array.of(0xfe, 0xff, 0xff, 0xff))
})

test('what the chip refuses is told with its address, cleared, and the next access works', async () => {
  const { ctx, enter } = entered()
  const memory = await enter()
  await expect(memory.read(0x6000_0000, 4, ctx)).rejects.toMatchObject({
    code: 'device-refused',
    detail: { during: 'reading 0x6000_0000', status: 'SWD FAULT' },
  })
  expect(await memory.read(0x1fff_f7e0, 4, ctx)).toEqual(Uint8Array.of(64, 0, 0xff, 0xff))
})

test('one that has to wait for too long is told, and the transfer is given up', async () => {
  const { chip, ctx, enter } = entered()
  const memory = await enter()
  chip.swd.waits = 1
  await expect(memory.read(0x2000_0000, 4, ctx)).rejects.toMatchObject({
    code: 'target-busy',
    detail: { by: 'SWD' },
  })
  chip.swd.waits = 0
  await expect(memory.read(0x2000_0000, 4, ctx)).resolves.toHaveLength(4)
})

test('after a question to another access port that broke off, memory is asked at its own again', async () => {
  const { port, ctx, enter } = entered()
  const memory = await enter()
  await memory.read(0x2000_0000, 4, ctx)
  const transfer = port.transfer.bind(port)
  port.transfer = async (row, within) => {
    await transfer(row.slice(0, 1), within)
    throw new FlashError('transfer-failed', { during: 'a row' })
  }
  await expect(memory.accessPorts?.write(1, 0x04, 1, ctx)).rejects.toMatchObject({ code: 'transfer-failed' })
  port.transfer = transfer
  expect(await memory.read(0x0800_0000, 4, ctx)).toEqual(Uint8Array.of(0, 7, 14, 21))
})

test('nobody at the end of the wires is told as that', async () => {
  const { enter } = entered(true)
  await expect(enter()).rejects.toMatchObject({ code: 'target-missing', detail: { tried: ['SWD'] } })
})

test('a row of words takes one setting of the address for each kibibyte', async () => {
  const { port, ctx, enter } = entered()
  const memory = await enter()
  port.rows.length = 0
  await memory.read(0x0800_0000, 2048, ctx)
  expect(port.rows.map((row) => row.length)).toEqual([3, 2]) // width once, then address and data
})
