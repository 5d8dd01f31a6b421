import { expect, test } from 'vitest'
import { connections, isp10, isp6, lanes, route, unoAt, type Point, type Signal } from './wiring.ts'

const wire = (diagram: keyof typeof connections, signal: Signal) =>
  connections[diagram].find((one) => one.signal === signal)

test('the six-pin header is that of AVR042', () => {
  expect(isp6).toEqual({ MISO: '1', VCC: '2', SCK: '3', MOSI: '4', RST: '5', GND: '6' })
})

test('the ten-pin header is the USBasp’s', () => {
  expect(isp10).toEqual({ MOSI: '1', VCC: '2', RST: '5', SCK: '7', MISO: '9', GND: '10' })
})

test('every signal of an ISP wiring is connected once, and a ribbon cable is straight', () => {
  for (const wires of Object.values(connections).filter(({ length }) => length > 0))
    expect(wires.map(({ signal }) => signal).sort()).toEqual(['GND', 'MISO', 'MOSI', 'RST', 'SCK', 'VCC'])
  for (const { from, to } of connections['usbasp-self']) expect(from).toBe(to)
})

/** Where a pin of a header is drawn whose pins 1 and 2 are at `x`. */
const pinAt = (x: number, oddY: number, evenY: number) => (pin: string) => {
  const number = Number(pin)
  return [x + 24 * Math.floor((number - 1) / 2), number % 2 === 1 ? oddY : evenY] as const
}
const unoPinAt = ({ x, y }: { x: number; y: number }) => {
  const at: Readonly<Record<string, Point>> = {
    ...{ GND: [x + 120, y + 14], D13: [x + 131, y + 14], D12: [x + 142, y + 14] },
    ...{ D11: [x + 153, y + 14], D10: [x + 164, y + 14], '5V': [x + 172, y + 219] },
  }
  return (pin: string) => at[pin]
}

test.each([
  ['usbasp-isp6', 'usbasp-isp6', pinAt(200, 92, 72), pinAt(156, 338, 314)],
  ['uno-isp6', 'uno-as-isp', unoPinAt(unoAt.isp6), pinAt(156, 64, 40)],
  ['uno-isp10', 'uno-usbasp', unoPinAt(unoAt.isp10), pinAt(200, 110, 90)],
] as const)(
  'each wire of %s is drawn from the pin that it is said to begin at to the one it ends at',
  (drawn, diagram, fromAt, toAt) => {
    const isUnoBelow = diagram !== 'usbasp-isp6'
    for (const { signal, start, end } of lanes[drawn]) {
      const { from, to } = wire(diagram, signal) ?? {}
      const above = (isUnoBelow ? toAt(to ?? '') : fromAt(from ?? '')) ?? []
      const below = (isUnoBelow ? fromAt(from ?? '') : toAt(to ?? '')) ?? []
      expect([signal, start[0]]).toEqual([signal, above])
      const [x, y = 0] = end.at(-1) ?? []
      expect([signal, x]).toEqual([signal, below[0]])
      expect(Math.abs(y - (below[1] ?? 0)), signal).toBeLessThan(4)
    }
  },
)

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
