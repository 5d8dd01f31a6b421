/**
 * Devices that are known to speak DFU, as data: names and what each has of its own; those that run their application, and
 * their boot loaders. Where that is in ROM, nothing that is written can take it away. Sources: ST, AN2606 and AN3156;
 * `dfuse.c` and `quirks.c` of dfu-util; Black Magic Debug, `platforms/common`; devanlai/dapboot; candle-usb/candleLight_fw;
 * dfu-programmer 0.6.1, `arguments.c`.
 */
import { usbId } from '#core/bytes.ts'
import type { SeenUsb } from '#core/programmer.ts'
import type { Sector } from './layout.ts'

interface UsbIds {
  readonly vendorId: number
  readonly productId: number
}

export interface KnownDevice {
  readonly model: string
  /** Of one that runs its application: the ids of its boot loader. */
  readonly becomes?: UsbIds
  /** Its product name ends with its version; its release number says nothing. */
  readonly saysVersion?: true
  /** In front of the size, where the layout is all that tells the chip. */
  readonly chips?: string
  /** See `SessionOptions`. */
  readonly saysTooLong?: true
  /** Without DfuSe: where in the address space of a Cortex-M its firmware begins. */
  readonly startsAt?: number
  /** Its blocks hold Atmel's commands (FLIP); the chip that this id is for. */
  readonly flip?: string
}

const flip = (chip: string): KnownDevice => ({ model: `${chip} (boot loader)`, flip: chip })

const known: Readonly<Record<string, KnownDevice>> = {
  '0483:df11': { model: 'STM32 (ROM boot loader)', chips: 'STM32', saysTooLong: true },
  '28e9:0189': { model: 'GD32 (ROM boot loader)', chips: 'GD32' },
  '2e3c:df11': { model: 'AT32 (ROM boot loader)', chips: 'AT32' },
  '314b:0106': { model: 'APM32 (ROM boot loader)', chips: 'APM32' },
  '1209:db42': { model: 'dapboot', chips: 'STM32', startsAt: 0x0800_2000 },
  '1d50:6018': {
    model: 'Black Magic Probe',
    saysVersion: true,
    becomes: { vendorId: 0x1d50, productId: 0x6017 },
  },
  '1d50:6017': {
    model: 'Black Magic Probe (boot loader)',
    chips: 'STM32',
    saysVersion: true,
    saysTooLong: true,
  },
  '1d50:606f': { model: 'candleLight', becomes: { vendorId: 0x0483, productId: 0xdf11 } },
  '03eb:2fee': flip('ATmega8U2'),
  '03eb:2fef': flip('ATmega16U2'),
  '03eb:2ff0': flip('ATmega32U2'),
  '03eb:2ff3': flip('ATmega16U4'),
  '03eb:2ff4': flip('ATmega32U4'),
  '03eb:2ff7': flip('AT90USB82'),
  '03eb:2ff9': flip('AT90USB646'),
  '03eb:2ffa': flip('AT90USB162'),
  '03eb:2ffb': flip('AT90USB1286'),
}

/** Pages of 1 KiB, by the serial number, which is the part number in bytes where USB has characters: `3CBJ`. */
const riscvParts: ReadonlyMap<string, number> = new Map(
  ['T', 'C', 'R', 'V'].flatMap((pins) =>
    Object.entries({ B: 128, 8: 64, 6: 32, 4: 16 }).map(([size, kib]) => {
      const [low, high] = [`3${size}`, `${pins}J`]
      return [String.fromCharCode(...[0, 1].map((i) => low.charCodeAt(i) | (high.charCodeAt(i) << 8))), kib]
    }),
  ),
)

/** Serial numbers that are part numbers. */
export const partNumbers: readonly string[] = [...riscvParts.keys()]

/**
 * The flash of a GD32VF103, a RISC-V under the ids of its Arm cousins, which tells other pages than it has. Source:
 * `quirks.c` of dfu-util; GD32VF103 data sheet, "Device information".
 */
export function riscvFlash({ vendorId, productId, serial = '' }: SeenUsb): Sector[] | undefined {
  const kib = usbId(vendorId, productId) === '28e9:0189' ? riscvParts.get(serial) : undefined
  if (kib === undefined) return undefined
  return Array.from({ length: kib }, (_, i) => ({
    ...{ address: 0x0800_0000 + i * 1024, length: 1024 },
    ...{ readable: true, erasable: true, writable: true },
  }))
}

/** In texts of practice images: what tells them from real ones. */
export const practiceMark = ' (practice)'

/** What the product name of a Black Magic Probe says beside its name; `hardware` is empty for the probe itself. */
export function parseProduct(product: string): { hardware: string; version: string } | undefined {
  const found = /^Black Magic Probe (?:DFU )?(?:\(([^)]+)\),? ?)?\(?(?:Firmware )?v?(\d+\.\d+[^\s)]*)/.exec(
    product,
  )
  return found ? { hardware: found[1] ?? '', version: found[2] ?? '' } : undefined
}

/** On the hardware of an ST-Link, below ST's own boot loader: what it comes back as is that one, a V2's or a V3's. */
export const stLinkLoaders: readonly UsbIds[] = [
  { vendorId: 0x0483, productId: 0x3748 },
  { vendorId: 0x0483, productId: 0x374d },
]
export const isOnStLink = ({ product }: Pick<SeenUsb, 'product'>): boolean =>
  /st-?link/i.test(parseProduct(product ?? '')?.hardware ?? '')

export const findDevice = (vendorId: number, productId: number): KnownDevice | undefined =>
  known[usbId(vendorId, productId)]

export const knownIds: readonly UsbIds[] = Object.keys(known).map((id) => {
  const [vendorId = 0, productId = 0] = id.split(':').map((part) => parseInt(part, 16))
  return { vendorId, productId }
})
