/** Twins for any Linux with `vhci-hcd`, or a serial twin's line as a TCP socket; until the process ends. */
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TwinSerialBus, type PluggedSerial } from '#bench/twin-serial.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { WireFaults } from '#bench/twin.ts'
import { make, record, usbSide } from './lab.ts'
import { pcapHeader } from '#transport/pcap.ts'
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
 * The line of a serial twin as a TCP socket (`avrdude -P net:127.0.0.1:PORT`): at `baud`, and each new connection
 * opens the port anew, which resets what its DTR resets. Unplugging ends the connection.
 */
export async function serveLine(
  { ids: [id = ''], port, faults }: ServeOptions,
  baud: number,
): Promise<number> {
  const { setup } = await make(id)
  const { twin } = setup
  if (twin.link !== 'serial') throw new Error(`${id} is no serial twin`)
  const bus = new TwinSerialBus({ clock: new VirtualClock({ speed: 1 }) })
  const plugged = bus.plug(twin)
  plugged.faults = faults
  let line = Promise.resolve()
  const server = createServer({ noDelay: true }, (socket) => {
    line = line.then(() => connect(socket, plugged, baud)).catch(() => undefined) // unplugged, or hung up: the line is free
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Until either side ends it. */
async function connect(socket: Socket, plugged: PluggedSerial, baud: number): Promise<void> {
  const { port } = plugged
  if (!port) return void socket.destroy()
  await port.open({ baudRate: baud })
  const { readable, writable } = port
  if (!readable || !writable) return
  const hungUp = new AbortController()
  socket.once('close', () => hungUp.abort())
  const web = Duplex.toWeb(socket) as unknown as {
    readable: ReadableStream<Uint8Array>
    writable: WritableStream<Uint8Array>
  }
  await Promise.allSettled([
    readable.pipeTo(web.writable, { signal: hungUp.signal }),
    web.readable.pipeTo(writable, { signal: hungUp.signal }),
  ])
  socket.destroy()
  if (plugged.port === port) await port.close()
}
