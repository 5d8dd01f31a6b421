/**
 * Who is who: the protocol folders found by glob, and nobody else knows them. Identities come with this file,
 * which is loaded when there is somebody to recognise; drivers and firmware recognisers when they are needed.
 */
import type { Context, Log } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type {
  Driver,
  Identity,
  KnownFirmware,
  LinkFilter,
  Programmer,
  RecogniseFirmware,
  Recognition,
  Rescue,
  Rescues,
  Seen,
  Segment,
} from '#core/programmer.ts'
import { within } from '#core/time.ts'
import type { Attached } from '#transport/devices.ts'
import type { HidLink, SerialPortHandle, UsbLink } from '#transport/links.ts'
import type { OwnWords } from '#transport/without-contents.ts'

type AnyDriver = Driver<UsbLink> & Driver<HidLink> & Driver<SerialPortHandle>

const identityFiles = import.meta.glob<Identity>('../../protocols/*/identity.ts', {
  eager: true,
  import: 'default',
})
const driverFiles = import.meta.glob<AnyDriver>('../../protocols/*/driver.ts', { import: 'default' })
const firmwareFiles = import.meta.glob<RecogniseFirmware>('../../protocols/*/firmware.ts', {
  import: 'default',
})

const rescueFiles = import.meta.glob<Rescues>('../../protocols/*/rescue.ts', { import: 'default' })

export const identities: readonly Identity[] = Object.values(identityFiles)

/** What a bug report keeps of what was read. */
export const ownWords: OwnWords = {
  marks: identities.flatMap(({ marks = [] }) => marks),
  headOf: (seen) => candidates(seen)[0]?.identity.answerHead ?? 0,
  wordsOf: (seen) => candidates(seen)[0]?.identity.wordsOf,
}

/** What this rescue sheet is about, where a second programmer brings it back. */
export async function findRescue(sheet: string): Promise<Rescue | undefined> {
  const families = Object.entries(rescueFiles).map(async ([path, load]) =>
    (await load()).map((one) => ({ ...one, family: path.split('/').at(-2) ?? '' })),
  )
  return (await Promise.all(families)).flat().find((one) => one.sheet === sheet)
}

/** Who can be the second programmer. */
export const secondProgrammers = ({ by }: Rescue): readonly Identity[] =>
  identities.filter(({ toTarget }) => toTarget.includes(by))

/** For the browser's chooser. */
export const chooserFilters = (link: Seen['link']): readonly LinkFilter[] =>
  identities
    .filter((identity) => linksOf(identity).includes(link))
    .flatMap(({ filters }) => filters)
    .filter((filter) => !('usagePage' in filter) || link === 'hid')
    .filter((filter) => !('classCode' in filter) || link === 'usb')

/** How it can be reached, first what is asked for first. */
export const linksOf = ({ link }: Pick<Identity, 'link'>): readonly Seen['link'][] => [link].flat()

export interface Candidate {
  readonly identity: Identity
  readonly recognition: Recognition
}

const certainty: readonly Recognition['confidence'][] = ['certain', 'likely', 'possible']

/** Who this could be, surest first; usable before not usable. */
export function candidates(seen: Seen, among: readonly Identity[] = identities): readonly Candidate[] {
  return among
    .flatMap((identity) => {
      const recognition = identity.recognise(seen)
      return recognition ? [{ identity, recognition }] : []
    })
    .sort((a, b) => rank(a) - rank(b))
}

/** Those that it may just as well be: only its user knows. */
export const equallyLikely = ([first, ...others]: readonly Candidate[]): readonly Candidate[] =>
  first ? [first, ...others.filter((one) => rank(one) === rank(first))] : []

/** By the protocol that its user has chosen, if it can be that; else the surest. */
export function candidateFor(seen: Seen, family?: string): Candidate | undefined {
  const possible = candidates(seen)
  return possible.find(({ identity }) => identity.id === family) ?? possible[0]
}

const rank = ({ recognition: { confidence, usable } }: Candidate): number =>
  certainty.indexOf(confidence) + (usable ? 0 : certainty.length)

/** Loads the driver and opens the programmer; a link that was opened in vain is closed again. */
export async function openProgrammer(
  attached: Attached,
  { identity, recognition }: Candidate,
  ctx: Context,
): Promise<Programmer> {
  const load = driverFiles[`../../protocols/${identity.id}/driver.ts`]
  if (!load || !recognition.usable)
    throw new FlashError('device-refused', { during: `opening ${recognition.model}`, status: 'no driver' })
  const driver = await load()
  if (attached.link === 'serial') {
    const { seen } = attached
    const open: SerialPortHandle['open'] = (baud, framing) => orCancelled(attached.open(baud, framing), ctx)
    return driver.open({ seen, open }, recognition, ctx)
  }
  const link = await orCancelled<UsbLink | HidLink>(attached.open(), ctx)
  try {
    return await driver.open(link as UsbLink & HidLink, recognition, ctx)
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

/** A browser that is opening cannot be told to stop; what it opens after a cancel is closed again. */
async function orCancelled<L extends AsyncDisposable>(opening: Promise<L>, ctx: Context): Promise<L> {
  try {
    return await within(opening, ctx.clock, 'opening', undefined, ctx.signal)
  } catch (error) {
    void opening.then((link) => link[Symbol.asyncDispose]()).catch(() => undefined) // it did not come
    throw error
  }
}

/** What a flash content is, by whoever is surest; without segments: one that cannot be read. A recogniser that fails is logged and has no opinion. */
export async function recogniseFirmware(
  segments: readonly Segment[],
  chip: string | undefined,
  log: Log = () => undefined,
  fuses?: Uint8Array,
): Promise<KnownFirmware | undefined> {
  const opinions = await Promise.all(
    Object.entries(firmwareFiles).map(async ([path, load]) => {
      try {
        return (await load())(segments, chip, fuses)
      } catch (error) {
        log(`${path} failed: ${String(error)}`)
        return undefined
      }
    }),
  )
  return opinions
    .filter((opinion) => opinion !== undefined)
    .sort((a, b) => certainty.indexOf(a.confidence) - certainty.indexOf(b.confidence))[0]
}
