/**
 * Every error as people read it: what happened, what is safe, what to do now.
 *
 * The table covers every code of `core/errors.ts`, so a new code without a text does not compile. What is
 * safe follows from the situation, not from the error: whether the patient may be half-written, and which
 * backup there is. "Now" is never empty.
 */
import { hex } from '#core/bytes.ts'
import type {
  DeviceApi,
  ErrorCode,
  ErrorDetails,
  FlashError,
  LikelyCause,
  MismatchDetail,
  NotThePatient,
} from '#core/errors.ts'
import type { MemoryId, Way } from '#core/programmer.ts'
import type { Platform } from '#host/platform.ts'
import type { BadLinkReason } from '#catalogue/link.ts'
import { accessHelp, busyHelp, policyHelp, type CopyText, type Help } from './access.ts'
import { afterBadFile, badFileText } from './bad-file.ts'
import { memoryName } from './facts.ts'
import { count, moment, size } from './format.ts'
import { m } from './generated/messages.js'
import type { SheetId } from './rescue.ts'
import { isNonsense, isPortAlone, silentTarget, toolOf, type TargetSituation } from './silent-target.ts'

/** What the text depends on beside the error itself. */
export interface Situation extends TargetSituation {
  readonly platform: Platform
  /** From the first erase to the end of the verify. */
  readonly halfWritten: boolean
  /** Of what is half-written: everything was written, but not all of it read back. */
  readonly allWritten?: boolean
  /** Of what is written, what the backup does not hold. */
  readonly unsaved?: readonly MemoryId[]
  /** What was unplugged is plugged in again. */
  readonly isBack?: boolean
  /** True once everything was written and read back. */
  readonly written?: boolean
  /** Where no device is involved at all. */
  readonly about?: 'library' | 'file'
  /** Whose link it is: one that is being made, or one that came with the file in it. */
  readonly link?: 'own' | 'inline'
}

export interface ErrorText {
  readonly happened: string
  readonly safe: string
  readonly now: readonly string[]
  readonly copy: readonly CopyText[]
  /** The rescue sheet that shows how. */
  readonly sheet: SheetId | undefined
  /** The field's own words, for who wants them. */
  readonly details: string | undefined
  /** Whether the log should be saved for a report. */
  readonly asksForReport: boolean
}

/** What a code has to say; without `safe` the situation says it. */
interface Told extends Help {
  readonly happened: string
  readonly safe?: string
  readonly sheet?: SheetId | undefined
  readonly details?: string
  /** Nobody expects this to happen. */
  readonly report?: true
}

type Teller<C extends ErrorCode> = (detail: ErrorDetails[C], situation: Situation) => Told

const texts = {
  cancelled: (_, situation) => ({
    happened: m.error_cancelled(),
    now: [situation.halfWritten ? goOnHalfWritten(situation) : m.error_cancelled_now()],
  }),

  'browser-unsupported': ({ api }) => unsupported[api](),
  'permission-denied': (detail, { platform }) => {
    const { now, copy = [] } = accessHelp(detail, platform)
    return {
      happened: denied[detail.api](),
      now: [...now, m.access_site()],
      copy,
    }
  },
  'blocked-by-policy': ({ api }, { platform }) => ({
    happened: blocked[api](),
    ...policyHelp(api, pageOrigin(), platform),
  }),
  'click-needed': () => ({ happened: m.error_click(), now: [m.error_click_now()] }),
  'device-busy': ({ api, holder }, { platform }) =>
    holder === 'other-tab'
      ? { happened: m.error_busy_tab(), now: [m.error_busy_tab_now(), m.now_again()] }
      : {
          happened:
            api !== 'serial'
              ? m.error_busy_usb()
              : platform.os === 'linux'
                ? m.error_busy_serial_linux()
                : m.error_busy_serial(),
          ...busyHelp(api, platform),
        },

  'device-gone': (_, { isBack, ...situation }) =>
    isBack
      ? {
          happened: m.error_gone_back(),
          now: [situation.halfWritten ? goOnHalfWritten(situation) : m.error_gone_back_now()],
        }
      : {
          happened: (!situation.halfWritten
            ? m.error_gone
            : situation.allWritten
              ? m.error_gone_reading_back
              : m.error_gone_writing)(),
          now: [m.error_gone_now(), m.error_gone_now_loose()],
        },
  timeout: ({ timeoutMs }) => ({
    happened: m.error_timeout({ seconds: count(timeoutMs / 1000) }),
    now: [m.now_replug(), m.now_cable()],
  }),
  stalled: () => ({ happened: m.error_stalled(), now: [m.now_replug(), m.now_again()], report: true }),
  'short-transfer': ({ expected, found }) => ({
    happened: m.error_short({ expected: count(expected), found: count(found) }),
    now: [m.now_replug(), m.now_cable()],
    report: true,
  }),
  'transfer-failed': () => ({ happened: m.error_transfer(), now: [m.now_replug(), m.now_cable()] }),

  'unexpected-answer': ({ found }) => ({
    happened: m.error_unexpected({ found }),
    now: [m.now_replug(), m.error_unexpected_now()],
    report: true,
  }),
  'device-refused': ({ status, by }) =>
    by === 'signed-only'
      ? {
          happened: m.error_signed_only({ status }),
          now: [m.error_signed_only_now_vendor(), m.error_signed_only_now_replug()],
        }
      : {
          happened: m.error_refused({ status }),
          now: [m.now_replug(), m.now_again()],
          report: true,
        },
  'device-silent': ({ tried, by }) =>
    by === 'boot-pins'
      ? {
          happened: m.error_silent_boot_pins(),
          details: list(tried),
          now: [
            m.error_silent_boot_pins_now_reset(),
            m.error_silent_boot_pins_now_wires(),
            m.error_silent_boot_pins_now_lines(),
          ],
          sheet: 'stm32',
        }
      : {
          happened: m.error_silent(),
          details: list(tried),
          now: [m.error_silent_now_port(), m.error_silent_now_reset(), m.error_silent_now_sketch()],
        },

  'target-missing': ({ tried }, situation) => ({
    ...silentTarget(
      tried.includes('JTAG') ? { ...situation, by: 'jtag' } : situation,
      m.error_target_missing(),
    ),
    details: list(tried),
  }),
  'target-busy': ({ by }) => ({
    happened: m.error_target_busy({ by }),
    now: [m.error_target_busy_now_power(), m.error_target_busy_now_reset(), m.error_target_busy_now_memory()],
  }),
  'target-unknown': ({ signature }, situation) =>
    isNonsense(signature)
      ? silentTarget(situation, m.error_target_nonsense({ signature }))
      : {
          happened: m.error_target_unknown({ signature }),
          now: [
            ...(isPortAlone(signature) ? [m.error_target_unknown_now_closed()] : [toolOf(situation).wires()]),
            m.error_target_unknown_now(),
          ],
        },
  'target-changed': ({ expected, found }) => ({
    happened: m.error_target_changed({ expected, found }),
    now: [m.error_target_changed_now(), m.error_target_changed_now_new()],
  }),
  'read-protected': ({ memory, by }) =>
    by === 'partition-table'
      ? {
          happened: m.error_read_protected_partition({ memory: memoryName(memory) }),
          now: [m.error_read_protected_now_partition()],
        }
      : by === 'option-bytes'
        ? {
            happened: m.error_read_protected_options({ memory: memoryName(memory) }),
            now: [m.error_read_protected_now(), m.error_read_protected_now_options()],
          }
        : {
            happened: m.error_read_protected({ memory: memoryName(memory) }),
            now: [m.error_read_protected_now(), m.error_read_protected_now_reason()],
          },
  'write-protected': ({ memory, by }) =>
    by === 'partition-table'
      ? {
          happened: m.error_write_protected_partition({ memory: memoryName(memory) }),
          now: [m.error_read_protected_now_partition()],
        }
      : {
          happened: m.error_write_protected({ memory: memoryName(memory) }),
          now: [m.error_write_protected_now()],
        },

  'bad-file': (detail) => ({
    happened: badFileText(detail),
    now: afterBadFile(detail),
  }),
  'wrong-device': ({ expected, found }) => ({
    happened: m.error_wrong_device({ expected, found }),
    now: [m.error_wrong_device_now(), m.now_replug()],
  }),
  'does-not-fit': ({ memory, address, length, available }) => ({
    happened: m.error_fit({
      memory: memoryName(memory),
      address: hex(address, 4),
      length: count(length),
      available: count(available),
    }),
    now: [m.error_fit_now()],
  }),
  'bad-link': ({ field, why }, { link }) => ({
    happened: m.error_link({
      field,
      why: (linkFaults as Partial<Record<string, () => string>>)[why]?.() ?? why,
    }),
    safe: m.safe_no_file(),
    now:
      link === 'own'
        ? [m.error_link_now_own()]
        : [neverByMistake.has(why) ? m.error_link_now_not() : m.error_link_now(), m.error_link_now_file()],
  }),
  'download-blocked': ({ url }) => ({
    happened: `${m.error_download({ host: hostOf(url) })} ${m.error_download_why()}`,
    safe: m.safe_no_file(),
    now: [m.error_download_now_self(), m.error_download_now_drop()],
    copy: [{ label: m.access_copy_address(), text: url }],
  }),
  'hash-mismatch': ({ expected, found }, { link }) => ({
    happened: m.error_hash(),
    now: link === 'inline' ? [m.error_hash_now_inline(), m.error_link_now_file()] : [m.error_hash_now()],
    copy: [
      { label: m.access_copy_promised(), text: expected },
      { label: m.access_copy_found(), text: found },
    ],
  }),
  'size-mismatch': ({ expected, found }) => ({
    happened: m.error_size({ expected: count(expected), found: count(found) }),
    now: [m.error_size_now()],
  }),

  'verify-mismatch': (detail, situation) => ({
    happened: m.error_verify(mismatch(detail)),
    ...(situation.written && { safe: [m.safe_differs(), ...backupText(situation)].join(' ') }),
    now: [afterCause(situation)[detail.likely ?? 'bad-contact']()],
  }),
  'backup-mismatch': (detail, { by = 'isp' }) => ({
    happened: m.error_backup(mismatch(detail)),
    now: [
      ...(detail.likely === 'changing' ? [m.error_verify_now_changing()] : []),
      ...misread[by].map((text) => text()),
    ],
  }),
  'backup-corrupt': ({ name, why }, { about }) => ({
    happened:
      name === 'archive'
        ? m.error_corrupt_archive({ why: corruption(why) })
        : m.error_corrupt({ name, why: corruption(why) }),
    ...(about === 'library'
      ? { safe: m.safe_import(), now: [m.error_corrupt_now()] }
      : { now: [m.error_corrupt_now_job()] }),
  }),
  'backup-needed': ({ name, by }) => ({
    happened: (by ? m.error_needed_open : m.error_needed)({ name }),
    safe: m.safe_not_deleted(),
    now: by ? [m.error_needed_open_now()] : [m.error_needed_now(), m.error_needed_now_forget()],
  }),
  'not-proven': ({ expected, found, why }) => ({
    happened: (why ? notThePatient[why] : m.error_not_proven)({ expected, found }),
    safe: m.safe_written(),
    now:
      why === 'another'
        ? [m.error_not_proven_now_another()]
        : [
            why ? m.error_not_proven_now_itself() : m.error_not_proven_now_other({ found }),
            m.error_not_proven_now_read({ button: m.prove_skip() }),
          ],
  }),

  'storage-full': ({ needed, available }) => ({
    happened:
      needed === undefined || available === undefined
        ? m.error_full_untold()
        : m.error_full({ needed: size(needed), available: size(available) }),
    now: [m.error_full_now_export(), m.error_full_now_disk()],
  }),
  'storage-failed': () => ({
    happened: m.error_storage(),
    now: [m.error_storage_now(), m.error_storage_now_export()],
  }),
  'worker-ended': () => ({
    happened: m.error_worker(),
    now: [m.now_again(), m.error_worker_now(), m.error_worker_now_reload()],
  }),
  bug: (_, { halfWritten }) => ({
    happened: m.error_bug(),
    now: [halfWritten ? m.error_bug_now_half() : m.error_bug_now()],
    report: true,
  }),
} satisfies { [C in ErrorCode]: Teller<C> }

const goOnHalfWritten = ({ allWritten }: Pick<Situation, 'allWritten'>): string =>
  allWritten ? m.error_cancelled_now_written() : m.error_cancelled_now_half()

const notThePatient: Record<NotThePatient, (gaps: { expected: string; found: string }) => string> = {
  tool: m.error_not_proven_tool,
  'was-there': m.error_not_proven_was_there,
  'like-the-tool': m.error_not_proven_like_the_tool,
  another: m.error_not_proven_another,
}

const denied: Record<DeviceApi, () => string> = {
  usb: m.error_denied_usb,
  serial: m.error_denied_serial,
  hid: m.error_denied_hid,
}
const blocked: Record<DeviceApi, () => string> = {
  usb: m.error_policy_usb,
  serial: m.error_policy_serial,
  hid: m.error_policy_hid,
}

const unsupported: Record<ErrorDetails['browser-unsupported']['api'], () => Told> = {
  usb: () => ({
    happened: m.error_unsupported_usb(),
    now: [m.error_unsupported_now_usb(), m.error_unsupported_now_https(), m.error_unsupported_now_others()],
  }),
  serial: () => ({
    happened: m.error_unsupported_serial(),
    now: [
      m.error_unsupported_now_serial(),
      m.error_unsupported_now_https(),
      m.error_unsupported_now_others(),
    ],
  }),
  hid: () => ({
    happened: m.error_unsupported_hid(),
    now: [m.error_unsupported_now_hid(), m.error_unsupported_now_https(), m.error_unsupported_now_others()],
  }),
  storage: () => ({ happened: m.error_unsupported_storage(), now: [m.error_unsupported_now_storage()] }),
}

/** No mail program does this to a link. */
const neverByMistake: ReadonlySet<string> = new Set<BadLinkReason>([
  'unknown-field',
  'too-large',
  'hidden-characters',
  'not-allowed',
  'not-https',
  'credentials',
  'too-many',
  'two-sources',
])

const linkFaults: Record<BadLinkReason, () => string> = {
  'not-a-firmware-link': m.link_fault_not_a_firmware_link,
  'unknown-field': m.link_fault_unknown_field,
  'given-twice': m.link_fault_given_twice,
  'bad-encoding': m.link_fault_bad_encoding,
  missing: m.link_fault_missing,
  empty: m.link_fault_empty,
  'too-long': m.link_fault_too_long,
  'too-large': m.link_fault_too_large,
  'hidden-characters': m.link_fault_hidden_characters,
  'not-allowed': m.link_fault_not_allowed,
  'unknown-device': m.link_fault_unknown_device,
  'not-a-number': m.link_fault_not_a_number,
  'not-a-hash': m.link_fault_not_a_hash,
  'not-a-url': m.link_fault_not_a_url,
  'not-https': m.link_fault_not_https,
  credentials: m.link_fault_credentials,
  'too-many': m.link_fault_too_many,
  'two-sources': m.link_fault_two_sources,
  'needs-raw-binary': m.link_fault_needs_raw_binary,
  'bad-compression': m.link_fault_bad_compression,
}

/** What `store/archive.ts` and `store/backups.ts` find wrong; a reason that is not here is shown as it is. */
const corruptions: Readonly<Record<string, () => string>> = {
  missing: m.corrupt_missing,
  'not there': m.corrupt_missing,
  'not in the manifest': m.corrupt_unlisted,
  'too large': m.corrupt_too_large,
  'too many entries': m.corrupt_too_large,
  size: m.corrupt_size,
  hash: m.corrupt_hash,
  path: m.corrupt_path,
  twice: m.corrupt_twice,
  encrypted: m.corrupt_encrypted,
  'not a ZIP file': m.corrupt_not_zip,
  unreadable: m.corrupt_unreadable,
  'not JSON': m.corrupt_not_json,
  schema: m.corrupt_schema,
  record: m.corrupt_record,
}

function corruption(why: string): string {
  const [, kind, id] = /^(no|hash of) ([a-z]+)$/.exec(why) ?? []
  if (kind === undefined || id === undefined) return corruptions[why]?.() ?? why
  const memory = memoryName(id)
  return kind === 'no' ? m.corrupt_no_memory({ memory }) : m.corrupt_hash_of({ memory })
}

const list = (words: readonly string[]): string => words.join(', ')

const mismatch = ({ memory, address, expected, found, count: differing }: MismatchDetail) => ({
  memory: memoryName(memory),
  address: hex(address, 4),
  expected: hex(expected),
  found: hex(found),
  count: differing,
  shown: count(differing),
})

/** What readings that disagree are due to, by the way that they came. */
const misread: Record<Way['by'], readonly (() => string)[]> = {
  isp: [m.error_backup_now_contact, m.error_backup_now_slow, m.error_backup_now_running],
  swd: [m.error_backup_now_contact, m.error_backup_now_slow, m.error_backup_now_swd],
  jtag: [m.error_backup_now_contact, m.error_backup_now_slow, m.error_backup_now_jtag],
  configuration: [m.error_backup_now_cable],
  bootloader: [m.error_backup_now_cable],
}

/** Only a cable leads there. */
const hasNoWires = (by: Situation['by']): boolean => by === 'bootloader' || by === 'configuration'

/** A boot loader has no speed that could be lowered, and often no wires but its cable. */
const afterCause = ({ by }: Situation): Record<LikelyCause, () => string> => ({
  'bad-contact': hasNoWires(by) ? m.error_verify_now_cable : m.error_verify_now_contact,
  changing: m.error_verify_now_changing,
  'not-written': hasNoWires(by) ? m.error_verify_now_cable : m.error_verify_now_blank,
  'not-erased': m.error_verify_now_erase,
  'stuck-bit': m.error_verify_now_cell,
})

/** Policies are for the page that is open. */
const pageOrigin = (): string => ('location' in globalThis ? location.origin : 'https://reflasher.example')

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

/** What is safe, of the device and of the data. */
export function safeText(situation: Omit<Situation, 'platform'>): string {
  const { halfWritten, allWritten, written = false, about } = situation
  if (about === 'library') return m.safe_library()
  if (about === 'file') return m.safe_file()
  const [backup] = backupText(situation)
  if (halfWritten)
    return `${allWritten ? m.safe_all_written() : m.safe_half()} ${notSaved(situation) ?? backup ?? m.safe_half_no_backup()}`
  const device = written ? m.safe_written() : m.safe_nothing_written()
  return backup === undefined ? device : `${device} ${backup}`
}

const notSaved = ({ unsaved = [] }: Pick<Situation, 'unsaved'>): string | undefined =>
  unsaved.length === 0 ? undefined : m.safe_half_not_saved({ memories: unsaved.map(memoryName).join(', ') })

const backupText = ({ backupAt, unsaved = [] }: Pick<Situation, 'backupAt' | 'unsaved'>): string[] =>
  backupAt === undefined || unsaved.length > 0 ? [] : [m.safe_backup({ time: moment(backupAt) })]

export function errorText(error: FlashError, situation: Situation): ErrorText {
  const tell = texts[error.code] as Teller<ErrorCode>
  const { happened, safe, now, copy = [], sheet, details, report = false } = tell(error.detail, situation)
  const { halfWritten, backupAt, isBack = false } = situation
  const isSaid = error.is('cancelled') || (error.is('device-gone') && isBack)
  const after = halfWritten && !isSaid ? [m.now_continue()] : []
  const isSaved = backupAt !== undefined && !situation.unsaved?.length
  const restore = halfWritten && isSaved ? [m.now_restore({ time: moment(backupAt) })] : []
  return {
    happened,
    safe: safe === undefined || halfWritten ? safeText(situation) : safe, // half-written comes before all else
    now: [...now, ...after, ...restore, ...(report ? [m.now_report()] : [])],
    copy,
    sheet,
    details: details || (report ? error.message : undefined),
    asksForReport: report,
  }
}
