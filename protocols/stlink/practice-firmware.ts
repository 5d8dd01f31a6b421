/** Practice images for ST-Links: what a boot loader starts, with the texts of what it plays, and no code. */
import type { PracticeFirmware } from '#bench/twin.ts'
import { blackMagicProgram, vendorProgram } from './images.ts'

const v2Base = 0x0800_4000
const v3Base = 0x0802_0000

const blackMagic = (chip: string, address: number, version: string): PracticeFirmware => ({
  id: `practice-black-magic-${chip.replace(/\W+/g, '-').toLowerCase()}${version}`,
  name: `Black Magic Probe ${version}`,
  ...{ chip, version },
  build: () => [{ address, bytes: blackMagicProgram(address, 40_000, version) }],
})

const vendor = (chip: string, address: number, version: string, productId: number): PracticeFirmware => ({
  id: `practice-st-link-${version.toLowerCase()}`,
  name: `ST-Link ${version}`,
  ...{ chip, version },
  build: () => [{ address, bytes: vendorProgram(address, 30_000, { version, productId }) }],
})

export default [
  vendor('ST-Link V2 (64 KiB)', v2Base, 'V2J37S7', 0x3748),
  vendor('ST-Link V2-1 (128 KiB)', v2Base, 'V2J45M31', 0x374b),
  vendor('ST-Link V3 (512 KiB)', v3Base, 'V3J5M2', 0x374f),
  blackMagic('ST-Link V2 (64 KiB)', v2Base, '1.10.2'),
  blackMagic('ST-Link V2-1 (128 KiB)', v2Base, '1.10.2'),
  blackMagic('ST-Link V3 (512 KiB)', v3Base, '1.10.2'),
] satisfies readonly PracticeFirmware[]
