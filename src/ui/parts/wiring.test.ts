import { expect, test } from 'vitest'
import { connections, isp10, isp6, route, type Signal } from './wiring.ts'

const wire = (diagram: keyof typeof connections, signal: Signal) =>
  connections[diagram].find((one) => one.signal === signal)

test('the six-pin header is that of AVR042', () => {
  expect(isp6).toEqual({ MISO: '1', VCC: '2', SCK: '3', MOSI: '4', RST: '5', GND: '6' })
})

test('the ten-pin header is the USBasp’s', () => {
  expect(isp10).toEqual({ MOSI: '1', VCC: '2', RST: '5', SCK: '7', MISO: '9', GND: '10' })
})

test('every signal of an ISP wiring is connected once, and a ribbon cable is straight', () => {
  for (const diagram of ['usbasp-isp6', 'usbasp-isp10', 'usbasp-self', 'uno-as-isp'] as const)
    expect(connections[diagram].map(({ signal }) => signal).sort()).toEqual([
      ...['GND', 'MISO', 'MOSI', 'RST', 'SCK', 'VCC'],
    ])
  for (const { from, to } of connections['usbasp-self']) expect(from).toBe(to)
})

test('an Uno as programmer resets the target with D10, not with its own reset pin', () => {
  expect(wire('uno-as-isp', 'RST')).toEqual({ signal: 'RST', from: 'D10', to: '5' })
  expect(wire('uno-as-isp', 'MOSI')).toEqual({ signal: 'MOSI', from: 'D11', to: '4' })
  expect(wire('uno-as-isp', 'MISO')).toEqual({ signal: 'MISO', from: 'D12', to: '1' })
  expect(wire('uno-as-isp', 'SCK')).toEqual({ signal: 'SCK', from: 'D13', to: '3' })
})

test('a wire turns its corners round, never by more than half of a leg', () => {
  expect(
    route([
      [0, 0],
      [0, 20],
      [30, 20],
    ]),
  ).toBe('M0 0L0 15Q0 20 5 20L30 20')
  expect(
    route([
      [0, 0],
      [0, 4],
      [30, 4],
    ]),
  ).toBe('M0 0L0 2Q0 4 5 4L30 4')
})
