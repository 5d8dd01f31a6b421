/** Checksums against the packages that people take and Node's own. */
import { crc32 as zlib } from 'node:zlib'
import crc16xmodem from 'crc/calculators/crc16xmodem'
import peer32 from 'crc-32'
import { createCRC32 } from 'hash-wasm'
import { Crc, FoldWords } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { foldVectors } from '#kernels/kernels.ts'
import { noise, takeTurns, type Bench, type Row } from './measure.ts'

const sizes = [
  { size: '4 KiB', bytes: 4 << 10, rounds: 401 },
  { size: '1 MiB', bytes: 1 << 20, rounds: 41 },
  { size: '64 MiB', bytes: 64 << 20, rounds: 5 },
]

async function run(): Promise<Row[]> {
  const [words, vectors, hashWasm] = [new FoldWords(), await foldVectors(), await createCRC32()]
  const [crc32, crc16] = ['CRC-32/ISO-HDLC', 'CRC-16/XMODEM'].map(crcModel) as [never, never]
  return sizes.flatMap(({ size, bytes, rounds }) => {
    const data = noise(bytes)
    const copy = new Uint8Array(bytes)
    const row = (what: string, ms: number, peers: Record<string, number>, memcpy: number): Row => ({
      what,
      size,
      'MB/s': bytes / 1e3 / ms,
      ...Object.fromEntries(Object.entries(peers).map(([name, peer]) => [`times ${name}`, peer / ms])),
      'of memcpy': memcpy / ms,
    })
    const ms = takeTurns(rounds, {
      memcpy: () => copy.set(data),
      vectors: () => new Crc(crc32, vectors).update(data).done(),
      words: () => new Crc(crc32, words).update(data).done(),
      'hash-wasm': () => hashWasm.init().update(data).digest(),
      'crc-32': () => peer32.buf(data),
      zlib: () => zlib(data),
      vectors16: () => new Crc(crc16, vectors).update(data).done(),
      words16: () => new Crc(crc16, words).update(data).done(),
      crc: () => crc16xmodem(data),
    })
    const peers = { 'hash-wasm': ms['hash-wasm'], 'crc-32': ms['crc-32'], zlib: ms.zlib }
    return [
      row('CRC-32', ms.vectors, peers, ms.memcpy),
      row('CRC-32, no WASM', ms.words, peers, ms.memcpy),
      row('CRC-16/XMODEM', ms.vectors16, { crc: ms.crc }, ms.memcpy),
      row('CRC-16/XMODEM, no WASM', ms.words16, { crc: ms.crc }, ms.memcpy),
    ]
  })
}

export default {
  name: 'checksums',
  about: 'MB/s of data; compare the ratios, the MB/s depend on the machine.',
  run,
} satisfies Bench
