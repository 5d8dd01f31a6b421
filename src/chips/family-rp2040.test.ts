/** An RP2040 on debug wires as a patient, against the emulated one, whose core calls the functions of its ROM. */
import { expect, test } from 'vitest'
import { TwinRp2040, type TwinRp2040Options } from '#bench/twin-rp2040.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { isBlank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { boot2Bytes, boot2Crc, flashAddress } from './rp2-chips.ts'
import { directly } from './test-debug-port.ts'

/** A second stage with its checksum, and something behind it. */
function program(length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 11 + (i >> 7)) & 0xff)
  new DataView(bytes.buffer).setUint32(boot2Bytes - 4, boot2Crc(bytes), true)
  return bytes
}

function wired(options: TwinRp2040Options = {}) {
  const clock = new VirtualClock()
  const chip = new TwinRp2040({ clock, flash: program(20_000), flashBytes: 256 * 1024, ...options })
  const port = directly(chip.swd)
  const ctx = new Context({ clock })
  return { chip, port, ctx, clock, connect: () => connectArm(viaDebugPort(port), ctx) }
}
const sector = Uint8Array.from({ length: 4096 }, (_, i) => (i < 1001 ? (i * 7) & 0xff : 0xff))

test('is found by its own name at shared wires, says what it is, and is read', async () => {
  const { connect, ctx } = wired({ flashBytes: 2 * 1024 * 1024 })
  const patient = await connect()
  expect(patient).toMatchObject({ kind: 'cortex-m:rp2040:2048', chip: 'RP2040 (2048 KiB)' })
  expect(patient.facts).toContainEqual({ name: 'debug-port', value: '0x0bc1_2477', source: 'DPIDR' })
  expect(patient.facts).toContainEqual({ name: 'serial', value: 'E6614103E7452D2F', source: 'RUID' })
  const read = await patient.memories[0]?.read?.({ address: flashAddress + 3, length: 9000 }, ctx)
  expect(read).toEqual(program(20_000).slice(3, 9003))
})

test('is written by sectors, sees its new content, and begins anew afterwards', async () => {
  const { chip, connect, ctx } = wired()
  const patient = await connect()
  const [main] = patient.memories
  await main?.program?.(flashAddress + 0x3000, sector, ctx)
  await main?.program?.(flashAddress + 0x5000, new Uint8Array(4096).fill(0xff), ctx)
  expect(chip.memory('flash').slice(0x3000, 0x4000)).toEqual(sector)
  expect(isBlank(chip.memory('flash').subarray(0x5000, 0x6000))).toBe(true)
  expect(await main?.read?.({ address: flashAddress + 0x3000, length: 4096 }, ctx)).toEqual(sector)
  expect(chip.cores[0].isHalted).toBe(true)
  await patient[Symbol.asyncDispose]()
  expect(chip.cores[0].isHalted).toBe(false)
  expect(chip.cores[0].isLockedUp).toBe(false)
})

test('one whose flash does not answer is told as that, and runs again', async () => {
  const { chip, connect } = wired({ flashBytes: 32 * 1024 })
  await expect(connect()).rejects.toMatchObject({
    code: 'unexpected-answer',
    detail: { during: 'asking for its flash size' },
  })
  expect(chip.cores[0].isHalted).toBe(false)
})

test('unplugged in the middle nobody answers', async () => {
  const { chip, connect, ctx } = wired()
  const patient = await connect()
  chip.losePower()
  await expect(patient.memories[0]?.program?.(flashAddress, sector, ctx)).rejects.toMatchObject({
    code: 'target-missing',
  })
})
