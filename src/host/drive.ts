/** A folder that the user picks, such as the drive of a boot loader. Source: File System Access (WICG). */

interface Picker {
  showDirectoryPicker(options: { mode: 'read' | 'readwrite'; id: string }): Promise<FileSystemDirectoryHandle>
}

export const canPickDrive = (): boolean => 'showDirectoryPicker' in globalThis

/** Undefined: nothing was picked, or it may not be written. */
export async function pickDrive(mode: 'read' | 'readwrite' = 'readwrite'): Promise<Drive | undefined> {
  try {
    const picker = globalThis as unknown as Picker
    return new Drive(await picker.showDirectoryPicker({ mode, id: 'drive' }))
  } catch (error) {
    if (error instanceof DOMException && ['AbortError', 'SecurityError'].includes(error.name))
      return undefined
    throw error
  }
}

export class Drive {
  readonly #folder: FileSystemDirectoryHandle

  constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder
  }

  get name(): string {
    return this.#folder.name
  }

  /** Of a file in it, whatever the case of its name; undefined: there is none, or a larger one. */
  async readText(name: string, mostBytes: number): Promise<string | undefined> {
    for await (const entry of this.#folder.values())
      if (entry.kind === 'file' && entry.name.toLowerCase() === name.toLowerCase()) {
        const file = await entry.getFile()
        return file.size <= mostBytes ? file.text() : undefined
      }
    return undefined
  }

  /**
   * `gone`: the drive went away in the end, as boot loaders do once they have everything, before the browser had given the
   * file its name. Whether it had everything, only the device can say.
   */
  async write(name: string, content: Blob): Promise<'copied' | 'gone'> {
    const file = await this.#folder.getFileHandle(name, { create: true })
    const writable = await file.createWritable()
    try {
      await writable.write(content)
    } catch (error) {
      await writable.abort().catch(() => undefined) // what went wrong is told
      throw error
    }
    try {
      await writable.close()
      return 'copied'
    } catch {
      return 'gone'
    }
  }
}
