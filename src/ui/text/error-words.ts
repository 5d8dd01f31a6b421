/** Why a step ended early, in a few words: for a certificate, which keeps an error's code and no more. */
import type { ErrorCode } from '#core/errors.ts'
import { m } from './generated/messages.js'

const words: Record<ErrorCode | 'page-left', () => string> = {
  'page-left': m.error_word_page_left,
  cancelled: m.error_word_cancelled,
  'browser-unsupported': m.error_word_browser_unsupported,
  'permission-denied': m.error_word_permission_denied,
  'blocked-by-policy': m.error_word_blocked_by_policy,
  'click-needed': m.error_word_click_needed,
  'device-busy': m.error_word_device_busy,
  'device-gone': m.error_word_device_gone,
  timeout: m.error_word_timeout,
  stalled: m.error_word_stalled,
  'short-transfer': m.error_word_short_transfer,
  'transfer-failed': m.error_word_transfer_failed,
  'unexpected-answer': m.error_word_unexpected_answer,
  'device-refused': m.error_word_device_refused,
  'wrong-device': m.error_word_wrong_device,
  'device-silent': m.error_word_device_silent,
  'target-missing': m.error_word_target_missing,
  'target-unknown': m.error_word_target_unknown,
  'target-busy': m.error_word_target_busy,
  'target-changed': m.error_word_target_changed,
  'read-protected': m.error_word_read_protected,
  'write-protected': m.error_word_write_protected,
  'bad-file': m.error_word_bad_file,
  'does-not-fit': m.error_word_does_not_fit,
  'bad-link': m.error_word_bad_link,
  'download-blocked': m.error_word_download_blocked,
  'hash-mismatch': m.error_word_hash_mismatch,
  'size-mismatch': m.error_word_size_mismatch,
  'verify-mismatch': m.error_word_verify_mismatch,
  'backup-mismatch': m.error_word_backup_mismatch,
  'backup-corrupt': m.error_word_backup_corrupt,
  'not-proven': m.error_word_not_proven,
  'backup-needed': m.error_word_backup_needed,
  'storage-full': m.error_word_storage_full,
  'storage-failed': m.error_word_storage_failed,
  'worker-ended': m.error_word_worker_ended,
  bug: m.error_word_bug,
}

/** A code of another version of this app is shown as it is. */
export const errorWord = (code: string): string =>
  (words as Partial<Record<string, () => string>>)[code]?.() ?? code
