/**
 * Opens a device in DFU mode and offers the one way there is: to its own memories. What they are, an alternate setting
 * each, DfuSe devices tell by the settings' names; of others an upload shows it. One that runs its application can only
 * be asked to start its boot loader. Sources: as `packets.ts` and `layout.ts`.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Programmer, Recognition, Restart, Way } from '#core/programmer.ts'
import type { UsbLink } from '#transport/links.ts'
import { readConfiguration, readString, textOf } from '#transport/usb-descriptors.ts'
import { dfuClass, findDfuInterface, type DfuInterface } from './descriptors.ts'
import { findDevice, isOnStLink, riscvFlash, stLinkLoaders, type KnownDevice } from './devices.ts'
import { parseLayout, type Layout } from './layout.ts'
import { DfuSession } from './session.ts'
import { DfusePatient, type Region } from './dfuse-patient.ts'
import { FlipPatient, type FlipDevice } from './flip-patient.ts'
import { mostBytes } from './flip-packets.ts'
import { PlainPatient, type PlainDevice } from './plain-patient.ts'

const dfuseVersion = 0x011a

/** Linux sends no longer control transfer; a device that names none, or less than a packet, gets 64. */
const mostTransferBytes = 4096
const leastTransferBytes = 64

async function open(link: UsbLink, seen: Recognition, ctx: Context): Promise<Programmer> {
  const { vendorId, productId } = link.seen
  const known = findDevice(vendorId, productId)
  const dfu = findDfuInterface(await readConfiguration(link), known?.flip !== undefined)
  if (!dfu) throw new FlashError('wrong-device', { expected: 'DFU', found: seen.model })
  const isFlip = known?.flip !== undefined
  const version = dfu.functional?.version ?? 0x0100
  const common = {
    facts: [...seen.facts, isFlip ? flipFact : protocolFact(version)],
    notices: seen.notices,
    gone: link.gone,
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
  if (isFlip) return { ...common, ways: [flipWay(link, dfu, known.flip)] }
  if (seen.mode === 'application') return { ...common, ways: [], restart: restartOf(link, dfu, known) }
  const isDfuse = version === dfuseVersion
  const regions = isDfuse ? await regionsOf(link, dfu, ctx) : []
  if (isDfuse && !regions.some(({ id }) => id === 'flash')) throw refusing('no layout of a flash')
  // without reading there is neither a backup nor a proof
  if (!isDfuse && dfu.functional?.canUpload !== true) throw refusing('bitCanUpload 0')
  const said = dfu.functional?.transferBytes ?? 0
  const blocksAt = said >= leastTransferBytes ? said : leastTransferBytes
  const session = new DfuSession(link, {
    number: dfu.number,
    transferBytes: Math.min(blocksAt, mostTransferBytes),
    ...(known?.saysTooLong && { saysTooLong: true }),
  })
  const device: PlainDevice = { link, session, dfu, known }
  const way = wayBy((ctx) =>
    isDfuse ? DfusePatient.connect({ ...device, regions, blocksAt }, ctx) : PlainPatient.connect(device, ctx),
  )
  return { ...common, ways: [way] }
}

const wayBy = (connect: Way['connect']): Way => ({ to: 'itself', by: 'bootloader', speedsHz: [], connect })

/** What it says of sizes and times is for another language than its own. */
function flipWay(link: UsbLink, { number, functional }: DfuInterface, chip: string): Way {
  const session = new DfuSession(link, { number, transferBytes: mostBytes, saysNothing: true })
  const device: FlipDevice = { session, chip, overwrites: functional !== undefined }
  return wayBy((ctx) => FlipPatient.connect(device, ctx))
}

/** By DETACH; unknown devices come back as anything that is in DFU mode. */
const restartOf = (link: UsbLink, { number, functional }: DfuInterface, known?: KnownDevice): Restart => ({
  link: 'usb',
  as: isOnStLink(link.seen) ? stLinkLoaders : [known?.becomes ?? dfuClass],
  run: (ctx) =>
    new DfuSession(link, { number, transferBytes: leastTransferBytes }).detach(
      functional?.willDetach === true,
      ctx,
    ),
})

const refusing = (status: string): FlashError =>
  new FlashError('device-refused', { during: 'asking for its memories', status })

const flipFact: Fact = { name: 'protocol', value: 'FLIP (DFU)', source: 'idProduct' }

const protocolFact = (version: number): Fact => ({
  name: 'protocol',
  value:
    version === dfuseVersion ? 'DfuSe 1.1a' : `DFU ${String(version >> 8)}.${String((version >> 4) & 15)}`,
  source: 'bcdDFUVersion',
})

/** Names of its memories as the DfuSe ones have them; others hold nothing that a job changes. */
const memoryNames: readonly (readonly [RegExp, Region['id']])[] = [
  [/^(?:internal )?flash/i, 'flash'],
  [/^option bytes?/i, 'options'],
  [/^otp/i, 'otp'],
]

async function regionsOf(link: UsbLink, { alternates }: DfuInterface, ctx: Context): Promise<Region[]> {
  const regions: Region[] = []
  for (const { setting, name } of alternates) {
    ctx.checkpoint()
    const layout = name === 0 ? undefined : await layoutAt(link, name)
    const id = layout && memoryNames.find(([pattern]) => pattern.test(layout.name))?.[1]
    if (!layout || !id || regions.some((region) => region.id === id)) continue
    for (const part of layout.unread) ctx.log(`dfu: "${part}" of ${layout.name} is no layout`)
    const own = id === 'flash' && riscvFlash(link.seen)
    regions.push({ id, setting, layout: own ? { ...layout, sectors: own } : layout })
  }
  return regions
}

/** Undefined: the name is no layout. Some devices cut a name off behind its layout, which does no harm. */
async function layoutAt(link: UsbLink, index: number): Promise<Layout | undefined> {
  const name = await readString(link, index)
  const layout = parseLayout(textOf(name))
  const [expected = 0] = name
  if (name.length < expected && (!layout || layout.unread.length > 0))
    throw new FlashError('short-transfer', {
      during: 'reading a memory layout',
      expected,
      found: name.length,
    })
  return layout
}

export default { open } satisfies Driver<UsbLink>
