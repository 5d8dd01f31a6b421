/** Twins from the shelf, with the side that a computer sees, and what goes over it in a file. */
import { appendFileSync } from 'node:fs'
import type { Twin } from '#bench/twin.ts'
import { pcapUsb } from '#transport/pcap.ts'
import { asUsb } from './serial-bridges.ts'
import type { UsbPort } from './usb-port.ts'
import { setupBytes } from './usbip-packets.ts'

export const usbSide = (twin: Twin) => (twin.link === 'usb' ? twin : asUsb(twin))

/** Appends each transfer to a pcapng file. */
export function record(port: UsbPort, device: number, file: string): void {
  let id = device << 24
  port.listen((transfer) => {
    const { endpoint, isInterrupt, setup } = transfer
    const type = endpoint === 0 ? 'control' : isInterrupt ? 'interrupt' : 'bulk'
    appendFileSync(file, pcapUsb(id++, { ...transfer, device, type, setup: setup && setupBytes(setup) }))
  })
}
