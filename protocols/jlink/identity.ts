/**
 * SEGGER's J-Links: any device of theirs with an interface of the vendor's own class, subclass and protocol, whatever its
 * product id says. Source: libjaylink, `libjaylink/discovery_usb.c` and `transport_usb.c`.
 */
import { usbId, versionText } from '#core/bytes.ts'
import type { Fact, Identity, Notice, Recognition, SeenInterface, SeenUsb } from '#core/programmer.ts'

const segger = 0x1366
const vendor = 0xff

/** The interface that commands go to; undefined: there is none. */
export const jlinkInterface = ({ interfaces }: SeenUsb): SeenInterface | undefined =>
  interfaces.find((one) => [one.classCode, one.subclass, one.protocol].every((code) => code === vendor))

/** What every owner should know before anything offers an update. */
const always: readonly Notice[] = [
  { code: 'jlink-firmware', level: 'info' },
  { code: 'jlink-clone', level: 'info' },
  { code: 'jlink-windows', level: 'info' },
]

/** An access by SWD takes as many bits of an answer; in each its acknowledge is here. */
const accessBits = 46
const acknowledge = { from: 8, count: 3 }
/** A word of memory, with what leads to it. */
const mostWordBytes = { swd: 25, jtag: 48 } as const
/** Of a command that sends bits: behind it those on TMS, or what drives SWDIO. */
const headBytes = 4
/** A way out of SWD, with which only the question begins who is in a chain. */
const toJtag = { from: 7, bytes: [0x3c, 0xe7] } as const

/**
 * Of an answer: all of a short one, the firmware's name, who is in a JTAG chain, and of longer ones the acknowledges between
 * the words, which are somebody's.
 */
export function wordsOf(answer: Uint8Array, sent: Uint8Array): Uint8Array {
  const first = sent.subarray(headBytes)
  const isJtag = ((first[0] ?? 0) & 0b101) === 1 // out of Run-Test/Idle, where SWDIO would be driven for eight clocks
  if (answer.length <= mostWordBytes[isJtag ? 'jtag' : 'swd']) return answer
  if (/compiled/.test(new TextDecoder('latin1').decode(answer))) return answer
  if (toJtag.bytes.every((byte, i) => first[toJtag.from + i] === byte)) return answer
  const left = new Uint8Array(answer.length)
  const keep = (from: number) => {
    for (let bit = from; bit < from + acknowledge.count; bit++)
      left[bit >> 3] = (left[bit >> 3] ?? 0) | ((answer[bit >> 3] ?? 0) & (1 << (bit & 7)))
  }
  const bits = answer.length * 8
  if (isJtag) registersAt(first, bits).forEach(keep)
  else for (let at = acknowledge.from; at + acknowledge.count <= bits; at += accessBits) keep(at)
  return left
}

/** Where the scans of data registers begin, by TMS. */
function registersAt(tms: Uint8Array, bits: number): number[] {
  const isSet = (at: number) => ((tms[at >> 3] ?? 0) >> (at & 7)) & 1
  const found: number[] = []
  for (let at = 0; at < bits;) {
    if (!isSet(at)) {
      at++
      continue
    }
    const isInstruction = isSet(at + 1) === 1
    at += isInstruction ? 4 : 3
    if (!isInstruction) found.push(at)
    while (at < bits && !isSet(at)) at++
    at += 3 // its last bit, and back to rest
  }
  return found
}

export default {
  id: 'jlink',
  name: 'J-Link',
  link: 'usb',
  filters: [{ vendorId: segger }],
  toTarget: ['swd', 'jtag'],
  wordsOf,
  recognise(seen): Recognition | undefined {
    if (seen.link !== 'usb' || seen.vendorId !== segger) return undefined
    const id = usbId(seen.vendorId, seen.productId)
    const usable = jlinkInterface(seen) !== undefined
    const model = seen.product ?? 'J-Link'
    const facts: readonly [Fact['name'], string | undefined, string][] = [
      ['model', model, 'iProduct'],
      ['usb-id', id, 'idVendor, idProduct'],
      ['device-version', versionText(seen.deviceVersion), 'bcdDevice'],
      ['manufacturer', seen.manufacturer, 'iManufacturer'],
      ['product', seen.product, 'iProduct'],
      ['serial', seen.serial, 'iSerialNumber'],
    ]
    return {
      ...{ model, mode: 'application', confidence: 'certain', usable },
      notices: usable ? always : [{ code: 'jlink-serial-only', level: 'warning' }],
      facts: facts.flatMap(([name, value, source]) => (value ? [{ name, value, source }] : [])),
    }
  },
  proven: {
    identify: ['chrome', 'reference-tool', 'twin'],
    backup: ['chrome', 'reference-tool', 'twin'],
    flash: ['chrome', 'reference-tool', 'twin'],
    verify: ['chrome', 'reference-tool', 'twin'],
  },
} satisfies Identity
