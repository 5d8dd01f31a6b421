import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLayout, type Sector } from './layout.ts'

/** `4*16384 rew`: neighbours of one size and with the same rights. */
function told(text: string): string[] {
  const groups: { from: number; count: number; length: number; rights: string; next: number }[] = []
  for (const { address, length, readable, erasable, writable } of parseLayout(text)?.sectors ?? []) {
    const rights = `${readable ? 'r' : '-'}${erasable ? 'e' : '-'}${writable ? 'w' : '-'}`
    const last = groups.at(-1)
    if (last && last.next === address && last.length === length && last.rights === rights) {
      last.count++
      last.next += length
    } else groups.push({ from: address, count: 1, length, rights, next: address + length })
  }
  return groups.map(
    ({ from, count, length, rights }) => `${from.toString(16)} ${String(count)}*${String(length)} ${rights}`,
  )
}

describe('the layout of', () => {
  test.each([
    [
      'an STM32F405',
      '@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg',
      ['8000000 4*16384 rew', '8010000 1*65536 rew', '8020000 7*131072 rew'],
    ],
    ['an STM32F303', '@Internal Flash  /0x08000000/128*0002Kg', ['8000000 128*2048 rew']],
    [
      'a chip whose first sectors are for reading only',
      '@Internal Flash  /0x08000000/03*016Ka,01*016Kg,01*064Kg',
      ['8000000 3*16384 r--', '800c000 1*16384 rew', '8010000 1*65536 rew'],
    ],
    ['option bytes', '@Option Bytes  /0x1FFFF800/01*016 e', ['1ffff800 1*16 r-w']],
    [
      'option bytes in two places',
      '@Option Bytes   /0x1FFF7800/01*048 e/0x1FFFF800/01*048 e',
      ['1fff7800 1*48 r-w', '1ffff800 1*48 r-w'],
    ],
    ['OTP', '@OTP Memory /0x1FFF7800/01*512 e,01*016 e', ['1fff7800 1*512 r-w', '1fff7a00 1*16 r-w']],
    ['a device feature, whatever it claims', '@Device Feature/0xFFFF0000/01*004 g', ['ffff0000 1*4 r-w']],
    [
      'an AT32',
      '@Internal Flash   /0x08000000/08*04Ka,1000*04Kg',
      ['8000000 8*4096 r--', '8008000 1000*4096 rew'],
    ],
    [
      'a Black Magic Probe',
      '@Internal Flash   /0x08000000/8*001Ka,120*001Kg',
      ['8000000 8*1024 r--', '8002000 120*1024 rew'],
    ],
    ['one with spaces inside', '@Internal Flash  /0x08000000/ 64 * 1 Kg', ['8000000 64*1024 rew']],
    ['one without a unit', '@Flash/0X8000000/2*512g', ['8000000 2*512 rew']],
    ['one with garbage behind it', '@Flash/0x08000000/2*1Kg\u0000\u00ff\u1234', ['8000000 2*1024 rew']],
  ])('%s', (_, text, expected) => {
    expect(told(text)).toEqual(expected)
    expect(parseLayout(text)?.unread).toEqual([])
  })

  test('name and parts are told without what pads them', () => {
    expect(parseLayout('@Internal Flash   /0x08000000/2*1Kg')?.name).toBe('Internal Flash')
  })
})

test.each([
  'Internal Flash/0x08000000/2*1Kg',
  '@Flash',
  '@Flash/',
  '@Flash/08000000/2*1Kg',
  '@Flash/0x08000000/0*1Kg',
  '@Flash/0x08000000/2*0Kg',
  '@Flash/0x08000000/2*1Kz',
  '@Flash/0xFFFFFC00/2*1Kg',
  '@Flash/0x08000000/999999*999999Mg',
  'UNDEFINED',
  '',
])('%s is none', (text) => {
  expect(parseLayout(text)).toBeUndefined()
})

test('what cannot be read is left out and told, and nothing behind it is guessed', () => {
  expect(parseLayout('@Flash/0x08000000/2*1Kg,x,4*1Kg')).toMatchObject({
    sectors: [{ address: 0x0800_0000 }, { address: 0x0800_0400 }],
    unread: ['x'],
  })
  expect(parseLayout('@Flash/0x08000000/2*1Kg,')?.unread).toEqual([])
  expect(parseLayout('@Flash/0x100/2*64 g/0x140/1*64 g')?.unread).toEqual(['overlapping sectors'])
})

test('any text ends in sorted sectors that do not overlap, or in none', () => {
  const pieces = fc.constantFrom(
    '/',
    '0x',
    '08000000',
    '*',
    ',',
    'K',
    'M',
    'g',
    'a',
    ' ',
    '16',
    '999999',
    '@',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 24 }), (parts) => {
      const sectors = parseLayout(`@${parts.join('')}`)?.sectors ?? []
      expect(sectors.length).toBeLessThanOrEqual(65_536)
      let end = 0
      for (const { address, length } of sectors satisfies readonly Sector[]) {
        expect(address).toBeGreaterThanOrEqual(end)
        end = address + length
      }
      expect(end).toBeLessThanOrEqual(2 ** 32)
    }),
    { numRuns: 500 },
  )
})
