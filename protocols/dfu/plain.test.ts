/** Plain DFU devices over the real link: which setting, how much, whole images, and ends of a download; the contract has the rest. */
import { expect, onTestFinished, test } from 'vitest'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import type { Memory, Patient } from '#core/programmer.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import { DfuTwin, type DfuTwinOptions, type TwinContent } from './twin-device.ts'
import { TwinFlash } from '#bench/twin-flash.ts'
import { PlainContent } from './twin-plain.ts'
import shelf from './twin.ts'

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

async function plug(twin: DfuTwin) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const port = usb.plug(twin)
  const [attached] = await new Devices({ usb }, clock).list()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error('not recognised')
  const ctx = new Context({ clock })
  const open = async () => {
    const programmer = await openProgrammer(attached, candidate, ctx)
    onTestFinished(() => programmer[Symbol.asyncDispose]())
    return programmer
  }
  const connect = async () => {
    const patient = await (await open()).ways[0]?.connect(ctx)
    if (!patient) throw new Error('no way')
    return patient
  }
  return { clock, port, ctx, open, connect }
}

function flashOf({ memories }: Patient): Memory {
  const [flash] = memories
  if (flash?.id !== 'flash' || memories.length > 1) throw new Error('not one flash')
  return flash
}

interface Made extends Partial<Omit<DfuTwinOptions, 'content'>> {
  readonly kib?: number
  readonly change?: (content: TwinContent) => Partial<TwinContent>
}

function made({ kib = 4, transferBytes = 1024, change = () => ({}), ...options }: Made = {}) {
  const sectors = Array.from({ length: kib }, (_, i) => ({ address: i * 1024, length: 1024 }))
  const flash = new TwinFlash(sectors, { eraseMs: () => 20, programMsPerKib: 27 }, pattern(kib * 1024))
  const plain = new PlainContent({ flash, transferBytes, names: ['Firmware'], setting: 0 })
  const content = Object.assign(plain, change(plain))
  const texts = { manufacturer: 'Test', product: 'Plain', serial: '1' }
  const ids = { vendorId: 0x1209, productId: 0x0001, deviceVersion: 0x0100 }
  return { flash, twin: new DfuTwin({ ids, texts, transferBytes, content, manifests: 'stays', ...options }) }
}

test('the setting that has something is found, and all of it is read', async () => {
  const made = shelf.dapboot.make()
  const { connect, ctx } = await plug(made.twin as DfuTwin)
  const patient = await connect()
  expect(patient).toMatchObject({ chip: 'STM32 (56 KiB)', kind: 'cortex-m:dfu:1209:db42:57344' })
  const memory = flashOf(patient)
  const { address, length, sectors } = memory
  expect([address, length, sectors]).toEqual([0x0800_2000, 57_344, [{ address, length }]])
  expect(await memory.read?.({ address, length }, ctx)).toEqual(made.memory('flash'))
})

test('parts are read in one upload where they follow each other, and anew where they do not', async () => {
  const { flash, twin } = made()
  const { connect, ctx, port } = await plug(twin)
  const memory = flashOf(await connect())
  const before = port.transfers.control
  for (const [address, length] of [
    [10, 20],
    [1024, 1500],
    [3000, 1096],
  ] as const)
    expect(await memory.read?.({ address, length }, ctx)).toEqual(
      flash.bytes.slice(address, address + length),
    )
  // 0, 1, 2; 2000 is in a block that is over: anew; and 3
  expect(port.transfers.control - before).toBeLessThan(14)
  expect(await memory.read?.({ address: 0, length: 64 }, ctx)).toEqual(flash.bytes.slice(0, 64))
})

test.each(['waits for a reset', 'stays'] as const)(
  'one that %s after a download holds what was sent, and is read again',
  async (manifests) => {
    const { flash, twin } = made({ manifests, refusesEarly: true })
    const { connect, ctx } = await plug(twin)
    const memory = flashOf(await connect())
    const bytes = pattern(4096).reverse()
    await memory.program?.(0, bytes, ctx)
    expect(flash.bytes).toEqual(bytes)
    expect(await memory.read?.({ address: 0, length: 4096 }, ctx)).toEqual(bytes)
  },
)

test.each(['leaves', 'starts at a reset'] as const)(
  'one that %s after a download has everything, and says as what it can be read back',
  async (manifests) => {
    const { flash, twin } = made({ manifests })
    const { connect, ctx } = await plug(twin)
    const patient = await connect()
    const bytes = pattern(4096).reverse()
    expect(patient.hasLeft).toBeUndefined()
    await flashOf(patient).program?.(0, bytes, ctx)
    expect(flash.bytes).toEqual(bytes)
    expect(patient.hasLeft?.as).toContainEqual({ classCode: 0xfe, subclassCode: 1 })
  },
)

test('an upload that never ends is refused, and so is one with nothing in it', async () => {
  const endless = await plug(made({ change: () => ({ give: (_, length) => blank(length) }) }).twin)
  await expect(endless.connect()).rejects.toMatchObject({
    code: 'device-refused',
    detail: { status: 'it never ends' },
  })
  const empty = await plug(made({ change: () => ({ give: () => blank(0) }) }).twin)
  await expect(empty.connect()).rejects.toMatchObject({
    code: 'device-refused',
    detail: { status: 'nothing comes' },
  })
})

test('what cannot be read is not opened: nothing of it could be saved', async () => {
  const { twin } = made()
  const { configuration } = twin.descriptors
  configuration[configuration.length - 7] = 1 // bitCanDnload alone
  await expect((await plug(twin)).open()).rejects.toMatchObject({
    code: 'device-refused',
    detail: { status: 'bitCanUpload 0' },
  })
})

test.each([0, 8, 65_535])('a transfer size of %i is made possible', async (said) => {
  const { flash, twin } = made({ transferBytes: said < 64 ? 64 : 4096 })
  const { configuration } = twin.descriptors
  new DataView(configuration.buffer).setUint16(configuration.length - 4, said, true)
  const { connect, ctx } = await plug(twin)
  const memory = flashOf(await connect())
  const bytes = pattern(4096).reverse()
  await memory.program?.(0, bytes, ctx)
  expect(await memory.read?.({ address: 0, length: 4096 }, ctx)).toEqual(bytes)
  expect(flash.bytes).toEqual(bytes)
})

test('an upload that was cut short when it was measured is found out by the reading', async () => {
  for (const [bytes, cut] of [
    [1024, 1023],
    [1024, 0],
  ] as const) {
    let isFirst = true
    const change = (content: TwinContent): Partial<TwinContent> => {
      const give = content.give.bind(content)
      return {
        give(block, ...of) {
          const given = give(block, ...of)
          if (!isFirst || block !== 2 || typeof given === 'string') return given
          isFirst = false
          return given.slice(0, given.length - bytes + cut)
        },
      }
    }
    const { flash, twin } = made({ change })
    const { ctx, open } = await plug(twin)
    const [way] = (await open()).ways
    const wrong = await way?.connect(ctx)
    expect(wrong?.memories[0]?.length).toBe(2048 + cut)
    const read = wrong?.memories[0]?.read?.({ address: 0, length: 2048 + cut }, ctx)
    await expect(read).rejects.toMatchObject({ code: 'short-transfer' })
    const right = await way?.connect(ctx)
    expect(await right?.memories[0]?.read?.({ address: 0, length: 4096 }, ctx)).toEqual(flash.bytes)
  }
})
