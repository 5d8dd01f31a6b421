/**
 * Everything that ST has called ST-Link, by the ids of its vendor. Source: openocd-org/openocd,
 * `src/jtag/drivers/stlink_usb.c` (ids); probe-rs/probe-rs, `probe-rs/src/probe/stlink/tools.rs`.
 */
import { usbId, versionText } from '#core/bytes.ts'
import type { Fact, Identity, Mode, Notice, Recognition } from '#core/programmer.ts'

const st = 0x0483

export interface Model {
  readonly name: string
  readonly mode: Mode
  readonly isV21?: true
  /** It cannot be driven here. */
  readonly refused?: true
  readonly notices?: readonly Notice[]
}

export const v21Name = 'ST-Link V2-1'
const v21 = { name: v21Name, mode: 'application', isV21: true } as const
const v3 = { name: 'ST-Link V3', mode: 'application' } as const

/** A V2 and the boot loader of both V2 and V2-1 share their id. */
export const v2ProductId = 0x3748

export const models: Readonly<Record<number, Model>> = {
  0x3744: {
    ...{ name: 'ST-Link V1', mode: 'application', refused: true },
    notices: [{ code: 'stlink-v1', level: 'warning' }],
  },
  [v2ProductId]: { name: 'ST-Link V2', mode: 'application' },
  0x374a: v21,
  0x3742: v21,
  0x374b: v21,
  0x3752: v21,
  0x374d: { name: 'ST-Link V3', mode: 'bootloader' },
  0x374e: v3,
  0x374f: v3,
  0x3753: v3,
  0x3754: v3,
  0x3755: {
    ...{ name: 'STLINK-V3PWR', mode: 'bootloader', refused: true },
    notices: [{ code: 'stlink-v3pwr-loader', level: 'warning' }],
  },
  0x3757: {
    ...{ name: 'STLINK-V3PWR', mode: 'application' },
    notices: [{ code: 'stlink-v3pwr', level: 'info' }],
  },
}

/** Whose answers are the target's bytes, and nothing else. */
const debugCommand = 0xf2
const memoryReads = [0x07, 0x0c, 0x47]

/** Whose answer ends with the number of its chip. */
const dfuCommand = 0xf3
const tellsWhoItIs = 0x08
const beforeItsUid = 8

/** Older ones give 12 bytes of their number as they are: digits are made of them. */
const serialBytes = 12
export const serialOf = (said: string): string =>
  said.length === serialBytes
    ? Array.from(said, (char) => (char.charCodeAt(0) & 0xff).toString(16).padStart(2, '0'))
        .join('')
        .toUpperCase()
    : said

export default {
  id: 'stlink',
  name: 'ST-Link',
  link: 'usb',
  filters: Object.keys(models).map((productId) => ({ vendorId: st, productId: Number(productId) })),
  toTarget: ['swd', 'jtag'],
  answerHead([command = 0, op = 0]) {
    if (command === dfuCommand && op === tellsWhoItIs) return beforeItsUid
    return command === debugCommand && memoryReads.includes(op) ? 0 : 64
  },
  recognise(seen): Recognition | undefined {
    if (seen.link !== 'usb' || seen.vendorId !== st) return undefined
    const model = models[seen.productId]
    if (!model) return undefined
    const { name, mode, refused, notices = [] } = model
    const facts: readonly [Fact['name'], string | undefined, string][] = [
      ['model', name, 'idVendor, idProduct'],
      ['mode', seen.productId === v2ProductId ? undefined : mode, 'idProduct'],
      ['usb-id', usbId(seen.vendorId, seen.productId), 'idVendor, idProduct'],
      ['device-version', versionText(seen.deviceVersion), 'bcdDevice'],
      ['manufacturer', seen.manufacturer, 'iManufacturer'],
      ['product', seen.product, 'iProduct'],
      ['serial', seen.serial && serialOf(seen.serial), 'iSerialNumber'],
    ]
    return {
      ...{ model: name, mode, confidence: 'certain', usable: refused !== true, notices },
      facts: facts.flatMap(([name, value, source]) => (value ? [{ name, value, source }] : [])),
    }
  },
  proven: {
    identify: ['chrome', 'reference-tool', 'recording', 'twin'],
    backup: ['chrome', 'reference-tool', 'twin'],
    flash: ['chrome', 'reference-tool', 'recording', 'twin'],
    verify: ['chrome', 'reference-tool', 'recording', 'twin'],
  },
} satisfies Identity
