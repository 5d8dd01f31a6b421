/** What can be said of a device that nobody recognises: its descriptors, and a guess by its interface classes. */
import { usbId, versionText } from '#core/bytes.ts'
import type { Fact, Seen } from '#core/programmer.ts'

/** What a device is by its interface classes; each has a sentence in `ui/text`. */
export type Guess =
  | 'serial-port'
  | 'usb-serial'
  | 'dfu'
  | 'hid'
  | 'mass-storage'
  | 'audio'
  | 'video'
  | 'printer'
  | 'hub'
  | 'smart-card'
  | 'network'
  | 'wireless'
  | 'measurement'
  | 'vendor-specific'
  | 'unknown'

export interface Description {
  readonly facts: readonly Fact[]
  readonly guess: Guess
}

/** USB-IF, "Defined Class Codes". Ordered: the first that a device has says most about it. */
const classes: readonly (readonly [classCode: number, subclass: number | undefined, guess: Guess])[] = [
  [0xfe, 0x01, 'dfu'],
  [0xfe, 0x03, 'measurement'],
  [0x08, undefined, 'mass-storage'],
  [0x0e, undefined, 'video'],
  [0x01, undefined, 'audio'],
  [0x07, undefined, 'printer'],
  [0x09, undefined, 'hub'],
  [0x0b, undefined, 'smart-card'],
  [0x02, 0x02, 'usb-serial'],
  [0x02, undefined, 'network'],
  [0xe0, undefined, 'wireless'],
  [0x03, undefined, 'hid'],
  [0xff, undefined, 'vendor-specific'],
]

/** Makers of USB-serial bridges, which have a class of their own. */
const bridgeVendors: readonly number[] = [0x0403, 0x10c4, 0x1a86, 0x067b]

export function describe(seen: Seen): Description {
  const { vendorId, productId } = seen
  const known = vendorId !== undefined && productId !== undefined
  const ids: Fact[] = known ? [{ name: 'usb-id', value: usbId(vendorId, productId) }] : []
  if (seen.link === 'serial') return { facts: ids, guess: known ? 'usb-serial' : 'serial-port' }
  if (seen.link === 'hid')
    return {
      facts: [
        ...ids,
        ...(seen.product ? [{ name: 'product', value: seen.product, source: 'iProduct' } as const] : []),
      ],
      guess: 'hid',
    }

  const facts: readonly (readonly [Fact['name'], string | undefined, string])[] = [
    ['manufacturer', seen.manufacturer, 'iManufacturer'],
    ['product', seen.product, 'iProduct'],
    ['serial', seen.serial, 'iSerialNumber'],
    ['firmware-version', versionText(seen.deviceVersion), 'bcdDevice'],
  ]
  const found = [{ classCode: seen.deviceClass, subclass: undefined }, ...seen.interfaces]
  const guess = classes.find(([classCode, subclass]) =>
    found.some((one) => one.classCode === classCode && (subclass ?? one.subclass) === one.subclass),
  )?.[2]
  return {
    facts: [
      ...ids,
      ...facts.flatMap(([name, value, source]) => (value === undefined ? [] : [{ name, value, source }])),
    ],
    guess:
      guess === 'vendor-specific' && bridgeVendors.includes(seen.vendorId)
        ? 'usb-serial'
        : (guess ?? 'unknown'),
  }
}
