/**
 * The bytes that a firmware link speaks of, checked by size and SHA-256 before anything else sees them:
 * from inside the link, from one of its sources, or dropped by hand when the browser blocks the download.
 */
import { concat } from '#core/bytes.ts'
import { FlashError, toFlashError } from '#core/errors.ts'
import { systemClock, within, type Clock } from '#core/time.ts'
import { sha256 } from '#firmware/hash.ts'
import { unpack } from './link-inline.ts'
import type { FirmwareLink } from './link.ts'

/** `why` of `download-blocked`; `http-404` and its like carry the status. */
export type BlockedReason =
  | 'blocked' // offline, or the server does not allow this page to read it (CORS): browsers do not say which
  | 'interrupted'
  | 'timeout'
  | 'insecure-redirect'
  | 'no-source'
  | `http-${number}`

const silenceMs = 30_000
/** Beside the first answer; no line that firmware comes by is slower. */
const slowestBytesPerMs = 1

/**
 * Tries the sources in order; the first whose bytes are right wins. `fetch` is handed in.
 * @throws `download-blocked`, `size-mismatch`, `hash-mismatch` (told before a blocked source), `bad-link`, `cancelled`.
 */
export async function downloadFirmware(
  link: FirmwareLink,
  fetch: typeof globalThis.fetch,
  signal?: AbortSignal,
  onProgress: (done: number, total: number) => void = () => undefined,
  clock: Clock = systemClock,
): Promise<{ readonly bytes: Uint8Array; readonly url?: string }> {
  if (link.inline !== undefined)
    return { bytes: await checkOffered(await unpack(link.inline, link.size), link) }
  let failure: FlashError | undefined
  for (const url of link.urls) {
    try {
      const bytes = await download(url, link.size, fetch, signal, onProgress, clock)
      return { bytes: await checkOffered(bytes, link), url }
    } catch (error) {
      const flashError = toFlashError(error, 'downloading')
      if (!flashError.is('download-blocked', 'size-mismatch', 'hash-mismatch')) throw flashError
      if (failure === undefined || failure.is('download-blocked')) failure = flashError
    }
  }
  throw failure ?? blocked('', 'no-source')
}

/** The same bytes, when they are what the link promises. @throws `size-mismatch`, `hash-mismatch`. */
export async function checkOffered(
  bytes: Uint8Array,
  { size, sha256: expected }: Pick<FirmwareLink, 'size' | 'sha256'>,
): Promise<Uint8Array> {
  if (bytes.length !== size) throw new FlashError('size-mismatch', { expected: size, found: bytes.length })
  const found = await sha256(bytes)
  if (found !== expected) throw new FlashError('hash-mismatch', { expected, found })
  return bytes
}

const blocked = (url: string, why: BlockedReason, cause?: unknown) =>
  new FlashError('download-blocked', { url, why }, { cause })

async function download(
  url: string,
  size: number,
  fetch: typeof globalThis.fetch,
  cancelled: AbortSignal | undefined,
  onProgress: (done: number, total: number) => void,
  clock: Clock,
): Promise<Uint8Array> {
  const spent = new AbortController()
  const signal = cancelled ? AbortSignal.any([cancelled, spent.signal]) : spent.signal
  const endMs = clock.now() + silenceMs + size / slowestBytesPerMs
  /** Not longer than `silenceMs`, nor beyond `endMs`; any failure of the network as `download-blocked`. */
  const wait = async <T>(work: Promise<T>, why: BlockedReason): Promise<T> => {
    const leftMs = Math.max(0, endMs - clock.now())
    try {
      return await within(work, clock, 'downloading', Math.min(silenceMs, leftMs), cancelled)
    } catch (error) {
      cancelled?.throwIfAborted()
      throw blocked(url, error instanceof FlashError && error.is('timeout') ? 'timeout' : why, error)
    }
  }
  try {
    const response = await wait(
      fetch(url, { signal, credentials: 'omit', referrerPolicy: 'no-referrer' }),
      'blocked',
    )
    if (!response.ok) throw blocked(url, `http-${response.status}`)
    if (response.redirected && url.startsWith('https:') && !response.url.startsWith('https:'))
      throw blocked(url, 'insecure-redirect')
    const reader = response.body?.getReader()
    const parts: Uint8Array[] = []
    let received = 0
    while (reader) {
      const { done, value } = await wait(reader.read(), 'interrupted')
      if (done) break
      if (clock.now() > endMs) throw blocked(url, 'timeout') // its pieces come without a pause
      received += value.length
      if (received > size) throw new FlashError('size-mismatch', { expected: size, found: received })
      parts.push(value)
      onProgress(received, size)
    }
    return concat(...parts)
  } finally {
    spent.abort() // whatever is still on its way is not wanted
  }
}
