/** Firmware files kept for use without a network, found by their SHA-256. */
import { FlashError } from '#core/errors.ts'
import { storing, type Database } from './db.ts'
import { sha256 } from '#firmware/hash.ts'

export interface FirmwareFile {
  /** Hex, of the file as it came. */
  readonly sha256: string
  readonly name: string
  readonly version: string | undefined
  readonly chip: string | undefined
  readonly url: string | undefined
  /** ISO 8601, UTC. */
  readonly storedAt: string
  readonly bytes: Uint8Array
}

export class FirmwareFiles {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  async keep(file: Pick<FirmwareFile, 'name' | 'bytes' | 'version' | 'chip' | 'url'>): Promise<FirmwareFile> {
    const { name, version, chip, url } = file
    const bytes = file.bytes.slice() // a view would store all of its buffer
    const kept: FirmwareFile = {
      sha256: await sha256(bytes),
      name,
      version,
      chip,
      url,
      storedAt: new Date().toISOString(),
      bytes,
    }
    await storing('keeping a firmware file', () => this.#db.put('firmware', kept))
    return kept
  }

  /** @throws `hash-mismatch` when what is stored is not what was stored. */
  async get(hash: string): Promise<FirmwareFile | undefined> {
    const file = await storing('reading a firmware file', () => this.#db.get('firmware', hash))
    if (!file) return undefined
    const found = await sha256(file.bytes)
    if (found !== hash) throw new FlashError('hash-mismatch', { expected: hash, found })
    return file
  }

  /** By name. */
  async list(): Promise<readonly FirmwareFile[]> {
    const files = await storing('listing firmware files', () => this.#db.getAll('firmware'))
    return files.sort((a, b) => a.name.localeCompare(b.name))
  }

  async remove(hash: string): Promise<void> {
    await storing('removing a firmware file', () => this.#db.delete('firmware', hash))
  }
}
