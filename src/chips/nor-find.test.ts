import { expect, test } from 'vitest'
import { blank, fromHex } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { TwinSpiNor, type NorModel } from '#bench/twin-spi-nor.ts'
import type { Dials } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { findNor } from './nor-find.ts'
import { norParts } from './nor-parts.ts'
import type { SpiBus } from './spi-bus.ts'

const mib = 1024 * 1024
const usual = [
  { opcode: 0x20, bytes: 0x1000, ms: 45 },
  { opcode: 0xd8, bytes: 0x1_0000, ms: 150 },
]
const times = { pageMs: 0.7, chipEraseMs: 20_000, erases: usual }

/** The bytes of a W25Q64JW-M, of QEMU and Linux: 8 MiB, 4, 32 and 64 KiB. */
const sfdp = blank(256)
sfdp.set(fromHex('53464450060101ff00060110800000ff'))
sfdp.set(
  fromHex(
    'e520f9ffffffff0344eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d800003602a60082ea14c4e96376337a757a75f7bdd55c19f75dffe930f880',
  ),
  0x80,
)

function found(model: NorModel, dials: Dials = {}, spoil: (answer: Uint8Array) => void = () => undefined) {
  const clock = new VirtualClock()
  const chip = new TwinSpiNor(model, new Uint8Array(), dials)
  chip.powerUp(clock)
  const bus: SpiBus = {
    mostBytes: 4096,
    run: (commands) =>
      Promise.resolve(
        commands.map(({ write, read = 0 }) => {
          chip.select()
          for (const byte of write) chip.exchange(byte)
          const answer = Uint8Array.from({ length: read }, () => chip.exchange(0xff))
          chip.deselect()
          spoil(answer)
          return answer
        }),
      ),
  }
  return findNor(bus, new Context({ clock }))
}
const winbond = (rdid: number[], bytes: number, more: Partial<NorModel> = {}): NorModel => ({
  ...{ name: 'a chip', rdid, bytes, registers: 'winbond', ...times, ...more },
})
const sizes = (erases: readonly { opcode: number; bytes: number }[]) =>
  erases.map(({ opcode, bytes }) => [opcode, bytes / 1024])

test('the table: more than 250 ids, each with an erase that fits its chip', () => {
  expect(new Set(norParts().map(({ id }) => id)).size).toBeGreaterThan(250)
  for (const { id, bytes, erases, volts, names, traits } of norParts()) {
    expect(id).toMatch(/^[0-9a-f]{6}$/)
    expect(names).not.toBe('')
    expect(erases.length, names).toBeGreaterThan(0)
    for (const erase of erases) expect(bytes % erase.bytes, names).toBe(0)
    expect(volts[0], names).toBeLessThan(volts[1])
    expect(bytes > 16 * mib && traits.length === 0, `${names} is reached somehow`).toBe(false)
  }
})

test('a chip without SFDP is known by its id', async () => {
  const chip = await found(winbond([0xef, 0x40, 0x17], 8 * mib))
  expect(chip).toMatchObject({ sfdp: undefined, sizes: [8 * mib], addressing: 'three', programs: 'pages' })
  expect(chip.parts[0]?.names).toContain('W25Q64')
  expect(sizes(chip.erases)).toEqual([
    ...[
      [0x20, 4],
      [0x52, 32],
      [0xd8, 64],
    ],
  ])
})

test('a chip that nobody knows is known by what it says of itself', async () => {
  const chip = await found(winbond([0x55, 0x66, 0x77], 8 * mib, { sfdp }))
  expect(chip).toMatchObject({ parts: [], sizes: [8 * mib] })
  expect(sizes(chip.erases)).toEqual([
    ...[
      [0x20, 4],
      [0x52, 32],
      [0xd8, 64],
    ],
  ])
  await expect(found(winbond([0x55, 0x66, 0x77], 8 * mib))).rejects.toMatchObject({
    ...{ code: 'target-unknown', detail: { signature: '55 66 77' } },
  })
})

test('of one id for chips that erase differently, only what all of them do is used', async () => {
  const chip = await found(winbond([0xc2, 0x20, 0x15], 2 * mib, { registers: 'macronix' }))
  expect(chip.parts.length).toBeGreaterThan(1)
  expect(sizes(chip.erases)).toEqual([[0xd8, 64]])
})

test('where the chip and the table disagree about its size, both are told', async () => {
  const chip = await found(winbond([0xef, 0x40, 0x18], 16 * mib, { sfdp }))
  expect(chip.sizes).toEqual([8 * mib, 16 * mib])
})

test('more than 16 MiB are reached by commands of their own', async () => {
  const chip = await found(
    winbond([0xef, 0x40, 0x19], 32 * mib, { registers: 'winbond-large', erases4: usual }),
  )
  expect(chip.addressing).toBe('native')
  expect(chip.erases.every(({ opcode }) => [0x21, 0xdc].includes(opcode))).toBe(true)
})

test('an SST25VF takes two bytes at a time', async () => {
  expect((await found(winbond([0xbf, 0x25, 0x41], 2 * mib, { registers: 'sst' }))).programs).toBe('words')
})

test('nothing on the wires, a bad contact and a dead chip are told apart', async () => {
  const model = winbond([0xef, 0x40, 0x17], 8 * mib)
  await expect(found(model, { noTarget: true })).rejects.toMatchObject({ code: 'target-missing' })
  let answers = 0
  const once = (answer: Uint8Array) => {
    if (answer.length === 6 && ++answers === 5) answer[1] = 0x60
  }
  await expect(found(model, {}, once)).rejects.toMatchObject({
    ...{ code: 'unexpected-answer', detail: { during: 'reading the id of the flash' } },
  })
  const stuck = (answer: Uint8Array) => {
    if (answer.length === 1) answer[0] = 0
  }
  await expect(found(model, {}, stuck)).rejects.toMatchObject({
    ...{ code: 'unexpected-answer', detail: { found: '00 00' } },
  })
})
