/**
 * The one error of this project.
 *
 * `code` is a closed union and `detail` is typed by it; `message` is English for developers only.
 * Text for people lives in `ui/text/errors.ts`, checked to cover every code: what happened, what is
 * safe, what to do now. A layer may catch an error to *add* to it and must rethrow with `cause`.
 */

/** How a browser reaches devices. */
export type DeviceApi = 'usb' | 'serial' | 'hid'

/** What each code carries. Addresses and offsets are numbers; bytes travel as hex text. */
export interface ErrorDetails {
  // not a failure
  cancelled: { during?: string }
  // before the wire
  'browser-unsupported': { api: DeviceApi | 'storage' }
  'permission-denied': { api: DeviceApi; vendorId?: number; productId?: number }
  'blocked-by-policy': { api: DeviceApi }
  'click-needed': { api: DeviceApi }
  'device-busy': { api: DeviceApi; holder?: 'other-tab' | 'other-program' }
  // the wire
  'device-gone': { during?: string }
  timeout: { during: string; timeoutMs: number }
  stalled: { during: string }
  'short-transfer': { during: string; expected: number; found: number }
  'transfer-failed': { during: string }
  // the protocol
  'unexpected-answer': { during: string; sent?: string; found: string }
  /** `by`: it takes nothing but what its maker signed. */
  'device-refused': { during: string; status: string; by?: 'signed-only' }
  /** Asked, and is something else. */
  'wrong-device': { expected: string; found: string }
  /** `by`: that it can answer at all is for pins of its own to say. */
  'device-silent': { tried: readonly string[]; by?: 'boot-pins' }
  // the target
  'target-missing': { tried: readonly string[] }
  'target-unknown': { signature: string }
  /** What is behind its debug port asked to wait, for longer than anybody does. */
  'target-busy': { during: string; by: string }
  'target-changed': { expected: string; found: string }
  /** By lock bits unless it says so. */
  'read-protected': { memory: string; by?: 'option-bytes' | 'partition-table' }
  'write-protected': { memory: string; by?: 'partition-table' }
  // the file or link
  'bad-file': BadFileDetail
  'does-not-fit': { memory: string; address: number; length: number; available: number }
  'bad-link': { field: string; why: string }
  'download-blocked': { url: string; why: string }
  'hash-mismatch': { expected: string; found: string }
  'size-mismatch': { expected: number; found: number }
  // the result
  'verify-mismatch': MismatchDetail
  'backup-mismatch': MismatchDetail
  'backup-corrupt': { name: string; why: string }
  /** By a write that was not seen to end, or by the job that is open on this page. */
  'backup-needed': { name: string; by?: 'open-job' }
  'not-proven': { expected: string; found: string; why?: NotThePatient }
  // the house
  'storage-full': { needed?: number; available?: number }
  'storage-failed': { during: string }
  /** What works on files beside the page: ended from outside, or never began. */
  'worker-ended': { during: string }
  bug: { during?: string }
}

export type ErrorCode = keyof ErrorDetails

/** Where in a file something is wrong: `offset` in bytes from 0, `line` from 1, for text formats. */
export interface BadFileDetail {
  format: string
  why: BadFileReason
  offset?: number
  /** Both count from 1; texts only. */
  line?: number
  column?: number
  found?: string
  expected?: string
  /** `overlap`: the place in memory, and where the file named it first. */
  address?: number
  firstLine?: number
  firstOffset?: number
  /** What there is to choose from, for `several-parts` and `no-such-part`. */
  parts?: readonly PartOfFile[]
}

/** One of several firmwares in a file, e.g. of a UF2 family: `id` chooses it, `name` is as the field calls it. */
export interface PartOfFile {
  readonly id: string
  readonly name: string
  /** Of its data, as far as the file tells without reading it. */
  readonly sizeBytes?: number
}

/** Where two readings differ: `address` is the first difference, `count` how many bytes differ. */
export interface MismatchDetail {
  memory: string
  address: number
  expected: number
  found: number
  count: number
  /** What it looks like; absent: nothing in particular. */
  likely?: LikelyCause
  /** The first few differences. */
  first?: readonly { address: number; expected: number; found: number }[]
}

/**
 * What was asked for its version is not the patient. tool: the programmer that wrote it · was-there: plugged in
 * already when the write ended · like-the-tool: it cannot be told from the programmer, which is gone · another: than
 * the one that was written by itself
 */
export type NotThePatient = 'tool' | 'was-there' | 'like-the-tool' | 'another'

/**
 * bad-contact: reading it again gave something else · changing: it settled on something new, so somebody
 * else writes · not-written: blank where there should be bytes · not-erased: old bits are still cleared ·
 * stuck-bit: one bit that reads the same everywhere
 */
export type LikelyCause = 'bad-contact' | 'changing' | 'not-written' | 'not-erased' | 'stuck-bit'

/** Why a file is not what it claims to be; each has a sentence in `ui/text/errors.ts`. */
export type BadFileReason =
  | 'empty'
  | 'too-large'
  | 'not-text'
  | 'bad-magic'
  | 'no-start-code'
  | 'bad-digit'
  | 'bad-length'
  | 'bad-checksum'
  | 'bad-hash'
  | 'bad-count'
  | 'missing-block'
  | 'bad-record-type'
  | 'truncated'
  | 'no-end-record'
  | 'overlap'
  | 'address-overflow'
  | 'no-bytes'
  | 'no-address'
  | 'unknown-format'
  | 'bad-compression'
  | 'encrypted'
  | 'bad-structure'
  | 'too-deep'
  | 'no-firmware-inside'
  | 'several-parts'
  | 'no-such-part'

export class FlashError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'FlashError'
  readonly code: C
  readonly detail: ErrorDetails[C]

  constructor(code: C, detail: ErrorDetails[C], options?: { cause?: unknown; message?: string }) {
    super(options?.message ?? `${code} ${JSON.stringify(detail)}`, options)
    this.code = code
    this.detail = detail
  }

  /** True when this error has one of the given codes; narrows `detail`. */
  is<K extends ErrorCode>(...codes: readonly K[]): this is FlashError<K> {
    return (codes as readonly ErrorCode[]).includes(this.code)
  }
}

/** True when `error` is a `FlashError` with one of the given codes. */
export function isFlashError<K extends ErrorCode>(
  error: unknown,
  ...codes: readonly K[]
): error is FlashError<K> {
  return error instanceof FlashError && error.is(...codes)
}

/** Whether an answer did not come, or came broken: asked again it may come. */
export const isAnswerLost = (error: unknown): boolean =>
  isFlashError(error, 'timeout', 'unexpected-answer', 'device-refused')

/** Any thrown value as a `FlashError`; what is not one already is a `bug` that keeps its cause. */
export function toFlashError(error: unknown, during?: string): FlashError {
  if (error instanceof FlashError) return error as FlashError
  // of `await using`: to let go of what has failed fails, too; what went wrong first is told
  if (error instanceof Error && 'suppressed' in error) return toFlashError(error.suppressed, during)
  if (error instanceof DOMException && error.name === 'AbortError')
    return new FlashError('cancelled', during === undefined ? {} : { during }, { cause: error })
  return new FlashError('bug', during === undefined ? {} : { during }, {
    cause: error,
    message: error instanceof Error ? error.message : String(error),
  })
}

/** How an error crosses the worker boundary or is stored. */
export interface PlainError {
  code: ErrorCode
  detail: ErrorDetails[ErrorCode]
  message: string
}

export const toPlainError = (error: FlashError): PlainError => ({
  code: error.code,
  detail: error.detail,
  message: error.message,
})

export const fromPlainError = (plain: PlainError): FlashError =>
  new FlashError(plain.code, plain.detail, { message: plain.message })
