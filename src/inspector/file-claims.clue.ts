/** What the file says of itself beside its bytes: UF2's family, ELF's machine, the USB device of a DFU suffix. */
import { usbId } from '#core/bytes.ts'
import { evidence, type Architecture, type Clue, type Statement } from './clue.ts'

const fileClaims: Clue = ({ claims, format, segments }) => {
  const { chip, machine, usb, device } = claims
  const said = (by = format) => evidence('claim', { format: by }, segments[0]?.address)
  const statement = (
    code: Statement['code'],
    values: Statement['values'],
    architecture?: Architecture,
    by?: string,
  ): Statement => ({
    code,
    confidence: 'certain',
    values,
    evidence: [said(by)],
    ...(architecture && { architecture }),
  })
  const isForUsb = usb?.vendorId !== undefined || usb?.productId !== undefined
  return [
    ...(chip !== undefined && format !== 'ESP image'
      ? [statement('says-chip', { chip: device ? `${chip}, ${device}` : chip, format }, architectureOf(chip))]
      : []),
    ...(machine === undefined ? [] : [statement('says-machine', { machine, format }, machines[machine])]),
    ...(isForUsb
      ? [
          statement(
            'says-usb-device',
            { id: usbIdOf(usb.vendorId, usb.productId), format: dfu },
            undefined,
            dfu,
          ),
        ]
      : []),
  ]
}
export default fileClaims

/** Nothing else names a USB device, whatever is in it. */
const dfu = 'DFU'

/** An id that is absent is any. */
const usbIdOf = (vendorId: number | undefined, productId: number | undefined): string =>
  usbId(vendorId ?? 0, productId ?? 0)
    .split(':')
    .map((id, i) => ([vendorId, productId][i] === undefined ? '*' : id))
    .join(':')

/** Of the processors in ELF's header those that say enough: an Arm may be any. */
const machines: Readonly<Record<string, Architecture>> = { AVR: 'avr', Xtensa: 'esp', 8051: 'mcs51' }

/** By the names of UF2's families. */
function architectureOf(chip: string): Architecture | undefined {
  if (/^ATMEGA/i.test(chip)) return 'avr'
  if (/^ESP/i.test(chip)) return 'esp'
  if (/RISCV/i.test(chip)) return undefined
  if (/^(RP2|SAM|NRF|STM32|LPC|KL|MIMXRT|RA4M1|MAX|GD32F|AT32)/i.test(chip)) return 'cortex-m'
  return undefined
}
