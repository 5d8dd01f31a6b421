/**
 * The whole contract between the page and the worker. Bytes that come back are transferred; those to write or to
 * compare are cloned, because the page still shows them. Errors travel as plain values. A `Blob` is a reference and
 * costs nothing to send.
 */
import type { PlainError } from '#core/errors.ts'
import type { ParseOptions } from '#firmware/file-format.ts'
import type { Image } from '#firmware/image.ts'
import type { Compared, Parsed } from './work.ts'

export interface Parse {
  readonly call: 'parse'
  readonly file: Blob
  readonly name: string
  readonly options: ParseOptions
}

export interface Write {
  readonly call: 'write'
  /** Its id. */
  readonly format: string
  readonly image: Pick<Image, 'segments' | 'claims'>
}

export interface Compare {
  readonly call: 'compare'
  readonly first: Uint8Array
  readonly second: Uint8Array
}

export type Call = Parse | Write | Compare

/**
 * `cancel` is answered by the reply to the call it cancels. `life`: a Web Lock that the worker holds as long as it works
 * on the call; who gets it before the answer knows that the worker ended without a word.
 */
export type Request = { readonly id: number } & (
  (Call & { readonly life: string }) | { readonly call: 'cancel' }
)

/** What each call gives. */
export interface Results {
  readonly parse: Parsed
  readonly write: Uint8Array<ArrayBuffer>
  readonly compare: Compared
}

export type Reply = { readonly id: number } & (
  { readonly result: Results[keyof Results] } | { readonly error: PlainError }
)

/** The worker holds the call's lock. */
export interface Begun {
  readonly begun: number
}
