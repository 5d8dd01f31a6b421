/** The practice images of all protocols, found by glob: firmware files for the practice bench only. */
import type { Segment } from '#core/programmer.ts'

export interface PracticeImage {
  readonly id: string
  /** Says that it is a practice image. */
  readonly name: string
  readonly chip: string
  readonly version: string
  build(): Segment[]
}

const files = import.meta.glob<readonly PracticeImage[]>('../../protocols/*/practice-firmware.ts', {
  import: 'default',
})

/** Those for `chip` first. */
export async function practiceImages(chip: string): Promise<readonly PracticeImage[]> {
  const all = (await Promise.all(Object.values(files).map((load) => load()))).flat()
  return all.sort((a, b) => Number(b.chip === chip) - Number(a.chip === chip))
}
