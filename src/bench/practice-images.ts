/** The practice images of all protocols, found by glob: firmware files for the practice bench only. */
import type { PracticeFirmware } from './twin.ts'

export interface PracticeImage extends PracticeFirmware {
  /** The protocol folder's name. */
  readonly family: string
}

/** As a file of it is called. */
export const practiceName = ({ name, chip }: PracticeFirmware): string => `${name} practice image for ${chip}`

const files = import.meta.glob<readonly PracticeFirmware[]>('../../protocols/*/practice-firmware.ts', {
  import: 'default',
})

/** Those of `family` first, newest first. */
export async function practiceImages(family: string | undefined): Promise<readonly PracticeImage[]> {
  const all = await Promise.all(
    Object.entries(files).map(async ([path, load]) =>
      (await load()).map((image) => ({
        ...image,
        family: path.split('/').at(-2) ?? '',
        build: () => image.build(),
      })),
    ),
  )
  return all
    .flat()
    .sort(
      (a, b) =>
        Number(b.family === family) - Number(a.family === family) ||
        b.version.localeCompare(a.version, 'en', { numeric: true }),
    )
}
