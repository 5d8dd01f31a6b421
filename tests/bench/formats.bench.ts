/** Reading, checking and comparing files: `format-rows.ts` in Node, with its own and other tools, and in Chromium's worker. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { crc32 } from 'node:zlib'
import intelHex from 'intel-hex'
import { build } from 'vite'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { assemblyScript } from '../../assemblyscript.js'
import { installMissing } from '../run/machine.mjs'
import { formatRows, verdict } from './format-rows.ts'
import { inChromium } from './formats-chromium.ts'
import { median, noise, type Bench, type Row } from './measure.ts'

/** Of what was made last: a whole collection would also throw away compiled code. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void
  return () => {
    gc({ type: 'minor' })
  }
}

async function run(): Promise<Row[]> {
  return [...(await inNode()), ...(await memory()), ...(await inChromium())]
}

/** By how much a process of its own grows at most; the target is 1.75 of the payload and 4 MiB. */
async function memory(): Promise<Row[]> {
  const payload = 32 << 20
  const folder = mkdtempSync(join(tmpdir(), 'reflasher-memory-'))
  try {
    const file = join(folder, 'firmware.hex')
    writeFileSync(file, formatIntelHex([{ address: 0, bytes: noise(payload) }]))
    await build({
      configFile: false,
      logLevel: 'error',
      plugins: [assemblyScript()],
      ssr: { noExternal: true },
      build: { ssr: 'tests/bench/parse-memory.ts', outDir: folder, emptyOutDir: false },
    })
    const grown = (how: string) => {
      const script = join(folder, 'parse-memory.js')
      const { stdout, stderr } = spawnSync(process.execPath, [script, how, file, String(payload)])
      if (stdout.length === 0) throw new Error(String(stderr))
      return Number(stdout)
    }
    const row = (how: string): Row => {
      const most = median([1, 2, 3].map(() => grown(how)))
      const limit = 1.75 * payload + (4 << 20)
      return {
        ...{
          where: 'Node',
          what: `peak memory of Intel HEX: ${how}`,
          size: `${Math.round(most / 2 ** 20)} MiB`,
        },
        ...{ 'MB/s': '', against: '1.75 payloads + 4 MiB', times: limit / most },
        ...verdict(limit / most, how === 'ours' ? 1 : undefined),
      }
    }
    return ['read only', 'ours', 'intel-hex'].map(row)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function inNode(): Promise<Row[]> {
  installMissing({ binutils: '/usr/bin/objcopy', srecord: '/usr/bin/srec_cat' })
  const folder = mkdtempSync(join(tmpdir(), 'reflasher-formats-'))
  /** Whole processes, as people run them. */
  const tools = (text: Uint8Array, bfd: string, srecord: string) => {
    const [file, made] = [join(folder, 'in'), join(folder, 'out')]
    const tool = (name: string, ...args: string[]) => {
      if (spawnSync(name, args).status !== 0) throw new Error(`${name} ${args.join(' ')} failed`)
    }
    writeFileSync(file, text)
    return {
      objcopy: () => {
        tool('objcopy', '-I', bfd, '-O', 'binary', file, made)
      },
      srec_cat: () => {
        tool('srec_cat', file, srecord, '-o', made, '-binary')
      },
    }
  }
  try {
    return await formatRows({
      where: 'Node',
      collect: collector(),
      intelHex: (text, payload) => ({
        'intel-hex': () => intelHex.parse(new TextDecoder().decode(text), payload),
        ...tools(text, 'ihex', '-intel'),
      }),
      sRecord: (text) => tools(text, 'srec', '-motorola'),
      crc32: (bytes) => ({ zlib: () => crc32(bytes) }),
      compare: (a, b) => ({ 'Buffer.compare': () => Buffer.compare(a, b) }),
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export default {
  name: 'formats',
  about: 'MB/s of the file; times: as fast as the other. Compare the ratios, the MB/s depend on the machine.',
  run,
} satisfies Bench
