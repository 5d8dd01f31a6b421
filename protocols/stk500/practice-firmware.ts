/** Practice images for the bench: real programs of ours that blink an Arduino's LED, for the right and the wrong chip. */
import type { PracticeFirmware } from '#bench/twin.ts'
import { avrPartNamed } from '#chips/avr-parts.ts'
import { blinkImage } from './images.ts'

const blink = (chip: string, version: number): PracticeFirmware => ({
  id: `blink-${String(version)}-${chip.toLowerCase()}`,
  name: `Blink ${String(version)}`,
  chip,
  version: String(version),
  build: () => [{ address: 0, bytes: blinkImage(avrPartNamed(chip), version) }],
})

export default [
  blink('ATmega328P', 1),
  blink('ATmega328P', 2),
  blink('ATmega168', 2),
  blink('ATmega8', 2),
] satisfies readonly PracticeFirmware[]
