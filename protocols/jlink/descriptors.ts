/** Where a J-Link is spoken to: the two bulk endpoints of its own interface. Source: USB 2.0, 9.6.3 to 9.6.6. */
import { descriptorsIn } from '#transport/usb-descriptors.ts'

export interface Pipes {
  readonly out: number
  readonly in: number
}

const Type = { Interface: 4, Endpoint: 5 } as const
const bulk = 2
/** Class, subclass and protocol are all the vendor's own. */
const vendor = 0xff

/** Of the first such interface with exactly one bulk endpoint in each direction; undefined: there is none. */
export function findPipes(configuration: Uint8Array): Pipes | undefined {
  const found: { out: number[]; in: number[]; others: number }[] = []
  let isInside = false
  for (const { type, body } of descriptorsIn(configuration)) {
    if (type === Type.Interface) {
      const [, setting, , classCode, subclass, protocol] = body
      isInside = setting === 0 && [classCode, subclass, protocol].every((code) => code === vendor)
      if (isInside) found.push({ out: [], in: [], others: 0 })
    }
    const last = found.at(-1)
    if (!isInside || !last || type !== Type.Endpoint) continue
    const [address = 0, attributes = 0] = body
    if ((attributes & 3) !== bulk) last.others++
    else (address & 0x80 ? last.in : last.out).push(address & 0x0f)
  }
  const pipes = found.find((one) => one.out.length === 1 && one.in.length === 1 && one.others === 0)
  const [out, into] = [pipes?.out[0], pipes?.in[0]]
  return out === undefined || into === undefined ? undefined : { out, in: into }
}
