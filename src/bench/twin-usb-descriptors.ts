/**
 * A twin's raw descriptors as the browser shows them, and its answers to the standard requests that every
 * device answers from them (USB 2.0, 9.4 and 9.6). The lab's USB/IP server answers with the same code.
 */
import { ByteReader, ByteWriter } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, UsbDescriptors, UsbTwin } from './twin.ts'

export interface DeviceDescriptor {
  readonly usbVersion: number
  readonly deviceClass: number
  readonly deviceSubclass: number
  readonly deviceProtocol: number
  /** bMaxPacketSize0. */
  readonly packetSize: number
  readonly vendorId: number
  readonly productId: number
  readonly deviceVersion: number
  readonly manufacturer: string | undefined
  readonly product: string | undefined
  readonly serial: string | undefined
}

export interface ConfigurationDescriptor {
  readonly value: number
  readonly name: string | undefined
  readonly interfaces: readonly { readonly number: number; readonly alternates: readonly Alternate[] }[]
}

export interface Alternate {
  readonly alternateSetting: number
  readonly interfaceClass: number
  readonly interfaceSubclass: number
  readonly interfaceProtocol: number
  readonly interfaceName: string | null
  readonly endpoints: USBEndpoint[]
}

const Descriptor = { Device: 1, Configuration: 2, String: 3, Interface: 4, Endpoint: 5 } as const
const Request = { GetStatus: 0, GetDescriptor: 6, GetConfiguration: 8 } as const
const endpointTypes: readonly (USBEndpointType | undefined)[] = [
  undefined,
  'isochronous',
  'bulk',
  'interrupt',
]
const americanEnglish = 0x0409

export function parseDevice({ device, strings }: UsbDescriptors): DeviceDescriptor {
  const read = new ByteReader(device, 'a device descriptor')
  read.bytes(2) // bLength, bDescriptorType
  const usbVersion = read.u16le()
  const [deviceClass, deviceSubclass, deviceProtocol, packetSize] = [
    read.u8(),
    read.u8(),
    read.u8(),
    read.u8(),
  ]
  const [vendorId, productId, deviceVersion] = [read.u16le(), read.u16le(), read.u16le()]
  const [manufacturer, product, serial] = [strings[read.u8()], strings[read.u8()], strings[read.u8()]]
  return {
    ...{ usbVersion, deviceClass, deviceSubclass, deviceProtocol, packetSize },
    ...{ vendorId, productId, deviceVersion, manufacturer, product, serial },
  }
}

/** Class descriptors in between are skipped, as the browser does. */
export function parseConfiguration({ configuration, strings }: UsbDescriptors): ConfigurationDescriptor {
  const whole = new ByteReader(configuration, 'a configuration descriptor')
  const interfaces: { number: number; alternates: Alternate[] }[] = []
  let endpoints: USBEndpoint[] = []
  let value = 0
  let name: string | undefined
  while (whole.rest > 0) {
    const [length, type] = [whole.u8(), whole.u8()]
    const read = new ByteReader(whole.bytes(length - 2), `descriptor ${String(type)}`)
    if (type === Descriptor.Configuration) {
      read.bytes(3) // wTotalLength, bNumInterfaces
      value = read.u8()
      name = strings[read.u8()]
    } else if (type === Descriptor.Interface) {
      const [number, alternateSetting] = [read.u8(), read.u8()]
      read.u8() // bNumEndpoints: they follow
      endpoints = []
      const alternate: Alternate = {
        alternateSetting,
        interfaceClass: read.u8(),
        interfaceSubclass: read.u8(),
        interfaceProtocol: read.u8(),
        interfaceName: strings[read.u8()] ?? null,
        endpoints,
      }
      const known = interfaces.find((one) => one.number === number)
      if (known) known.alternates.push(alternate)
      else interfaces.push({ number, alternates: [alternate] })
    } else if (type === Descriptor.Endpoint) {
      const [address, attributes] = [read.u8(), read.u8()]
      const type = endpointTypes[attributes & 3]
      const direction = address & 0x80 ? 'in' : 'out'
      if (type) endpoints.push({ endpointNumber: address & 0xf, direction, type, packetSize: read.u16le() })
    }
  }
  return { value, name, interfaces }
}

/** The configuration as the page sees it: `claimed` and `alternate` follow `claims` (interface → setting). */
export function asConfiguration(
  { value, name, interfaces }: ConfigurationDescriptor,
  claims: ReadonlyMap<number, number>,
): USBConfiguration {
  return {
    configurationValue: value,
    configurationName: name ?? null,
    interfaces: interfaces.map(({ number, alternates }) => ({
      interfaceNumber: number,
      alternates: [...alternates],
      get claimed() {
        return claims.has(number)
      },
      get alternate() {
        const setting = claims.get(number) ?? 0
        return alternates.find((one) => one.alternateSetting === setting) as USBAlternateInterface
      },
    })),
  }
}

/** The device's answer on its control pipe, standard requests included. */
export async function answerControl(
  twin: UsbTwin,
  setup: SetupPacket,
  bytes: Uint8Array,
): Promise<TwinAnswer> {
  const standard = (setup.requestType & 0x60) === 0
  return (standard && answerStandard(twin.descriptors, setup)) || twin.control(setup, bytes)
}

/** `undefined`: nothing that can be answered from the descriptors alone. */
function answerStandard(descriptors: UsbDescriptors, setup: SetupPacket): TwinAnswer | undefined {
  const cut = (bytes: Uint8Array) => bytes.slice(0, setup.length)
  switch (setup.request) {
    case Request.GetStatus:
      return cut(Uint8Array.of(0, 0))
    case Request.GetConfiguration:
      return cut(Uint8Array.of(parseConfiguration(descriptors).value))
    case Request.GetDescriptor: {
      const [type, index] = [setup.value >> 8, setup.value & 0xff]
      if (type === Descriptor.Device) return cut(descriptors.device)
      if (type === Descriptor.Configuration) return cut(descriptors.configuration)
      if (type !== Descriptor.String) return undefined
      if (index === 0) return cut(stringDescriptor([americanEnglish]))
      const text = descriptors.strings[index]
      if (text !== undefined) return cut(stringDescriptor(Array.from(text, (char) => char.charCodeAt(0))))
      return descriptors.missing === 'stall' ? 'stall' : new Uint8Array()
    }
    default:
      return undefined
  }
}

function stringDescriptor(units: readonly number[]): Uint8Array {
  const writer = new ByteWriter().u8(2 + 2 * units.length).u8(Descriptor.String)
  for (const unit of units) writer.u16le(unit)
  return writer.done()
}
