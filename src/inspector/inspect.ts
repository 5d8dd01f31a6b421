/** What can be told about an image without a device: what is in it, and what it most likely is. */
import { findStrings, findUsbDescriptors, type FoundString, type FoundUsbDescriptor } from '#core/find.ts'
import type { Range } from '#core/programmer.ts'
import { totalBytes, type Image } from '#firmware/image.ts'
import type { Statement } from './clue.ts'
import { statementsOn } from './clues.ts'
import { textureOf, type TextureCell } from './texture.ts'

export interface Inspection {
  readonly totalBytes: number
  /** Of these, bytes that are 0xff, as erased flash is. */
  readonly blankBytes: number
  readonly ranges: readonly Range[]
  readonly usbDescriptors: readonly FoundUsbDescriptor[]
  /** What reads like words first, both in order of address. */
  readonly strings: readonly FoundString[]
  /** Block by block what the bytes look like. */
  readonly texture: readonly TextureCell[]
  /** What it is, surest first. */
  readonly statements: readonly Statement[]
}

/** A large image has many by chance; what tells whose it is may stand behind them. */
const mostStrings = 32_768
const mostShown = 4096

/** Like a word or a version; the others are mostly code that happens to be printable. */
const isWorded = ({ text }: FoundString): boolean => /[A-Za-z][a-z]{3}|[A-Z]{4}|\d\.\d/.test(text)

export function inspect(image: Pick<Image, 'segments'> & Partial<Image>): Inspection {
  const { segments, claims = {}, format = '', isRaw = false, parts = [] } = image
  const usbDescriptors = findUsbDescriptors(segments)
  const strings = findStrings(segments, { limit: mostStrings })
  const texture = textureOf(segments)
  return {
    totalBytes: totalBytes(segments),
    blankBytes: texture.reduce((sum, { blankBytes }) => sum + blankBytes, 0),
    ranges: segments.map(({ address, bytes }) => ({ address, length: bytes.length })),
    usbDescriptors,
    strings: [...strings.filter(isWorded), ...strings.filter((one) => !isWorded(one))].slice(0, mostShown),
    texture,
    statements: statementsOn({ segments, claims, format, isRaw, parts, usbDescriptors, strings, texture }),
  }
}
