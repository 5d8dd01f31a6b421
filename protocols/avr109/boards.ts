/**
 * Boards with an ATmega32U4 that carry Caterina, by their USB ids: the sketch shows itself as one, the boot loader as
 * another. A sketch can show itself as whatever it likes; then only the loader's id is known. Sources: `boards.txt` of
 * ArduinoCore-avr and of SparkFun's Arduino_Boards (build.pid, vid.n and pid.n), which agree with the descriptors in the
 * published loaders.
 */
import type { LinkFilter, Mode } from '#core/programmer.ts'

export interface Board {
  readonly name: string
  readonly vendorId: number
  /** In its boot loader. */
  readonly loader: number
  /** With a sketch built for it. */
  readonly sketch: number
}

const arduino = 0x2341
/** Arduino SRL sold some of the same boards. */
const arduinoOrg = 0x2a03
const sparkFun = 0x1b4f
const adafruit = 0x239a

const both = (name: string, loader: number, sketch: number): Board[] =>
  [arduino, arduinoOrg].map((vendorId) => ({ name, vendorId, loader, sketch }))

export const boards: readonly Board[] = [
  ...both('Arduino Leonardo', 0x0036, 0x8036),
  ...both('Arduino Micro', 0x0037, 0x8037),
  { name: 'Arduino Micro', vendorId: arduino, loader: 0x0237, sketch: 0x8237 },
  ...both('Arduino Esplora', 0x003c, 0x803c),
  ...both('Arduino Yún', 0x0041, 0x8041),
  ...both('Arduino Robot Control', 0x0038, 0x8038),
  ...both('Arduino Robot Motor', 0x0039, 0x8039),
  { name: 'Arduino Yún Mini', vendorId: arduinoOrg, loader: 0x0050, sketch: 0x8050 },
  { name: 'Arduino Industrial 101', vendorId: arduinoOrg, loader: 0x0056, sketch: 0x8056 },
  { name: 'Arduino Leonardo ETH', vendorId: arduinoOrg, loader: 0x0040, sketch: 0x8040 },
  { name: 'LilyPad Arduino USB', vendorId: sparkFun, loader: 0x9207, sketch: 0x9208 },
  { name: 'SparkFun Pro Micro (3.3 V, 8 MHz)', vendorId: sparkFun, loader: 0x9203, sketch: 0x9204 },
  { name: 'SparkFun Pro Micro (5 V, 16 MHz)', vendorId: sparkFun, loader: 0x9205, sketch: 0x9206 },
  { name: 'Adafruit Circuit Playground', vendorId: adafruit, loader: 0x0011, sketch: 0x8011 },
]

export interface KnownBoard {
  readonly board: Board
  readonly mode: Mode
}

export function findBoard(vendorId?: number, productId?: number): KnownBoard | undefined {
  const of = boards.filter((board) => board.vendorId === vendorId)
  const [asLoader, asSketch] = [
    of.find(({ loader }) => loader === productId),
    of.find(({ sketch }) => sketch === productId),
  ]
  if (asLoader) return { board: asLoader, mode: 'bootloader' }
  return asSketch && { board: asSketch, mode: 'application' }
}

export const filters: readonly LinkFilter[] = boards.flatMap(({ vendorId, loader, sketch }) =>
  [loader, sketch].map((productId) => ({ vendorId, productId })),
)
