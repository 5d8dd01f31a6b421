/** Reading Intel HEX: from the bytes of a file to an image. The peer takes a string, so it pays for making one. */
import MemoryMap from 'nrf-intel-hex'
import { formatIntelHex, parseIntelHex } from '#firmware/intel-hex.ts'
import { HexRecords } from '#kernels/kernels.ts'
import { noise, takeTurns, type Bench, type Row } from './measure.ts'

const cases = [
  { payload: '8 KiB', bytes: 8 << 10, rounds: 41 },
  { payload: '256 KiB', bytes: 256 << 10, rounds: 11 },
  { payload: '4 MiB', bytes: 4 << 20, rounds: 3 },
]

function measure(kernel: HexRecords, { payload, bytes, rounds }: (typeof cases)[number]): Row {
  const text = formatIntelHex([{ address: 0, bytes: noise(bytes) }])
  const copy = new Uint8Array(text.length)
  const ms = takeTurns(rounds, {
    memcpy: () => {
      copy.set(text)
    },
    ours: () => parseIntelHex(text, kernel),
    plain: () => parseIntelHex(text),
    peer: () => MemoryMap.fromHex(new TextDecoder().decode(text).trimEnd()),
  })
  const perSecond = text.length / 1e6 / (ms.ours / 1000)
  return {
    payload,
    'ours MB/s': perSecond,
    'nrf-intel-hex MB/s': text.length / 1e6 / (ms.peer / 1000),
    'times as fast': ms.peer / ms.ours,
    'without WASM': ms.peer / ms.plain,
    'of memcpy': ms.memcpy / ms.ours,
  }
}

export default {
  name: 'intel-hex',
  about: 'Intel HEX text to image, MB/s of text; compare the ratios, the MB/s depend on the machine.',
  run: async () => {
    const kernel = await HexRecords.load()
    return cases.map((one) => measure(kernel, one))
  },
} satisfies Bench
