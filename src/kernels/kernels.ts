/**
 * The inner loops that deserve it, in WebAssembly with vectors (`kernels.as.ts`). Each has its plain twin in this
 * folder, which gives the same and stands in where WebAssembly is not to be had.
 */
import { FoldWords, type Fold, type Taps } from './crc.ts'
import wasm from './kernels.as.ts?wasm'

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly space: WebAssembly.Global
  readonly fold3: (from: number, to: number, a: number, b: number, c: number) => void
  readonly fold4: (from: number, to: number, a: number, b: number, c: number, d: number) => void
  readonly hexRecords: (text: number, end: number, bytes: number, expected: number) => number
  readonly stopped: WebAssembly.Global
}

let compiled: Promise<WebAssembly.Module> | undefined

/** A space and kernels of its own for each caller. */
async function instance(): Promise<Exports> {
  compiled ??= WebAssembly.compile(wasm)
  const { exports } = await WebAssembly.instantiate(await compiled)
  return exports as unknown as Exports
}

/** 16 bytes at a time. */
export async function foldVectors(): Promise<Fold> {
  const { memory, space, fold3, fold4 } = await instance()
  return {
    unit: 16,
    space: new Uint8Array(memory.buffer, space.value as number),
    fold: (from: number, to: number, [a, b, c, d]: Taps) =>
      d === undefined ? fold3(from, to, a, b, c) : fold4(from, to, a, b, c, d),
  }
}

/** Where the kernel finds the text, how much of it, and where it writes. */
const hex = { text: 64, textBytes: 0x2_0000, bytes: 0x2_0100 }
/** Characters of the longest record, with what separates it. */
const longestRecord = 11 + 2 * 255 + 2

/** Reads data records of Intel HEX that follow each other. */
export class HexRecords {
  readonly #exports: Exports
  readonly #space: Uint8Array
  #text: Uint8Array | undefined
  /** This part of the text is in the kernel's memory. */
  #from = 0
  #to = 0

  private constructor(exports: Exports) {
    this.#exports = exports
    this.#space = new Uint8Array(exports.memory.buffer)
  }

  static async load(): Promise<HexRecords> {
    return new HexRecords(await instance())
  }

  /** From `at` on, the first with this offset. `bytes` holds until the next call; `at`: the first that it did not take. */
  take(text: Uint8Array, at: number, offset: number): { readonly bytes: Uint8Array; readonly at: number } {
    const { hexRecords, stopped } = this.#exports
    const isThere = text === this.#text && at >= this.#from
    if (!isThere || (at + longestRecord > this.#to && this.#to < text.length)) {
      this.#text = text
      this.#from = at
      this.#to = Math.min(text.length, at + hex.textBytes)
      this.#space.set(text.subarray(at, this.#to), hex.text)
    }
    const back = this.#from - hex.text
    const length = hexRecords(at - back, this.#to - back, hex.bytes, offset)
    return {
      bytes: this.#space.subarray(hex.bytes, hex.bytes + length),
      at: (stopped.value as number) + back,
    }
  }
}

/** What there is here: without WebAssembly, or without its vectors, the plain twins. */
export async function fastest(): Promise<{ readonly fold: Fold; readonly hexRecords?: HexRecords }> {
  try {
    return { fold: await foldVectors(), hexRecords: await HexRecords.load() }
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error
    return { fold: new FoldWords() }
  }
}
