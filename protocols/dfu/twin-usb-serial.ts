/**
 * What the firmware of an Arduino's USB chip makes of it: a serial port with nobody at its line, as its other chip is not
 * here. Source: ArduinoCore-avr, `Arduino-usbserial`.
 */
import { findUsbDescriptors } from '#core/find.ts'
import type { SerialTwin } from '#bench/twin.ts'

/** USB CDC. */
const communications = 0x02
const ignored = (): void => undefined

/** Undefined: there is no such firmware in it. */
export function serialPortIn(flash: Uint8Array): SerialTwin | undefined {
  const usb = findUsbDescriptors([{ address: 0, bytes: flash }]).find(
    ({ deviceClass }) => deviceClass === communications,
  )
  return (
    usb && { link: 'serial', usb, bridge: 'cdc-acm', plugged: ignored, receive: ignored, signals: ignored }
  )
}
