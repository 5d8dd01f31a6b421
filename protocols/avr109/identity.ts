/** AVRs with USB of their own that are flashed by an AVR109 boot loader (Caterina), by the ids of their serial port. */
import { usbId } from '#core/bytes.ts'
import type { Identity } from '#core/programmer.ts'
import { filters, findBoard } from './boards.ts'

export default {
  id: 'avr109',
  name: 'Arduino with USB of its own (AVR109)',
  link: 'serial',
  filters,
  toTarget: [],
  recognise(seen) {
    if (seen.link !== 'serial') return undefined
    const { vendorId, productId } = seen
    const known = findBoard(vendorId, productId)
    if (!known || vendorId === undefined || productId === undefined) return undefined
    const { board, mode } = known
    return {
      model: board.name,
      mode,
      confidence: 'certain',
      usable: true,
      facts: [
        { name: 'model', value: board.name, source: 'idVendor, idProduct' },
        { name: 'mode', value: mode, source: 'idProduct' },
        { name: 'usb-id', value: usbId(vendorId, productId), source: 'idVendor, idProduct' },
      ],
      notices: [],
    }
  },
  proven: {
    identify: ['chrome', 'reference-tool', 'recording', 'twin'],
    backup: ['chrome', 'reference-tool', 'recording', 'twin'],
    flash: ['chrome', 'reference-tool', 'recording', 'twin'],
    verify: ['chrome', 'reference-tool', 'recording', 'twin'],
  },
} satisfies Identity
