import { describe, expect, test } from 'vitest'
import type { Claims } from '#firmware/image.ts'
import type { Statement } from '#inspector/clue.ts'
import { avrProgram, cortexProgram } from '#inspector/test-firmware.ts'
import type { WantedSource } from '#store/journal.ts'
import { checkContent, checkUsb } from './check-content.ts'
import { natureOf } from './choose.ts'

const patient = { kind: 'avr:1e930f', chip: 'ATmega328P' }
const nature = (bytes: Uint8Array, said?: WantedSource['said']) =>
  natureOf({
    contents: new Map([['flash', [{ address: 0, bytes }]]]),
    firmware: undefined,
    source: { kind: 'file', name: 'x', version: undefined, sha256: '', sizeBytes: 1, ...(said && { said }) },
  })

describe('what an image is by itself', () => {
  test('is refused where the patient cannot run it, with the bytes that say so', async () => {
    const found = checkContent(
      patient,
      await nature(cortexProgram(0x0800_0000, 0x2000_5000, 4096)),
      undefined,
    )
    expect(found).toMatchObject([
      {
        result: 'refused',
        values: {
          ...{ expected: 'ATmega328P', found: 'Arm Cortex-M' },
          ...{ clue: 'stack', value: '0x2000_5000' },
        },
      },
    ])
  })

  test('passes where it can, and says nothing of what nobody knows', async () => {
    const program = avrProgram(26, 4, 4096)
    expect(checkContent(patient, await nature(program), undefined)).toMatchObject([{ result: 'passed' }])
    expect(checkContent(patient, await nature(new Uint8Array(4096)), undefined)).toEqual([])
    expect(checkContent({ ...patient, kind: 'spi:ef4018' }, await nature(program), undefined)).toEqual([])
  })

  test('warns where it is only likely', () => {
    const likely: Statement = {
      ...{ code: 'machine-code', confidence: 'likely', values: {}, architecture: 'cortex-m' },
      evidence: [{ code: 'instructions', values: { set: 'Arm Thumb' }, at: { address: 0x100, length: 256 } }],
    }
    const [check] = checkContent(patient, [likely], undefined)
    expect(check).toMatchObject({ result: 'warning', values: { clue: 'instructions', set: 'Arm Thumb' } })
    expect(checkContent(patient, [{ ...likely, confidence: 'possible' }], undefined)).toEqual([])
  })

  test('counts as the file says it: an ELF for another machine, a UF2 for another family', async () => {
    const elf = { format: 'ELF', claims: { machine: 'MIPS' } }
    expect(checkContent(patient, await nature(new Uint8Array(64), elf), elf)).toMatchObject([
      { result: 'refused', values: { found: 'MIPS', clue: 'claim', format: 'ELF' } },
    ])
    const uf2 = { format: 'UF2', claims: { chip: 'RP2040' } }
    expect(checkContent(patient, await nature(new Uint8Array(64), uf2), uf2)).toMatchObject([
      { result: 'refused', values: { found: 'RP2040', clue: 'claim', format: 'UF2' } },
    ])
  })
})

describe('the USB device that a file is for', () => {
  const said = (usb: NonNullable<Claims['usb']>) => ({ format: 'DFU', claims: { usb } })
  const st = { vendorId: 0x0483, productId: 0xdf11 }
  test.each([
    ['nothing said', undefined, '0483:df11', ''],
    ['the same', said(st), '0483:df11', 'passed'],
    ['the same release', said({ ...st, deviceVersion: 0x2200 }), '0483:df11', 'passed'],
    ['another release', said({ ...st, deviceVersion: 0x0211 }), '0483:df11', 'warning'],
    ['no release, as tools write it', said({ ...st, deviceVersion: 0 }), '0483:df11', 'passed'],
    ['the same maker, any product', said({ vendorId: 0x0483 }), '0483:df11', 'passed'],
    ['another', said({ vendorId: 0x1d50, productId: 0x6017 }), '0483:df11', 'refused'],
    ['unknown what is here', said({ vendorId: 0x1d50, productId: 0x6017 }), undefined, 'passed unknown'],
  ])('%s', (_, claims, connected, expected) => {
    const told = checkUsb(
      'itself',
      claims,
      connected === undefined ? undefined : { id: connected, version: '22.00' },
    )
    expect(told.map(({ result, values }) => [result, values['why']].filter(Boolean).join(' ')).join()).toBe(
      expected,
    )
  })

  test('is not compared with the programmer that only writes to a chip', () => {
    expect(checkUsb('target', said({ vendorId: 1 }), { id: '16c0:05dc', version: '1.04' })).toMatchObject([
      { result: 'passed', values: { why: 'unknown', expected: '0001:*' } },
    ])
  })

  test('is told with its release where that differs', () => {
    const claims = said({ ...st, deviceVersion: 0x0211 })
    expect(checkUsb('itself', claims, { id: '0483:df11', version: '22.00' })).toMatchObject([
      { result: 'warning', values: { expected: '0483:df11 2.11', found: '0483:df11 22.00' } },
    ])
  })
})
