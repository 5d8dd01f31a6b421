/** Practice images for RP2040 and RP2350: what the ROM asks for, and filler that says what it is. */
import type { PracticeFirmware } from '#bench/twin.ts'
import { flashAddress, type Chip } from '#chips/rp2-chips.ts'
import { Play, practiceProgram, type PracticeProgram } from './images.ts'

const image = (
  chip: Chip['name'],
  name: string,
  version: string,
  program: Omit<PracticeProgram, 'chip'>,
): PracticeFirmware => ({
  id: `practice-${name.toLowerCase()}-${version}-${chip.toLowerCase()}`,
  name: `${name} ${version}`,
  ...{ chip, version },
  build: () => [{ address: flashAddress, bytes: practiceProgram({ chip, ...program }) }],
})

export default [
  image('RP2040', 'Debugprobe', '2.3.1', { plays: Play.probe, version: 0x0231, length: 62_000 }),
  image('RP2040', 'Debugprobe', '2.2.3', { plays: Play.probe, version: 0x0223, length: 60_000 }),
  image('RP2040', 'Program', '2', { plays: Play.stdio, version: 0x0200, length: 24_000 }),
  image('RP2350', 'Program', '2', { plays: Play.stdio2350, version: 0x0200, length: 24_000 }),
] satisfies readonly PracticeFirmware[]
