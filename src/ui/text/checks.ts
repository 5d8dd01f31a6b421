/**
 * Checks and consequences as people read them. A check's `why` chooses among its sentences; without one,
 * its result does. Evidence fills the gaps, a dash where a check does not give it.
 */
import type { Check, CheckCode } from '#core/programmer.ts'
import type { ImageReason } from '#catalogue/schema.ts'
import type { EvidenceCode } from '#inspector/clue.ts'
import type { Consequence } from '#jobs/plan.ts'
import { memoryName } from './facts.ts'
import { count, shortHash, size } from './format.ts'
import { fuseDanger, fuseMeaning, fuseName } from './fuses.ts'
import { m } from './generated/messages.js'
import { evidenceText } from './statements.ts'

export interface CheckText {
  readonly title: string
  readonly text: string
}

type Values = Readonly<Record<string, string>>

const gapNames = [
  'address',
  'after',
  'available',
  'before',
  'beyond',
  'bit',
  'bootloader',
  'bytes',
  'checks',
  'chips',
  'danger',
  'detail',
  'excess',
  'expected',
  'found',
  'from',
  'hash',
  'last',
  'least',
  'level',
  'lock',
  'memory',
  'name',
  'needed',
  'start',
  'target',
  'to',
  'vectors',
  'word',
] as const
type Gaps = Readonly<Record<(typeof gapNames)[number], string>>
type Sentence = (gaps: Gaps) => string

/** The evidence with ids replaced by their names. */
function gapsOf(values: Values): Gaps {
  const { memory, hash, bit, danger, checks, clue, excess, free, from, to, reason } = values
  const isFuse = bit !== undefined
  const told: Values = {
    ...values,
    ...(memory !== undefined && { memory: memory.split(/, */).map(memoryName).join(', ') }),
    ...(excess !== undefined && { excess: count(Number(excess)) }),
    ...(free !== undefined && { available: size(Number(free)) }), // older certificates have it in MB
    ...(hash !== undefined && { hash: shortHash(hash) }),
    ...(isFuse && { name: fuseName(bit) }),
    ...(isFuse && from !== undefined && { from: fuseMeaning(from, ofBefore(values)) }),
    ...(isFuse && to !== undefined && { to: fuseMeaning(to, values) }),
    ...(danger !== undefined && { danger: fuseDanger(danger) }),
    ...(clue !== undefined && { detail: evidenceText({ code: clue as EvidenceCode, values }) }),
    ...(reason !== undefined && { detail: imageReason(reason) }),
    ...(checks !== undefined && { checks: checks.split(/, */).map(checkName).join(', ') }),
  }
  return Object.fromEntries(gapNames.map((name) => [name, told[name] ?? '–'])) as Gaps
}

/** What a fuse meant before: its own gaps. */
const ofBefore = (values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      name.startsWith('from-') ? [[name.slice('from-'.length), value]] : [],
    ),
  )

interface Texts {
  readonly title: Sentence
  /** By `why`, or by result; what no check gives has none. */
  readonly says: Readonly<Partial<Record<string, Sentence>>>
}

const checks: Record<CheckCode, Texts> = {
  'chip-matches': {
    title: m.check_chip,
    says: {
      passed: m.check_chip_passed,
      warning: m.check_chip_warning,
      refused: m.check_chip_refused,
      'unknown-chip': m.check_chip_unknown,
      sister: m.check_chip_sister,
      'other-chip': m.check_chip_other,
    },
  },
  'device-matches': {
    title: m.check_link,
    says: {
      passed: m.check_link_passed,
      warning: m.check_link_warning,
      refused: m.check_link_warning,
      unknown: m.check_link_unknown,
      itself: m.check_link_itself,
      target: m.check_link_target,
    },
  },
  'content-matches': {
    title: m.check_content,
    says: {
      passed: m.check_content_passed,
      warning: m.check_content_warning,
      refused: m.check_content_refused,
    },
  },
  'usb-matches': {
    title: m.check_usb,
    says: {
      passed: m.check_usb_passed,
      warning: m.check_usb_refused,
      refused: m.check_usb_refused,
      unknown: m.check_usb_unknown,
    },
  },
  'size-fits': {
    title: m.check_size,
    says: {
      passed: m.check_size_passed,
      refused: m.check_size_refused,
      warning: m.check_size_protected,
      'for-ram': m.check_size_ram,
      'size-smallest': m.check_size_smallest,
      'size-protected': m.check_size_protected,
      'size-blank': m.check_size_blank,
      'size-claimed': m.check_size_claimed,
    },
  },
  'flash-security': {
    title: m.check_security,
    says: {
      passed: m.check_security_open,
      warning: m.check_security_secured,
      refused: m.check_security_for_good,
      open: m.check_security_open,
      secured: m.check_security_secured,
      blank: m.check_security_blank,
      'for-good': m.check_security_for_good,
    },
  },
  'bootloader-overlap': {
    title: m.check_bootloader,
    says: {
      passed: m.check_bootloader_none,
      warning: m.check_bootloader_replaced,
      refused: m.check_bootloader_protected,
      none: m.check_bootloader_none,
      untouched: m.check_bootloader_untouched,
      same: m.check_bootloader_same,
      protected: m.check_bootloader_protected,
      erased: m.check_bootloader_erased,
      replaced: m.check_bootloader_replaced,
    },
  },
  'vector-table': {
    title: m.check_vectors,
    says: {
      passed: m.check_vectors_jump,
      warning: m.check_vectors_unusual,
      refused: m.check_vectors_other,
      count: m.check_vectors_count,
      jump: m.check_vectors_jump,
      bootloader: m.check_vectors_bootloader,
      missing: m.check_vectors_missing,
      blank: m.check_vectors_blank,
      'no-jump': m.check_vectors_no_jump,
      'beyond-flash': m.check_vectors_beyond,
      'target-empty': m.check_vectors_empty,
      'other-chip': m.check_vectors_other,
      'unusual-count': m.check_vectors_unusual,
      boot2: m.check_vectors_boot2,
      'no-boot2': m.check_vectors_no_boot2,
      'image-block': m.check_vectors_block,
      'no-image-block': m.check_vectors_no_block,
      stack: m.check_vectors_stack,
      stays: m.check_vectors_stays,
      partitioned: m.check_vectors_partitioned,
      checksum: m.check_vectors_checksum,
    },
  },
  'lock-bits': {
    title: m.check_lock,
    says: {
      passed: m.check_lock_open,
      warning: m.check_lock_now,
      refused: m.check_lock_now,
      open: m.check_lock_open,
      'boot-section': m.check_lock_boot,
      'locked-now': m.check_lock_now,
      'prevents-reading': m.check_lock_reading,
      'prevents-writing': m.check_lock_writing,
      'needs-erase': m.check_lock_erase,
      crp: m.check_lock_crp,
      'no-isp': m.check_lock_no_isp,
    },
  },
  'write-protection': {
    title: m.check_write_protection,
    says: {
      passed: m.check_write_protection_none,
      warning: m.check_write_protection_pages,
      refused: m.check_write_protection_pages,
    },
  },
  'fuses-fit': {
    title: m.check_fit,
    says: {
      passed: m.check_fit_application,
      warning: m.check_fit_empty,
      refused: m.check_fit_empty,
      application: m.check_fit_application,
      bootloader: m.check_fit_bootloader,
      'bootrst-off': m.check_fit_off,
      'other-start': m.check_fit_other,
      'start-empty': m.check_fit_empty,
      'start-hidden': m.check_fit_hidden,
    },
  },
  'fuse-danger': {
    title: m.check_danger,
    says: { passed: m.check_danger_text, warning: m.check_danger_text, refused: m.check_danger_text },
  },
  version: {
    title: m.check_version,
    says: {
      passed: m.check_version_newer,
      warning: m.check_version_older,
      refused: m.check_version_older,
      newer: m.check_version_newer,
      same: m.check_version_same,
      older: m.check_version_older,
      unknown: m.check_version_unknown,
      'unknown-before': m.check_version_unknown_before,
      'unknown-after': m.check_version_unknown_after,
      other: m.check_version_other,
    },
  },
  'known-bad': {
    title: m.check_bad,
    says: { passed: m.check_bad_passed, warning: m.check_bad_warning },
  },
  'same-device': {
    title: m.check_device,
    says: {
      passed: m.check_device_passed,
      warning: m.check_device_warning,
      refused: m.check_device_refused,
      serial: m.check_device_passed,
      'same-content': m.check_device_content,
      unsure: m.check_device_unsure,
      'this-job': m.check_device_this_job,
      'other-kind': m.check_device_refused,
      practice: m.check_device_practice,
      'other-serial': m.check_device_serial,
      'other-calibration': m.check_device_calibration,
    },
  },
  'image-matches-hash': {
    title: m.check_hash,
    says: { passed: m.check_hash_passed, refused: m.check_hash_refused },
  },
  'host-battery': {
    title: m.check_battery,
    says: {
      passed: m.check_battery_passed,
      warning: m.check_battery_low,
      refused: m.check_battery_low,
      charging: m.check_battery_charging,
      level: m.check_battery_level,
      low: m.check_battery_low,
      unknown: m.check_battery_unknown,
    },
  },
  'other-tab': {
    title: m.check_tab,
    says: { passed: m.check_tab_passed },
  },
  'storage-room': {
    title: m.check_room,
    says: {
      passed: m.check_room_passed,
      warning: m.check_room_warning,
      free: m.check_room_free,
      low: m.check_room_low,
    },
  },
  'backup-proven': {
    title: m.check_backup,
    says: {
      passed: m.check_backup_plain,
      warning: m.check_backup_warning,
      refused: m.check_backup_refused,
      hashed: m.check_backup_passed,
    },
  },
  'becomes-other': {
    title: m.check_becomes,
    says: { warning: m.check_becomes_other, waits: m.check_becomes_waits },
  },
  'one-way': {
    title: m.check_one_way,
    says: { passed: m.check_one_way_passed, warning: m.check_one_way_stlink_v3 },
  },
  'nothing-to-do': {
    title: m.check_nothing,
    says: {
      passed: m.check_nothing_passed,
      warning: m.check_nothing_warning,
      refused: m.check_nothing_refused,
    },
  },
}

const imageReasons: Record<ImageReason, () => string> = {
  'clone-image': m.image_reason_clone_image,
  experimental: m.image_reason_experimental,
  'loader-too': m.image_reason_loader_too,
  'no-release-notes': m.image_reason_no_release_notes,
  'one-person': m.image_reason_one_person,
  'pre-release': m.image_reason_pre_release,
  'slow-programming': m.image_reason_slow_programming,
  superseded: m.image_reason_superseded,
  'unknown-author': m.image_reason_unknown_author,
  'vendor-string': m.image_reason_vendor_string,
}

const results: Record<Check['result'], () => string> = {
  passed: m.check_result_passed,
  warning: m.check_result_warning,
  refused: m.check_result_refused,
}

const consequences: Record<Consequence['code'], Sentence> = {
  'no-backup': m.consequence_no_backup,
  'fuse-danger': m.consequence_fuse_danger,
  'lock-bits': m.consequence_lock_bits,
  'one-way': m.consequence_one_way,
  'protection-lifted': m.consequence_protection_lifted,
  'bootloader-replaced': m.consequence_bootloader_replaced,
  'other-device': m.consequence_other_device,
  'maybe-other-device': m.consequence_maybe_other_device,
  'warning-overridden': m.consequence_warning_overridden,
}

export function checkText({ code, result, values }: Check): CheckText {
  const { title, says } = checks[code]
  const gaps = gapsOf(values)
  const say = (values['why'] === undefined ? undefined : says[values['why']]) ?? says[result] ?? title
  return { title: title(gaps), text: say(gaps) }
}

/** What the catalogue has against an image; a check carries the code as plain text. */
export const imageReason = (reason: string): string =>
  (imageReasons as Partial<Record<string, () => string>>)[reason]?.() ?? reason

export const checkResult = (result: Check['result']): string => results[result]()

/** What has to be consented to, as one concrete sentence. */
export const consequenceText = ({ code, values }: Consequence): string => consequences[code](gapsOf(values))

const consented: Record<Consequence['code'], (of: string) => string> = {
  'no-backup': (memory) => m.consented_loss({ memory: memoryName(memory) }),
  'fuse-danger': (fuse) => m.consented_fuse({ fuse: fuse.split('.').at(-1) ?? fuse }),
  'lock-bits': m.consented_lock_bits,
  'one-way': m.consented_one_way,
  'protection-lifted': m.consented_protection_lifted,
  'bootloader-replaced': m.consented_bootloader,
  'other-device': m.consented_other_device,
  'maybe-other-device': m.consented_maybe_other_device,
  'warning-overridden': m.consented_warning,
}

/** What was consented to, by the id that a certificate keeps of it. */
export function consentText(id: string): string {
  const [code = '', of = ''] = id.split(':')
  return (consented as Partial<Record<string, (of: string) => string>>)[code]?.(of) ?? id
}

const checkName = (code: string): string =>
  (checks as Partial<Record<string, Texts>>)[code]?.title(gapsOf({})) ?? code
