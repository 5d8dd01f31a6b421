/** The driver on the shelf's boards: the touch, what is found, what is refused, and what keeps a boot loader awake. */
import { beforeEach, expect, test } from 'vitest'
import { PracticeBench, type Plugged } from '#bench/bench.ts'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import { EchoSerialTwin } from '#bench/test-twins.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import type { Patient, Programmer } from '#core/programmer.ts'
import { candidates, openProgrammer } from '#jobs/identify.ts'
import { Devices } from '#transport/devices.ts'

let clock: VirtualClock
let bench: PracticeBench
let ctx: Context
beforeEach(() => {
  clock = new VirtualClock()
  bench = new PracticeBench({ clock })
  ctx = new Context({ clock })
})

async function open(serial: Serial = bench.serial): Promise<Programmer> {
  const [attached] = await new Devices({ usb: bench.usb, serial }, clock).list()
  const [candidate] = attached ? candidates(attached.seen) : []
  if (!attached || !candidate) throw new Error('nothing that anybody recognises')
  return openProgrammer(attached, candidate, ctx)
}

async function connected(): Promise<{ programmer: Programmer; patient: Patient; plugged: Plugged }> {
  const plugged = await bench.plug('avr109:pro-micro-empty')
  const programmer = await open()
  const patient = await programmer.ways[0]?.connect(ctx)
  if (!patient) throw new Error('no way')
  return { programmer, patient, plugged }
}

test('a sketch has no way but to be started anew, by a touch', async () => {
  await bench.plug('avr109:leonardo')
  const programmer = await open()
  expect(programmer.ways).toEqual([])
  await programmer.restart?.run(ctx)
  expect(programmer.gone.aborted).toBe(true)
  await clock.sleep(500)
  expect((await open()).facts).toContainEqual({ name: 'bootloader', value: 'CATERIN 1.0', source: 'S, V' })
})

test('a sketch that does not hear the touch is told', async () => {
  const deaf = new EchoSerialTwin(57_600, { vendorId: 0x2341, productId: 0x8036 })
  const bus = new TwinSerialBus({ clock, granted: true })
  bus.plug(deaf)
  const programmer = await open(bus)
  await expect(programmer.restart?.run(ctx)).rejects.toMatchObject({ code: 'device-refused' })
})

test('a port that does not answer is silent', async () => {
  const bus = new TwinSerialBus({ clock, granted: true })
  bus.plug(
    Object.assign(new EchoSerialTwin(9600, { vendorId: 0x2341, productId: 0x0036 }), {
      bridge: 'cdc-acm' as const,
    }),
  )
  await expect(open(bus)).rejects.toMatchObject({ code: 'device-silent' })
})

test('the patient is the chip as other ways have it, with its boot section kept', async () => {
  const { patient } = await connected()
  expect(patient).toMatchObject({ kind: 'avr:1e9587', chip: 'ATmega32U4', unreadable: [] })
  const flash = patient.memories.find(({ id }) => id === 'flash')
  expect(flash).toMatchObject({
    ...{ length: 0x8000, pageBytes: 128, write: 'overwrite', guard: { address: 0, length: 128 } },
    reserved: [{ address: 0x7000, length: 0x1000, why: 'bootloader' }],
  })
  await expect(flash?.program?.(0x7000, new Uint8Array(128), ctx)).rejects.toMatchObject({
    code: 'write-protected',
  })
  const small = patient.memories.filter((memory) => !memory.program).map(({ id }) => id)
  expect(small).toEqual(['fuses', 'lock'])
})

test('any bytes of flash and EEPROM are read as they are', async () => {
  const { patient, plugged } = await connected()
  for (const id of ['flash', 'eeprom', 'fuses', 'lock'] as const) {
    const memory = patient.memories.find((one) => one.id === id)
    const [address, length] = id === 'flash' ? [0x6fff, 259] : id === 'eeprom' ? [3, 131] : [0, 1]
    const read = await memory?.read?.({ address, length }, ctx)
    expect(read, id).toEqual(plugged.memory(id).slice(address, address + length))
  }
})

test('a loader that waits for the rest of a block is filled up, and answers again', async () => {
  const plugged = await bench.plug('avr109:pro-micro-empty')
  const [port] = await bench.serial.getPorts()
  await port?.open({ baudRate: 57_600 })
  const writer = port?.writable?.getWriter()
  await writer?.write(Uint8Array.of(0x42, 0, 128, 0x46, 0x12, 0x34)) // and its page is gone
  writer?.releaseLock()
  await clock.sleep(20)
  await port?.close()
  expect((await open()).ways).toHaveLength(1)
  const page = plugged.memory('flash').slice(0, 128)
  expect([...page.slice(0, 2)]).toEqual([0x12, 0x34])
  expect(page.slice(2).every((byte) => byte === 0xff)).toBe(true)
})

test('left, it starts its sketch; without one it stays, and that is told', async () => {
  const { programmer, patient, plugged } = await connected()
  await expect(patient.leave?.(ctx)).rejects.toMatchObject({
    code: 'device-refused',
    detail: { during: 'starting its sketch', status: 'still there' },
  })
  expect(programmer.gone.aborted).toBe(false)
  plugged.memory('flash').set([0x0c, 0x94]) // as if it had a sketch
  await patient.leave?.(ctx)
  expect(programmer.gone.aborted).toBe(true)
})

test('as long as it is open it is kept awake, for an hour', async () => {
  const { programmer, plugged } = await connected()
  plugged.memory('flash').set([0x0c, 0x94]) // as if it had a sketch
  await clock.sleep(59 * 60_000)
  expect(programmer.gone.aborted).toBe(false)
  await clock.sleep(60_000 + 20_000)
  expect(programmer.gone.aborted).toBe(true)
})
