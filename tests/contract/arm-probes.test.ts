/**
 * What can be the matter with a chip on debug wires, by every kind of probe and by SWD and JTAG alike: it lets one wait, or
 * there is nothing at an address, or at any. Each has its error, and the next access is done.
 */
import { expect, onTestFinished, test } from 'vitest'
import type { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { TwinHid } from '#bench/twin-hid.ts'
import type { UsbTwin } from '#bench/twin.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { equal } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Way } from '#core/programmer.ts'
import { candidateFor, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import cmsisDap from '../../protocols/cmsis-dap/twin.ts'
import jlink from '../../protocols/jlink/twin.ts'
import stlink from '../../protocols/stlink/twin.ts'

const kinds = [
  ['CMSIS-DAP v1', 'swd', cmsisDap['daplink-hid']],
  ['CMSIS-DAP v2', 'swd', cmsisDap.jtag],
  ['CMSIS-DAP v2', 'jtag', cmsisDap.jtag],
  ['J-Link', 'swd', jlink['v9-stm32f103']],
  ['J-Link', 'jtag', jlink['v9-stm32f103']],
  ['an older J-Link', 'jtag', jlink['v4-stm32f103']],
  ['ST-Link V2', 'swd', stlink.v2],
  ['ST-Link V2', 'jtag', stlink.v2],
] as const

/** One of the probes with its chip, opened. */
async function opened(by: Way['by'], variant: (typeof kinds)[number][2]) {
  const clock = new VirtualClock()
  const { twin, patient } = variant.make({})
  const chip = patient as TwinStm32f1
  const usb = new TwinUsb({ clock, granted: true })
  usb.plug((twin as UsbTwin).powersUpAs?.() ?? (twin as UsbTwin))
  const [attached] = await new Devices({ usb, hid: new TwinHid(usb) }, clock).list()
  const candidate = attached && candidateFor(attached.seen)
  if (!attached || !candidate) throw new Error('not recognised')
  const ctx = new Context({ clock })
  const programmer = await openProgrammer(attached, candidate, ctx)
  onTestFinished(() => programmer[Symbol.asyncDispose]())
  const way = programmer.ways.find((one) => one.by === by)
  if (!way) throw new Error(`no way by ${by}`)
  return { chip, ctx, connect: () => way.connect(ctx) }
}

/** Met, and its flash to be read from. */
async function met(by: Way['by'], variant: (typeof kinds)[number][2]) {
  const { chip, ctx, connect } = await opened(by, variant)
  const patient = await connect()
  onTestFinished(() => patient[Symbol.asyncDispose]())
  const flash = patient.memories.find(({ id }) => id === 'flash')
  const { address = 0 } = flash ?? {}
  const read = async () => (await flash?.read?.({ address, length: 2048 }, ctx)) ?? new Uint8Array()
  const isRead = async () => equal(await read(), chip.memory('flash').slice(0, 2048))
  return { chip, read, isRead }
}

const lines = (by: string) => by.toUpperCase()

test.each(kinds)('%s, by %s: a storm of WAIT that ends is waited for', async (_, by, variant) => {
  const { chip, isRead } = await met(by, variant)
  chip.swd.waits = 60
  expect(await isRead()).toBe(true)
})

test.each(kinds)(
  '%s, by %s: one that does not end is told, and what follows it is done',
  async (_, by, variant) => {
    const { chip, read, isRead } = await met(by, variant)
    chip.swd.waits = 1e9
    await expect(read()).rejects.toMatchObject({ code: 'target-busy', detail: { by: lines(by) } })
    chip.swd.waits = 0
    expect(await isRead()).toBe(true)
  },
)

test.each(kinds)(
  '%s, by %s: the sticky error of a read of nothing is told once, and gone',
  async (_, by, variant) => {
    const { chip, read, isRead } = await met(by, variant)
    const whole = chip.bus.read.bind(chip.bus)
    chip.bus.read = (address, width, master) =>
      address === 0x0800_0100 ? undefined : whole(address, width, master)
    await expect(read()).rejects.toMatchObject({ code: 'device-refused' })
    chip.bus.read = whole
    expect(await isRead()).toBe(true)
  },
)

test.each(kinds)(
  '%s, by %s: a bus that gives nothing but zeros is a chip that nobody knows',
  async (_, by, variant) => {
    const { chip, connect } = await opened(by, variant)
    chip.bus.read = () => 0
    await expect(connect()).rejects.toMatchObject({ code: 'target-unknown' })
  },
)
