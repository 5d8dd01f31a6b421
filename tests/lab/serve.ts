/** Twins for any Linux with `vhci-hcd`, or a serial twin's line as a TCP socket; until the process ends. */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { WireFaults } from '#bench/twin.ts'
import { make, record, usbSide } from './lab.ts'
import { pcapHeader } from './pcap.ts'
import { UsbPort } from './usb-port.ts'
import { UsbipServer } from './usbip-server.ts'

export interface ServeOptions {
  readonly ids: readonly string[]
  readonly port: number
  /** Of the first twin, counted in transfers. */
  readonly faults: WireFaults
  /** A pcapng file. */
  readonly trace?: string | undefined
}

/** Gives the port that it listens at. The first twin has the bus id 1-1. */
export async function serve({ ids, port, faults, trace }: ServeOptions): Promise<number> {
  const clock = new VirtualClock({ speed: 1 })
  const setups = await Promise.all(ids.map((id) => make(id)))
  const server = new UsbipServer()
  const ports = setups.map(({ setup }) => new UsbPort(usbSide(setup.twin), clock))
  if (ports[0]) ports[0].faults = faults
  if (trace !== undefined) {
    writeFileSync(trace, pcapHeader())
    for (const [i, one] of ports.entries()) record(one, i + 1, trace)
  }
  server.ports = ports
  return server.listen(port)
}

/**
 * The line of a serial twin as a TCP socket (`avrdude -P net:127.0.0.1:PORT`): at `baud`, and each new connection is a
 * reset, as opening the port is.
 */
export async function serveLine(id: string, port: number, baud: number): Promise<void> {
  const { setup } = await make(id)
  const { twin } = setup
  if (twin.link !== 'serial') throw new Error(`${id} is no serial twin`)
  const clock = new VirtualClock({ speed: 1 })
  let send = (bytes: Uint8Array): unknown => bytes
  twin.plugged({ clock, send: (bytes) => send(bytes) })
  const server = createServer({ noDelay: true }, (socket) => {
    send = (bytes) => socket.writable && socket.write(bytes)
    twin.signals(false, false)
    twin.signals(true, true)
    socket.on('data', (bytes) => {
      twin.receive(Uint8Array.from(bytes), baud)
    })
    socket.on('error', () => undefined) // it is closed then, which is all that matters here
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
}
