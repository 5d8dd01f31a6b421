/** Comparing two readings with an exact count: the words' loop against the obvious loop and Node's own. */
import { differences } from '#core/compare.ts'
import { noise, takeTurns, type Bench, type Row } from './measure.ts'

function countByBytes(a: Uint8Array, b: Uint8Array): number {
  let count = 0
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++
  return count
}

function measure(mebibytes: number): Row {
  const a = noise(mebibytes << 20)
  const b = a.slice()
  const ms = takeTurns(11, {
    ours: () => differences(a, b),
    bytes: () => countByBytes(a, b),
    native: () => Buffer.compare(a, b),
  })
  return {
    size: `${mebibytes} MiB`,
    'ours MB/s': a.length / 1e6 / (ms.ours / 1000),
    'times the byte loop': ms.bytes / ms.ours,
    'of Buffer.compare': ms.native / ms.ours,
  }
}

export default {
  name: 'compare',
  about: 'Two equal buffers, counting differences; Buffer.compare has no twin in a browser.',
  run: () => Promise.resolve([1, 4].map(measure)),
} satisfies Bench
