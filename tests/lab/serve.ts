/** Twins for any Linux with `vhci-hcd`, or a serial twin's line as a TCP socket; until the process ends. */
import { writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TwinSerialBus, type PluggedSerial } from '#bench/twin-serial.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import type { SerialTwin, UsbTwin, WireFaults } from '#bench/twin.ts'
import { parseDevice } from '#bench/twin-usb-descriptors.ts'
import { take } from '#bench/bench.ts'
import { record, usbSide } from './twins.ts'
import { pcapHeader } from '#transport/pcap.ts'
import { UsbPort } from './usb-port.ts'
import { listen, UsbipServer } from './usbip-server.ts'

export interface ServeOptions {
  readonly ids: readonly string[]
  readonly port: number
  /**
   * Of the first twin, each once, counted in transfers since a host attached it (on a line: in writes since a client
   * came); one that does not strike is counted anew for the next. What is unplugged is plugged in again two seconds later.
   */
  readonly faults: WireFaults
  /** A pcapng file. */
  readonly trace?: string | undefined
  /** Default: real time. */
  readonly clock?: VirtualClock
  /** Who comes and goes. */
  readonly log?: (line: string) => void
}

export interface Served {
  /** That it listens at. */
  readonly port: number
  close(): Promise<void>
}

const replugMs = 2000

/** Those that have not struck in so many transfers. */
const left = (faults: WireFaults, count: number): WireFaults =>
  Object.fromEntries(Object.entries(faults as Record<string, number>).filter(([, at]) => at > count))

/** The first twin has the bus id 1-1. */
export async function serve({
  ids,
  port,
  faults,
  trace,
  clock = new VirtualClock({ speed: 1 }),
  log = () => undefined,
}: ServeOptions): Promise<Served> {
  const setups = await Promise.all(ids.map((id) => take(id)))
  const server = new UsbipServer()
  const ports = setups.map(({ setup }) => new UsbPort(usbSide(setup.twin), clock))
  if (trace !== undefined) {
    writeFileSync(trace, pcapHeader())
    for (const [i, one] of ports.entries()) record(one, i + 1, trace)
  }
  const nameOf = (number: number) => `1-${String(number)} ${ids[number - 1] ?? ''}`
  for (const [i, one] of ports.entries()) {
    one.listen(() => one.errors.splice(0).forEach((error) => console.error(error)))
    one.onReturn = () => {
      if (one.present) log(`${nameOf(i + 1)} is back as ${idsOf(one.present.twin)}, to be attached again`)
    }
    one.onPulled = () => {
      log(`${nameOf(i + 1)} is unplugged, for ${String(replugMs / 1000)} s`)
      clock.after(replugMs, () => {
        one.plug()
        one.onReturn()
      })
    }
  }
  server.ports = ports
  const [first] = ports
  let [toCome, from] = [faults, 0]
  server.onAttached = (number, isAttached) => {
    const { transfers, bytes } = ports[number - 1]?.moved ?? { transfers: 0, bytes: 0 }
    const so = isAttached ? 'attached' : `let go after ${String(transfers)} transfers, ${String(bytes)} bytes`
    log(`${nameOf(number)} is ${so}`)
    if (!first || number !== 1 || !isAttached) return
    first.faults = toCome = left(toCome, transfers - from)
    from = transfers
  }
  return { port: await server.listen(port), close: () => server.close() }
}

function idsOf({ descriptors }: UsbTwin): string {
  const { vendorId, productId } = parseDevice(descriptors)
  return [vendorId, productId].map((id) => id.toString(16).padStart(4, '0')).join(':')
}

/** `lineOf` a twin from the shelf. */
export async function serveLine({ ids: [id = ''], ...options }: ServeOptions, baud: number): Promise<Served> {
  const { twin } = (await take(id)).setup
  if (twin.link !== 'serial') throw new Error(`${id} is no serial twin`)
  return lineOf(twin, options, baud)
}

/**
 * The line of a serial twin as a TCP socket (`avrdude -P net:127.0.0.1:PORT`): at `baud`, and each new connection
 * opens the port anew, which resets what its DTR resets. One at a time: another one is refused. Unplugging ends the
 * connection; the next one waits until it is plugged in again.
 */
export async function lineOf(
  twin: SerialTwin,
  { port, faults, clock = new VirtualClock({ speed: 1 }), log = () => undefined }: Omit<ServeOptions, 'ids'>,
  baud: number,
): Promise<Served> {
  const plugged = new TwinSerialBus({ clock }).plug(twin)
  let [toCome, from] = [faults, 0]
  const converse = async (socket: Socket): Promise<void> => {
    const { writes } = plugged.transfers
    plugged.faults = toCome = left(toCome, writes - from)
    from = writes
    await connect(socket, plugged, baud).catch(() => undefined) // unplugged: the line is free
    if (plugged.port) return
    log(`unplugged, for ${String(replugMs / 1000)} s`)
    await clock.sleep(replugMs)
    await plugged.replug()
  }
  let holder: Socket | undefined
  let line = Promise.resolve()
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined) // 'close' follows
    // Whether the one before has just hung up is known at the end of this turn.
    setImmediate(() => {
      if (holder && !holder.readableEnded && !holder.destroyed) return socket.destroy()
      holder = socket
      line = line.then(() => converse(socket))
    })
  })
  return {
    port: await listen(server, port),
    async close() {
      holder?.destroy()
      await new Promise((resolve) => server.close(resolve))
      await line
    },
  }
}

/** Until either side ends it. */
async function connect(socket: Socket, plugged: PluggedSerial, baud: number): Promise<void> {
  const { port } = plugged
  const hungUp = new AbortController()
  socket.once('close', () => hungUp.abort())
  try {
    await port?.open({ baudRate: baud })
    if (!port?.readable || !port.writable) return
    const web = Duplex.toWeb(socket) as unknown as {
      readable: ReadableStream<Uint8Array>
      writable: WritableStream<Uint8Array>
    }
    await Promise.allSettled([
      port.readable.pipeTo(web.writable, { signal: hungUp.signal }),
      web.readable.pipeTo(port.writable, { signal: hungUp.signal }),
    ])
    if (plugged.port === port) await port.close()
  } finally {
    socket.destroy()
  }
}
