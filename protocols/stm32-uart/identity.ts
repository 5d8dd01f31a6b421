/**
 * STM32 whose boot pins start the boot loader in their ROM, on a serial line. The port belongs to a bridge, which says
 * nothing of it: whether it is one, only its user knows before it is asked.
 */
import { findSerialBridge, serialBridges } from '#chips/serial-bridges.ts'
import { usbId } from '#core/bytes.ts'
import type { Identity, Recognition, SeenSerial } from '#core/programmer.ts'
import { offers } from './packets.ts'

function recognise({ vendorId, productId }: SeenSerial): Recognition | undefined {
  const bridge = findSerialBridge({ vendorId, productId })
  if (!bridge && vendorId !== undefined) return undefined
  return {
    model: bridge ? `STM32 (${bridge.chip})` : 'STM32',
    mode: 'bootloader',
    confidence: 'possible',
    usable: true,
    facts:
      vendorId === undefined || productId === undefined
        ? []
        : [{ name: 'usb-id', value: usbId(vendorId, productId) }],
    notices: [{ code: 'boot-pins', level: 'info' }],
  }
}

export default {
  id: 'stm32-uart',
  name: 'STM32 (ROM boot loader, serial)',
  link: 'serial',
  filters: serialBridges.flatMap(({ vendorId, productIds }) =>
    productIds.map((productId) => ({ vendorId, productId })),
  ),
  toTarget: [],
  marks: offers, // by which it erases
  recognise: (seen) => (seen.link === 'serial' ? recognise(seen) : undefined),
  proven: {
    identify: ['chrome', 'reference-tool', 'recording', 'twin'],
    backup: ['chrome', 'reference-tool', 'twin'],
    flash: ['chrome', 'reference-tool', 'recording', 'twin'],
    verify: ['chrome', 'reference-tool', 'recording', 'twin'],
  },
} satisfies Identity
