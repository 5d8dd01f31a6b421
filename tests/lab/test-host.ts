/** A host of USB/IP for tests: says packets as hex, and hears what is answered. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fromHex, hexBytes } from '#core/bytes.ts'

export const zeros = (length: number): string => '00'.repeat(length)
export const ascii = (text: string, length: number): string =>
  hexBytes(new TextEncoder().encode(text), '') + zeros(length - text.length)
export const packed = (bytes: Uint8Array) => hexBytes(bytes, '')
export const word = (value: number): string => value.toString(16).padStart(8, '0')
const sockets: Socket[] = []
/** All of them. */
export function hangUp(): void {
  for (const socket of sockets.splice(0)) socket.destroy()
}

/** A host's side of a connection. */
export class Host {
  readonly #socket: Socket
  readonly #chunks: AsyncIterator<Buffer, undefined>
  #received = Buffer.alloc(0)
  #sequence = 0
  readonly #reads = new Set<number>()

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
  }
  static async connect(port: number): Promise<Host> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    sockets.push(socket)
    return new Host(socket)
  }

  send(...hex: string[]): void {
    this.#socket.write(fromHex(hex.join('')))
  }
  end(): void {
    this.#socket.end()
  }
  /** As hex; less than asked for: the server has hung up. */
  async take(length: number): Promise<string> {
    while (this.#received.length < length) {
      const next: IteratorResult<Buffer, undefined> = await this.#chunks.next()
      if (!next.value) break
      this.#received = Buffer.concat([this.#received, next.value])
    }
    const bytes = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return packed(bytes)
  }

  /** Status of the reply. */
  async import(busId: string): Promise<string> {
    this.send('0111 8003 00000000', ascii(busId, 32))
    const reply = await this.take(8)
    if (reply.endsWith('00000000')) await this.take(312)
    return reply.slice(8)
  }
  /** Gives its sequence number. */
  submit(direction: 'in' | 'out', endpoint: number, length: number, bytes = '', setup = zeros(8)): number {
    const sequence = ++this.#sequence
    const fields = [1, sequence, 0x10001, direction === 'in' ? 1 : 0, endpoint, 0, length, 0, 0, 0]
    this.send(...fields.map(word), setup, bytes)
    if (direction === 'in') this.#reads.add(sequence)
    return sequence
  }
  in(length: number): number {
    return this.submit('in', 1, length)
  }
  out(...bytes: number[]): number {
    return this.submit('out', 2, bytes.length, packed(Uint8Array.from(bytes)))
  }
  /** CLEAR_FEATURE(ENDPOINT_HALT). */
  clearHalt(address: number): number {
    return this.submit('out', 0, 0, '', `02010000${address.toString(16)}000000`)
  }
  unlink(target: number): number {
    const sequence = ++this.#sequence
    this.send([2, sequence, 0x10001, 0, 0, target, 0, 0, 0, 0, 0, 0].map(word).join(''))
    return sequence
  }
  /** `submitted 3: 0, 0102` with the status and what came; undefined: the server has hung up. */
  async reply(): Promise<string | undefined> {
    const header = Buffer.from(await this.take(48), 'hex')
    if (header.length < 48) return undefined
    const field = (at: number) => header.readInt32BE(at)
    const [command, sequence, status, length] = [field(0), field(4), field(20), field(24)]
    if (command === 4) return `unlinked ${String(sequence)}: ${String(status)}`
    const brings = this.#reads.has(sequence) ? await this.take(length) : `${String(length)} taken`
    return `submitted ${String(sequence)}: ${String(status)}, ${brings}`
  }
}
