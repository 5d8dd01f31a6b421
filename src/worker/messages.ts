/**
 * The whole contract between the page and the worker. What is found is transferred, never cloned; errors travel as
 * plain values. A `Blob` is a reference and costs nothing to send.
 */
import type { PlainError } from '#core/errors.ts'
import type { ParseOptions } from '#firmware/formats.ts'
import type { Parsed } from './work.ts'

export interface Parse {
  readonly call: 'parse'
  readonly file: Blob
  readonly name: string
  readonly options: ParseOptions
}

/** `cancel` is answered by the reply to the call it cancels. */
export type Request = { readonly id: number } & (Parse | { readonly call: 'cancel' })

export type Reply =
  { readonly id: number; readonly parsed: Parsed } | { readonly id: number; readonly error: PlainError }
