/**
 * The hot path of files against what people take instead, in Node and in a browser's worker alike. Each row is one of our
 * ways against one other: how many times as fast it is, and how fast issue and users want it.
 */
import crc16xmodem from 'crc/calculators/crc16xmodem'
import peer32 from 'crc-32'
import { createCRC32 } from 'hash-wasm'
import MemoryMap from 'nrf-intel-hex'
import { decodeBlock } from 'uf2'
import { differences } from '#core/compare.ts'
import { formatIntelHex, parseIntelHex } from '#firmware/intel-hex.ts'
import { formatSRecord, parseSRecord } from '#firmware/s-record.ts'
import { formatUf2, parseUf2 } from '#firmware/uf2.format.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { CompareVectors, foldVectors, RecordVectors } from '#kernels/kernels.ts'
import { noise, takeTurns, type Row } from './measure.ts'

type Candidate = () => unknown

/** What there is only here: by name, what does the same with a file or with contents. */
export interface Native {
  readonly where: string
  /** So that nobody pays for another's garbage. */
  readonly collect: () => void
  readonly intelHex?: (text: Uint8Array, payload: number) => Record<string, Candidate>
  readonly sRecord?: (text: Uint8Array) => Record<string, Candidate>
  readonly crc32?: (bytes: Uint8Array) => Record<string, Candidate>
  readonly compare?: (a: Uint8Array, b: Uint8Array) => Record<string, Candidate>
}

/** By whom: at least so many times as fast as they are. */
type Targets = Readonly<Record<string, number>>

interface Contest {
  readonly what: string
  readonly size: string
  readonly bytes: number
  readonly rounds: number
  readonly ours: Readonly<Record<string, Candidate>>
  readonly peers: Readonly<Record<string, Candidate>>
  readonly targets: Targets
}

const sizeOf = (bytes: number) => (bytes < 2 ** 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`)

/** The first of `ours` is what the product does, and has the targets. */
function rowsOf({ where, collect }: Native, contest: Contest): Row[] {
  const { what, size, bytes, rounds, ours, peers, targets } = contest
  const ms: Record<string, number> = takeTurns(rounds, { ...ours, ...peers }, collect)
  const [product] = Object.keys(ours)
  return Object.keys(ours).flatMap((our) =>
    Object.keys(peers).map((peer) => {
      const [mine = NaN, theirs = NaN] = [ms[our], ms[peer]]
      const target = our === product ? targets[peer] : undefined
      return {
        where,
        what: our === product ? what : `${what}, ${our}`,
        size,
        'MB/s': bytes / 1e3 / mine,
        against: peer,
        times: theirs / mine,
        ...verdict(theirs / mine, target),
      }
    }),
  )
}

export const verdict = (found: number, target: number | undefined): Row =>
  target === undefined
    ? { target: '', missed: '' }
    : {
        target: `>= ${target}`,
        missed: found >= target ? '' : `by ${Math.round((1 - found / target) * 100)} %`,
      }

export async function formatRows(native: Native): Promise<Row[]> {
  return [...(await reading(native)), ...(await checking(native)), ...(await comparing(native))]
}

async function reading(native: Native): Promise<Row[]> {
  const kernel = await RecordVectors.load()
  const rows: Row[] = []
  for (const [payload, rounds] of [
    [256 << 10, 11],
    [4 << 20, 5],
    [32 << 20, 3],
  ] as const) {
    const content = [{ address: 0, bytes: noise(payload) }]
    const size = sizeOf(payload)
    const memory = (text: Uint8Array) => {
      const copy = new Uint8Array(text.length)
      return { memcpy: () => copy.set(text), 'memcpy, new memory': () => text.slice() }
    }
    const isLarge = payload === 32 << 20
    {
      const text = formatIntelHex(content)
      const nrf = () => MemoryMap.fromHex(new TextDecoder().decode(text).trimEnd())
      rows.push(
        ...rowsOf(native, {
          ...{ what: 'Intel HEX', size, bytes: text.length, rounds },
          ours: { ours: () => parseIntelHex(text, kernel), 'no WASM': () => parseIntelHex(text) },
          // 10 s a round for 32 MiB
          peers: {
            ...memory(text),
            ...(!isLarge && { 'nrf-intel-hex': nrf }),
            ...native.intelHex?.(text, payload),
          },
          targets: { 'intel-hex': 25, 'nrf-intel-hex': 150, objcopy: 8, ...(isLarge && { memcpy: 0.25 }) },
        }),
      )
    }
    {
      const text = formatSRecord(content)
      rows.push(
        ...rowsOf(native, {
          ...{ what: 'S-record', size, bytes: text.length, rounds },
          ours: { ours: () => parseSRecord(text, kernel), 'no WASM': () => parseSRecord(text) },
          peers: { ...memory(text), ...native.sRecord?.(text) },
          targets: { objcopy: 8 },
        }),
      )
    }
    const file = formatUf2(content)
    const decode = () => {
      const image = new Uint8Array(payload)
      for (let at = 0; at < file.length; at += 512) {
        const block = decodeBlock(file.subarray(at, at + 512))
        image.set(block.payload, block.flashAddress)
      }
      return image
    }
    rows.push(
      ...rowsOf(native, {
        ...{ what: 'UF2', size, bytes: file.length, rounds },
        ours: { ours: () => parseUf2(file) },
        peers: { ...memory(file), uf2: decode },
        targets: { uf2: 5 },
      }),
    )
  }
  return rows
}

async function checking(native: Native): Promise<Row[]> {
  const fold = await foldVectors()
  const wasm32 = await createCRC32()
  const [crc32, crc16] = [crcModel('CRC-32/ISO-HDLC'), crcModel('CRC-16/XMODEM')]
  return [
    [1 << 20, 31],
    [64 << 20, 5],
  ].flatMap(([bytes = 0, rounds = 0]) => {
    const data = noise(bytes)
    const copy = new Uint8Array(bytes)
    const memcpy = () => copy.set(data)
    const size = sizeOf(bytes)
    return [
      ...rowsOf(native, {
        ...{ what: 'CRC-32', size, bytes, rounds },
        ours: {
          ours: () => new Crc(crc32, fold).update(data).done(),
          'no WASM': () => new Crc(crc32).update(data).done(),
        },
        peers: {
          memcpy,
          'hash-wasm': () => wasm32.init().update(data).digest(),
          'crc-32': () => peer32.buf(data),
          ...native.crc32?.(data),
        },
        targets: { 'hash-wasm': 3, zlib: 1 },
      }),
      ...rowsOf(native, {
        ...{ what: 'CRC-16/XMODEM', size, bytes, rounds },
        ours: {
          ours: () => new Crc(crc16, fold).update(data).done(),
          'no WASM': () => new Crc(crc16).update(data).done(),
        },
        peers: { memcpy, crc: () => crc16xmodem(data) },
        targets: { crc: 6 },
      }),
    ]
  })
}

function countByBytes(a: Uint8Array, b: Uint8Array): number {
  let count = 0
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++
  return count
}

async function comparing(native: Native): Promise<Row[]> {
  const blocks = await CompareVectors.load()
  return [
    [1 << 20, 31],
    [64 << 20, 5],
  ].flatMap(([bytes = 0, rounds = 0]) => {
    const a = noise(bytes)
    const b = a.slice()
    return rowsOf(native, {
      ...{ what: 'compare', size: sizeOf(bytes), bytes, rounds },
      ours: { ours: () => differences(a, b, { blocks }), 'no WASM': () => differences(a, b) },
      peers: { 'byte loop': () => countByBytes(a, b), ...native.compare?.(a, b) },
      targets: { 'byte loop': 15, 'Buffer.compare': 0.45 },
    })
  })
}
