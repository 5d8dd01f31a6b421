/**
 * ST-Links whose own firmware is the patient, with nothing on their debug wires: in their boot loaders, and in use with
 * firmware that is too old to reach a target. Times are those of the data sheets of STM32F103 and STM32F723 ("Flash memory
 * characteristics").
 */
import { blank, hexBytes } from '#core/bytes.ts'
import type { Range } from '#core/programmer.ts'
import type { TwinSetup, TwinVariant } from '#bench/twin.ts'
import { TwinFlash, type FlashTimes } from '#bench/twin-flash.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { vendorProduct, vendorProgram } from './images.ts'
import type { Protocol } from './loader-packets.ts'
import type { Version } from './packets.ts'
import type { Described } from './twin-descriptors.ts'
import { StLinkItself } from './twin-itself.ts'
import type { LoaderChip } from './twin-loader.ts'

const flashStart = 0x0800_0000
const programBytes = 20_000

export interface Own {
  readonly protocol: Protocol
  readonly kib: number
  readonly type: string
  readonly hardware: number
  readonly version: string
  readonly productId: number
}

interface Alone extends Own {
  readonly name: string
  /** It is met running that. */
  readonly isRunning?: true
}

interface Hardware {
  readonly base: number
  readonly times: FlashTimes
  readonly sectors: (from: number, to: number) => Range[]
}

const row = (from: number, to: number, length: number): Range[] =>
  Array.from({ length: Math.ceil((to - from) / length) }, (_, i) => ({ address: from + i * length, length }))

const f103: Hardware = {
  base: 0x0800_4000,
  times: { eraseMs: () => 20, programMsPerKib: 27 },
  sectors: (from, to) => row(from, to, 1024),
}
const f723: Hardware = {
  base: 0x0802_0000,
  times: { eraseMs: () => 1000, programMsPerKib: 4.1 },
  sectors: (from, to) => row(from, to, 0x2_0000),
}

const uid = Uint8Array.from([0x15, 0x21, 0x09, 0x00, 0x32, 0x12, 0x43, 0x53, 0x35, 0x4b, 0x4e, 0x00])
const serial = hexBytes(uid, '').toUpperCase()

/** Its parameters, letters before their values; the rest is blank. */
function config(): Uint8Array {
  const bytes = blank(64)
  bytes.set(new TextEncoder().encode('P\x96VNODE_F103RB'))
  bytes.set(new TextEncoder().encode('F\x02DM'), 20)
  return bytes
}

/** Its chip, with the firmware of this version in it. */
export function ownChip({ protocol, kib, type, hardware, version, productId }: Own): LoaderChip {
  const { base, times, sectors } = protocol >= 3 ? f723 : f103
  const content = vendorProgram(base, programBytes, { version, productId })
  const flash = new TwinFlash(sectors(base, flashStart + kib * 1024), times, content)
  return { protocol, kib, type, uid, hardware, config: config(), flash }
}

/** As ST's firmware on the bus; of a V2 the same as its boot loader. */
const applicationOf = (protocol: Protocol, productId: number): Described => ({
  ...{ serial, productId, deviceVersion: 0x0100, product: vendorProduct },
  ...{ packetBytes: protocol >= 3 ? 512 : 64, hasSerialPort: protocol > 1 },
  endpoints: protocol === 1 ? { out: 2, trace: 3 } : { out: 1, trace: 2 },
})

/** The boot loader on the bus. */
export function loaderOf(protocol: Protocol, application: Described): Described {
  if (protocol === 1) return application
  const isV3 = protocol >= 3
  return {
    ...application,
    ...{ productId: isV3 ? 0x374d : 0x3748, endpoints: { out: isV3 ? 1 : 2 }, hasSerialPort: false },
  }
}

/** Its own chip as a patient. */
export const ownSetup = (
  { flash }: LoaderChip,
  itself: StLinkItself,
): Pick<TwinSetup, 'memory' | 'patient'> => ({
  memory: (id) => (id === 'flash' ? flash.bytes : new Uint8Array()),
  patient: {
    get onWork() {
      return flash.onWork
    },
    set onWork(listener) {
      flash.onWork = listener
    },
    brownOut: () => itself.brownOut(),
  },
})

type VersionOf = (name: string, productId: number) => Version

/** Its boot loader takes only what its maker signed, so nobody here has a way to what it holds. */
const signed = (versionOf: VersionOf): TwinVariant => {
  const whole = own(versionOf)({
    name: 'ST-Link V3 in a boot loader that takes only signed firmware',
    ...{ protocol: 4, kib: 512, type: 'F', hardware: 0x3000_0000, version: 'V3J16M9', productId: 0x374f },
  })
  const make = () => ({ twin: whole.make().twin, memory: () => new Uint8Array() })
  return { ...whole, make }
}

const own =
  (versionOf: VersionOf) =>
  ({ name, isRunning, ...about }: Alone): TwinVariant => ({
    name,
    dials: [],
    make(): TwinSetup {
      const chip = ownChip(about)
      const target = new TwinStm32f1({ dials: { noTarget: true }, kib: 64, flash: blank(0) })
      const application = applicationOf(about.protocol, about.productId)
      const itself = new StLinkItself({
        ...{ chip, versionOf, version: about.version, target, volts: 0, onPower: () => undefined },
        ...{ application, loader: loaderOf(about.protocol, application) },
      })
      return {
        ...ownSetup(chip, itself),
        twin: isRunning ? itself.whole : itself.loader,
        byItself: () => itself.powersUpAs(),
      }
    },
  })

export function ownVariants(versionOf: VersionOf): Readonly<Record<string, TwinVariant>> {
  const variant = own(versionOf)
  return {
    'v2-own': variant({
      name: 'ST-Link V2 with 64 KiB of flash in its boot loader',
      ...{ protocol: 1, kib: 64, type: 'M', hardware: 0, version: 'V2J24S4', productId: 0x3748 },
    }),
    'v2-1-own': variant({
      name: 'ST-Link V2-1 in its boot loader',
      ...{ protocol: 2, kib: 128, type: 'B', hardware: 0x2100_0000, version: 'V2J25M14', productId: 0x374b },
    }),
    'v2-1-old': variant({
      name: 'ST-Link V2-1 in use, with old firmware',
      ...{ protocol: 2, kib: 128, type: 'B', hardware: 0x2100_0000, version: 'V2J25M14', productId: 0x374b },
      isRunning: true,
    }),
    'v3-signed': signed(versionOf),
    'v3-own': variant({
      name: 'ST-Link V3 in its boot loader',
      ...{ protocol: 3, kib: 512, type: 'F', hardware: 0x3000_0000, version: 'V3J2M1', productId: 0x374f },
    }),
  }
}
