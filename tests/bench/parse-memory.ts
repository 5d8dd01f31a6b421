/** In a process of its own, for `formats.bench.ts`: reads one file in one way, and says by how much the process grew. */
import { openAsBlob, readFileSync, writeFileSync } from 'node:fs'
import intelHex from 'intel-hex'
import { IntelHexReader } from '#firmware/intel-hex-reader.ts'
import { fastest } from '#kernels/kernels.ts'

const [how = '', path = '', payload = ''] = process.argv.slice(2)

async function inPieces(): Promise<unknown> {
  const file = await openAsBlob(path)
  const reader = new IntelHexReader(file.size, (await fastest()).fastRecords)
  for await (const piece of file.stream()) reader.push(piece)
  return reader.image()
}

const ways: Record<string, () => unknown> = {
  'read only': () => readFileSync(path),
  ours: inPieces,
  'intel-hex': () => intelHex.parse(readFileSync(path, 'latin1'), Number(payload)),
}

const status = (name: string) =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024

writeFileSync('/proc/self/clear_refs', '5') // the peak begins anew
const before = status('VmRSS')
const held = await ways[how]?.()
if (!held) throw new Error(`${how} gave nothing`)
console.log(status('VmHWM') - before)
