/**
 * Opens an ST-Link and offers the target on its debug wires. What it is doing is asked before anything else is said: the
 * first word to a V2 that was just plugged in decides whether its boot loader stays. Sources: as `packets.ts`.
 */
import type { Context } from '#core/context.ts'
import type { Driver, Fact, Notice, Programmer, Recognition, Way } from '#core/programmer.ts'
import { connectArm } from '#chips/arm-target.ts'
import type { UsbLink } from '#transport/links.ts'
import { v21Name } from './identity.ts'
import {
  abilitiesOf,
  comFreqBytes,
  getComFreq,
  Mode,
  parseComFreq,
  divisorsOf,
  versionName,
  type Lines,
} from './packets.ts'
import { ownWay } from './loader-way.ts'
import { StLinkProbe } from './probe.ts'
import { StLinkSession, v21Loader, type Greeting } from './session.ts'

/** What a V2's boot loader speaks: it goes over to its firmware without coming back as another device. */
const v2Loader = 1
/** Below these, targets are not reached: see `abilitiesOf`. */
const oldest = { v2: 'V2J26', v3: 'V3J3' } as const

async function open(link: UsbLink, seen: Recognition, ctx: Context): Promise<Programmer> {
  const session = new StLinkSession(link)
  const greeting = await session.begin()
  const { version } = greeting
  ctx.log(`mode ${String(greeting.mode)}, boot loader protocol ${String(greeting.loader)}`)
  const firmware: Fact = { name: 'firmware', value: versionName(version), source: 'GET_VERSION' }
  const targets = await targetWays(session, greeting)
  const own = await ownWay(session, greeting)
  const isOld = !abilitiesOf(version).reachesTargets
  const tooOld: Notice = {
    ...{ code: 'firmware-too-old', level: 'warning' },
    values: { version: versionName(version), needs: version.generation >= 3 ? oldest.v3 : oldest.v2 },
  }
  return {
    facts: [...factsOf(seen, greeting), firmware],
    notices: [...seen.notices, ...(isOld ? [tooOld] : []), ...own.notices],
    gone: link.gone,
    ways: [...targets, ...own.ways],
    ...(own.restart && { restart: own.restart }),
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}

/** A V2 has the same ids in its boot loader and in use, and a V2-1 has them too while its boot loader runs. */
function factsOf({ facts }: Recognition, { mode, loader }: Greeting): readonly Fact[] {
  const source = 'GET_CURRENT_MODE'
  const isV21 = mode === Mode.Dfu && loader === v21Loader
  return [
    ...facts
      .filter(({ name }) => name !== 'mode')
      .map((fact) => (fact.name === 'model' && isV21 ? { ...fact, value: v21Name, source } : fact)),
    { name: 'mode', value: mode === Mode.Dfu ? 'bootloader' : 'application', source },
  ]
}

/** None: its firmware is too old for it, or is not what answers. */
async function targetWays(session: StLinkSession, greeting: Greeting): Promise<Way[]> {
  const { mode, loader, version } = greeting
  const abilities = abilitiesOf(version)
  const isFirmware = mode !== Mode.Dfu || loader <= v2Loader
  if (!isFirmware || !abilities.reachesTargets) return []
  const wayBy = async (by: 'swd' | 'jtag', lines: Lines): Promise<Way> => {
    const speedsHz = abilities.listsSpeeds
      ? parseComFreq(await session.ask(getComFreq(lines), comFreqBytes, 'asking for its speeds'))
      : divisorsOf(lines).map(([hz]) => hz)
    const probe = new StLinkProbe(session, abilities, lines, speedsHz)
    return {
      ...{ to: 'target', by, speedsHz },
      connect: (within, speedHz) => connectArm(probe, within, speedHz),
    }
  }
  return [await wayBy('swd', 'SWD'), await wayBy('jtag', 'JTAG')]
}

export default { open } satisfies Driver<UsbLink>
