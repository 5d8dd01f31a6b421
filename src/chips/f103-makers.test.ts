/** Clones of an STM32F103 told apart by what they can be asked, against emulated ones. */
import { describe, expect, test } from 'vitest'
import { TwinStm32f1, type TwinStm32f1Options } from '#bench/twin-stm32f1.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import { viaDebugPort } from './adiv5.ts'
import { connectArm } from './arm-target.ts'
import { practiceProgram } from './cortex-m-program.ts'
import { directly } from './test-debug-port.ts'

const flashStart = 0x0800_0000

async function met(options: TwinStm32f1Options) {
  const clock = new VirtualClock()
  const chip = new TwinStm32f1({ clock, flash: practiceProgram(flashStart, 20_000), ...options })
  const ctx = new Context({ clock })
  return connectArm(viaDebugPort(directly(chip.swd)), ctx)
}
const made = (options: TwinStm32f1Options) =>
  met(options).then(({ facts }) => facts.find(({ name }) => name === 'manufacturer'))
const wanted = (bytes: number) =>
  new Map([['flash', [{ address: flashStart, bytes: practiceProgram(flashStart, bytes) }]]] as const)

test("ST's own is told as that, without a notice", async () => {
  const patient = await met({ kib: 64 })
  expect(patient.notices).toEqual([])
  expect(await made({ kib: 64 })).toEqual({
    ...{ name: 'manufacturer', value: 'STMicroelectronics' },
    source: 'JEP106 0:0x20, Cortex-M3 r1p1, debug port 0x1ba0_1477',
  })
  expect((await met({})).check(wanted(100_000), new Map())[0]).toMatchObject({ result: 'passed' })
})

test.each([
  ['GD32', 'GD32F103 (GigaDevice)', 'JEP106 7:0x51, Cortex-M3 r2p1, debug port 0x1ba0_1477'],
  [
    'CKS32',
    'APM32F103, CKS32F103, CS32F103 or CH32F103',
    'JEP106 4:0x3b, Cortex-M3 r2p1, debug port 0x2ba0_1477',
  ],
  [
    'APM32',
    'APM32F103, CKS32F103, CS32F103 or CH32F103',
    'JEP106 4:0x3b, Cortex-M3 r2p1, debug port 0x1ba0_1477',
  ],
  ['HK32', 'HK32F103 or CS32F103', 'JEP106 0:0x55, Cortex-M3 r2p1, debug port 0x2ba0_1477'],
  [
    'disguised',
    'STM32F103 clone (CKS32F103, MH2103, AIR32F103 or another)',
    'JEP106 0:0x20, Cortex-M3 r2p1, debug port 0x2ba0_1477',
  ],
] as const)('%s: %s', async (make, value, source) => {
  expect(await made({ make })).toEqual({ name: 'manufacturer', value, source })
  const { kind, chip, notices } = await met({ make, kib: 64 })
  expect({ kind, chip }).toEqual({
    ...{ kind: 'cortex-m:stm32:410', chip: 'STM32F10x medium-density (64 KiB)' },
  })
  expect(notices[0]).toEqual({ code: 'f103-clone', level: 'info', values: { name: value } })
})

describe('what a clone says of its flash', () => {
  test('more than is sure is backed up, and asked for before it is written', async () => {
    const patient = await met({ make: 'CKS32' })
    expect(patient.memories[0]?.length).toBe(128 * 1024)
    expect(patient.notices[1]).toMatchObject({
      code: 'clone-size',
      level: 'warning',
      values: { why: 'more' },
    })
    const [within, beyond] = [64 * 1024, 64 * 1024 + 4].map(
      (bytes) => patient.check(wanted(bytes), new Map())[0],
    )
    expect(within).toMatchObject({ code: 'size-fits', result: 'passed' })
    expect(beyond).toMatchObject({ code: 'size-fits', result: 'warning', values: { why: 'size-claimed' } })
  })

  test('GigaDevice is believed', async () => {
    const patient = await met({ make: 'GD32' })
    expect(patient.notices.map(({ code }) => code)).toEqual(['f103-clone'])
    expect(patient.check(wanted(100_000), new Map())[0]).toMatchObject({ result: 'passed' })
  })

  test.each([0, 0xffff])('%i KiB is nothing said: what is sure is taken', async (saysKib) => {
    const patient = await met({ make: 'APM32', saysKib })
    expect(patient.memories[0]?.length).toBe(64 * 1024)
    expect(patient.notices[1]).toMatchObject({ level: 'warning', values: { why: 'empty' } })
  })

  test("of ST's own it is an error", async () => {
    await expect(met({ saysKib: 0 })).rejects.toMatchObject({ code: 'unexpected-answer' })
  })
})
