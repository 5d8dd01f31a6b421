/**
 * Opens a J-Link and offers the target on its debug wires, and its own configuration. Its firmware is nobody's but
 * SEGGER's: there is no public protocol for it, and what its boot loader takes is signed. Sources: as `probe.ts`.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Notice, Programmer, Recognition, Way } from '#core/programmer.ts'
import { viaDebugPort } from '#chips/adiv5.ts'
import { connectArm } from '#chips/arm-target.ts'
import type { DebugPort } from '#chips/debug-port.ts'
import type { UsbLink } from '#transport/links.ts'
import { readConfiguration } from '#transport/usb-descriptors.ts'
import { ConfigPatient } from './config-patient.ts'
import { findPipes } from './descriptors.ts'
import { olderThanKnown } from './newest.ts'
import { Can, hardwareText, Interface, typeName } from './packets.ts'
import { JlinkProbe, type Said } from './probe.ts'
import { JlinkJtagPort } from './jtag-port.ts'
import { JlinkSwdPort } from './swd-port.ts'

const nominalHz = [12_000_000, 8_000_000, 4_000_000, 2_000_000, 1_000_000, 400_000, 100_000]
/** Tried in this order; a full-speed probe gains little beyond. */
const ownChoicesHz = [4_000_000, 1_000_000, 400_000, 100_000]
/** Below it there is no target, or none with power. */
const leastTargetMv = 500

async function open(link: UsbLink, seen: Recognition, ctx: Context): Promise<Programmer> {
  const pipes = findPipes(await readConfiguration(link))
  if (!pipes) throw new FlashError('wrong-device', { expected: 'J-Link', found: seen.model })
  ctx.checkpoint()
  const probe = await JlinkProbe.open(link, pipes)
  const { said } = probe
  return {
    facts: [...seen.facts, ...factsOf(said)],
    notices: [...noticesOf(said), ...seen.notices],
    gone: link.gone,
    ways: said.firmware.isBootloader ? [] : waysOf(probe, link.seen.serial),
    async [Symbol.asyncDispose]() {
      try {
        if (!link.gone.aborted) await probe.leave()
      } catch (error) {
        ctx.log(`letting the J-Link go failed: ${String(error)}`) // it forgets who was there when it is unplugged
      } finally {
        await link[Symbol.asyncDispose]()
      }
    },
  }
}

function waysOf(probe: JlinkProbe, serial: string | undefined): Way[] {
  const ways: Way[] = []
  const speedsHz = withinReach(nominalHz, probe.said)
  const choicesHz = withinReach(ownChoicesHz, probe.said)
  const offer = (by: 'swd' | 'jtag', port: DebugPort) =>
    ways.push({
      ...{ to: 'target', by, speedsHz: port.speedsHz },
      connect: (within, speedHz) => connectArm(viaDebugPort(port), within, speedHz),
    })
  if (probe.has(Interface.Swd)) offer('swd', new JlinkSwdPort(probe, speedsHz, choicesHz))
  if (probe.has(Interface.Jtag)) offer('jtag', new JlinkJtagPort(probe, speedsHz, choicesHz))
  if (probe.can(Can.ReadConfig))
    ways.push({
      ...{ to: 'itself', by: 'configuration', speedsHz: [] },
      connect: (within) => ConfigPatient.connect(probe, serial, within),
    })
  return ways
}

const withinReach = (speeds: readonly number[], { speeds: own }: Said): number[] =>
  speeds.filter((hz) => !own || hz <= own.baseHz / own.leastDivider)

const features: readonly [Can, string][] = [
  [Can.AdaptiveClocking, 'adaptive clocking'],
  [Can.Swo, 'SWO'],
  [Can.Spi, 'SPI'],
  [Can.SetPower, 'target power'],
  [Can.Ethernet, 'Ethernet'],
  [Can.FileIo, 'files'],
  [Can.ReadConfig, 'configuration'],
]
const interfaceNames = ['JTAG', 'SWD', 'BDM3', 'FINE', 'PIC32', 'SPI', 'C2', 'cJTAG']

function factsOf({ firmware, hardware, capabilities, interfaces, voltageMv }: Said): Fact[] {
  const wires = interfaceNames.filter((_, bit) => (interfaces >> bit) & 1)
  const able = features.filter(([bit]) => capabilities.has(bit)).map(([, name]) => name)
  return [
    { name: 'firmware', value: firmware.text, source: 'VERSION' },
    ...(firmware.date === undefined
      ? []
      : [{ name: 'firmware-date', value: firmware.date, source: 'VERSION' } as const]),
    ...(capabilities.has(Can.HardwareVersion)
      ? [
          {
            name: 'hardware',
            value: `${typeName(hardware)} ${hardwareText(hardware)}`,
            source: 'HW_VERSION',
          } as const,
        ]
      : []),
    { name: 'capabilities', value: [...wires, ...able].join(', '), source: 'GET_CAPS' },
    { name: 'target-voltage', value: `${(voltageMv / 1000).toFixed(2)} V`, source: 'GET_STATE' },
  ]
}

function noticesOf({ firmware, voltageMv }: Said): Notice[] {
  if (firmware.isBootloader) return [{ code: 'jlink-no-firmware', level: 'warning' }]
  const older = olderThanKnown(firmware)
  return [
    ...(voltageMv < leastTargetMv ? [{ code: 'no-target-voltage', level: 'warning' } as const] : []),
    ...(older ? [older] : []),
  ]
}

export default { open } satisfies Driver<UsbLink>
