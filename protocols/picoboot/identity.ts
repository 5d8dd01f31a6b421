/**
 * RP2040 and RP2350: in BOOTSEL mode by the ids of their ROMs; in use by an interface that starts BOOTSEL mode, or by the
 * ids of programs that have none, which are put there by hand.
 */
import { threePartVersion, usbId } from '#core/bytes.ts'
import type { Fact, Identity, Mode, Recognition, SeenUsb } from '#core/programmer.ts'
import { chipOf, programs, raspberryPi } from '#chips/rp2-chips.ts'
import { resetInterface } from './packets.ts'

export const resetInterfaceOf = ({ interfaces }: SeenUsb): number | undefined =>
  interfaces.find(
    ({ classCode, subclass, protocol }) =>
      classCode === resetInterface.classCode &&
      subclass === resetInterface.subclass &&
      protocol === resetInterface.protocol,
  )?.number

function facts(seen: SeenUsb, model: string, mode: Mode): Fact[] {
  const isShared = chipOf(seen.vendorId, seen.productId)?.hasSerial === false
  const known: readonly [Fact['name'], string | undefined, string][] = [
    ['model', model, 'idVendor, idProduct, iProduct'],
    ['mode', mode, 'idProduct'],
    ['usb-id', usbId(seen.vendorId, seen.productId), 'idVendor, idProduct'],
    [
      'firmware-version',
      mode === 'application' ? threePartVersion(seen.deviceVersion) : undefined,
      'bcdDevice',
    ],
    ['manufacturer', seen.manufacturer, 'iManufacturer'],
    ['product', seen.product, 'iProduct'],
    ['serial', isShared ? undefined : seen.serial, 'iSerialNumber'],
  ]
  return known.flatMap(([name, value, source]) => (value ? [{ name, value, source }] : []))
}

export default {
  id: 'picoboot',
  name: 'RP2040, RP2350',
  link: 'usb',
  filters: [{ vendorId: raspberryPi }],
  toTarget: [],
  recognise(seen): Recognition | undefined {
    if (seen.link !== 'usb') return undefined
    const chip = chipOf(seen.vendorId, seen.productId)
    if (chip) {
      const model = `${chip.name} (BOOTSEL)`
      return {
        ...{ model, mode: 'bootloader', confidence: 'certain', usable: true, notices: [] },
        facts: facts(seen, model, 'bootloader'),
      }
    }
    const program = seen.vendorId === raspberryPi ? programs[seen.productId] : undefined
    const isResettable = resetInterfaceOf(seen) !== undefined
    if (!isResettable && program === undefined) return undefined
    const model = seen.product ?? program ?? 'RP2040, RP2350'
    return {
      ...{ model, mode: 'application', usable: isResettable, facts: facts(seen, model, 'application') },
      confidence: program === undefined ? 'likely' : 'certain',
      notices: isResettable ? [] : [{ code: 'hold-bootsel', level: 'info' }],
    }
  },
  proven: {
    identify: ['chrome', 'real-firmware', 'twin'],
    backup: ['chrome', 'real-firmware', 'twin'],
    flash: ['chrome', 'real-firmware', 'twin'],
    verify: ['chrome', 'real-firmware', 'twin'],
  },
} satisfies Identity
