/**
 * Probes that speak CMSIS-DAP, whoever made them: version 2 on any interface of the vendor's own class that is called so,
 * version 1 on any HID device that is. Source: ARM-software/CMSIS-DAP, `dap_firmware.md` ("USB interfaces").
 */
import { threePartVersion, usbId, versionText } from '#core/bytes.ts'
import type { Fact, Identity, Recognition, Seen, SeenHid, SeenInterface, SeenUsb } from '#core/programmer.ts'

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

/** Who is in a chain; no memory is read so. */
const jtagSequence = 0x14
const wholeAnswer = 1024
/** Id, count, acknowledge. */
const headBytes = 4

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
  answerHead: ([command = 0]) => (command === jtagSequence ? wholeAnswer : headBytes),
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
    identify: ['reference-tool', 'twin'],
    backup: ['reference-tool', 'twin'],
    flash: ['reference-tool', 'twin'],
    verify: ['reference-tool', 'twin'],
  },
} satisfies Identity
