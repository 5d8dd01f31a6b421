/**
 * Rescue sheets as data: signs and what they mean, what is needed, steps with the drawing that belongs to
 * each, what is safe. Facts: USBasp's Readme and schematic, optiboot, ArduinoISP and the USB
 * chip's firmware as shipped by Arduino.
 */
import type { Dials } from '#bench/twin.ts'
import type { Diagram } from '../parts/wiring.ts'
import { m } from './generated/messages.js'

type Text = () => string

export interface Picture {
  readonly diagram: Diagram
  readonly highlight?: string
}

export interface Sheet {
  readonly title: Text
  /** One line for the list. */
  readonly short: Text
  readonly lead: Text
  readonly signs: readonly { readonly sign: Text; readonly meaning: Text }[]
  readonly need: readonly Text[]
  readonly steps: readonly { readonly text: Text; readonly picture?: Picture }[]
  readonly safe: readonly Text[]
  readonly unsafe: readonly Text[]
  /** How a second programmer brings it back; absent: none is needed. */
  readonly bring?: {
    readonly title: Text
    /** It has a boot loader of its own, which the steps of the sheet are about: only where that is lost, too. */
    readonly isLast?: true
    /** By the protocol folder of the second one. */
    readonly tools: Readonly<Record<string, Tool>>
  }
}

/** A second programmer and what it brings back. */
export interface Tool {
  readonly diagram: Diagram
  readonly steps: readonly Text[]
  /** Both together on the shelf of the practice bench. */
  readonly practice: { readonly id: string; readonly dials: Dials }
}

/** Second programmers as people know them; another one is called by its protocol's name. */
export const toolTexts: Readonly<
  Record<string, { readonly name: Text; readonly help: Text; readonly sheet?: SheetId }>
> = {
  usbasp: { name: m.bring_tool_usbasp, help: m.bring_tool_usbasp_help },
  stk500: { name: m.bring_tool_arduino, help: m.bring_tool_arduino_help, sheet: 'arduino-isp' },
  'cmsis-dap': { name: m.bring_tool_cmsis, help: m.bring_tool_cmsis_help },
  stlink: { name: m.bring_tool_stlink, help: m.bring_tool_stlink_help },
  jlink: { name: m.bring_tool_jlink, help: m.bring_tool_jlink_help },
}

/** By its debug wires, with any probe. What stands for the patient on the shelf is its chip. */
function bySwd(practice: Readonly<Record<string, string>>, dials: Dials, ...pads: readonly Text[]) {
  const steps = [m.bring_unplug, ...pads, m.bring_swd_wire, m.bring_swd_reset, m.bring_swd_power]
  const tools = Object.entries(practice).map(([family, id]): [string, Tool] => [
    family,
    { diagram: 'swd', steps, practice: { id, dials } },
  ])
  return Object.fromEntries(tools)
}

const stm32f103 = {
  'cmsis-dap': 'cmsis-dap:stm32f103',
  stlink: 'stlink:v2-1',
  jlink: 'jlink:v9-stm32f103',
}

export type SheetId =
  | 'usbasp'
  | 'arduino'
  | 'arduino-usb'
  | 'arduino-native'
  | 'arduino-isp'
  | 'usbisp'
  | 'black-magic'
  | 'stm32'
  | 'pico'
  | 'st-link'
  | 'daplink'

export const sheets: Readonly<Record<SheetId, Sheet>> = {
  usbasp: {
    title: m.rescue_usbasp,
    short: m.rescue_usbasp_short,
    lead: m.rescue_usbasp_lead,
    signs: [
      { sign: m.rescue_usbasp_sign_sck, meaning: m.rescue_usbasp_mean_sck },
      { sign: m.rescue_usbasp_sign_target, meaning: m.rescue_usbasp_mean_target },
      { sign: m.rescue_usbasp_sign_nothing, meaning: m.rescue_usbasp_mean_nothing },
      { sign: m.rescue_usbasp_sign_red, meaning: m.rescue_usbasp_mean_red },
      { sign: m.rescue_usbasp_sign_denied, meaning: m.rescue_usbasp_mean_denied },
    ],
    need: [m.rescue_usbasp_need_tool, m.rescue_usbasp_need_cable],
    steps: [
      { text: m.rescue_usbasp_step_unplug, picture: { diagram: 'usbasp-self', highlight: 'usb' } },
      { text: m.rescue_usbasp_step_j2, picture: { diagram: 'usbasp-self', highlight: 'J2' } },
      { text: m.rescue_usbasp_step_cable, picture: { diagram: 'usbasp-self' } },
      { text: m.rescue_usbasp_step_uno, picture: { diagram: 'uno-usbasp' } },
      { text: m.rescue_usbasp_step_job },
      { text: m.rescue_usbasp_step_choose },
      { text: m.rescue_usbasp_step_prove },
    ],
    safe: [m.rescue_usbasp_safe_open, m.rescue_usbasp_safe_again],
    unsafe: [m.rescue_usbasp_unsafe_fuses, m.rescue_usbasp_unsafe_locked],
    bring: {
      title: m.bring_usbasp,
      tools: {
        usbasp: {
          diagram: 'usbasp-self',
          steps: [m.bring_unplug, m.rescue_usbasp_step_j2, m.rescue_usbasp_step_cable],
          practice: { id: 'usbasp:pair', dials: { halfWritten: true } },
        },
        stk500: {
          diagram: 'uno-usbasp',
          steps: [m.bring_unplug, m.rescue_usbasp_step_j2, m.bring_wire_uno_isp10],
          practice: { id: 'stk500:arduino-isp-usbasp', dials: { halfWritten: true } },
        },
      },
    },
  },
  arduino: {
    title: m.rescue_arduino,
    short: m.rescue_arduino_short,
    lead: m.rescue_arduino_lead,
    signs: [
      { sign: m.rescue_arduino_sign_sync, meaning: m.rescue_arduino_mean_sync },
      { sign: m.rescue_arduino_sign_port, meaning: m.rescue_arduino_mean_port },
      { sign: m.rescue_arduino_sign_blink, meaning: m.rescue_arduino_mean_blink },
      { sign: m.rescue_arduino_sign_dark, meaning: m.rescue_arduino_mean_dark },
    ],
    need: [m.rescue_arduino_need_isp],
    steps: [
      { text: m.rescue_arduino_step_free, picture: { diagram: 'uno-usb', highlight: 'free' } },
      { text: m.rescue_arduino_step_reset, picture: { diagram: 'uno-usb', highlight: 'reset' } },
      { text: m.rescue_arduino_step_isp, picture: { diagram: 'usbasp-isp6' } },
      { text: m.rescue_arduino_step_write },
    ],
    safe: [m.rescue_arduino_safe_upload, m.rescue_arduino_safe_fuses],
    unsafe: [m.rescue_arduino_unsafe_isp],
    bring: {
      title: m.bring_arduino,
      tools: {
        usbasp: {
          diagram: 'usbasp-isp6',
          steps: [m.bring_unplug, m.bring_wire_shield, m.bring_wire_usbasp_isp6, m.bring_wire_j1],
          practice: { id: 'usbasp:atmega328p', dials: { halfWritten: true } },
        },
        stk500: {
          diagram: 'uno-as-isp',
          steps: [m.bring_unplug, m.bring_wire_shield, m.bring_wire_uno_isp6],
          practice: { id: 'stk500:arduino-isp-atmega328p', dials: {} },
        },
      },
    },
  },
  'arduino-usb': {
    title: m.rescue_arduino_usb,
    short: m.rescue_arduino_usb_short,
    lead: m.rescue_arduino_usb_lead,
    signs: [
      { sign: m.rescue_arduino_usb_sign_port, meaning: m.rescue_arduino_usb_mean_port },
      { sign: m.rescue_arduino_usb_sign_dfu, meaning: m.rescue_arduino_usb_mean_dfu },
      { sign: m.rescue_arduino_usb_sign_other, meaning: m.rescue_arduino_usb_mean_other },
    ],
    need: [m.rescue_arduino_usb_need],
    steps: [
      { text: m.rescue_arduino_usb_step_plug, picture: { diagram: 'uno-usb', highlight: 'usb' } },
      { text: m.rescue_arduino_usb_step_pads, picture: { diagram: 'uno-usb', highlight: 'pads' } },
      { text: m.rescue_arduino_usb_step_connect },
      { text: m.rescue_arduino_usb_step_choose },
      { text: m.rescue_arduino_usb_step_replug },
    ],
    safe: [m.rescue_arduino_usb_safe_sketch, m.rescue_arduino_usb_safe_again],
    unsafe: [m.rescue_arduino_usb_unsafe_combined],
    bring: {
      title: m.bring_arduino_usb,
      isLast: true,
      tools: {
        usbasp: {
          diagram: 'usbasp-isp6',
          steps: [m.bring_unplug, m.bring_wire_usb_pins, m.bring_wire_j1],
          practice: { id: 'usbasp:atmega328p', dials: { chip: 'ATmega16U2', halfWritten: true } },
        },
        stk500: {
          diagram: 'uno-as-isp',
          steps: [m.bring_unplug, m.bring_wire_usb_pins_uno],
          practice: { id: 'stk500:arduino-isp-atmega328p', dials: { chip: 'ATmega16U2' } },
        },
      },
    },
  },
  'arduino-native': {
    title: m.rescue_native,
    short: m.rescue_native_short,
    lead: m.rescue_native_lead,
    signs: [
      { sign: m.rescue_native_sign_none, meaning: m.rescue_native_mean_none },
      { sign: m.rescue_native_sign_short, meaning: m.rescue_native_mean_short },
      { sign: m.rescue_native_sign_dead, meaning: m.rescue_native_mean_dead },
    ],
    need: [m.rescue_native_need],
    steps: [
      { text: m.rescue_native_step_plug, picture: { diagram: 'native-usb', highlight: 'usb' } },
      { text: m.rescue_native_step_list },
      { text: m.rescue_native_step_reset, picture: { diagram: 'native-usb', highlight: 'reset' } },
      { text: m.rescue_native_step_choose },
      { text: m.rescue_native_step_isp, picture: { diagram: 'usbasp-isp6' } },
    ],
    safe: [m.rescue_native_safe_loader, m.rescue_native_safe_again],
    unsafe: [m.rescue_native_unsafe_isp],
  },
  'black-magic': {
    title: m.rescue_bmp,
    short: m.rescue_bmp_short,
    lead: m.rescue_bmp_lead,
    signs: [
      { sign: m.rescue_bmp_sign_dfu, meaning: m.rescue_bmp_mean_dfu },
      { sign: m.rescue_bmp_sign_none, meaning: m.rescue_bmp_mean_none },
      { sign: m.rescue_bmp_sign_dead, meaning: m.rescue_bmp_mean_dead },
    ],
    need: [m.rescue_bmp_need],
    steps: [
      { text: m.rescue_bmp_step_button },
      { text: m.rescue_bmp_step_connect },
      { text: m.rescue_bmp_step_choose },
      { text: m.rescue_bmp_step_start },
    ],
    safe: [m.rescue_bmp_safe_loader, m.rescue_bmp_safe_again],
    unsafe: [m.rescue_bmp_unsafe_clone],
    bring: { title: m.bring_bmp, isLast: true, tools: bySwd(stm32f103, { halfWritten: true }) },
  },
  stm32: {
    title: m.rescue_stm32,
    short: m.rescue_stm32_short,
    lead: m.rescue_stm32_lead,
    signs: [
      { sign: m.rescue_stm32_sign_none, meaning: m.rescue_stm32_mean_none },
      { sign: m.rescue_stm32_sign_dfu, meaning: m.rescue_stm32_mean_dfu },
      { sign: m.rescue_stm32_sign_serial, meaning: m.rescue_stm32_mean_serial },
      { sign: m.rescue_stm32_sign_locked, meaning: m.rescue_stm32_mean_locked },
    ],
    need: [m.rescue_stm32_need],
    steps: [
      { text: m.rescue_stm32_step_boot, picture: { diagram: 'stm32-boot', highlight: 'boot0' } },
      { text: m.rescue_stm32_step_plug, picture: { diagram: 'stm32-boot', highlight: 'usb' } },
      { text: m.rescue_stm32_step_connect },
      { text: m.rescue_stm32_step_wire, picture: { diagram: 'stm32-uart', highlight: 'wires' } },
      { text: m.rescue_stm32_step_serial },
      { text: m.rescue_stm32_step_write },
      { text: m.rescue_stm32_step_back, picture: { diagram: 'stm32-boot', highlight: 'reset' } },
    ],
    safe: [m.rescue_stm32_safe_rom],
    unsafe: [m.rescue_stm32_unsafe_protect],
  },
  pico: {
    title: m.rescue_pico,
    short: m.rescue_pico_short,
    lead: m.rescue_pico_lead,
    signs: [
      { sign: m.rescue_pico_sign_drive, meaning: m.rescue_pico_mean_drive },
      { sign: m.rescue_pico_sign_none, meaning: m.rescue_pico_mean_none },
      { sign: m.rescue_pico_sign_probe, meaning: m.rescue_pico_mean_probe },
      { sign: m.rescue_pico_sign_dead, meaning: m.rescue_pico_mean_dead },
    ],
    need: [m.rescue_pico_need],
    steps: [
      { text: m.rescue_pico_step_unplug, picture: { diagram: 'pico-bootsel', highlight: 'usb' } },
      { text: m.rescue_pico_step_hold, picture: { diagram: 'pico-bootsel', highlight: 'bootsel' } },
      { text: m.rescue_pico_step_connect },
      { text: m.rescue_pico_step_choose },
      { text: m.rescue_pico_step_start },
    ],
    safe: [m.rescue_pico_safe_rom, m.rescue_pico_safe_again],
    unsafe: [m.rescue_pico_unsafe_otp],
    bring: {
      ...{ title: m.bring_pico, isLast: true },
      tools: bySwd({ 'cmsis-dap': 'cmsis-dap:rp2040' }, { halfWritten: true }),
    },
  },
  'st-link': {
    title: m.rescue_st_link,
    short: m.rescue_st_link_short,
    lead: m.rescue_st_link_lead,
    signs: [
      { sign: m.rescue_st_link_sign_loader, meaning: m.rescue_st_link_mean_loader },
      { sign: m.rescue_st_link_sign_dead, meaning: m.rescue_st_link_mean_dead },
    ],
    need: [m.rescue_st_link_need],
    steps: [
      { text: m.rescue_st_link_step_pads, picture: { diagram: 'swd' } },
      { text: m.rescue_st_link_step_open },
      { text: m.rescue_st_link_step_write },
    ],
    safe: [m.rescue_st_link_safe_again],
    unsafe: [m.rescue_st_link_unsafe_back],
    bring: {
      title: m.bring_st_link,
      tools: bySwd(stm32f103, { locked: true }, m.rescue_st_link_step_pads),
    },
  },
  daplink: {
    title: m.rescue_daplink,
    short: m.rescue_daplink_short,
    lead: m.rescue_daplink_lead,
    signs: [
      { sign: m.rescue_daplink_sign_drive, meaning: m.rescue_daplink_mean_drive },
      { sign: m.rescue_daplink_sign_dead, meaning: m.rescue_daplink_mean_dead },
    ],
    need: [m.rescue_daplink_need],
    steps: [
      { text: m.rescue_daplink_step_pads, picture: { diagram: 'swd' } },
      { text: m.rescue_daplink_step_write },
    ],
    safe: [m.rescue_daplink_safe_again],
    unsafe: [m.rescue_daplink_unsafe_other],
    bring: {
      title: m.bring_daplink,
      tools: bySwd(stm32f103, { halfWritten: true }, m.rescue_daplink_step_pads),
    },
  },
  'arduino-isp': {
    title: m.rescue_arduino_isp,
    short: m.rescue_arduino_isp_short,
    lead: m.rescue_arduino_isp_lead,
    signs: [
      { sign: m.rescue_arduino_isp_sign_zero, meaning: m.rescue_arduino_isp_mean_zero },
      { sign: m.rescue_arduino_isp_sign_late, meaning: m.rescue_arduino_isp_mean_late },
      { sign: m.rescue_arduino_isp_sign_sync, meaning: m.rescue_arduino_isp_mean_sync },
    ],
    need: [m.rescue_arduino_isp_need],
    steps: [
      { text: m.rescue_arduino_isp_step_load },
      { text: m.rescue_arduino_isp_step_wire, picture: { diagram: 'uno-as-isp', highlight: 'RST' } },
      { text: m.rescue_arduino_isp_step_usbasp, picture: { diagram: 'uno-usbasp' } },
      { text: m.rescue_arduino_isp_step_connect },
    ],
    safe: [m.rescue_arduino_isp_safe_read],
    unsafe: [m.rescue_arduino_isp_unsafe_volt],
  },
  usbisp: {
    title: m.rescue_usbisp,
    short: m.rescue_usbisp_short,
    lead: m.rescue_usbisp_lead,
    signs: [
      { sign: m.rescue_usbisp_sign_id, meaning: m.rescue_usbisp_mean_id },
      { sign: m.rescue_usbisp_sign_avrdude, meaning: m.rescue_usbisp_mean_avrdude },
    ],
    need: [m.rescue_usbisp_need_tool, m.rescue_usbisp_need_wire],
    steps: [
      { text: m.rescue_usbisp_step_open },
      { text: m.rescue_usbisp_step_bridge, picture: { diagram: 'usbasp-usbisp', highlight: 'UP' } },
      { text: m.rescue_usbisp_step_cable, picture: { diagram: 'usbasp-usbisp' } },
      { text: m.rescue_usbisp_step_locked },
      { text: m.rescue_usbisp_step_firmware },
      { text: m.rescue_usbisp_step_prove },
    ],
    safe: [m.rescue_usbisp_safe_again],
    unsafe: [m.rescue_usbisp_unsafe_back],
    bring: {
      title: m.bring_usbisp,
      tools: {
        usbasp: {
          diagram: 'usbasp-usbisp',
          steps: [m.rescue_usbisp_step_open, m.rescue_usbisp_step_bridge, m.rescue_usbisp_step_cable],
          practice: { id: 'usbasp:pair', dials: { chip: 'ATmega88', locked: true } },
        },
        stk500: {
          diagram: 'uno-usbisp',
          steps: [
            ...[m.bring_unplug, m.rescue_usbisp_step_open, m.rescue_usbisp_step_bridge],
            m.bring_wire_uno_isp10,
          ],
          practice: { id: 'stk500:arduino-isp-usbasp', dials: { chip: 'ATmega88', locked: true } },
        },
      },
    },
  },
}

/** How what a job is to bring back is reached. */
export const bringing = (sheet: string | undefined): Sheet['bring'] =>
  isSheet(sheet) ? sheets[sheet].bring : undefined

export const isSheet = (id: string | undefined): id is SheetId => id !== undefined && id in sheets
