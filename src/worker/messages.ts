/**
 * The whole contract between the page and the worker. Bytes are transferred, never cloned; errors travel
 * as plain values. A `Blob` is a reference and costs nothing to send.
 */
import type { PlainError } from '#core/errors.ts'
import type { ParseOptions } from '#firmware/formats.ts'
import type { Parsed } from './work.ts'

/** What the worker can do: what it takes and what it gives. */
export interface Calls {
  parse: { takes: { file: Blob | Uint8Array; name: string; options: ParseOptions }; gives: Parsed }
  sha256: { takes: { source: Blob }; gives: string }
}

export type CallName = keyof Calls

/** `cancel` is answered by the reply to the call it cancels. */
export type Request =
  | { [N in CallName]: { id: number; call: N; takes: Calls[N]['takes'] } }[CallName]
  | { id: number; call: 'cancel' }

export type Reply =
  | { readonly id: number; readonly gives: Calls[CallName]['gives'] }
  | { readonly id: number; readonly error: PlainError }

declare const givenUp: unique symbol
/** Bytes that their owner has given up: after the call they are gone (length 0). */
export type Transferred = Uint8Array<ArrayBuffer> & { readonly [givenUp]: true }

export const giveUp = (bytes: Uint8Array<ArrayBuffer>): Transferred => bytes as Transferred
