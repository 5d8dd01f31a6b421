/** Fuses by name: what a bit is, what its value means, and what a dangerous change costs. */
import type { FuseBit, FuseByte, FuseDanger, FuseMeaning } from '#chips/avr-fuses.ts'
import { m } from './generated/messages.js'

interface Term {
  readonly name: () => string
  readonly help: () => string
}

const bits: Record<FuseBit, Term> = {
  BODEN: { name: m.fuse_boden_name, help: m.fuse_boden_meaning },
  BODLEVEL: { name: m.fuse_bodlevel_name, help: m.fuse_bodlevel_meaning },
  BOOTRST: { name: m.fuse_bootrst_name, help: m.fuse_bootrst_meaning },
  BOOTSZ: { name: m.fuse_bootsz_name, help: m.fuse_bootsz_meaning },
  CFD: { name: m.fuse_cfd_name, help: m.fuse_cfd_meaning },
  CKDIV8: { name: m.fuse_ckdiv8_name, help: m.fuse_ckdiv8_meaning },
  CKOPT: { name: m.fuse_ckopt_name, help: m.fuse_ckopt_meaning },
  CKOUT: { name: m.fuse_ckout_name, help: m.fuse_ckout_meaning },
  CKSEL: { name: m.fuse_cksel_name, help: m.fuse_cksel_meaning },
  DWEN: { name: m.fuse_dwen_name, help: m.fuse_dwen_meaning },
  EESAVE: { name: m.fuse_eesave_name, help: m.fuse_eesave_meaning },
  HWBE: { name: m.fuse_hwbe_name, help: m.fuse_hwbe_meaning },
  JTAGEN: { name: m.fuse_jtagen_name, help: m.fuse_jtagen_meaning },
  M103C: { name: m.fuse_m103c_name, help: m.fuse_m103c_meaning },
  OCDEN: { name: m.fuse_ocden_name, help: m.fuse_ocden_meaning },
  RSTDISBL: { name: m.fuse_rstdisbl_name, help: m.fuse_rstdisbl_meaning },
  SELFPRGEN: { name: m.fuse_selfprgen_name, help: m.fuse_selfprgen_meaning },
  SPIEN: { name: m.fuse_spien_name, help: m.fuse_spien_meaning },
  SUT: { name: m.fuse_sut_name, help: m.fuse_sut_meaning },
  WDTON: { name: m.fuse_wdton_name, help: m.fuse_wdton_meaning },
}

/** The gaps that a meaning may have; a missing one shows as a dash. */
interface Gaps {
  readonly bits: string
  readonly volts: string
  readonly bytes: string
  readonly address: string
}

const meanings: Record<FuseMeaning['id'], (gaps: Gaps) => string> = {
  on: m.fuse_is_on,
  off: m.fuse_is_off,
  'external-clock': m.fuse_is_external_clock,
  'external-rc': m.fuse_is_external_rc,
  'low-frequency-crystal': m.fuse_is_low_frequency_crystal,
  crystal: m.fuse_is_crystal,
  'full-swing-crystal': m.fuse_is_full_swing_crystal,
  'internal-rc-1mhz': m.fuse_is_internal_rc_1mhz,
  'internal-rc-2mhz': m.fuse_is_internal_rc_2mhz,
  'internal-rc-4mhz': m.fuse_is_internal_rc_4mhz,
  'internal-rc-4-8mhz': m.fuse_is_internal_rc_4_8mhz,
  'internal-rc-6-4mhz': m.fuse_is_internal_rc_6_4mhz,
  'internal-rc-8mhz': m.fuse_is_internal_rc_8mhz,
  'internal-rc-9-6mhz': m.fuse_is_internal_rc_9_6mhz,
  'internal-128khz': m.fuse_is_internal_128khz,
  'internal-pll-16mhz': m.fuse_is_internal_pll_16mhz,
  reserved: m.fuse_is_reserved,
  'start-up': m.fuse_is_start_up,
  'bod-off': m.fuse_is_bod_off,
  'bod-level': m.fuse_is_bod_level,
  'boot-size': m.fuse_is_boot_size,
}

const dangers: Record<FuseDanger, () => string> = {
  fixed: m.fuse_danger_fixed,
  lost: m.fuse_danger_lost,
  clock: m.fuse_danger_clock,
  slow: m.fuse_danger_slow,
  supply: m.fuse_danger_supply,
  caution: m.fuse_danger_caution,
}

const fuseByteNames: Record<FuseByte, () => string> = {
  low: m.fuse_byte_low,
  high: m.fuse_byte_high,
  extended: m.fuse_byte_extended,
}

/** Checks carry names of bits as plain text; one that is not known is shown as it is. */
export const fuseName = (bit: string): string => (bits as Partial<Record<string, Term>>)[bit]?.name() ?? bit
export const fuseHelp = (bit: FuseBit): string => bits[bit].help()
export const fuseByteName = (byte: FuseByte): string => fuseByteNames[byte]()

export function fuseMeaning(id: string, values: Readonly<Record<string, string>> = {}): string {
  const { bits: pattern = '–', volts = '–', bytes = '–', address = '–' } = values
  const meaning = (meanings as Partial<Record<string, (gaps: Gaps) => string>>)[id]
  return meaning?.({ bits: pattern, volts, bytes, address }) ?? id
}

export const fuseDanger = (danger: string): string =>
  (dangers as Partial<Record<string, () => string>>)[danger]?.() ?? ''
