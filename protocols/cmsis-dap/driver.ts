/**
 * Opens a CMSIS-DAP probe of either version and offers the target on its debug wires, by those that it says it has. Sources:
 * as `packets.ts`; the order of opening as OpenOCD has it.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Programmer, Recognition, Way } from '#core/programmer.ts'
import { viaDebugPort } from '#chips/adiv5.ts'
import { connectArm } from '#chips/arm-target.ts'
import type { HidLink, UsbLink } from '#transport/links.ts'
import { readConfiguration } from '#transport/usb-descriptors.ts'
import { findPipes } from './descriptors.ts'
import { dapInterface } from './identity.ts'
import { DapJtagPort } from './jtag-port.ts'
import { Can, Info } from './packets.ts'
import { DapSession } from './session.ts'
import { DapSwdPort, type DapPort } from './swd-port.ts'
import { BulkWire, ReportWire, type Wire } from './wire.ts'

async function open(link: UsbLink | HidLink, seen: Recognition, ctx: Context): Promise<Programmer> {
  const session = new DapSession(isHid(link) ? new ReportWire(link) : await bulkWire(link, seen))
  await session.begin()
  const [capabilities = 0] = await session.bytes(Info.Capabilities)
  if ((capabilities & (Can.Swd | Can.Jtag)) === 0)
    throw new FlashError('device-refused', { during: 'asking what it can do', status: 'no SWD, no JTAG' })
  const own: readonly [Fact['name'], Info][] = [
    ['protocol', Info.Protocol],
    ['firmware', Info.Firmware],
  ]
  const facts: Fact[] = [...seen.facts]
  for (const [name, id] of own) {
    ctx.checkpoint()
    const value = await session.text(id)
    if (value !== undefined)
      facts.push({ name, value: name === 'protocol' ? `CMSIS-DAP ${value}` : value, source: 'DAP_Info' })
  }
  return {
    facts,
    notices: seen.notices,
    gone: link.gone,
    ways: [
      ...((capabilities & Can.Swd) !== 0 ? [wayBy('swd', new DapSwdPort(session))] : []),
      ...((capabilities & Can.Jtag) !== 0 ? [wayBy('jtag', new DapJtagPort(session))] : []),
    ],
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

const wayBy = (by: 'swd' | 'jtag', port: DapPort): Way => ({
  ...{ to: 'target', by, speedsHz: port.speedsHz },
  connect: (within, speedHz) => connectArm(viaDebugPort(port), within, speedHz),
})

const isHid = (link: UsbLink | HidLink): link is HidLink => link.seen.link === 'hid'

async function bulkWire(link: UsbLink, { model }: Recognition): Promise<Wire> {
  const found = dapInterface(link.seen)
  const pipes = found && findPipes(await readConfiguration(link), found.number)
  if (pipes) return new BulkWire(link, pipes)
  throw new FlashError('wrong-device', { expected: 'CMSIS-DAP', found: model })
}

export default { open } satisfies Driver<UsbLink | HidLink>
