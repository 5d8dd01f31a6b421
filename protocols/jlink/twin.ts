/** The shelf of J-Links: two generations, each with a chip at its debug wires. Sources: as `twin-probe.ts`. */
import type { MemoryId } from '#core/programmer.ts'
import type { Dials, TwinSetup, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { Interface } from './packets.ts'
import { jlinkDescriptors } from './twin-descriptors.ts'
import { JlinkTwin, practiceConfig, type ProbeOptions } from './twin-probe.ts'

const flashStart = 0x0800_0000
const programBytes = 20_000

type Model = Omit<ProbeOptions, 'target' | 'targetMv' | 'config'>

const v9: Model = {
  descriptors: jlinkDescriptors({
    ...{ productId: 0x0101, deviceVersion: 0x0100 },
    product: 'J-Link (practice)',
    serial: '000059400123',
  }),
  firmware: 'J-Link V9 compiled May 17 2019 09:50:41',
  capabilities: [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 17, 19, 23, 26, 27, 31],
  hardware: 90_000,
  interfaces: [Interface.Jtag, Interface.Swd],
  memoryBytes: 8192,
  ...{ baseHz: 48_000_000, leastDivider: 4 },
}

/** Older than the status behind an answer, than registering and the long list of capabilities. */
const v4: Model = {
  descriptors: jlinkDescriptors({
    ...{ productId: 0x0101, deviceVersion: 0x0100 },
    product: 'J-Link ARM (practice)',
    serial: '000024000321',
  }),
  firmware: 'J-Link ARM V4 compiled Mar  3 2008 14:09:12',
  capabilities: [0, 1, 3, 4, 5, 9, 11, 12, 13, 17],
  hardware: 40_000,
  interfaces: [Interface.Jtag, Interface.Swd],
  memoryBytes: 2048,
  ...{ baseHz: 16_000_000, leastDivider: 4 },
  saysLengthFirst: true,
}

const withStm32f103 = (name: string, model: Model, kib: 64 | 128): TwinVariant => ({
  name: `${name} with an STM32F103 (${String(kib)} KiB)`,
  dials: ['noTarget', 'locked', 'stuckBit', 'flickerBit', 'halfWritten', 'linesOff'],
  make(dials: Dials = {}): TwinSetup {
    const target = new TwinStm32f1({ dials, kib, flash: practiceProgram(flashStart, programBytes) })
    const config = practiceConfig()
    const probe = new JlinkTwin({ ...model, target, config, targetMv: dials.noTarget ? 0 : 3300 })
    const own = (id: MemoryId) => (id === 'config' ? probe.config : new Uint8Array())
    return {
      ...{ twin: probe, patient: target, itself: { memory: own } },
      memory: (id) => (id === 'config' ? own(id) : target.memory(id)),
    }
  },
})

export default {
  'v9-stm32f103': withStm32f103('J-Link V9', v9, 64),
  'v4-stm32f103': withStm32f103('J-Link ARM V4', v4, 64),
} satisfies TwinShelf
