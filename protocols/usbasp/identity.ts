/**
 * USBasp: who it is by its USB ids, strings and version. 16c0:05dc belongs to everybody who uses V-USB with
 * the vendor class, so the strings decide. It sends nothing: what the firmware can do, the driver asks.
 */
import { usbId, versionText } from '#core/bytes.ts'
import type { Fact, Identity, Notice, Recognition, SeenUsb } from '#core/programmer.ts'
import { builds, originalMaker, originalProduct } from './builds.ts'

/** Makers that publish or sell the same firmware under their own name. */
const otherMakers: readonly (string | undefined)[] = ['fischl.de', 'Protostack Pty Ltd']

type Judgement = Pick<Recognition, 'model' | 'confidence'> & { notices?: readonly Notice[]; usable?: false }

const judges: Readonly<Record<string, (seen: SeenUsb) => Judgement>> = {
  '16c0:05dc': judgeShared,
  '16c0:092f': ({ product }) => ({
    model: 'NIBObee', // a robot whose board carries a USBasp
    confidence: product === 'NIBObee' ? 'certain' : 'likely',
  }),
  '03eb:c7b4': ({ manufacturer, product }) => ({
    model: 'USBasp',
    confidence: manufacturer === originalMaker && product === originalProduct ? 'certain' : 'likely',
    notices: [{ code: 'old-usb-id', level: 'warning' }],
  }),
  '03eb:c8b4': ({ manufacturer }) => ({
    model: 'USB ISP',
    confidence: manufacturer === 'zhifengsoft' ? 'certain' : 'likely',
    usable: false,
    notices: [{ code: 'usbisp-hid', level: 'warning' }],
  }),
}

function judgeShared({ manufacturer, product, deviceVersion }: SeenUsb): Judgement {
  if (manufacturer === originalMaker && product === originalProduct) {
    const notices: Notice[] =
      versionText(deviceVersion) === '1.02' ? [{ code: 'maybe-usbasploader', level: 'info' }] : []
    return { model: 'USBasp', confidence: 'certain', notices }
  }
  const values = { manufacturer: manufacturer ?? '', product: product ?? '' }
  if (otherMakers.includes(manufacturer) || /usbasp/i.test(product ?? ''))
    return {
      model: 'USBasp',
      confidence: 'likely',
      notices: [{ code: 'clone-strings', level: 'info', values }],
    }
  return {
    model: 'USBasp',
    confidence: 'possible',
    notices: [{ code: 'shared-usb-id', level: 'warning', values }],
  }
}

/** It has no other: no boot loader of its own answers on USB. */
const mode = 'application'

function facts(seen: SeenUsb, { model, confidence }: Judgement): Fact[] {
  const version = versionText(seen.deviceVersion)
  const known: readonly [Fact['name'], string | undefined, string][] = [
    ['model', model, 'idVendor, idProduct, iProduct'],
    ['mode', mode, 'idVendor, idProduct, iProduct'],
    ['firmware-version', version, 'bcdDevice'],
    ['firmware', confidence === 'certain' ? builds[version] : undefined, 'bcdDevice'],
    ['usb-id', usbId(seen.vendorId, seen.productId), 'idVendor, idProduct'],
    ['manufacturer', seen.manufacturer, 'iManufacturer'],
    ['product', seen.product, 'iProduct'],
    ['serial', seen.serial, 'iSerialNumber'],
  ]
  return known.flatMap(([name, value, source]) => (value ? [{ name, value, source }] : []))
}

export default {
  id: 'usbasp',
  name: 'USBasp',
  link: 'usb',
  filters: [
    { vendorId: 0x16c0, productId: 0x05dc },
    { vendorId: 0x16c0, productId: 0x092f },
    { vendorId: 0x03eb, productId: 0xc7b4 },
    { vendorId: 0x03eb, productId: 0xc8b4 },
  ],
  toTarget: ['isp'],
  recognise(seen): Recognition | undefined {
    if (seen.link !== 'usb') return undefined
    const judgement = judges[usbId(seen.vendorId, seen.productId)]?.(seen)
    if (!judgement) return undefined
    const { model, confidence, usable = true, notices = [] } = judgement
    return { model, mode, confidence, usable, facts: facts(seen, judgement), notices }
  },
  proven: {
    identify: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
    backup: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
    flash: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
    verify: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
  },
} satisfies Identity
