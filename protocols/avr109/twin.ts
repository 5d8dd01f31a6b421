/** The shelf of boards with an ATmega32U4 and Caterina. Fuses and lock bits as `boards.txt` has them. */
import { concat, blank } from '#core/bytes.ts'
import { TwinAvr } from '#bench/twin-avr.ts'
import type { TwinShelf, TwinVariant } from '#bench/twin.ts'
import { avrPartNamed } from '#chips/avr-parts.ts'
import { findBoard } from './boards.ts'
import { loaderImage, practiceSketch, type UsbIds } from './images.ts'
import { TwinSketch } from './twin-sketch.ts'

const bootStart = 0x7000
const fuses = [0xff, 0xd8, 0xfb] as const
/** Nothing writes the boot section from inside. */
const lock = 0xef

const board = (name: string, loader: UsbIds, sketch: Uint8Array): TwinVariant => ({
  name,
  dials: ['stuckBit', 'flickerBit'],
  make: ({ stuckBit, flickerBit } = {}) => {
    const chip = new TwinAvr(avrPartNamed('ATmega32U4'), {
      dials: stuckBit === undefined ? {} : { stuckBit },
      flash: concat(sketch, blank(bootStart - sketch.length), loaderImage(loader)),
      eeprom: Uint8Array.from({ length: 64 }, (_, i) => i * 3),
      fuses: Uint8Array.from(fuses),
      lock,
    })
    const twin = new TwinSketch({ chip, loader, bootStart, flickerBit })
    return { twin, patient: twin, memory: (id) => chip.memory(id) }
  },
})

const leonardo = { vendorId: 0x2341, productId: 0x0036 }
const proMicro = { vendorId: 0x1b4f, productId: 0x9205 }
const sketchOf = ({ vendorId, productId }: UsbIds): UsbIds => ({
  vendorId,
  productId: findBoard(vendorId, productId)?.board.sketch ?? productId,
})

export default {
  leonardo: board('Arduino Leonardo (Caterina)', leonardo, practiceSketch(4800, 1, sketchOf(leonardo))),
  'pro-micro-empty': board('SparkFun Pro Micro without a sketch', proMicro, new Uint8Array()),
} satisfies TwinShelf
