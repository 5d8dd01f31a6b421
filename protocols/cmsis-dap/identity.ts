/**
 * Probes that speak CMSIS-DAP, whoever made them: version 2 on any interface of the vendor's own class that is called so,
 * version 1 on any HID device that is. Source: ARM-software/CMSIS-DAP, `dap_firmware.md` ("USB interfaces").
 */
import { threePartVersion, usbId, versionText } from '#core/bytes.ts'
import type {
  Fact,
  Identity,
  Recognition,
  Seen,
  SeenHid,
  SeenInterface,
  SeenUsb,
  WordsOf,
} from '#core/programmer.ts'

const vendorClass = 0xff
/** HID Usage Tables: the first of those that are their vendor's own. */
const vendorPage = 0xff00
const name = /CMSIS-DAP/i

/** The interface that commands go to; undefined: there is none. */
export const dapInterface = ({ interfaces, product = '' }: SeenUsb): SeenInterface | undefined => {
  const own = interfaces.filter(({ classCode }) => classCode === vendorClass)
  return own.find((one) => name.test(one.name ?? '')) ?? (name.test(product) ? own[0] : undefined)
}

const isProbe = (seen: Seen): seen is SeenUsb | SeenHid =>
  seen.link === 'hid'
    ? name.test(seen.product ?? '')
    : seen.link === 'usb' && dapInterface(seen) !== undefined

/** A probe whose own program is changed in the boot loader of its ROM, and counted by bcdDevice (raspberrypi/debugprobe). */
const isRaspberryPi = ({ vendorId, productId }: SeenUsb | SeenHid): boolean =>
  usbId(vendorId, productId) === '2e8a:000c'

/** What a browser tells of USB devices only. */
const factsOf = (seen: SeenUsb): [Fact['name'], string | undefined, string][] => [
  isRaspberryPi(seen)
    ? ['firmware-version', threePartVersion(seen.deviceVersion), 'bcdDevice']
    : ['device-version', versionText(seen.deviceVersion), 'bcdDevice'],
  ['manufacturer', seen.manufacturer, 'iManufacturer'],
  ['serial', seen.serial, 'iSerialNumber'],
]

const Command = { Transfer: 0x05, JtagSequence: 0x14 } as const
const Request = { Read: 2, ReadStatus: 6 } as const
/** Id, count, acknowledge. */
const headBytes = 4

/** Who is in a JTAG chain, whole; and a word by JTAG with the status behind it, as a word by SWD is. */
const wordsOf: WordsOf = (answer, sent) => {
  const [id] = answer
  if (id === Command.JtagSequence) return answer
  return id === Command.Transfer && isWordWithStatus(sent) ? answer : undefined
}

function isWordWithStatus([command, , count = 0, ...requests]: Uint8Array): boolean {
  let [reads, last, at]: [number, number, number] = [0, 0, 0]
  for (let left = count; left > 0; left--) {
    last = requests[at] ?? 0
    const isRead = (last & Request.Read) !== 0
    if (isRead) reads++
    at += isRead ? 1 : 5
  }
  return command === Command.Transfer && last === Request.ReadStatus && reads <= 2
}

const models: Readonly<Record<string, string>> = {
  '0d28:0204': 'DAPLink',
  '1fc9:0143': 'MCU-Link',
  '2e8a:000c': 'Raspberry Pi Debug Probe',
}

export default {
  id: 'cmsis-dap',
  name: 'CMSIS-DAP',
  link: ['usb', 'hid'],
  filters: [
    ...Object.keys(models).map((id) => {
      const [vendorId = 0, productId = 0] = id.split(':').map((part) => parseInt(part, 16))
      return { vendorId, productId }
    }),
    { classCode: vendorClass, subclassCode: 0 },
    { usagePage: vendorPage, usage: 1 },
  ],
  toTarget: ['swd', 'jtag'],
  answerHead: headBytes,
  wordsOf,
  recognise(seen): Recognition | undefined {
    if (!isProbe(seen)) return undefined
    const id = usbId(seen.vendorId, seen.productId)
    const model = models[id] ?? seen.product ?? 'CMSIS-DAP'
    const facts: readonly [Fact['name'], string | undefined, string][] = [
      ['model', model, 'idVendor, idProduct, iProduct'],
      ['mode', 'application', seen.link === 'hid' ? 'iProduct' : 'iInterface'],
      ['usb-id', id, 'idVendor, idProduct'],
      ...(seen.link === 'usb' ? factsOf(seen) : []),
      ['product', seen.product, 'iProduct'],
    ]
    return {
      ...{ model, mode: 'application', confidence: 'certain', usable: true },
      notices: isRaspberryPi(seen) ? [{ code: 'probe-bootsel', level: 'info' }] : [],
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
