/**
 * What USBasp firmwares show on USB, byte for byte as their published images answered in an emulator.
 * V-USB gives zero bytes for every descriptor it does not have.
 */
import { ByteWriter, concat, fromHex } from '#core/bytes.ts'
import type { UsbDescriptors } from '#bench/twin.ts'
import { originalMaker, originalProduct } from './builds.ts'

/** One interface without endpoints; 1.06 to 1.08 also set the attribute "remote wake-up". */
const simple = (attributes: number): Uint8Array =>
  Uint8Array.of(9, 2, 18, 0, 1, 1, 0, attributes, 25, 9, 4, 0, 0, 0, 0, 0, 0, 0)

/** The programmer, and a serial port in HID's clothes. */
const composite = fromHex(`
  09 02 32 00 02 01 00 80 fa
  09 04 00 00 00 ff 00 00 02
  09 04 01 00 02 03 00 00 02  09 21 01 01 00 01 22 22 00  07 05 81 03 08 00 0a  07 05 01 03 08 00 0a`)

/** Descriptors of the version that bcdDevice names, e.g. `1.04`. */
export function describeVersion(version: string): UsbDescriptors {
  const bcd = [parseInt(version.slice(2), 16), parseInt(version, 16)]
  const ids = [0xc0, 0x16, 0xdc, 0x05]
  const isComposite = version >= '1.09'
  const head = isComposite ? [0x01, 0x02, 0x00] : [0x10, 0x01, 0xff]
  return {
    device: Uint8Array.of(18, 1, ...head, 0, 0, 8, ...ids, ...bcd, 1, 2, isComposite ? 3 : 0, 1),
    configuration: isComposite ? composite : simple(version < '1.06' ? 0x80 : 0xa0),
    strings: { 1: originalMaker, 2: originalProduct, ...(isComposite ? { 3: '0001' } : {}) },
    missing: 'empty',
  }
}

/** The vendor request by which Windows asks 1.10 for its MS OS 2.0 descriptor set (wIndex 7). */
export const msVendorCode = 0x5d
export const msSetIndex = 7

/** GET_DESCRIPTOR(BOS) of 1.10: a container id, and where the MS OS 2.0 descriptor set is. */
export const bos = fromHex(`
  05 0f 35 00 02
  14 10 04 00 b9 d3 57 ad 66 11 f8 43 87 90 eb e1 4d dc 75 94
  1c 10 05 00 df 60 dd d8 89 45 c7 4c 9c d2 65 9d 9e 64 8a 9f 00 00 03 06 36 01 5d 00`)

const utf16 = (text: string): Uint8Array =>
  Uint8Array.from(Array.from(`${text}\0`, (char) => [char.charCodeAt(0), 0]).flat())

/** MS OS 2.0, table 12: a registry property that is a string. */
function guidProperty(guid: string): Uint8Array {
  const [name, value] = [utf16('DeviceInterfaceGUID'), utf16(guid)]
  const string = 1 // REG_SZ
  return new ByteWriter()
    .u16le(10 + name.length + value.length)
    .u16le(4)
    .u16le(string)
    .u16le(name.length)
    .bytes(name)
    .u16le(value.length)
    .bytes(value)
    .done()
}

/** MS OS 2.0, table 11: what follows is about one interface. */
function functionSubset(first: number, ...features: Uint8Array[]): Uint8Array {
  const content = concat(...features)
  return concat(Uint8Array.of(8, 0, 2, 0, first, 0, content.length + 8, 0), content)
}

const winUsb = Uint8Array.of(20, 0, 3, 0, ...new TextEncoder().encode('WINUSB'), ...new Uint8Array(10))

/** The descriptor set of 1.10: the programmer to WinUSB, an interface GUID for each of the two. */
export const msSet = concat(
  fromHex('0a 00 00 00 00 00 03 06 36 01  08 00 01 00 00 00 2c 01'),
  functionSubset(0, winUsb, guidProperty('{AD57D3B9-1166-43F8-8790-0BE14DDC7504}')),
  functionSubset(1, guidProperty('{AD57D3B9-1166-43F8-8790-1BE14DDC7504}')),
)
