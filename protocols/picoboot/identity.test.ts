import { describe, expect, test } from 'vitest'
import type { SeenUsb } from '#core/programmer.ts'
import identity from './identity.ts'

type Interface = SeenUsb['interfaces'][number]
const at = (number: number, classCode: number, subclass: number, protocol: number): Interface => ({
  ...{ number, classCode, subclass, protocol },
})
const seen = (productId: number, product: string, ...interfaces: Interface[]): SeenUsb => ({
  ...{ link: 'usb', vendorId: 0x2e8a, productId, deviceVersion: [2, 3, 1], deviceClass: 0 },
  ...{ manufacturer: 'Raspberry Pi', product, serial: 'E0C91200A4A1', interfaces },
})
const drive = at(0, 0x08, 0x06, 0x50)
const picoboot = at(1, 0xff, 0, 0)
const serialPort = [at(0, 0x02, 2, 0), at(1, 0x0a, 0, 0)]
const reset = at(2, 0xff, 0, 1)
const recognise = (device: SeenUsb) => identity.recognise(device)
const named = (device: SeenUsb, name: string) =>
  recognise(device)?.facts.find((fact) => fact.name === name)?.value

describe('BOOTSEL mode', () => {
  test('is known by the ids of the ROMs', () => {
    const found = { mode: 'bootloader', usable: true, confidence: 'certain', notices: [] }
    expect(recognise(seen(0x0003, 'RP2 Boot', drive, picoboot))).toMatchObject({
      model: 'RP2040 (BOOTSEL)',
      ...found,
    })
    expect(recognise(seen(0x000f, 'RP2350 Boot', drive, picoboot))).toMatchObject({
      ...{ model: 'RP2350 (BOOTSEL)', ...found },
    })
  })

  test('of an RP2040 has the serial number of all, of an RP2350 its own', () => {
    expect(named(seen(0x0003, 'RP2 Boot', drive, picoboot), 'serial')).toBeUndefined()
    expect(named(seen(0x000f, 'RP2350 Boot', drive, picoboot), 'serial')).toBe('E0C91200A4A1')
  })
})

describe('a program', () => {
  test('that starts BOOTSEL mode is usable, whoever made it', () => {
    const own = { ...seen(0x1234, 'A synthesizer', ...serialPort, reset), vendorId: 0x1209 }
    expect(recognise(own)).toMatchObject({ model: 'A synthesizer', usable: true, confidence: 'likely' })
    expect(recognise(seen(0x000a, 'Pico', ...serialPort, reset))).toMatchObject({
      ...{ mode: 'application', usable: true, confidence: 'certain', notices: [] },
    })
  })

  test('that cannot is known, with what to do', () => {
    const probe = seen(0x000c, 'Debugprobe on Pico (CMSIS-DAP)', at(0, 0xff, 0, 0), ...serialPort)
    expect(recognise(probe)).toMatchObject({ usable: false, notices: [{ code: 'hold-bootsel' }] })
    expect(named(probe, 'firmware-version')).toBe('2.3.1')
  })

  test('of somebody else is not known', () => {
    expect(recognise(seen(0x1055, 'A keyboard', at(0, 3, 1, 1)))).toBeUndefined()
    const stranger = { ...seen(0x000c, 'Vendor', at(0, 0xff, 0, 0)), vendorId: 0x1234 }
    expect(recognise(stranger)).toBeUndefined()
  })
})
