/**
 * The firmware file at hand for Images and Links: read in the worker, looked into, recognised. One for the
 * app, so that a file dropped on one screen is there on the other.
 */
import { toFlashError, type FlashError } from '#core/errors.ts'
import type { KnownFirmware } from '#core/programmer.ts'
import type { ParseOptions } from '#firmware/file-format.ts'
import type { CatalogueEntry } from '#catalogue/catalogue.ts'
import type { Statement } from '#inspector/clue.ts'
import { recogniseImage } from '#jobs/choose.ts'
import { parse, type Parsed } from '#worker/client.ts'
import type { App } from './app.svelte.ts'
import { needsBase } from './choosing.ts'
import { whatItIs } from './what-it-is.ts'

export interface Inspected {
  readonly file: File
  /** How it was read. */
  readonly options: ParseOptions
  readonly parsed: Parsed
  readonly firmware: KnownFirmware | undefined
  readonly known: CatalogueEntry | undefined
  /** What it is, surest first. */
  readonly statements: readonly Statement[]
}

export class Inspector {
  at: Inspected | undefined = $state.raw()
  error: FlashError | undefined = $state.raw()
  isReading = $state(false)
  /** The one that was opened last, readable or not. */
  file: File | undefined = $state.raw()
  #newest: AbortController | undefined

  /** A newer file takes the place of one that is still being read. */
  async open(file: File, options: ParseOptions = {}): Promise<void> {
    this.#newest?.abort()
    const { signal } = (this.#newest = new AbortController())
    this.file = file
    this.error = undefined
    this.isReading = true
    try {
      const at = await inspectFile(file, options, signal).catch((error: unknown) => {
        if (!needsBase(toFlashError(error))) throw error
        return inspectFile(file, { ...options, base: 0 }, signal) // of anything at all the bytes can be seen
      })
      if (!signal.aborted) this.at = at
    } catch (error) {
      if (signal.aborted) return
      this.at = undefined
      this.error = toFlashError(error, 'reading a file')
    } finally {
      if (!signal.aborted) this.isReading = false
    }
  }

  close(): void {
    this.#newest?.abort()
    this.at = this.error = undefined
    this.isReading = false
  }
}

async function inspectFile(file: File, options: ParseOptions, signal: AbortSignal): Promise<Inspected> {
  const [parsed, { findFile, findImage }, { findPublished }] = await Promise.all([
    parse(file, { name: file.name, ...options }, signal),
    import('#catalogue/catalogue.ts'),
    import('#catalogue/published.ts'),
  ])
  const { segments } = parsed.image
  const [known, published, firmware] = await Promise.all([
    findFile(parsed.sha256).then((entry) => entry ?? findImage(segments)),
    findPublished(segments),
    recogniseImage(segments),
  ])
  const statements = whatItIs(parsed.inspection.statements, firmware, known ?? published)
  return { file, options, parsed, firmware, known, statements }
}

const inspectors = new WeakMap<App, Inspector>()

export function inspectorOf(app: App): Inspector {
  const known = inspectors.get(app) ?? new Inspector()
  inspectors.set(app, known)
  return known
}
