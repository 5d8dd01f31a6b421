/**
 * Who is who: the protocol folders found by glob, and nobody else knows them. Identities are loaded at
 * the start, drivers and firmware recognisers when they are needed. Also what can be said of a device
 * that nobody recognises.
 */
import type { Context, Log } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type {
  Driver,
  Fact,
  Identity,
  KnownFirmware,
  LinkFilter,
  Programmer,
  RecogniseFirmware,
  Recognition,
  Seen,
  Segment,
} from '#core/programmer.ts'
import type { Attached } from '#transport/devices.ts'
import type { SerialPortHandle, UsbLink } from '#transport/links.ts'

type AnyDriver = Driver<UsbLink> & Driver<SerialPortHandle>

const identityFiles = import.meta.glob<Identity>('../../protocols/*/identity.ts', {
  eager: true,
  import: 'default',
})
const driverFiles = import.meta.glob<AnyDriver>('../../protocols/*/driver.ts', { import: 'default' })
const firmwareFiles = import.meta.glob<RecogniseFirmware>('../../protocols/*/firmware.ts', {
  import: 'default',
})

export const identities: readonly Identity[] = Object.values(identityFiles)

/** For the browser's chooser. */
export const chooserFilters = (link: Seen['link']): readonly LinkFilter[] =>
  identities.filter((identity) => identity.link === link).flatMap(({ filters }) => filters)

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
  if (attached.link === 'serial') return driver.open(attached, recognition, ctx)
  const link = await attached.open()
  try {
    return await driver.open(link, recognition, ctx)
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
}

/** What a flash content is, by whoever is surest. A recogniser that fails is logged and has no opinion. */
export async function recogniseFirmware(
  segments: readonly Segment[],
  chip: string | undefined,
  log: Log = () => undefined,
): Promise<KnownFirmware | undefined> {
  const opinions = await Promise.all(
    Object.entries(firmwareFiles).map(async ([path, load]) => {
      try {
        return (await load())(segments, chip)
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

// ---- devices that nobody recognises ---------------------------------------------------------------

/** What a device is by its interface classes; each has a sentence in `ui/text`. */
export type Guess =
  | 'serial-port'
  | 'usb-serial'
  | 'dfu'
  | 'hid'
  | 'mass-storage'
  | 'audio'
  | 'video'
  | 'printer'
  | 'hub'
  | 'smart-card'
  | 'network'
  | 'wireless'
  | 'measurement'
  | 'vendor-specific'
  | 'unknown'

export interface Description {
  readonly facts: readonly Fact[]
  readonly guess: Guess
}

/** USB-IF, "Defined Class Codes". Ordered: the first that a device has says most about it. */
const classes: readonly (readonly [classCode: number, subclass: number | undefined, guess: Guess])[] = [
  [0xfe, 0x01, 'dfu'],
  [0xfe, 0x03, 'measurement'],
  [0x08, undefined, 'mass-storage'],
  [0x0e, undefined, 'video'],
  [0x01, undefined, 'audio'],
  [0x07, undefined, 'printer'],
  [0x09, undefined, 'hub'],
  [0x0b, undefined, 'smart-card'],
  [0x02, 0x02, 'usb-serial'],
  [0x02, undefined, 'network'],
  [0xe0, undefined, 'wireless'],
  [0x03, undefined, 'hid'],
  [0xff, undefined, 'vendor-specific'],
]

/** Makers of USB-serial bridges, which have a class of their own. */
const bridgeVendors: readonly number[] = [0x0403, 0x10c4, 0x1a86, 0x067b]

export function describe(seen: Seen): Description {
  const { vendorId, productId } = seen
  const known = vendorId !== undefined && productId !== undefined
  const usbId: Fact[] = known ? [{ name: 'usb-id', value: `${id(vendorId)}:${id(productId)}` }] : []
  if (seen.link === 'serial') return { facts: usbId, guess: known ? 'usb-serial' : 'serial-port' }

  const [major, minor, sub] = seen.deviceVersion
  const facts: readonly (readonly [Fact['name'], string | undefined, string])[] = [
    ['manufacturer', seen.manufacturer, 'iManufacturer'],
    ['product', seen.product, 'iProduct'],
    ['serial', seen.serial, 'iSerialNumber'],
    ['firmware-version', `${String(major)}.${String(minor)}${String(sub)}`, 'bcdDevice'],
  ]
  const found = [{ classCode: seen.deviceClass, subclass: undefined }, ...seen.interfaces]
  const guess = classes.find(([classCode, subclass]) =>
    found.some((one) => one.classCode === classCode && (subclass ?? one.subclass) === one.subclass),
  )?.[2]
  return {
    facts: [
      ...usbId,
      ...facts.flatMap(([name, value, source]) => (value === undefined ? [] : [{ name, value, source }])),
    ],
    guess:
      guess === 'vendor-specific' && bridgeVendors.includes(seen.vendorId)
        ? 'usb-serial'
        : (guess ?? 'unknown'),
  }
}

const id = (value: number): string => value.toString(16).padStart(4, '0')
