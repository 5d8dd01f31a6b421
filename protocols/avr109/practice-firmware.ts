/** Practice sketches for the bench: they do nothing but to show themselves as a board does. */
import type { PracticeFirmware } from '#bench/twin.ts'
import { practiceSketch, type UsbIds } from './images.ts'

const sketch = (board: string, version: number, ids: UsbIds): PracticeFirmware => ({
  id: `sketch-${String(version)}-${board.toLowerCase().replaceAll(' ', '-')}`,
  name: `${board} sketch ${String(version)}`,
  chip: 'ATmega32U4',
  version: String(version),
  build: () => [{ address: 0, bytes: practiceSketch(5200, version, ids) }],
})

export default [
  sketch('Leonardo', 2, { vendorId: 0x2341, productId: 0x8036 }),
  sketch('Pro Micro', 2, { vendorId: 0x1b4f, productId: 0x9206 }),
] satisfies readonly PracticeFirmware[]
