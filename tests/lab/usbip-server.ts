/**
 * Serves twins to any Linux with `vhci-hcd`. A device is its connection: it is gone when that closes, and a
 * host that wants it back attaches again.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Plugged, UsbPort } from './usb-port.ts'
import {
  busIdBytes,
  encodeDevices,
  encodeImport,
  encodeSubmitted,
  encodeUnlinked,
  headerBytes,
  Op,
  opBytes,
  parseBusId,
  parseCommand,
  parseOp,
  Status,
} from './usbip-packets.ts'

/** Replies of one millisecond go together: a guest's round trip is mostly acknowledgements. */
const gatherMs = 1
/** A host that made no sense has so long to close its side too; closing at once would reset what it still has to read. */
const drainMs = 5000

export class UsbipServer {
  /** By bus id: the first is 1-1. */
  ports: readonly UsbPort[] = []
  /** Told when a host attaches the twin of that number, and when it has let it go. */
  onAttached: (number: number, isAttached: boolean) => void = () => undefined
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #imported = new Set<Plugged>()

  constructor() {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => undefined) // 'close' follows, and a host that goes away is no failure
      const wire = new Wire(socket)
      this.#serve(wire).catch((error: unknown) => {
        console.error(`USB/IP: ${String(error)}`)
        void wire.hangUp(drainMs)
      })
    })
  }

  /** Gives the port that it listens at; 0 asks for a free one. */
  listen(port = 3240): Promise<number> {
    return listen(this.#server, port)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(wire: Wire): Promise<void> {
    const op = await wire.take(opBytes)
    if (!op) return
    const code = parseOp(op)
    if (code === Op.RequestDevices) {
      const present = this.ports.flatMap((port, i) => {
        const twin = port.present?.twin
        return twin ? [{ number: i + 1, twin }] : []
      })
      wire.end(encodeDevices(present))
    } else if (code === Op.RequestImport) {
      const busId = parseBusId((await wire.take(busIdBytes)) ?? new Uint8Array())
      const number = /^1-\d+$/.test(busId) ? Number(busId.slice(2)) : 0
      const plugged = this.ports[number - 1]?.present
      if (!plugged) wire.end(encodeImport('absent'))
      else if (this.#imported.has(plugged)) wire.end(encodeImport('busy'))
      else {
        this.#imported.add(plugged)
        wire.send(encodeImport({ number, twin: plugged.twin }))
        this.onAttached(number, true)
        await this.#attach(wire, plugged).finally(() => {
          this.#imported.delete(plugged)
          this.onAttached(number, false)
        })
      }
    } else throw new Error(`operation ${code.toString(16)} is not known`)
  }

  async #attach(wire: Wire, plugged: Plugged): Promise<void> {
    const pending = new Map<number, AbortController>()
    const leave = () => {
      wire.end()
    }
    plugged.gone.addEventListener('abort', leave, { once: true })
    try {
      for (let header = await wire.take(headerBytes); header; header = await wire.take(headerBytes)) {
        const command = parseCommand(header)
        if (command.kind === 'unlink') {
          const target = pending.get(command.target)
          pending.delete(command.target)
          target?.abort()
          wire.send(encodeUnlinked(command, target ? Status.Unlinked : Status.Ok))
          continue
        }
        const out = command.direction === 'out' ? await wire.take(command.length) : new Uint8Array()
        if (!out) break
        const given = new AbortController()
        pending.set(command.sequence, given)
        void plugged.submit(command, out, given.signal).then((answered) => {
          if (!pending.delete(command.sequence) || !answered) return
          wire.send(encodeSubmitted(command, answered))
        })
      }
    } finally {
      plugged.gone.removeEventListener('abort', leave)
      for (const given of pending.values()) given.abort()
      wire.end()
    }
  }
}

/** At this computer's own address only. Gives the port. */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}

/** A socket as exact pieces in, gathered pieces out. */
class Wire {
  readonly #socket: Socket
  readonly #chunks: AsyncIterator<Buffer, undefined>
  #received = Buffer.alloc(0)
  #toSend: Uint8Array[] = []

  constructor(socket: Socket) {
    this.#socket = socket
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
  }

  /** Undefined: the other side has closed. */
  async take(length: number): Promise<Uint8Array | undefined> {
    while (this.#received.length < length) {
      const chunk = await this.#next()
      if (!chunk) return undefined
      this.#received = Buffer.concat([this.#received, chunk])
    }
    const bytes = Uint8Array.from(this.#received.subarray(0, length))
    this.#received = this.#received.subarray(length)
    return bytes
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const next: IteratorResult<Buffer, undefined> = await this.#chunks.next()
      return next.value
    } catch {
      return undefined // a connection that was reset is closed too
    }
  }

  send(bytes: Uint8Array): void {
    if (this.#toSend.push(bytes) === 1) setTimeout(() => this.#flush(), gatherMs)
  }

  /** Says what there is to say and hangs up; the other side's last words are still heard. */
  end(last?: Uint8Array): void {
    if (last) this.#toSend.push(last)
    this.#flush()
    this.#socket.end()
  }

  /** And hears them to their end, for so long at most. */
  async hangUp(mostMs: number): Promise<void> {
    const timer = setTimeout(() => this.#socket.destroy(), mostMs)
    this.end()
    this.#received = Buffer.alloc(0)
    while (await this.#next());
    clearTimeout(timer)
    this.#socket.destroy()
  }

  #flush(): void {
    if (this.#toSend.length > 0 && this.#socket.writable) this.#socket.write(Buffer.concat(this.#toSend))
    this.#toSend = []
  }
}
