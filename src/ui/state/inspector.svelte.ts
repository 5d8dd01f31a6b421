/**
 * The firmware file at hand for Images and Links: read in the worker, looked into, recognised. One for the
 * app, so that a file dropped on one screen is there on the other.
 */
import { toFlashError, type FlashError } from '#core/errors.ts'
import type { KnownFirmware } from '#core/programmer.ts'
import type { CatalogueEntry } from '#catalogue/catalogue.ts'
import { recogniseImage } from '#jobs/choose.ts'
import { parse, type Parsed } from '#worker/client.ts'
import type { App } from './app.svelte.ts'
import { rawKind } from './choosing.ts'

export interface Inspected {
  readonly file: File
  readonly parsed: Parsed
  readonly firmware: KnownFirmware | undefined
  readonly known: CatalogueEntry | undefined
}

export class Inspector {
  at: Inspected | undefined = $state.raw()
  error: FlashError | undefined = $state.raw()
  isReading = $state(false)
  #newest: AbortController | undefined

  /** `base`: where a raw binary begins. A newer file takes the place of one that is still being read. */
  async open(file: File, base?: number): Promise<void> {
    this.#newest?.abort()
    const { signal } = (this.#newest = new AbortController())
    this.error = undefined
    this.isReading = true
    try {
      const at = await inspectFile(file, base, signal)
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

async function inspectFile(file: File, base: number | undefined, signal: AbortSignal): Promise<Inspected> {
  const begin = base ?? ((await rawKind(file).catch(() => undefined)) === 'unknown' ? 0 : undefined)
  const options = begin === undefined ? { name: file.name } : { name: file.name, base: begin }
  const [parsed, { findFile, findImage }] = await Promise.all([
    parse(file, options, signal),
    import('#catalogue/catalogue.ts'),
  ])
  const { segments } = parsed.image
  const [known, firmware] = await Promise.all([
    findFile(parsed.sha256).then((entry) => entry ?? findImage(segments)),
    recogniseImage(segments),
  ])
  return { file, parsed, firmware, known }
}

const inspectors = new WeakMap<App, Inspector>()

export function inspectorOf(app: App): Inspector {
  const known = inspectors.get(app) ?? new Inspector()
  inspectors.set(app, known)
  return known
}
