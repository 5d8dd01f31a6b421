/**
 * The way from an ST-Link to its own firmware: there while its boot loader runs. A V2-1 and a V3 can be told to start it;
 * a V2 waits in it from the moment it is plugged in until somebody sends it on. Sources: GMMan/st-link-hack,
 * `paper/protocol_notes.txt`; blackmagic-debug/stlink-tool, `src/main.c` and `src/stlink.c` (`stlink_dfu_mode`).
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Notice, Programmer, Restart } from '#core/programmer.ts'
import { models, v2ProductId } from './identity.ts'
import { goesWith, LoaderPatient } from './loader-patient.ts'
import { askLoaderReachable, enterLoader, isProtocol, loaderMode, loaderReachable } from './loader-packets.ts'
import { modeBytes } from './packets.ts'
import type { Greeting, StLinkSession } from './session.ts'

const st = 0x0483
const v3LoaderId = 0x374d
/** The newest that is public; what comes after takes only what its maker signed. */
const signedSince = 4

export interface OwnWay extends Pick<Programmer, 'ways' | 'notices'> {
  readonly restart?: Restart
}

/** @throws `device-refused` when its boot loader takes only what its maker signed, as no other way is there then */
export async function ownWay(session: StLinkSession, greeting: Greeting): Promise<OwnWay> {
  const { mode, loader } = greeting
  if (mode !== loaderMode) return whileRunning(session)
  if (loader >= signedSince)
    throw new FlashError('device-refused', {
      during: 'asking its boot loader',
      status: `protocol ${String(loader)}`,
      by: 'signed-only',
    })
  if (!isProtocol(loader)) return { ways: [], notices: [] } // it names none
  const connect = (ctx: Context) => LoaderPatient.connect(session, ctx)
  return { ways: [{ to: 'itself', by: 'bootloader', speedsHz: [], connect }], notices: [] }
}

async function whileRunning(session: StLinkSession): Promise<OwnWay> {
  const { productId } = session.link.seen
  if (productId === v2ProductId) return { ways: [], notices: [replug] }
  const { name = '', isV21 } = models[productId] ?? {}
  if (!isV21 && name !== 'ST-Link V3') return { ways: [], notices: [] }
  const [answer] =
    (await session.askIfKnown(askLoaderReachable, modeBytes, 'asking for its boot loader')) ?? []
  if (answer !== loaderReachable) return { ways: [], notices: [] }
  const as = [{ vendorId: st, productId: isV21 ? v2ProductId : v3LoaderId }]
  return { ways: [], notices: [], restart: { link: 'usb', as, run: (ctx) => enter(session, ctx) } }
}

const replug: Notice = { code: 'stlink-replug', level: 'info' }

/** @throws `device-refused` when it stays */
const enter = (session: StLinkSession, ctx: Context): Promise<void> =>
  ctx.critical(async ({ clock }) => {
    if (await goesWith(session, enterLoader, clock)) return
    throw new FlashError('device-refused', { during: 'starting its boot loader', status: 'still there' })
  })
