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
  readonly sRecords: (text: number, end: number, bytes: number, expected: number, type: number) => number
  readonly compare: (a: number, end: number, b: number, marks: number) => number
  readonly stopped: WebAssembly.Global
  readonly taken: WebAssembly.Global
  readonly last: WebAssembly.Global
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

/** So much of each at a time: both stay in the processor's second cache. */
const comparedBytes = 1 << 15
const comparedBlock = 64

/** Compares contents of one length in blocks of 64 bytes. */
export class CompareVectors {
  readonly mostBytes = comparedBytes
  readonly blockBytes = comparedBlock
  readonly #exports: Exports
  readonly #a: Uint8Array
  readonly #b: Uint8Array
  readonly #marks: Uint8Array

  private constructor(exports: Exports) {
    const space = new Uint8Array(exports.memory.buffer)
    this.#exports = exports
    this.#a = space.subarray(0, comparedBytes)
    this.#b = space.subarray(comparedBytes, 2 * comparedBytes)
    this.#marks = space.subarray(2 * comparedBytes, 2 * comparedBytes + comparedBytes / comparedBlock)
  }

  static async load(): Promise<CompareVectors> {
    return new CompareVectors(await instance())
  }

  /** At most `mostBytes`. How many bytes differ, and by block whether one does (not 0), until the next call. */
  compare(a: Uint8Array, b: Uint8Array): { readonly count: number; readonly marks: Uint8Array } {
    const end = Math.ceil(a.length / comparedBlock) * comparedBlock
    this.#a.set(a)
    this.#b.set(b)
    this.#a.fill(0, a.length, end)
    this.#b.fill(0, a.length, end)
    const count = this.#exports.compare(0, end, comparedBytes, 2 * comparedBytes)
    return { count, marks: this.#marks.subarray(0, end / comparedBlock) }
  }
}

/** Where the kernel finds the text, how much of it, and where it writes; there is room for vectors between them. */
const records = { text: 0x100, textBytes: 0x2_0000, bytes: 0x2_0200 }

/** Reads records of hexadecimal text that follow each other; the text is put into its space. */
export class RecordVectors {
  readonly text: Uint8Array
  readonly #exports: Exports
  readonly #space: Uint8Array

  private constructor(exports: Exports) {
    this.#exports = exports
    this.#space = new Uint8Array(exports.memory.buffer)
    this.text = this.#space.subarray(records.text, records.text + records.textBytes)
  }

  static async load(): Promise<RecordVectors> {
    return new RecordVectors(await instance())
  }

  /** Data records of Intel HEX, the first with this offset. */
  intelHex(from: number, to: number, offset: number): Taken {
    const { text, bytes } = records
    return this.#taken(this.#exports.hexRecords(text + from, text + to, bytes, offset))
  }

  /** S-records of this type, 1 … 3, the first with this address; each with what separates it from the next. */
  sRecord(from: number, to: number, address: number, type: number): Taken {
    const { text, bytes } = records
    return this.#taken(this.#exports.sRecords(text + from, text + to, bytes, address, type))
  }

  #taken(length: number): Taken {
    const { stopped, taken, last } = this.#exports
    return {
      bytes: this.#space.subarray(records.bytes, records.bytes + length),
      at: (stopped.value as number) - records.text,
      records: taken.value as number,
      last: (last.value as number) - records.text,
    }
  }
}

/** What a kernel took out of a text. */
export interface Taken {
  /** Until the next call. */
  readonly bytes: Uint8Array
  /** The first character that was not taken. */
  readonly at: number
  readonly records: number
  /** Where the last of them begins. */
  readonly last: number
}

export interface Kernels {
  readonly fold: Fold
  readonly fastRecords?: RecordVectors
}

/** What there is here: without WebAssembly, or without its vectors, the plain twins. */
export const fastest = (): Promise<Kernels> =>
  vectorsOr<Kernels>(async () => ({ fold: await foldVectors(), fastRecords: await RecordVectors.load() }), {
    fold: new FoldWords(),
  })

/** Undefined: the plain one has to do. */
export const fastestCompare = (): Promise<CompareVectors | undefined> =>
  vectorsOr<CompareVectors | undefined>(() => CompareVectors.load(), undefined)

async function vectorsOr<T>(vectors: () => Promise<T>, plain: T): Promise<T> {
  try {
    return await vectors()
  } catch (error) {
    if (typeof WebAssembly === 'object' && !(error instanceof WebAssembly.CompileError)) throw error
    return plain
  }
}
