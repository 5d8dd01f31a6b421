/**
 * What is wired to what, as data for the drawings and for their text alternatives, and the path of a drawn
 * wire. Pinouts: AVR042 and AVR910 (ISP headers), USBasp's schematic (header, jumpers), ArduinoISP's head
 * comment (Uno as programmer).
 */
export type Diagram =
  | 'usbasp-isp6'
  | 'usbasp-self'
  | 'usbasp-usbisp'
  | 'usbasp-alone'
  | 'uno-as-isp'
  | 'uno-usbasp'
  | 'uno-usbisp'
  | 'uno-usb'
  | 'native-usb'
  | 'stm32-boot'
  | 'pico-bootsel'
  | 'stm32-uart'
  | 'swd'
  | 'jtag'

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
  'usbasp-self': joined(isp10, isp10),
  'usbasp-usbisp': joined(isp10, isp10),
  'usbasp-alone': [],
  'uno-as-isp': joined(uno, isp6),
  'uno-usbasp': joined(uno, isp10),
  'uno-usbisp': joined(uno, isp10),
  'uno-usb': [],
  'native-usb': [],
  'stm32-boot': [],
  'pico-bootsel': [],
  'stm32-uart': [],
  swd: [],
  jtag: [],
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

/** Where `WiringUno.svelte` is drawn, below a header with six pins and with ten; and its pins in its own units. */
export const unoAt = { isp6: { x: 30, y: 266 }, isp10: { x: 30, y: 311 } }
const unoPins = { GND: 120, D13: 131, D12: 142, D11: 153, D10: 164, '5V': 172 }
const besidesStrip = 195 // between the two strips of the digital row

const points = (text: string): readonly Point[] =>
  text.split(' ').map((pair) => pair.split(',').map(Number) as [number, number])
const lane = (
  signal: Signal,
  start: string,
  turns: readonly [number, number],
  end: string | readonly Point[],
): Lane => ({ signal, start: points(start), turns, end: typeof end === 'string' ? points(end) : end })
const toUno = ({ x, y }: Readonly<Record<'x' | 'y', number>>, pin: keyof typeof unoPins, turn: number) =>
  [
    [x + unoPins[pin], turn],
    [x + unoPins[pin], y + 14],
  ] as const
/** Over the board. */
const toUnoPower = ({ x, y }: Readonly<Record<'x' | 'y', number>>, turn: number) =>
  [
    [x + besidesStrip, turn],
    [x + besidesStrip, y + 198],
    [x + unoPins['5V'], y + 198],
    [x + unoPins['5V'], y + 219],
  ] as const

/** Orders and heights at which the fewest wires cross. */
export const lanes: Readonly<Record<'usbasp-isp6' | 'uno-isp6' | 'uno-isp10', readonly Lane[]>> = {
  'usbasp-isp6': [
    lane('MOSI', '200,92 200,128', [140, 248], '180,248 180,312'),
    lane('VCC', '200,72 212,84 212,128', [148, 255], '156,255 156,312'),
    lane('RST', '248,92 248,128', [156, 241], '192,241 192,326 204,338'),
    lane('SCK', '272,92 272,128', [164, 262], '168,262 168,326 180,338'),
    lane('MISO', '296,92 296,128', [172, 269], '144,269 144,326 156,338'),
    lane('GND', '296,72 308,84 308,128', [148, 276], '204,276 204,312'),
  ],
  'uno-isp6': [
    lane('GND', '204,40 216,52 216,96', [106, 250], toUno(unoAt.isp6, 'GND', 250)),
    lane('SCK', '180,64 180,96', [113, 242], toUno(unoAt.isp6, 'D13', 242)),
    lane('MISO', '156,64 156,96', [120, 234], toUno(unoAt.isp6, 'D12', 234)),
    lane('MOSI', '180,40 192,52 192,96', [127, 234], toUno(unoAt.isp6, 'D11', 234)),
    lane('RST', '204,64 204,96', [134, 242], toUno(unoAt.isp6, 'D10', 242)),
    lane('VCC', '156,40 168,52 168,96', [141, 250], toUnoPower(unoAt.isp6, 250)),
  ],
  'uno-isp10': [
    lane('GND', '296,90 308,102 308,146', [156, 260], toUno(unoAt.isp10, 'GND', 260)),
    lane('MOSI', '200,110 200,146', [163, 267], toUno(unoAt.isp10, 'D11', 267)),
    lane('RST', '248,110 248,146', [170, 274], toUno(unoAt.isp10, 'D10', 274)),
    lane('SCK', '272,110 272,146', [177, 295], toUno(unoAt.isp10, 'D13', 295)),
    lane('MISO', '296,110 296,146', [184, 288], toUno(unoAt.isp10, 'D12', 288)),
    lane('VCC', '200,90 212,102 212,146', [191, 281], toUnoPower(unoAt.isp10, 281)),
  ],
}

export function lanePath({ start, turns, end }: Lane, number: number): string {
  const x = laneX(number)
  const [from = x] = start.at(-1) ?? []
  const [to = x] = end[0] ?? []
  return route([...start, [from, turns[0]], [x, turns[0]], [x, turns[1]], [to, turns[1]], ...end])
}
