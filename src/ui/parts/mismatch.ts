/** What two readings differ in, as far as an error knows it: the first few differing bytes, in order of address. */
import { hexBytes } from '#core/bytes.ts'
import type { MismatchDetail } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'

export interface MismatchRow {
  readonly address: number
  /** Hex; as many bytes on both sides. */
  readonly expected: string
  readonly found: string
}

const rowBytes = 8

/** Differing bytes beside each other share a row. */
export function mismatchRows({ first, ...only }: MismatchDetail): readonly MismatchRow[] {
  const rows: { address: number; expected: number[]; found: number[] }[] = []
  for (const { address, expected, found } of first ?? [only]) {
    const row = rows.at(-1)
    if (row && address === row.address + row.found.length && row.found.length < rowBytes) {
      row.expected.push(expected)
      row.found.push(found)
    } else rows.push({ address, expected: [expected], found: [found] })
  }
  const text = (bytes: number[]) => hexBytes(Uint8Array.from(bytes))
  return rows.map(({ address, expected, found }) => ({
    address,
    expected: text(expected),
    found: text(found),
  }))
}

/**
 * The bytes that were read of `range`, whose bytes should be `expected`; undefined: no difference is known there.
 * Where there are more differences than are known, it ends with the last known one.
 */
export function readOf(range: Range, expected: Uint8Array, detail: MismatchDetail): Uint8Array | undefined {
  const { first = [], count } = detail
  const end = range.address + range.length
  const inside = first.filter(({ address }) => address >= range.address && address < end)
  const last = first.at(-1)
  if (inside.length === 0 || !last) return undefined
  const known = count > first.length ? Math.min(end, last.address + 1) : end
  const bytes = expected.slice(0, known - range.address)
  for (const { address, found } of inside) bytes[address - range.address] = found
  return bytes
}
