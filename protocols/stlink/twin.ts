/**
 * The shelf of ST-Links, each with an STM32F103 at its debug wires. A V2 is met in its boot loader, which gives way to its
 * firmware. Sources: as `twin-application.ts` and `twin-descriptors.ts`.
 */
import type { Dials, TwinSetup, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import type { Version } from './packets.ts'
import { stLinkDescriptors, type Described } from './twin-descriptors.ts'
import { StLinkTwin, type TwinProgram } from './twin-device.ts'
import { StLinkItself } from './twin-itself.ts'
import { loaderOf, ownChip, ownSetup, ownVariants, type Own } from './twin-own.ts'

const st = 0x0483
const flashStart = 0x0800_0000
const programBytes = 20_000
const volts = 3.25

/** `V2J37S7`, `V2J45M31`, `V3J15M7B5S1`. */
function versionOf(name: string, productId: number): Version {
  const number = (letter: string) => Number(new RegExp(`${letter}(\\d+)`).exec(name)?.[1] ?? 0)
  return {
    ...{
      generation: number('V'),
      jtag: number('J'),
      mass: number('M'),
      bridge: number('B'),
      swim: number('S'),
    },
    ...{ vendorId: st, productId },
  }
}

interface Variant extends Pick<Own, 'protocol' | 'type' | 'hardware'> {
  readonly name: string
  readonly version: string
  /** Of the target. */
  readonly kib: 64 | 128
  readonly described: Described
}

const variant = ({ name, version, kib, described, ...about }: Variant): TwinVariant => ({
  name: `${name} with an STM32F103 (${String(kib)} KiB)`,
  dials: ['noTarget', 'locked', 'stuckBit', 'flickerBit', 'halfWritten', 'linesOff', 'version'],
  make(dials: Dials = {}): TwinSetup {
    const target = new TwinStm32f1({ dials, kib, flash: practiceProgram(flashStart, programBytes) })
    const own = { version: dials.version ?? version, productId: described.productId }
    const chip = ownChip({ ...about, ...own, kib: about.protocol >= 3 ? 512 : 128 })
    const itself = new StLinkItself({
      ...{ chip, versionOf, version: own.version, target, volts },
      application: described,
      loader: loaderOf(about.protocol, described),
      onPower: (clock) => {
        if (clock) target.power(clock)
        else target.losePower()
      },
    })
    return {
      twin: itself.whole,
      patient: target,
      memory: (id) => target.memory(id),
      itself: ownSetup(chip, itself),
    }
  },
})

/** It speaks as a drive does, and nobody in a browser may speak to one. */
const v1: TwinVariant = {
  name: 'ST-Link V1',
  dials: [],
  make(): TwinSetup {
    const silent: TwinProgram = { follows: () => 0, answer: () => Promise.resolve(undefined) }
    const twin = new StLinkTwin({
      descriptors: stLinkDescriptors({
        ...{ productId: 0x3744, product: 'STM32 STLink (practice)', serial: '' },
        ...{ deviceVersion: 0x0100, packetBytes: 64 },
      }),
      speed: 'full',
      starts: () => silent,
      onPower: () => undefined,
    })
    return { twin, memory: () => new Uint8Array() }
  },
}

export default {
  ...ownVariants(versionOf),
  v2: variant({
    ...{ name: 'ST-Link V2', version: 'V2J37S7', kib: 64 },
    ...{ protocol: 1, type: 'M', hardware: 0 },
    described: {
      ...{ productId: 0x3748, product: 'STM32 STLink (practice)', serial: '53FF6C064980515535450387' },
      ...{ deviceVersion: 0x0100, endpoints: { out: 2, trace: 3 }, packetBytes: 64 },
    },
  }),
  'v2-1': variant({
    ...{ name: 'ST-Link V2-1', version: 'V2J45M31', kib: 128 },
    ...{ protocol: 2, type: 'B', hardware: 0x2100_0000 },
    described: {
      ...{ productId: 0x374b, product: 'STM32 STLink (practice)', serial: '066DFF495056805087194551' },
      ...{ deviceVersion: 0x0100, endpoints: { out: 1, trace: 2 }, packetBytes: 64, hasSerialPort: true },
    },
  }),
  v3: variant({
    ...{ name: 'ST-Link V3', version: 'V3J15M7B5S1', kib: 128 },
    ...{ protocol: 3, type: 'F', hardware: 0x3000_0000 },
    described: {
      ...{ productId: 0x374f, product: 'STLINK-V3 (practice)', serial: '004500253137511233333639' },
      ...{ deviceVersion: 0x0100, endpoints: { out: 1, trace: 2 }, packetBytes: 512, hasSerialPort: true },
    },
  }),
  v1,
} satisfies TwinShelf
