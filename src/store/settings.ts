/**
 * What the user has set. Read leniently: what is missing or no longer makes sense falls back to its
 * default, one setting at a time, because a broken setting must never keep anybody from a repair.
 */
import * as z from 'zod/mini'
import { storing, type Database } from './db.ts'

export interface Settings {
  /** 'auto': as the browser says. */
  readonly language: 'auto' | 'en' | 'de'
  readonly scheme: 'auto' | 'light' | 'dark'
  /** Twins instead of hardware. */
  readonly practice: boolean
  /** Details opened from the start. */
  readonly expert: boolean
}

const record = z.catch(
  z.object({
    language: z.catch(z.enum(['auto', 'en', 'de']), 'auto'),
    scheme: z.catch(z.enum(['auto', 'light', 'dark']), 'auto'),
    practice: z.catch(z.boolean(), false),
    expert: z.catch(z.boolean(), false),
  }),
  { language: 'auto', scheme: 'auto', practice: false, expert: false },
)

export const defaultSettings: Settings = record.parse(undefined)

/** The name carries the version, so that a new form can read the old one. */
const slot = 'settings-1'

export class SettingsStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  async load(): Promise<Settings> {
    return record.parse(await storing('reading the settings', () => this.#db.get('settings', slot)))
  }

  /** Changes some and resolves with all. */
  save(changes: Partial<Settings>): Promise<Settings> {
    return storing('storing the settings', async () => {
      const all = this.#db.transaction('settings', 'readwrite')
      const settings = record.parse({ ...record.parse(await all.store.get(slot)), ...changes })
      await Promise.all([all.store.put(settings, slot), all.done])
      return settings
    })
  }
}
