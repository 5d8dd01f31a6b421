/**
 * The shelf of ST-Links, each with an STM32F103 at its debug wires. A V2 is met in its boot loader, which gives way to its
 * firmware. Sources: as `twin-application.ts` and `twin-descriptors.ts`.
 */
import type { Dials, TwinSetup, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { Command, dfuExit, Mode, type Version } from './packets.ts'
import { Application } from './twin-application.ts'
import { stLinkDescriptors, type Described } from './twin-descriptors.ts'
import { ownVariants } from './twin-own.ts'
import { StLinkTwin, type TwinProgram } from './twin-device.ts'

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

interface Variant {
  readonly name: string
  readonly version: string
  readonly kib: 64 | 128
  readonly described: Described
  /** It is met in its boot loader, and this is what that speaks. */
  readonly loader?: number
}

const variant = ({ name, version, kib, described, loader }: Variant): TwinVariant => ({
  name: `${name} with an STM32F103 (${String(kib)} KiB)`,
  dials: ['noTarget', 'locked', 'stuckBit', 'flickerBit', 'halfWritten', 'version'],
  make(dials: Dials = {}): TwinSetup {
    const target = new TwinStm32f1({ dials, kib, flash: practiceProgram(flashStart, programBytes) })
    const own = versionOf(dials.version ?? version, described.productId)
    const twin = new StLinkTwin({
      descriptors: stLinkDescriptors(described),
      speed: described.packetBytes === 512 ? 'high' : 'full',
      starts: (device) => {
        const application = new Application({ version: own, target, volts })
        return loader === undefined ? application : waitingLoader(device, own, loader, application)
      },
      onPower: (clock) => {
        if (clock) target.power(clock)
        else target.losePower()
      },
    })
    return { twin, patient: target, memory: (id) => target.memory(id) }
  },
})

/** A V2's boot loader as far as it is asked by who wants its firmware: it waits until it is told to give way. */
function waitingLoader(
  device: StLinkTwin,
  version: Version,
  protocol: number,
  application: TwinProgram,
): TwinProgram {
  return {
    follows: () => 0,
    answer([command, op], bytes, clock) {
      if (command === Command.GetCurrentMode) return Promise.resolve(Uint8Array.of(Mode.Dfu, protocol))
      if (command === Command.GetVersion) return application.answer(Uint8Array.of(command), bytes, clock)
      if (command === Command.Dfu && op === dfuExit) device.runs = application
      return Promise.resolve(undefined)
    },
  }
}

export default {
  ...ownVariants(versionOf),
  v2: variant({
    ...{ name: 'ST-Link V2', version: 'V2J37S7', kib: 64, loader: 1 },
    described: {
      ...{ productId: 0x3748, product: 'STM32 STLink (practice)', serial: '53FF6C064980515535450387' },
      ...{ deviceVersion: 0x0100, endpoints: { out: 2, trace: 3 }, packetBytes: 64 },
    },
  }),
  'v2-1': variant({
    ...{ name: 'ST-Link V2-1', version: 'V2J45M31', kib: 128 },
    described: {
      ...{ productId: 0x374b, product: 'STM32 STLink (practice)', serial: '066DFF495056805087194551' },
      ...{ deviceVersion: 0x0100, endpoints: { out: 1, trace: 2 }, packetBytes: 64, hasSerialPort: true },
    },
  }),
  v3: variant({
    ...{ name: 'ST-Link V3', version: 'V3J15M7B5S1', kib: 128 },
    described: {
      ...{ productId: 0x374f, product: 'STLINK-V3 (practice)', serial: '004500253137511233333639' },
      ...{ deviceVersion: 0x0100, endpoints: { out: 1, trace: 2 }, packetBytes: 512, hasSerialPort: true },
    },
  }),
} satisfies TwinShelf
