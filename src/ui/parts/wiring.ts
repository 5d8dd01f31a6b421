/**
 * What is wired to what, as data for the drawings and for their text alternatives, and the path of a drawn
 * wire. Pinouts: AVR042 and AVR910 (ISP headers), USBasp's schematic (header, jumpers), ArduinoISP's head
 * comment (Uno as programmer).
 */
export type Diagram =
  'usbasp-isp6' | 'usbasp-isp10' | 'usbasp-self' | 'usbasp-alone' | 'uno-as-isp' | 'uno-usb'

export type Signal = 'MOSI' | 'MISO' | 'SCK' | 'RST' | 'VCC' | 'GND'

export interface Connection {
  readonly signal: Signal
  /** Pin of the programmer as it is printed there: a header's number, or `D11`. */
  readonly from: string
  /** Pin number of the target's header. */
  readonly to: string
}

/** Pin numbers of the two ISP headers. On the ten-pin one 4 and 6 differ between boards, so they are left out. */
export const isp6: Readonly<Record<Signal, string>> = {
  MISO: '1',
  VCC: '2',
  SCK: '3',
  MOSI: '4',
  RST: '5',
  GND: '6',
}
export const isp10: Readonly<Record<Signal, string>> = {
  MOSI: '1',
  VCC: '2',
  RST: '5',
  SCK: '7',
  MISO: '9',
  GND: '10',
}
export const uno: Readonly<Record<Signal, string>> = {
  RST: 'D10',
  MOSI: 'D11',
  MISO: 'D12',
  SCK: 'D13',
  VCC: '5V',
  GND: 'GND',
}

const joined = (
  from: Readonly<Record<Signal, string>>,
  to: Readonly<Record<Signal, string>>,
): readonly Connection[] =>
  (Object.keys(from) as Signal[]).map((signal) => ({ signal, from: from[signal], to: to[signal] }))

export const connections: Readonly<Record<Diagram, readonly Connection[]>> = {
  'usbasp-isp6': joined(isp10, isp6),
  'usbasp-isp10': joined(isp10, isp10),
  'usbasp-self': joined(isp10, isp10),
  'usbasp-alone': [],
  'uno-as-isp': joined(uno, isp6),
  'uno-usb': [],
}

export type Point = readonly [x: number, y: number]

/** An SVG path through right-angled points with rounded corners. */
export function route(points: readonly Point[], radius = 5): string {
  return points
    .map(([x, y], i) => {
      const before = points[i - 1]
      const after = points[i + 1]
      if (!before) return `M${x} ${y}`
      if (!after) return `L${x} ${y}`
      const [ax, ay] = towards([x, y], before, radius)
      const [bx, by] = towards([x, y], after, radius)
      return `L${ax} ${ay}Q${x} ${y} ${bx} ${by}`
    })
    .join('')
}

/** The point `by` away from `from` on the way to `to`, at most half of it. */
function towards([x, y]: Point, [tx, ty]: Point, by: number): Point {
  const length = Math.hypot(tx - x, ty - y)
  const part = length === 0 ? 0 : Math.min(by / length, 0.5)
  return [x + (tx - x) * part, y + (ty - y) * part]
}

/** Six lanes between programmer and target, where each wire carries its name. */
export const laneX = (lane: number): number => 34 + lane * 58.4

/** One wire: points at the upper end, the heights at which it turns to its lane and off it, points below. */
interface Lane {
  readonly signal: Signal
  readonly start: readonly Point[]
  readonly turns: readonly [number, number]
  readonly end: readonly Point[]
}

/** Where `WiringUno.svelte` is drawn, and its pins in its own units. */
export const unoAt = { x: 30, y: 266 }
const unoPins = { GND: 120, D13: 131, D12: 142, D11: 153, D10: 164, '5V': 172 }
const besidesStrip = 195 // between the two strips of the digital row

const points = (text: string): readonly Point[] =>
  text.split(' ').map((pair) => pair.split(',').map(Number) as [number, number])
const lane = (signal: Signal, start: string, turns: readonly [number, number], end: string): Lane => ({
  signal,
  start: points(start),
  turns,
  end: points(end),
})
const toUno = (pin: keyof typeof unoPins, turn: number): string =>
  `${String(unoAt.x + unoPins[pin])},${String(turn)} ${String(unoAt.x + unoPins[pin])},${String(unoAt.y + 14)}`

/** Orders and heights at which the fewest wires cross. The 5 V wire of the Uno comes over its board. */
export const lanes: Readonly<Record<'usbasp-isp6' | 'uno-as-isp', readonly Lane[]>> = {
  'usbasp-isp6': [
    lane('MOSI', '200,92 200,128', [140, 248], '180,248 180,312'),
    lane('VCC', '224,72 212,84 212,128', [148, 255], '156,255 156,312'),
    lane('RST', '248,92 248,128', [156, 241], '192,241 192,326 204,338'),
    lane('SCK', '272,92 272,128', [164, 262], '168,262 168,326 180,338'),
    lane('MISO', '296,92 296,128', [172, 269], '144,269 144,326 156,338'),
    lane('GND', '296,72 308,84 308,128', [148, 276], '204,276 204,312'),
  ],
  'uno-as-isp': [
    lane('GND', '204,40 216,52 216,96', [106, 250], toUno('GND', 250)),
    lane('SCK', '180,64 180,96', [113, 242], toUno('D13', 242)),
    lane('MISO', '156,64 156,96', [120, 234], toUno('D12', 234)),
    lane('MOSI', '180,40 192,52 192,96', [127, 234], toUno('D11', 234)),
    lane('RST', '204,64 204,96', [134, 242], toUno('D10', 242)),
    lane(
      'VCC',
      '156,40 168,52 168,96',
      [141, 250],
      `${String(unoAt.x + besidesStrip)},250 ${String(unoAt.x + besidesStrip)},${String(unoAt.y + 198)} ` +
        `${String(unoAt.x + unoPins['5V'])},${String(unoAt.y + 198)} ${String(unoAt.x + unoPins['5V'])},${String(unoAt.y + 219)}`,
    ),
  ],
}

export function lanePath({ start, turns, end }: Lane, number: number): string {
  const x = laneX(number)
  const [from = x] = start.at(-1) ?? []
  const [to = x] = end[0] ?? []
  return route([...start, [from, turns[0]], [x, turns[0]], [x, turns[1]], [to, turns[1]], ...end])
}
