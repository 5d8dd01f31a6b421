/** The way to an ST-Link's own firmware, over the real link against twins; the contract has the rest. */
import { expect, onTestFinished, test } from 'vitest'
import { PracticeBench } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { toFlashError } from '#core/errors.ts'
import type { Contents, MemoryId, Patient } from '#core/programmer.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'
import { blackMagicProgram, vendorProgram } from './images.ts'
import { deviceKey, encrypt } from './loader-cipher.ts'
import {
  askStatus,
  checksum,
  commandBlock,
  dataBlock,
  downloadFrame,
  parseStatus,
  setAddress,
} from './loader-packets.ts'
import { Loader } from './twin-loader.ts'
import { ownChip } from './twin-own.ts'

async function plug(id: string) {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  const plugged = await bench.plug(id)
  const devices = new Devices({ usb: bench.usb, serial: bench.serial }, clock)
  const ctx = new Context({ clock })
  const open = async () => {
    for (let tries = 0; tries < 50; tries++) {
      const [attached] = await devices.list()
      const [candidate] = attached ? candidates(attached.seen) : []
      if (attached && candidate) {
        const programmer = await openProgrammer(attached, candidate, ctx)
        onTestFinished(() => programmer[Symbol.asyncDispose]())
        return { programmer, attached }
      }
      await clock.sleep(100)
    }
    throw new Error('nothing is plugged in')
  }
  return { clock, devices, plugged, ctx, open }
}

async function connect(id: string) {
  const { open, ...bench } = await plug(id)
  const { programmer } = await open()
  const way = programmer.ways.find(({ to }) => to === 'itself')
  if (!way) throw new Error('no way')
  return { ...bench, open, programmer, patient: await way.connect(bench.ctx) }
}

const memoryOf = ({ memories }: Patient, id: MemoryId) => {
  const found = memories.find((memory) => memory.id === id)
  if (!found) throw new Error(`no ${id}`)
  return found
}
const write = async (patient: Patient, address: number, bytes: Uint8Array, ctx: Context) => {
  await memoryOf(patient, 'flash').program?.(address, bytes, ctx)
}
const checks = (patient: Patient, address: number, bytes: Uint8Array, chip?: string) => {
  const wanted: Contents = new Map([['flash', [{ address, bytes }]]])
  return Object.fromEntries(
    patient.check(wanted, new Map(), chip).map(({ code, result, values }) => [code, [result, values['why']]]),
  )
}
const program = (address: number, length = 4096) => blackMagicProgram(address, length, '1.10.2')

test.each([
  ['stlink:v2-own', 'ST-Link V2 (64 KiB)', 'V2, protocol 1, type M', 0x0800_4000, 48, 1],
  [
    'stlink:v2-1-own',
    'ST-Link V2-1 (128 KiB)',
    'V2-1, protocol 2, type B, hardware 2.1',
    0x0800_4000,
    110,
    1,
  ],
  ['stlink:v3-own', 'ST-Link V3 (512 KiB)', 'V3, protocol 3, type F, hardware 3.0', 0x0802_0000, 384, 128],
])(
  '%s tells what it is, and what may be written of it',
  async (id, chip, bootloader, address, kib, unitKib) => {
    const { patient } = await connect(id)
    expect(patient.chip).toBe(chip)
    expect(patient.facts.find(({ name }) => name === 'bootloader')?.value).toBe(bootloader)
    expect(patient.facts.find(({ name }) => name === 'serial')?.value).toBe('1521090032124353354B4E00')
    expect(patient.unreadable).toEqual([{ memory: 'flash', reason: 'write-only' }])
    const flash = memoryOf(patient, 'flash')
    expect([flash.address, flash.length / 1024, (flash.sectors?.[0]?.length ?? 0) / 1024]).toEqual([
      address,
      kib,
      unitKib,
    ])
    expect(['read' in flash, flash.writeOnly]).toEqual([false, true])
    expect(memoryOf(patient, 'signature')).toMatchObject({ length: 20 })
  },
)

test.each([
  ['stlink:v2-own', 0x0800_4000, 5 * 1024],
  ['stlink:v3-own', 0x0802_0000, 128 * 1024],
])('%s gets exactly what was written, through its key', async (id, address, length) => {
  const { patient, plugged, ctx } = await connect(id)
  const bytes = blank(length)
  bytes.set(program(address, 4000))
  await write(patient, address, bytes, ctx)
  expect(plugged.memory('flash').subarray(0, length)).toEqual(bytes)
})

test('behind the end of a copy with less flash than ST’s it says that it could not write', async () => {
  const { patient, ctx } = await connect('stlink:v2-own')
  await expect(write(patient, 0x0801_0000, blank(1024), ctx)).rejects.toMatchObject({
    code: 'device-refused',
    detail: { status: 'errWRITE' },
  })
  await expect(write(patient, 0x0800_3c00, blank(1024), ctx)).rejects.toMatchObject({
    detail: { status: 'errTARGET' },
  })
})

test('a bit that changes on the way is never taken for success with other bytes', async () => {
  const bytes = program(0x0800_4000, 1024)
  const codes = new Set<string>()
  for (let at = 1; at <= 24; at++) {
    const { patient, plugged, ctx } = await connect('stlink:v2-own')
    plugged.faults = { flipOutAt: at }
    const error = await write(patient, 0x0800_4000, bytes, ctx).then(
      () => undefined,
      (thrown: unknown) => toFlashError(thrown),
    )
    if (!error) expect(plugged.memory('flash').subarray(0, 1024), String(at)).toEqual(bytes)
    codes.add(error?.is('device-refused') ? error.detail.status : (error?.code ?? 'ok'))
  }
  expect([...codes]).toContain('errVERIFY')
  expect([...codes]).not.toContain('bug')
})

test('an image that would not start, or is for another generation, is refused', async () => {
  const { patient } = await connect('stlink:v2-1-own')
  const base = 0x0800_4000
  expect(checks(patient, base, program(base))).toEqual({
    'becomes-other': ['warning', undefined],
    'size-fits': ['passed', undefined],
    'vector-table': ['passed', 'jump'],
  })
  expect(checks(patient, 0x0802_0000, program(0x0802_0000))).toMatchObject({
    'size-fits': ['refused', undefined],
    'vector-table': ['refused', 'missing'],
  })
  expect(checks(patient, base, program(0x0800_0000))['vector-table']).toEqual(['refused', 'beyond-flash'])
  expect(checks(patient, base, blank(4096))['vector-table']).toEqual(['refused', 'blank'])
  const bigStack = program(base)
  new DataView(bigStack.buffer).setUint32(0, 0x2001_0000, true)
  expect(checks(patient, base, bigStack)['vector-table']).toEqual(['refused', 'stack'])
  expect(checks(patient, base, program(base), 'ST-Link V3')['chip-matches']).toEqual(['refused', undefined])
  expect(checks(patient, base, program(base), 'ST-Link V2, V2-1')['chip-matches']).toEqual([
    'passed',
    undefined,
  ])
  const made = (productId: number) => vendorProgram(base, 8000, { version: 'V2J37S7', productId })
  expect(checks(patient, base, made(0x374b))['chip-matches']).toEqual(['passed', undefined])
  expect(checks(patient, base, made(0x3748))['chip-matches']).toEqual(['warning', 'other-chip'])
  expect(checks(patient, base, made(0x3744))['chip-matches']).toEqual(['refused', undefined])
})

test('ST’s own firmware for a V3 may be for good, which is warned of; open firmware is not', async () => {
  const { patient } = await connect('stlink:v3-own')
  const base = 0x0802_0000
  const vendors = vendorProgram(base, 8000, { version: 'V3J15M7', productId: 0x374f })
  expect(checks(patient, base, vendors)['one-way']).toEqual(['warning', undefined])
  expect(checks(patient, base, program(base), 'ST-Link V3')['one-way']).toEqual(['warning', undefined])
  expect(checks(patient, base, program(base))['one-way']).toEqual(['passed', undefined])
})

test('open firmware makes no ST-Link of it, which is said before; a V2 then waits in its boot loader', async () => {
  const becoming = async (id: string, bytes: (base: number) => Uint8Array, claimed?: string) => {
    const { patient } = await connect(id)
    const base = patient.memories.find((one) => one.id === 'flash')?.address ?? 0
    return checks(patient, base, bytes(base), claimed)['becomes-other']
  }
  const vendors = (base: number) => vendorProgram(base, 8000, { version: 'V2J45M31', productId: 0x3748 })
  expect(await becoming('stlink:v2-1-own', program)).toEqual(['warning', undefined])
  expect(await becoming('stlink:v2-own', program)).toEqual(['warning', 'waits'])
  expect(await becoming('stlink:v2-own', vendors)).toBeUndefined()
  expect(await becoming('stlink:v2-1-own', program, 'ST-Link V2, V2-1')).toBeUndefined()
})

test('a V2 starts ST’s firmware where it is, and another one as another device', async () => {
  const { patient, open, ctx } = await connect('stlink:v2-own')
  const base = 0x0800_4000
  await patient.leave?.(ctx)
  await expect(patient.leave?.(ctx)).resolves.toBeUndefined() // it runs, and says so
  const again = await connect('stlink:v2-own')
  await write(again.patient, base, program(base, 8192), again.ctx)
  await again.patient.leave?.(again.ctx)
  expect((await again.open()).attached.seen).toMatchObject({ vendorId: 0x1d50, productId: 0x6018 })
  expect((await open()).programmer.notices).toContainEqual({ code: 'stlink-replug', level: 'info' })
})

test('with nothing that starts it stays, and says so', async () => {
  const { patient, ctx } = await connect('stlink:v2-1-own')
  await write(patient, 0x0800_4000, blank(1024), ctx)
  await expect(patient.leave?.(ctx)).rejects.toMatchObject({ code: 'device-refused' })
})

test('a V3 whose boot loader takes only what ST signed is refused with that reason, after three questions', async () => {
  const { open, plugged } = await plug('stlink:v3-signed')
  await expect(open()).rejects.toMatchObject({
    code: 'device-refused',
    detail: { by: 'signed-only', status: 'protocol 4' },
  })
  expect(plugged.transfers.bytesOut).toBe(3 * 16)
})

test('a V1 is named with the reason why it is of no use here, and nothing is said to it', async () => {
  const { devices, open, plugged } = await plug('stlink:v1')
  const [attached] = await devices.list()
  const [candidate] = attached ? candidates(attached.seen) : []
  expect(candidate?.recognition).toMatchObject({
    ...{ model: 'ST-Link V1', usable: false },
    notices: [{ code: 'stlink-v1', level: 'warning' }],
  })
  await expect(open()).rejects.toMatchObject({ code: 'device-refused' })
  expect(plugged.transfers.bytesOut).toBe(0)
})

test('the twin of a V2 says so when it is to write over what is not erased, and leaves that', async () => {
  const own = { protocol: 1, kib: 64, type: 'M', hardware: 0, version: 'V2J24S4', productId: 0x3748 } as const
  const chip = ownChip(own)
  const loader = new Loader({ chip, version: () => new Uint8Array(6), exit: () => undefined })
  const clock = new VirtualClock()
  const download = async (block: number, plain: Uint8Array, wire = plain) => {
    const frame = downloadFrame({ block, checksum: checksum(plain), length: wire.length })
    await loader.answer(frame, wire, clock)
    await clock.sleep(1000)
    return parseStatus((await loader.answer(askStatus, new Uint8Array(), clock)) as Uint8Array).status
  }
  const before = chip.flash.bytes.slice()
  const key = deviceKey(1, Uint8Array.of(64, 0, 0xff, 0xff, ...chip.uid))
  const page = new Uint8Array(1024)
  expect(await download(commandBlock, setAddress(0x0800_4000))).toBe('OK')
  expect(await download(dataBlock, page, encrypt(key, page))).toBe('errWRITE')
  expect(chip.flash.bytes).toEqual(before)
})
