/** Where a CMSIS-DAP v2 probe is spoken to: the bulk endpoints of its interface. Source: USB 2.0, 9.6.3 to 9.6.6. */
import { descriptorsIn } from '#transport/usb-descriptors.ts'

export interface Pipes {
  readonly out: number
  readonly in: number
  readonly packetBytes: number
}

const Type = { Interface: 4, Endpoint: 5 } as const
const bulk = 2

/** The first of each direction; undefined: it has not both. */
export function findPipes(configuration: Uint8Array, interfaceNumber: number): Pipes | undefined {
  let isInside = false
  let out: number | undefined
  let into: number | undefined
  let packetBytes = 64
  for (const { type, body } of descriptorsIn(configuration)) {
    if (type === Type.Interface) isInside = body[0] === interfaceNumber && body[1] === 0
    const [address = 0, attributes = 0, low = 0, high = 0] = body
    if (!isInside || type !== Type.Endpoint || (attributes & 3) !== bulk) continue
    if ((address & 0x80) === 0) out ??= address & 0x0f
    else if (into === undefined) {
      into = address & 0x0f
      packetBytes = (low | (high << 8)) & 0x7ff
    }
  }
  return out === undefined || into === undefined ? undefined : { out, in: into, packetBytes }
}
