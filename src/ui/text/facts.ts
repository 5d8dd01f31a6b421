/**
 * Names of facts and memories, with the one-line explanation that is shown on demand. Values are the
 * field's own words and are not translated, but for the two modes.
 */
import type { Fact, FactName, MemoryId, Recognition, Unreadable } from '#core/programmer.ts'
import type { BackupEntry } from '#store/backups.ts'
import { m } from './generated/messages.js'

interface Term {
  readonly name: () => string
  readonly help: () => string
}

/** Of a file format; most have names of their own. */
export const formatName = (name: string): string => (name === 'binary' ? m.image_format_binary() : name)

const facts: Record<FactName, Term> = {
  model: { name: m.fact_model, help: m.fact_help_model },
  mode: { name: m.fact_mode, help: m.fact_help_mode },
  firmware: { name: m.fact_firmware, help: m.fact_help_firmware },
  'firmware-version': { name: m.fact_firmware_version, help: m.fact_help_firmware_version },
  'device-version': { name: m.fact_device_version, help: m.fact_help_device_version },
  manufacturer: { name: m.fact_manufacturer, help: m.fact_help_manufacturer },
  product: { name: m.fact_product, help: m.fact_help_product },
  serial: { name: m.fact_serial, help: m.fact_help_serial },
  'usb-id': { name: m.fact_usb_id, help: m.fact_help_usb_id },
  capabilities: { name: m.fact_capabilities, help: m.fact_help_capabilities },
  chip: { name: m.fact_chip, help: m.fact_help_chip },
  sectors: { name: m.fact_sectors, help: m.fact_help_sectors },
  signature: { name: m.fact_signature, help: m.fact_help_signature },
  fuses: { name: m.fact_fuses, help: m.fact_help_fuses },
  lock: { name: m.fact_lock, help: m.fact_help_lock },
  calibration: { name: m.fact_calibration, help: m.fact_help_calibration },
  clock: { name: m.fact_clock, help: m.fact_help_clock },
  speed: { name: m.fact_speed, help: m.fact_help_speed },
  baud: { name: m.fact_baud, help: m.fact_help_baud },
  bootloader: { name: m.fact_bootloader, help: m.fact_help_bootloader },
  protocol: { name: m.fact_protocol, help: m.fact_help_protocol },
  core: { name: m.fact_core, help: m.fact_help_core },
  'debug-port': { name: m.fact_debug_port, help: m.fact_help_debug_port },
  'target-voltage': { name: m.fact_target_voltage, help: m.fact_help_target_voltage },
  hardware: { name: m.fact_hardware, help: m.fact_help_hardware },
  'firmware-date': { name: m.fact_firmware_date, help: m.fact_help_firmware_date },
  mac: { name: m.fact_mac, help: m.fact_help_mac },
  'flash-security': { name: m.fact_flash_security, help: m.fact_help_flash_security },
}

const memories: Record<MemoryId, Term> = {
  flash: { name: m.memory_flash, help: m.memory_help_flash },
  eeprom: { name: m.memory_eeprom, help: m.memory_help_eeprom },
  fuses: { name: m.memory_fuses, help: m.memory_help_fuses },
  lock: { name: m.memory_lock, help: m.memory_help_lock },
  calibration: { name: m.memory_calibration, help: m.memory_help_calibration },
  signature: { name: m.memory_signature, help: m.memory_help_signature },
  options: { name: m.memory_options, help: m.memory_help_options },
  otp: { name: m.memory_otp, help: m.memory_help_otp },
  config: { name: m.memory_config, help: m.memory_help_config },
}

const modes: Readonly<Record<string, () => string>> = {
  application: m.fact_mode_application,
  bootloader: m.fact_mode_bootloader,
} satisfies Record<Recognition['mode'], () => string>

const confidences: Record<Recognition['confidence'], () => string> = {
  certain: m.confidence_certain,
  likely: m.confidence_likely,
  possible: m.confidence_possible,
}

const unreadables: Record<Unreadable['reason'], (gaps: { memory: string }) => string> = {
  'read-protected': m.unreadable_read_protected,
  'not-through-this-way': m.unreadable_not_through_this_way,
  'write-only': m.unreadable_write_only,
}

export const factName = (name: FactName): string => facts[name].name()
export const factHelp = (name: FactName): string => facts[name].help()
export const factValue = ({ name, value }: Fact): string =>
  name === 'mode' ? (modes[value]?.() ?? value) : value

/** Errors carry a memory's id as plain text; one that is not known is shown as it is. */
export const memoryName = (id: string): string =>
  (memories as Partial<Record<string, Term>>)[id]?.name() ?? id
export const memoryHelp = (id: MemoryId): string => memories[id].help()

export const confidenceText = (confidence: Recognition['confidence']): string => confidences[confidence]()

/** The memories that a lock, or their own nature, kept out of a backup; empty where it holds all that could be lost. */
export const lockedNames = (unreadable: readonly Unreadable[]): string =>
  unreadable
    .filter(({ reason }) => reason !== 'not-through-this-way')
    .map(({ memory }) => memoryName(memory))
    .join(', ')

/** How it came here; one without a byte was not read. */
export function sourceText({ source, memories }: Pick<BackupEntry, 'source' | 'memories'>): string {
  if (memories.length === 0) return m.library_source_nothing()
  return source === 'read' ? m.library_source_read() : m.library_source_imported()
}

export const unreadableText = ({ memory, reason }: Unreadable): string =>
  unreadables[reason]({ memory: memoryName(memory) })
