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

/** Words where WebAssembly is forbidden or too old for vectors. */
export async function fastestFold(): Promise<Fold> {
  try {
    return await foldVectors()
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error
    return new FoldWords()
  }
}
