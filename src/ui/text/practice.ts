/** What can be practised, and with which faults, in words. Entries without a text stand under "more". */
import type { ShelfEntry } from '#bench/bench.ts'
import type { Dials } from '#bench/twin.ts'
import { m } from './generated/messages.js'

const entries: Readonly<Record<string, { title: () => string; help: () => string }>> = {
  'usbasp:pair': { title: m.practice_usbasp_pair, help: m.practice_usbasp_pair_help },
  'stk500:arduino-isp-usbasp': { title: m.practice_arduino_pair, help: m.practice_arduino_pair_help },
  'usbasp:atmega328p': { title: m.practice_usbasp_board, help: m.practice_usbasp_board_help },
  'stk500:uno': { title: m.practice_uno, help: m.practice_uno_help },
  'stlink:v2-1-old': { title: m.practice_stlink_update, help: m.practice_stlink_update_help },
  'cmsis-dap:stm32f103': { title: m.practice_stm32_swd, help: m.practice_stm32_swd_help },
}

/** Entries with a help, in the order in which a newcomer wants them. */
export const practiceFirst: readonly string[] = Object.keys(entries)

const others: Readonly<Record<string, () => string>> = {
  'stk500:uno-optiboot8': m.practice_uno_optiboot8,
  'stk500:nano-old': m.practice_nano_old,
  'stk500:diecimila': m.practice_diecimila,
  'stk500:optiboot-atmega8': m.practice_optiboot_atmega8,
  'avr109:leonardo': m.practice_leonardo,
  'avr109:pro-micro-empty': m.practice_pro_micro,
  'stk500:arduino-isp-atmega8': m.practice_arduino_isp,
  'stk500:arduino-isp-atmega328p': m.practice_arduino_isp_atmega328p,
  'stk500:arduino-isp-attiny85': m.practice_arduino_isp_attiny85,
  'usbasp:atmega8': m.practice_usbasp_atmega8,
  'usbasp:attiny85': m.practice_usbasp_attiny85,
  'usbasp:attiny13': m.practice_usbasp_attiny13,
  'stlink:v2': m.practice_stlink_v2,
  'stlink:v2-1': m.practice_stlink_v21,
  'stlink:v3': m.practice_stlink_v3,
  'stlink:v2-own': m.practice_stlink_v2_own,
  'stlink:v2-1-own': m.practice_stlink_v21_own,
  'stlink:v3-own': m.practice_stlink_v3_own,
  'stlink:v3-signed': m.practice_stlink_v3_signed,
  'stlink:v1': m.practice_stlink_v1,
  'cmsis-dap:stm32f030': m.practice_dap_stm32f030,
  'cmsis-dap:stm32f410': m.practice_dap_stm32f410,
  'cmsis-dap:stm32f730': m.practice_dap_stm32f730,
  'cmsis-dap:nrf52820': m.practice_dap_nrf52820,
  'cmsis-dap:rp2040': m.practice_dap_rp2040,
  'cmsis-dap:kl26z128': m.practice_dap_kl26,
  'cmsis-dap:k20dx128': m.practice_dap_k20,
  'cmsis-dap:gd32f103': m.practice_dap_gd32f103,
  'cmsis-dap:cks32f103': m.practice_dap_cks32f103,
  'cmsis-dap:lpc11u35': m.practice_dap_lpc11u35,
  'cmsis-dap:sam3u2c': m.practice_dap_sam3u2c,
  'cmsis-dap:daplink-hid': m.practice_daplink_hid,
  'cmsis-dap:daplink-hid-stm32f103x4': m.practice_dap_hid_stm32f103x4,
  'cmsis-dap:high-speed': m.practice_dap_high_speed,
  'cmsis-dap:one-packet': m.practice_dap_one_packet,
  'jlink:v9-stm32f103': m.practice_jlink_v9,
  'jlink:v4-stm32f103': m.practice_jlink_v4,
  'dfu:stm32f072': m.practice_stm32f072,
  'dfu:stm32f405': m.practice_stm32f405,
  'stm32-uart:stm32f103': m.practice_stm32f103_uart,
  'stm32-uart:stm32f030': m.practice_stm32f030_uart,
  'stm32-uart:stm32f410': m.practice_stm32f410_uart,
  'dfu:gd32vf103': m.practice_gd32vf103,
  'dfu:atmega16u2': m.practice_atmega16u2,
  'dfu:atmega32u4': m.practice_atmega32u4,
  'dfu:at90usb1286': m.practice_at90usb1286,
  'dfu:black-magic-probe': m.practice_black_magic_probe,
  'dfu:black-magic': m.practice_black_magic,
  'dfu:dapboot': m.practice_dapboot,
  'dfu:plain': m.practice_plain_dfu,
  'dfu:plain-running': m.practice_plain_running,
  'picoboot:pico': m.practice_pico,
  'picoboot:pico-running': m.practice_pico_running,
  'picoboot:rp2040': m.practice_rp2040,
  'picoboot:rp2350': m.practice_rp2350,
  'picoboot:debugprobe': m.practice_debugprobe,
  'usbasp:clone': m.practice_clone,
  'usbasp:other': m.practice_other,
}

/** Where it stands among the others: what has words here in their order, the rest behind them. */
export const practiceRank = ({ id }: ShelfEntry): number => {
  const rank = Object.keys(others).indexOf(id)
  return rank < 0 ? Object.keys(others).length : rank
}

/** A twin that has no words here yet is called what its protocol calls it. */
export const practiceText = ({ id, name }: ShelfEntry): { title: string; help?: string } => {
  const entry = entries[id]
  return entry ? { title: entry.title(), help: entry.help() } : { title: others[id]?.() ?? name }
}

/** The faults a device can have from the start, with the value that turns each on. */
export const practiceDials: readonly {
  readonly dial: keyof Dials
  readonly value: Dials[keyof Dials]
  readonly label: () => string
}[] = [
  { dial: 'targetHz', value: 1_000_000, label: m.dial_slow },
  { dial: 'locked', value: true, label: m.dial_locked },
  { dial: 'noTarget', value: true, label: m.dial_no_target },
  { dial: 'halfWritten', value: true, label: m.dial_half_written },
  { dial: 'flickerBit', value: 0x100 * 8 + 3, label: m.dial_flicker },
  { dial: 'stuckBit', value: 0x82 * 8 + 3, label: m.dial_stuck },
  { dial: 'version', value: '1.02', label: m.dial_version },
  { dial: 'liesAboutVersion', value: true, label: m.dial_lies },
  { dial: 'chip', value: 'ATmega88', label: m.dial_chip },
]

/** Some of these faults in one line. */
export const faultNames = (dials: readonly (keyof Dials)[]): string =>
  practiceDials.flatMap(({ dial, label }) => (dials.includes(dial) ? label() : [])).join(' · ')
