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
const mostWordBytes = 25

/**
 * Of an answer: all of a short one, the firmware's name, and of longer ones the acknowledges between the words, which are
 * somebody's.
 */
export function wordsOf(answer: Uint8Array): Uint8Array {
  if (answer.length <= mostWordBytes) return answer
  if (/compiled/.test(new TextDecoder('latin1').decode(answer))) return answer
  const left = new Uint8Array(answer.length)
  for (let at = acknowledge.from; at + acknowledge.count <= answer.length * 8; at += accessBits)
    for (let bit = at; bit < at + acknowledge.count; bit++)
      left[bit >> 3] = (left[bit >> 3] ?? 0) | ((answer[bit >> 3] ?? 0) & (1 << (bit & 7)))
  return left
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
    identify: ['reference-tool', 'twin'],
    backup: ['reference-tool', 'twin'],
    flash: ['reference-tool', 'twin'],
    verify: ['reference-tool', 'twin'],
  },
} satisfies Identity
