/** What can be told about an image without knowing its chip: for the inspector and for questions to a user. */
import { findStrings, findUsbDescriptors, type FoundString, type FoundUsbDescriptor } from '#core/find.ts'
import type { Range } from '#core/programmer.ts'
import { totalBytes, type Image } from './image.ts'

export interface Inspection {
  readonly totalBytes: number
  /** Of these, bytes that are 0xff, as erased flash is. */
  readonly blankBytes: number
  readonly ranges: readonly Range[]
  readonly usbDescriptors: readonly FoundUsbDescriptor[]
  readonly strings: readonly FoundString[]
}

export const inspect = ({ segments }: Pick<Image, 'segments'>): Inspection => ({
  totalBytes: totalBytes(segments),
  blankBytes: segments.reduce((sum, { bytes }) => sum + countBlank(bytes), 0),
  ranges: segments.map(({ address, bytes }) => ({ address, length: bytes.length })),
  usbDescriptors: findUsbDescriptors(segments),
  strings: findStrings(segments),
})

function countBlank(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) if (byte === 0xff) count++
  return count
}
