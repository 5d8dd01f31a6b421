/**
 * The shelf of CMSIS-DAP probes, each with a chip at its debug wires. Sources: as `twin-probe.ts` and `twin-descriptors.ts`.
 */
import type { Dials, TwinPatient, TwinSetup, TwinShelf, TwinVariant, UsbTwin } from '#bench/twin.ts'
import { TwinKinetis } from '#bench/twin-kinetis.ts'
import { TwinLpc11u35 } from '#bench/twin-lpc11u35.ts'
import { TwinNrf52 } from '#bench/twin-nrf52.ts'
import { TwinRp2040 } from '#bench/twin-rp2040.ts'
import { TwinSam3u } from '#bench/twin-sam3u.ts'
import { TwinStm32f0 } from '#bench/twin-stm32f0.ts'
import { TwinStm32f1 } from '#bench/twin-stm32f1.ts'
import { TwinStm32f4 } from '#bench/twin-stm32f4.ts'
import { TwinStm32f7 } from '#bench/twin-stm32f7.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { checksumAt, vectorChecksum } from '#chips/lpc-check.ts'
import { boot2Bytes, boot2Crc, flashAddress } from '#chips/rp2-chips.ts'
import { Info } from './packets.ts'
import { hidDescriptors, probeDescriptors, reportDescriptor } from './twin-descriptors.ts'
import { HidProbeTwin } from './twin-hid-probe.ts'
import { CmsisDapTwin, type WiredChip } from './twin-probe.ts'

const flashStart = 0x0800_0000
const programBytes = 20_000

/** A chip at the wires, with its memories. */
type Chip = WiredChip & TwinPatient & Pick<TwinSetup, 'memory'>

type Probe = (target: WiredChip) => UsbTwin

const debugProbe: Probe = (target) =>
  new CmsisDapTwin({
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

/** One that answers before it takes the next command. */
const onePacket: Probe = (target) =>
  new CmsisDapTwin({
    descriptors: probeDescriptors({
      ...{ vendorId: 0xc251, productId: 0xf001, deviceVersion: 0x0100 },
      ...{ manufacturer: 'Practice', product: 'CMSIS-DAP v2 (practice)', serial: '0001A0000000' },
    }),
    target,
    texts: { [Info.Protocol]: '2.0.0' },
    ...{ packetBytes: 64, packets: 1 },
  })

/** Built with JTAG, too. */
const withJtag: Probe = (target) =>
  new CmsisDapTwin({
    descriptors: probeDescriptors(
      {
        ...{ vendorId: 0xc251, productId: 0xf00a, deviceVersion: 0x0100 },
        ...{ manufacturer: 'Practice', product: 'CMSIS-DAP v2 with JTAG (practice)', serial: '0001B0000000' },
      },
      512,
    ),
    target,
    texts: { [Info.Protocol]: '2.1.1' },
    ...{ speed: 'high', packetBytes: 512, packets: 4, hasJtag: true },
  })

const highSpeed: Probe = (target) =>
  new CmsisDapTwin({
    descriptors: probeDescriptors(
      {
        ...{ vendorId: 0x1fc9, productId: 0x0143, deviceVersion: 0x0100 },
        ...{ manufacturer: 'NXP Semiconductors', product: 'MCU-Link CMSIS-DAP (practice)' },
        ...{ serial: 'HX0NKOZPUW1BD' },
      },
      512,
    ),
    target,
    texts: { [Info.Protocol]: '2.1.0', [Info.Firmware]: '3.108' },
    ...{ speed: 'high', packetBytes: 512, packets: 8 },
  })

const dapLink = {
  ...{ vendorId: 0x0d28, productId: 0x0204, deviceVersion: 0x1000 },
  manufacturer: 'Arm',
  product: 'DAPLink CMSIS-DAP (practice)',
  serial: '0240000034544e45001700048e3800525a91000097969900',
}

/** DAPLink built with its HID interface alone. */
const hidProbe: Probe = (target) => {
  const report = reportDescriptor(64)
  const descriptors = hidDescriptors(dapLink, report)
  const texts = { [Info.Protocol]: '1.2.0', [Info.Firmware]: '0254' }
  return new HidProbeTwin({ descriptors, target, texts, packetBytes: 64, packets: 4 }, report)
}

const behind = (
  [name, probe]: readonly [name: string, probe: Probe],
  chip: string,
  dials: readonly (keyof Dials)[],
  make: (dials: Dials) => Chip,
): TwinVariant => ({
  name: `${name} with ${/^[amnrs]/i.test(chip) ? 'an' : 'a'} ${chip}`,
  dials: ['noTarget', ...dials],
  make(dials: Dials = {}): TwinSetup {
    const target = make(dials)
    return { twin: probe(target), patient: target, memory: (id) => target.memory(id) }
  },
})

const behindDebugProbe = (
  chip: string,
  dials: readonly (keyof Dials)[],
  make: (dials: Dials) => Chip,
): TwinVariant => behind(['Debug Probe', debugProbe], chip, dials, make)

const flashDials = ['locked', 'stuckBit', 'flickerBit', 'halfWritten'] as const
const stm32f103Dials = [...flashDials, 'linesOff'] as const
const program = (bytes: number) => practiceProgram(flashStart, bytes)

/** What the ROM of an RP2040 starts: a page with its checksum, and a program behind it. */
function withBoot2(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set(practiceProgram(flashAddress + boot2Bytes, length - boot2Bytes), boot2Bytes)
  new DataView(bytes.buffer).setUint32(boot2Bytes - 4, boot2Crc(bytes), true)
  return bytes
}

/** What the ROM of an LPC starts: vectors with their checksum. */
function withChecksum(length: number): Uint8Array {
  const bytes = practiceProgram(0, length)
  new DataView(bytes.buffer).setUint32(checksumAt, vectorChecksum(bytes), true)
  return bytes
}

const stm32f103 = (dials: Dials) => new TwinStm32f1({ dials, kib: 64, flash: program(programBytes) })
/** Of low density: few transfers read it. */
const stm32f103x4 = (dials: Dials) => new TwinStm32f1({ dials, kib: 16, flash: program(programBytes >> 1) })
const stm32f030 = (dials: Dials) => new TwinStm32f0({ dials, flash: program(programBytes >> 1) })

export default {
  stm32f103: behindDebugProbe('STM32F103 (64 KiB)', stm32f103Dials, stm32f103),
  gd32f103: behindDebugProbe(
    'GD32F103 (64 KiB), made to replace an STM32F103',
    flashDials,
    (dials) => new TwinStm32f1({ dials, make: 'GD32', kib: 64, flash: program(programBytes) }),
  ),
  cks32f103: behindDebugProbe(
    'CKS32F103 (128 KiB), made to replace an STM32F103',
    flashDials,
    (dials) => new TwinStm32f1({ dials, make: 'CKS32', flash: program(programBytes) }),
  ),
  'daplink-hid': behind(['DAPLink (HID)', hidProbe], 'STM32F103 (64 KiB)', stm32f103Dials, stm32f103),
  jtag: behind(['CMSIS-DAP probe with JTAG', withJtag], 'STM32F103 (64 KiB)', flashDials, stm32f103),
  stm32f030: behindDebugProbe('STM32F030x4 (16 KiB)', flashDials, stm32f030),
  'daplink-hid-stm32f103x4': behind(
    ['DAPLink (HID)', hidProbe],
    'STM32F103x4 (16 KiB)',
    flashDials,
    stm32f103x4,
  ),
  'one-packet': behind(
    ['CMSIS-DAP probe that holds one packet', onePacket],
    'STM32F030x4 (16 KiB)',
    flashDials,
    stm32f030,
  ),
  'high-speed': behind(['MCU-Link (high speed)', highSpeed], 'STM32F103x4 (16 KiB)', flashDials, stm32f103x4),
  stm32f410: behindDebugProbe(
    'STM32F410x8 (64 KiB)',
    flashDials,
    (dials) => new TwinStm32f4({ dials, chip: 'STM32F410x8', flash: program(programBytes) }),
  ),
  stm32f730: behindDebugProbe(
    'STM32F730x8 (64 KiB)',
    flashDials,
    (dials) => new TwinStm32f7({ dials, kib: 64, flash: program(programBytes) }),
  ),
  nrf52820: behindDebugProbe(
    'nRF52820 (256 KiB)',
    flashDials,
    (dials) => new TwinNrf52({ dials, flash: practiceProgram(0, programBytes) }),
  ),
  kl26z128: behindDebugProbe(
    'KL26Z128, as on a DAPLink board',
    flashDials,
    (dials) => new TwinKinetis({ dials, flash: practiceProgram(0, programBytes) }),
  ),
  k20dx128: behindDebugProbe(
    'K20DX128, as on a DAPLink board',
    flashDials,
    (dials) => new TwinKinetis({ dials, chip: 'K20DX128', flash: practiceProgram(0, programBytes) }),
  ),
  rp2040: behindDebugProbe(
    'RP2040 (256 KiB)',
    ['stuckBit', 'flickerBit', 'halfWritten'],
    (dials) => new TwinRp2040({ dials, flashBytes: 256 * 1024, flash: withBoot2(programBytes) }),
  ),
  lpc11u35: behindDebugProbe(
    'LPC11U35 (64 KiB)',
    ['stuckBit', 'flickerBit', 'halfWritten'],
    (dials) => new TwinLpc11u35({ dials, flash: withChecksum(programBytes >> 1) }),
  ),
  sam3u2c: behindDebugProbe(
    'SAM3U2C (128 KiB)',
    ['stuckBit', 'flickerBit', 'halfWritten'],
    (dials) => new TwinSam3u({ dials, flash: practiceProgram(0x8_0000, programBytes >> 1) }),
  ),
} satisfies TwinShelf
