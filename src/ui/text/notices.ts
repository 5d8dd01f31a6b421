/** Notices about a programmer or patient as people read them: what is so, and what that means for the job. */
import type { Notice, NoticeCode } from '#core/programmer.ts'
import { m } from './generated/messages.js'
import type { SheetId } from './rescue.ts'

export interface NoticeText {
  readonly what: string
  readonly help: string
  /** The rescue sheet that shows how; `update`: nothing is broken, it is only old. */
  readonly sheet?: SheetId
  readonly update?: true
}

const updated = { sheet: 'usbasp', update: true } as const

type Values = Readonly<Record<string, string>>

/** How a device names itself, product first; devices may give neither string. */
const nameOf = ({ product, manufacturer }: Values): string =>
  [product, manufacturer].filter(Boolean).join(', ') || m.notice_unnamed()

const texts = {
  'shared-usb-id': (values) => ({
    what: m.notice_shared_usb_id({ name: nameOf(values) }),
    help: m.notice_shared_usb_id_help(),
  }),
  'clone-strings': (values) => ({
    what: m.notice_clone_strings({ name: nameOf(values) }),
    help: m.notice_clone_strings_help(),
  }),
  'clone-firmware': () => ({
    what: m.notice_clone_firmware(),
    help: m.notice_clone_firmware_help(),
    ...updated,
  }),
  'old-usb-id': () => ({ what: m.notice_old_usb_id(), help: m.notice_old_usb_id_help(), ...updated }),
  'usbisp-hid': () => ({
    what: m.notice_usbisp_hid(),
    help: m.notice_usbisp_hid_help(),
    sheet: 'usbisp',
  }),
  'maybe-usbasploader': () => ({
    what: m.notice_maybe_usbasploader(),
    help: m.notice_maybe_usbasploader_help(),
  }),
  'no-sck-choice': ({ fixed }) =>
    fixed === 'sketch'
      ? { what: m.notice_no_sck_choice_sketch(), help: m.notice_no_sck_choice_sketch_help() }
      : { what: m.notice_no_sck_choice(), help: m.notice_no_sck_choice_help(), ...updated },
  'slow-sck-used': ({ speed }) => ({
    what: speed ? m.notice_slow_sck_used_speed({ speed }) : m.notice_slow_sck_used(),
    help: m.notice_slow_sck_used_help(),
  }),
  locked: ({ prevents }) =>
    prevents === 'writing'
      ? { what: m.notice_locked_writing(), help: m.notice_locked_writing_help() }
      : { what: m.notice_locked(), help: m.notice_locked_help() },
  'bootloader-no-fuses': ({ eeprom }) => ({
    what: eeprom ? m.notice_bootloader_eeprom() : m.notice_bootloader_no_fuses(),
    help: eeprom ? m.notice_bootloader_eeprom_help() : m.notice_bootloader_no_fuses_help(),
  }),
  'bootloader-locked': () => ({
    what: m.notice_bootloader_locked(),
    help: m.notice_bootloader_locked_help(),
  }),
  'programmer-recognised': ({ name }) => ({
    what: name ? m.notice_programmer_recognised_name({ name }) : m.notice_programmer_recognised(),
    help: m.notice_programmer_recognised_help(),
  }),
  'stlink-v1': () => ({
    what: m.notice_stlink_v1(),
    help: m.notice_stlink_v1_help(),
  }),
  'stlink-v3pwr': () => ({
    what: m.notice_stlink_v3pwr(),
    help: m.notice_stlink_v3pwr_help(),
  }),
  'stlink-v3pwr-loader': () => ({
    what: m.notice_stlink_v3pwr_loader(),
    help: m.notice_stlink_v3pwr_loader_help(),
  }),
  'firmware-too-old': ({ version = '', needs = '' }) => ({
    what: m.notice_firmware_too_old({ version }),
    help: m.notice_firmware_too_old_help({ needs }),
  }),
  'hold-bootsel': () => ({
    what: m.notice_hold_bootsel(),
    help: m.notice_hold_bootsel_help(),
    sheet: 'pico',
  }),
  'probe-bootsel': () => ({
    what: m.notice_probe_bootsel(),
    help: m.notice_probe_bootsel_help(),
    sheet: 'pico',
  }),
  'stlink-replug': () => ({ what: m.notice_stlink_replug(), help: m.notice_stlink_replug_help() }),
  'stlink-v2-waits': () => ({
    what: m.notice_stlink_v2_waits(),
    help: m.notice_stlink_v2_waits_help(),
    sheet: 'st-link',
  }),
  'stlink-v3-for-good': () => ({
    what: m.notice_stlink_v3_for_good(),
    help: m.notice_stlink_v3_for_good_help(),
  }),
  'stlink-small': ({ room = '' }) => ({
    what: m.notice_stlink_small({ room }),
    help: m.notice_stlink_small_help(),
    sheet: 'st-link',
  }),
  'flash-size-unknown': () => ({
    what: m.notice_flash_size_unknown(),
    help: m.notice_flash_size_unknown_help(),
  }),
  'f103-clone': ({ name = '' }) => ({
    what: m.notice_f103_clone({ name }),
    help: m.notice_f103_clone_help(),
  }),
  'clone-size': ({ why, kib = '', sure = '' }) => ({
    what:
      why === 'empty'
        ? m.notice_clone_size_empty({ sure })
        : why === 'more'
          ? m.notice_clone_size_more({ kib, sure })
          : m.notice_clone_size_less({ kib }),
    help: m.notice_clone_size_help(),
  }),
  'kinetis-secured': ({ opens }) =>
    opens === 'mass-erase'
      ? { what: m.notice_kinetis_secured(), help: m.notice_kinetis_secured_help() }
      : opens === 'backdoor'
        ? { what: m.notice_kinetis_backdoor(), help: m.notice_kinetis_backdoor_help() }
        : { what: m.notice_kinetis_for_good(), help: m.notice_kinetis_for_good_help() },
  'jlink-firmware': () => ({ what: m.notice_jlink_firmware(), help: m.notice_jlink_firmware_help() }),
  'jlink-older': ({ model = '', date = '', newest = '' }) => ({
    what: m.notice_jlink_older({ model, newest }),
    help: m.notice_jlink_older_help({ date }),
  }),
  'jlink-clone': () => ({ what: m.notice_jlink_clone(), help: m.notice_jlink_clone_help() }),
  'jlink-windows': () => ({ what: m.notice_jlink_windows(), help: m.notice_jlink_windows_help() }),
  'jlink-serial-only': () => ({
    what: m.notice_jlink_serial_only(),
    help: m.notice_jlink_serial_only_help(),
  }),
  'jlink-no-firmware': () => ({
    what: m.notice_jlink_no_firmware(),
    help: m.notice_jlink_no_firmware_help(),
  }),
  'lpc-no-isp': () => ({ what: m.notice_lpc_no_isp(), help: m.notice_lpc_no_isp_help() }),
  'sam3-starts-rom': () => ({ what: m.notice_sam3_starts_rom(), help: m.notice_sam3_starts_rom_help() }),
  'sam3-locked': ({ from = '', to = '' }) => ({
    what: m.notice_sam3_locked({ from, to }),
    help: m.notice_sam3_locked_help(),
  }),
  'no-target-voltage': () => ({
    what: m.notice_no_target_voltage(),
    help: m.notice_no_target_voltage_help(),
  }),
  'rescue-chip': ({ name = '', chip = '' }) => ({
    what: m.notice_rescue_chip({ name, chip }),
    help: m.notice_rescue_chip_help(),
  }),
  'rescue-other-chip': ({ name = '', chip = '', chips = '' }) => ({
    what: m.notice_rescue_other_chip({ name, chip, chips }),
    help: m.notice_rescue_other_chip_help(),
  }),
  'boot-pins': () => ({ what: m.notice_boot_pins(), help: m.notice_boot_pins_help(), sheet: 'stm32' }),
  'pages-unknown': () => ({ what: m.notice_pages_unknown(), help: m.notice_pages_unknown_help() }),
  'generic-serial': () => ({ what: m.notice_generic_serial(), help: m.notice_generic_serial_help() }),
  'other-protocol': ({ protocol = '' }) => ({
    what: m.notice_other_protocol({ protocol }),
    help: m.notice_other_protocol_help(),
  }),
} satisfies Record<NoticeCode, (values: Values) => NoticeText>

export const noticeText = ({ code, values = {} }: Notice): NoticeText =>
  (texts[code] as (values: Values) => NoticeText)(values)
