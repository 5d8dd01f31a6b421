/**
 * The shelf of CMSIS-DAP probes, each with a chip at its debug wires. Sources: as `twin-probe.ts` and `twin-descriptors.ts`.
 */
import type { Dials, TwinSetup, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { Info } from './packets.ts'
import { probeDescriptors } from './twin-descriptors.ts'
import { CmsisDapTwin } from './twin-probe.ts'

const flashStart = 0x0800_0000
const programBytes = 20_000

const debugProbe = (kib: 64 | 128): TwinVariant => ({
  name: `Debug Probe with an STM32F103 (${String(kib)} KiB)`,
  dials: ['noTarget', 'locked', 'stuckBit', 'flickerBit', 'halfWritten'],
  make(dials: Dials = {}): TwinSetup {
    const target = new TwinStm32f1({ dials, kib, flash: practiceProgram(flashStart, programBytes) })
    const probe = new CmsisDapTwin({
      descriptors: probeDescriptors({
        ...{ vendorId: 0x2e8a, productId: 0x000c, deviceVersion: 0x0220 },
        manufacturer: 'Raspberry Pi',
        product: 'Debug Probe (CMSIS-DAP) (practice)',
        serial: 'E6614103E7452D2F',
      }),
      target,
      texts: { [Info.Protocol]: '2.1.1', [Info.Firmware]: '2.2.0' },
      ...{ packetBytes: 64, packets: 8 },
    })
    return { twin: probe, patient: target, memory: (id) => target.memory(id) }
  },
})

export default {
  stm32f103: debugProbe(64),
} satisfies TwinShelf
