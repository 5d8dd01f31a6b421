/**
 * Compiles the kernels wherever Vite runs (site, tests, benches, lab): `import wasm from './x.as.ts?wasm'` gives the
 * bytes of the module. They travel inside the script: no request of their own, and they work offline.
 */
import { readFile } from 'node:fs/promises'

const query = '?wasm'
/** As a variable: the types of that package would replace everybody's. */
const compiler = 'assemblyscript/asc'

/** @returns {import('vite').Plugin} */
export const assemblyScript = () => ({
  name: 'assemblyscript',
  async load(id) {
    if (!id.endsWith(`.as.ts${query}`)) return undefined
    const file = id.slice(0, -query.length)
    this.addWatchFile(file)
    const { default: asc } = await import(/* @vite-ignore */ compiler)
    const { error, binary } = await asc.compileString(await readFile(file, 'utf8'), {
      optimizeLevel: 3,
      runtime: 'stub',
      enable: ['simd'],
      noAssert: true,
      initialMemory: 3,
    })
    if (!binary) throw new Error(`${file} could not be compiled`, { cause: error })
    const text = Buffer.from(binary).toString('base64')
    return `export default Uint8Array.from(atob('${text}'), (c) => c.charCodeAt(0))`
  },
})
