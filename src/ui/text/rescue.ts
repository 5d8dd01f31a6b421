/**
 * Rescue sheets as data: signs and what they mean, what is needed, steps with the drawing that belongs to
 * each, what is safe. Facts: USBasp's Readme and schematic, optiboot and ArduinoISP as shipped by Arduino.
 */
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
}

export type SheetId = 'usbasp' | 'arduino' | 'arduino-isp' | 'usbisp'

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
      { text: m.rescue_usbasp_step_job },
      { text: m.rescue_usbasp_step_choose },
      { text: m.rescue_usbasp_step_prove },
    ],
    safe: [m.rescue_usbasp_safe_open, m.rescue_usbasp_safe_again],
    unsafe: [m.rescue_usbasp_unsafe_fuses, m.rescue_usbasp_unsafe_locked],
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
      { text: m.rescue_arduino_isp_step_usbasp },
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
      { text: m.rescue_usbisp_step_bridge },
      { text: m.rescue_usbisp_step_cable, picture: { diagram: 'usbasp-isp10' } },
      { text: m.rescue_usbisp_step_locked },
      { text: m.rescue_usbisp_step_firmware },
      { text: m.rescue_usbisp_step_prove },
    ],
    safe: [m.rescue_usbisp_safe_again],
    unsafe: [m.rescue_usbisp_unsafe_back],
  },
}

export const isSheet = (id: string | undefined): id is SheetId => id !== undefined && id in sheets
