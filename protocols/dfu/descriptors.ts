/**
 * What a DFU device says of itself in its configuration descriptor: its DFU interface with all alternate settings, and
 * what it can do. Sources: DFU 1.1, sections 4.1 and 4.2; USB 2.0, 9.6.5.
 */
import { ByteReader } from '#core/bytes.ts'
import { descriptorsIn } from '#transport/usb-descriptors.ts'

export interface Functional {
  readonly canDownload: boolean
  readonly canUpload: boolean
  /** It still answers after it has taken the new firmware over. */
  readonly isManifestationTolerant: boolean
  /** After DETACH it leaves the bus by itself; others want a port reset. */
  readonly willDetach: boolean
  readonly detachTimeoutMs: number
  /** Bytes in one block; as it says, which may be 0 or more than can be sent. */
  readonly transferBytes: number
  /** BCD, `0x0110`; `0x011a` is DfuSe. DFU 1.0 does not say, and then it is `0x0100`. */
  readonly version: number
}

export interface Alternate {
  readonly setting: number
  /** Index of its name. */
  readonly name: number
  /** 1: run-time, 2: DFU mode. */
  readonly protocol: number
}

export interface DfuInterface {
  readonly number: number
  readonly alternates: readonly Alternate[]
  /** Undefined: it has none, as the factory loaders of Atmel. */
  readonly functional: Functional | undefined
}

const Type = { Interface: 0x04, Functional: 0x21 } as const
/** Of a DFU interface, in either mode. */
export const dfuClass = { classCode: 0xfe, subclassCode: 1 } as const
/** With `bLength` 7 it ends before the version (DFU 1.0). */
const leastFunctionalBytes = 7

/** The first DFU interface, or the first of `anyClass`; undefined: there is none. */
export function findDfuInterface(configuration: Uint8Array, anyClass = false): DfuInterface | undefined {
  let number: number | undefined
  const alternates: Alternate[] = []
  let functional: Functional | undefined
  for (const { type, body } of descriptorsIn(configuration)) {
    if (type === Type.Interface && body.length >= 7) {
      const read = new ByteReader(body)
      const [own, setting] = [read.u8(), read.u8()]
      read.u8() // bNumEndpoints
      const isDfu = read.u8() === dfuClass.classCode && read.u8() === dfuClass.subclassCode
      if (!(isDfu || anyClass) || (number !== undefined && own !== number)) continue
      number = own
      alternates.push({ setting, protocol: read.u8(), name: read.u8() })
    } else if (type === Type.Functional && number !== undefined && body.length >= leastFunctionalBytes - 2)
      functional ??= parseFunctional(body)
  }
  return number === undefined ? undefined : { number, alternates, functional }
}

function parseFunctional(body: Uint8Array): Functional {
  const read = new ByteReader(body)
  const attributes = read.u8()
  return {
    canDownload: (attributes & 1) !== 0,
    canUpload: (attributes & 2) !== 0,
    isManifestationTolerant: (attributes & 4) !== 0,
    willDetach: (attributes & 8) !== 0,
    detachTimeoutMs: read.u16le(),
    transferBytes: read.u16le(),
    version: read.rest >= 2 ? read.u16le() : 0x0100,
  }
}
