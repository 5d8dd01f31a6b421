/** By JTAG, where a probe says that it has it: the same chip as by SWD, over either link. */
import { expect, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { TwinHid } from '#bench/twin-hid.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import type { UsbTwin } from '#bench/twin.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { fromHex, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Way } from '#core/programmer.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { Devices, type Source } from '#transport/devices.ts'
import { jtagConfigure, jtagSequence, parseJtag, writeAbort } from './packets.ts'
import { hidDescriptors, reportDescriptor } from './twin-descriptors.ts'
import { HidProbeTwin } from './twin-hid-probe.ts'

const flashStart = 0x0800_0000

async function opened(source: Source, clock: VirtualClock) {
  const [attached] = await new Devices(source, clock).list()
  const candidate = attached && candidateFor(attached.seen)
  if (!attached || !candidate) throw new Error('not recognised')
  const ctx = new Context({ clock })
  const programmer = await openProgrammer(attached, candidate, ctx)
  const wayBy = (by: Way['by']) => {
    const way = programmer.ways.find((one) => one.by === by)
    if (!way) throw new Error(`no way by ${by}`)
    return way
  }
  return { programmer, wayBy, ctx }
}

async function onBench(id: string, dials = {}) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id, dials)
  return { flash: () => plugged.memory('flash'), ...(await opened(bench, clock)) }
}

/** Version 1, as a HID device. */
async function asHid() {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const report = reportDescriptor(64)
  const described = {
    ...{ vendorId: 0xc251, productId: 0xf001, deviceVersion: 0x0100 },
    ...{ manufacturer: 'Practice', product: 'CMSIS-DAP with JTAG', serial: '0001' },
  }
  const target = new TwinStm32f1({ kib: 64, flash: practiceProgram(flashStart, 20_000) })
  const options = { descriptors: hidDescriptors(described, report), target, texts: {}, packetBytes: 64 }
  const twin: UsbTwin = new HidProbeTwin({ ...options, packets: 2, hasJtag: true }, report)
  usb.plug(twin)
  return { flash: () => target.memory('flash'), ...(await opened({ usb, hid: new TwinHid(usb) }, clock)) }
}

test.each([
  ['version 2', () => onBench('cmsis-dap:jtag')],
  ['version 1', asHid],
])('%s: by JTAG the chip is read and written, as it is by SWD', async (_, open) => {
  const { flash, programmer, wayBy, ctx } = await open()
  const patient = await wayBy('jtag').connect(ctx)
  expect(patient.facts.find(({ name }) => name === 'debug-port')?.value).toBe('0x3ba0_0477')
  const memory = patient.memories.find(({ id }) => id === 'flash')
  const { address = 0, length = 0 } = memory ?? {}
  expect(await memory?.read?.({ address, length }, ctx)).toEqual(flash())
  const page = Uint8Array.from({ length: 2048 }, (_, i) => (i * 7) & 0xff)
  await memory?.program?.(address + 4096, page, ctx)
  expect(flash().slice(4096, 4096 + 2048)).toEqual(page)
  await patient[Symbol.asyncDispose]()
  const bySwd = await wayBy('swd').connect(ctx) // the wires are switched each time
  expect(bySwd.chip).toBe(patient.chip)
  await bySwd[Symbol.asyncDispose]()
  const again = await wayBy('jtag').connect(ctx)
  await again[Symbol.asyncDispose]()
  await programmer[Symbol.asyncDispose]()
})

test('nobody is there without a target, and a protected chip is one', async () => {
  const alone = await onBench('cmsis-dap:jtag', { noTarget: true })
  await expect(alone.wayBy('jtag').connect(alone.ctx)).rejects.toMatchObject({
    code: 'target-missing',
    detail: { tried: ['JTAG'] },
  })
  const closed = await onBench('cmsis-dap:jtag', { locked: true })
  await using patient = await closed.wayBy('jtag').connect(closed.ctx)
  expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'read-protected' }])
})

test('one that does not say that it has JTAG offers none', async () => {
  const { programmer } = await onBench('cmsis-dap:stm32f103')
  expect(programmer.ways.map(({ by }) => by)).toEqual(['swd'])
})

test('commands and their answers are the bytes of the specification', () => {
  const bytes = (packet: Uint8Array) => hexBytes(packet, ' ')
  const rows = [
    { tms: 1, count: 5, tdi: Uint8Array.of(0x1f) },
    { tms: 0, count: 64, tdi: new Uint8Array(8).fill(0xff) },
  ]
  expect(bytes(jtagSequence(rows))).toBe('14 02 c5 1f 80 ff ff ff ff ff ff ff ff')
  expect(bytes(jtagConfigure([4, 5]))).toBe('15 02 04 05')
  expect(bytes(writeAbort(1, 1))).toBe('08 01 01 00 00 00')
  expect([...parseJtag(fromHex('16 00 77 04 a0 3b'), 4, 'test')]).toEqual([0x77, 0x04, 0xa0, 0x3b])
  expect(() => parseJtag(fromHex('16 ff'), 4, 'test')).toThrow(
    expect.objectContaining({ code: 'device-refused' }),
  )
  expect(() => parseJtag(fromHex('16 00 77'), 4, 'test')).toThrow(
    expect.objectContaining({ code: 'short-transfer' }),
  )
})
