import { expect, test } from 'vitest'
import type { KnownFirmware } from '#core/programmer.ts'
import { Context } from '#core/context.ts'
import { Connection, patientView } from './connection.ts'
import { TestProgrammer } from './test-patient.ts'
import type { Surroundings } from './view.ts'

const firmware: KnownFirmware = {
  ...{ family: 'x', name: 'USBasp', version: '1.03', confidence: 'certain', evidence: [] },
  appears: { link: 'usb' },
}
const loader = {
  ...firmware,
  appears: { link: 'serial', says: [{ name: 'bootloader', value: 'X' }] },
} as const
const sketch = { ...firmware, appears: { link: 'serial', says: [{ name: 'firmware', value: 'X' }] } } as const

test.each<[string, KnownFirmware | undefined, string[]]>([
  ['a programmer', firmware, ['programmer-recognised']],
  ['a sketch that makes a board a programmer', sketch, ['programmer-recognised']],
  ['a boot loader', loader, []],
  ['perhaps a programmer', { ...firmware, confidence: 'possible' }, []],
  ['nothing known', undefined, []],
])('a patient that holds %s is said to be one, or not', async (_, held, codes) => {
  const [way] = new TestProgrammer().ways
  if (!way) throw new Error('no way')
  await using patient = await way.connect(new Context())
  const { notices } = patientView(patient, undefined, undefined, held)
  expect(notices.map(({ code }) => code)).toEqual(codes)
  expect(notices[0]?.values).toEqual(codes.length ? { name: 'USBasp 1.03' } : undefined)
})

test('a way that is not there any more, as its programmer is something else now, is a wrong device and no mistake', async () => {
  const surroundings = { lock: () => Promise.resolve(undefined) } as unknown as Surroundings
  const open = (way: number) => Connection.open(new TestProgrammer(), { way }, surroundings, new Context())
  await expect(open(1)).rejects.toMatchObject({ code: 'wrong-device' })
  await expect(open(0)).resolves.toMatchObject({ way: 0 })
})
