/**
 * What emulated J-Links say of themselves: one interface of the vendor's own with two bulk endpoints; with a serial port
 * before it where their id says so. Source: libjaylink, `libjaylink/discovery_usb.c` and `transport_usb.c`.
 */
import { endpoint, Transfer, usbDescriptors, type Described } from '#bench/twin-descriptors.ts'
import type { UsbDescriptors } from '#bench/twin.ts'

type Own = Pick<Described, 'productId' | 'deviceVersion' | 'product' | 'serial'>

const segger = { vendorId: 0x1366, manufacturer: 'SEGGER' }

export const jlinkDescriptors = (own: Own): UsbDescriptors =>
  usbDescriptors(
    { ...segger, ...own },
    {
      ...{ interfaces: 1, attributes: 0xc0, interfaceName: 'BULK interface' },
      body: Uint8Array.from([
        ...[9, 4, 0, 0, 2, 0xff, 0xff, 0xff, 4],
        ...endpoint(0x81, Transfer.Bulk, 64),
        ...endpoint(0x02, Transfer.Bulk, 64),
      ]),
    },
  )
