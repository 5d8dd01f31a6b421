/**
 * The firmware file at hand for Images and Links: read in the worker, looked into, recognised. One for the
 * app, so that a file dropped on one screen is there on the other.
 */
import { toFlashError, type FlashError } from '#core/errors.ts'
import type { KnownFirmware } from '#core/programmer.ts'
import type { ParseOptions } from '#firmware/file-format.ts'
import type { CatalogueEntry } from '#catalogue/catalogue.ts'
import { sha256 } from '#firmware/hash.ts'
import type { Statement } from '#inspector/clue.ts'
import { recogniseImage } from '#jobs/choose.ts'
import type { BackupEntry } from '#store/backups.ts'
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
  /** The one that it is for, as far as that is known. */
  readonly chip: string | undefined
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
  readonly #backups: () => Promise<readonly BackupEntry[]>

  /** `backups`: those of the library. */
  constructor(backups: () => Promise<readonly BackupEntry[]>) {
    this.#backups = backups
  }

  /** A newer file takes the place of one that is still being read. */
  async open(file: File, options: ParseOptions = {}): Promise<void> {
    this.#newest?.abort()
    const { signal } = (this.#newest = new AbortController())
    this.file = file
    this.error = undefined
    this.isReading = true
    try {
      const read = await inspectFile(file, options, signal).catch((error: unknown) => {
        if (!needsBase(toFlashError(error))) throw error
        return inspectFile(file, { ...options, base: 0 }, signal) // of anything at all the bytes can be seen
      })
      const backups = await this.#backups().catch(() => []) // the file can be looked into all the same
      const at = { ...read, chip: await chipOf(read, backups) }
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

type Read = Omit<Inspected, 'chip'>

/** As published, as the file says, as a backup of it says, as its vectors say where only one has such. */
async function chipOf(
  { known, parsed: { image }, firmware, statements }: Read,
  backups: readonly BackupEntry[],
): Promise<string | undefined> {
  const said = known?.chip ?? image.claims.chip
  if (said !== undefined) return said
  const [only, ...others] = image.segments
  const hash = only && others.length === 0 ? await sha256(only.bytes) : undefined
  const backup = backups.find(({ memories }) => memories.some((memory) => memory.sha256 === hash))
  const [chips] = statements.flatMap(({ code, values }) => (code === 'avr-chips' ? [values['chips']] : []))
  return backup?.origin.patient.chip ?? firmware?.chips?.[0] ?? (chips?.includes(',') ? undefined : chips)
}

async function inspectFile(file: File, options: ParseOptions, signal: AbortSignal): Promise<Read> {
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
  const known = inspectors.get(app) ?? new Inspector(async () => (await app.stores()).backups.list())
  inspectors.set(app, known)
  return known
}
