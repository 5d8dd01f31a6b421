/**
 * What a clue is: one kind of evidence for what a firmware is and for what. Each is one file, `x.clue.ts`, with a
 * `Clue` as its default export; `clues.ts` finds them by their names. A clue is pure, takes time in proportion to
 * the bytes at most, and says nothing rather than something wrong: what it calls certain, it is.
 */
import { hex } from '#core/bytes.ts'
import type { Range, Recognition } from '#core/programmer.ts'
import type { FoundString, FoundUsbDescriptor } from '#core/find.ts'
import type { Image, ImagePart } from '#firmware/image.ts'
import type { TextureCell } from './texture.ts'

export type Confidence = Recognition['confidence']

/** What is looked at, with what all clues share found already. */
export interface Subject extends Pick<Image, 'segments' | 'claims' | 'format'> {
  /** The addresses are assumed, not the file's own. */
  readonly isRaw: boolean
  /** What the file's format names within it. */
  readonly parts: readonly ImagePart[]
  readonly usbDescriptors: readonly FoundUsbDescriptor[]
  readonly strings: readonly FoundString[]
  readonly texture: readonly TextureCell[]
}

export type Clue = (subject: Subject) => readonly Statement[]

/** In the order of what a reader asks first. */
export const statementCodes = [
  'published', // a catalogue has its hash
  'firmware', // of a programmer, or a boot loader, that is known by its own marks
  'avr-program',
  'cortex-program',
  'esp-image',
  'esp-flash', // a partition table
  'esp-application', // in one of its partitions
  'mcs51-program',
  'avr-chips',
  'avr-bootloader',
  'cortex-base', // where it is linked, and what has its flash there
  'cortex-second', // another program behind a boot loader
  'says-chip', // the file itself
  'says-machine',
  'says-usb-device',
  'usb-device', // as what it appears
  'embedded', // a file system, a kernel … inside
  'only-blank',
  'only-text',
  'no-pattern', // compressed or encrypted
  'machine-code',
  'version',
  'built',
  'made-with',
] as const
export type StatementCode = (typeof statementCodes)[number]

/** Kinds of processors that the inspector tells apart. */
export type Architecture = 'avr' | 'cortex-m' | 'esp' | 'mcs51'

export interface Statement {
  readonly code: StatementCode
  readonly confidence: Confidence
  /** Fill the gaps of its text. */
  readonly values: Readonly<Record<string, string>>
  readonly evidence: readonly Evidence[]
  /** What it can run on; checks hold that against the patient. */
  readonly architecture?: Architecture
}

export interface Evidence {
  readonly code: EvidenceCode
  readonly values: Readonly<Record<string, string>>
  /** Where it stands in the image; absent: not in the bytes. */
  readonly at?: Range
}

export const evidenceCodes = [
  'text',
  'bytes',
  'usb-descriptor',
  'jumps', // a table of them
  'same-target', // several vectors go to one place
  'ends', // the last byte that is not blank
  'starts', // the first address
  'self-programming', // instructions that write flash
  'stack',
  'reset',
  'handlers',
  'reserved-words', // zero, as Arm has them
  'code-starts', // with this base, handlers begin like functions
  'checksum',
  'header',
  'partitions',
  'claim', // the file says so beside its bytes
  'hash',
  'recognised', // in the words of the protocol that knows it
  'entropy',
  'instructions',
  'only-byte',
] as const
export type EvidenceCode = (typeof evidenceCodes)[number]

const certainty: readonly Statement['confidence'][] = ['certain', 'likely', 'possible']

/** Surest first, and of the equally sure what is asked first. */
export const bySurest = (a: Statement, b: Statement): number =>
  certainty.indexOf(a.confidence) - certainty.indexOf(b.confidence) ||
  statementCodes.indexOf(a.code) - statementCodes.indexOf(b.code)

/** An address as people write it. */
export const place = (address: number): string => hex(address, address > 0xffff ? 8 : 4)

/** Evidence at a place in the image. */
export const evidence = (
  code: EvidenceCode,
  values: Evidence['values'],
  address?: number,
  length = 1,
): Evidence => ({ code, values, ...(address !== undefined && { at: { address, length } }) })

export const textEvidence = ({ text, address, encoding }: FoundString): Evidence =>
  evidence('text', { text: shorten(text) }, address, text.length * (encoding === 'ascii' ? 1 : 2))

export const descriptorEvidence = ({ address, usbId, version }: FoundUsbDescriptor): Evidence =>
  evidence('usb-descriptor', { id: usbId, version }, address, 18)

/** Longer is no name. */
const longest = 80
const shorten = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text)
