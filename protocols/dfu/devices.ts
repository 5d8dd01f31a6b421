/**
 * Devices that are known to be in DFU mode, as data: names and what each has of its own. Where its boot loader is in ROM,
 * nothing that is written can take it away. Sources: ST, AN2606 and AN3156; `dfuse.c` and `quirks.c` of dfu-util;
 * Black Magic Debug, `platforms/common/stm32`; devanlai/dapboot.
 */
import { usbId } from '#core/bytes.ts'

export interface KnownDevice {
  readonly model: string
  /** In front of the size, where the layout is all that tells the chip. */
  readonly chips?: string
  /** See `SessionOptions`. */
  readonly saysTooLong?: true
  /** Without DfuSe: where in the address space of a Cortex-M its firmware begins. */
  readonly startsAt?: number
}

const known: Readonly<Record<string, KnownDevice>> = {
  '0483:df11': { model: 'STM32 (ROM boot loader)', chips: 'STM32', saysTooLong: true },
  '28e9:0189': { model: 'GD32 (ROM boot loader)', chips: 'GD32' },
  '2e3c:df11': { model: 'AT32 (ROM boot loader)', chips: 'AT32' },
  '314b:0106': { model: 'APM32 (ROM boot loader)', chips: 'APM32' },
  '1209:db42': { model: 'dapboot', chips: 'STM32', startsAt: 0x0800_2000 },
  '1d50:6017': { model: 'Black Magic Probe (boot loader)', chips: 'STM32' },
}

export const findDevice = (vendorId: number, productId: number): KnownDevice | undefined =>
  known[usbId(vendorId, productId)]

export const knownIds: readonly { readonly vendorId: number; readonly productId: number }[] = Object.keys(
  known,
).map((id) => {
  const [vendorId = 0, productId = 0] = id.split(':').map((part) => parseInt(part, 16))
  return { vendorId, productId }
})
