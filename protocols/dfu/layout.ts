/**
 * The memory layout that a DfuSe device has as the name of an alternate setting, e.g.
 * `@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg`. Source: ST, UM0424, section 10.3.2; odd forms as the field
 * has them. A part that cannot be read is left out, and told; where none is left there is no layout.
 */
import type { Range } from '#core/programmer.ts'

export interface Sector extends Range {
  readonly readable: boolean
  readonly erasable: boolean
  readonly writable: boolean
}

export interface Layout {
  /** `Internal Flash`. */
  readonly name: string
  /** In order of address, never overlapping. */
  readonly sectors: readonly Sector[]
  /** Parts of the text that could not be read. */
  readonly unread: readonly string[]
}

const units: Readonly<Record<string, number>> = { ' ': 1, B: 1, K: 1 << 10, M: 1 << 20 }
/** More sectors, or larger memories, than any chip has: it is a lie or a mistake. */
const mostSectors = 65_536
const mostBytes = 2 ** 28

/** Undefined: the text is no layout. */
export function parseLayout(text: string): Layout | undefined {
  const clean = text.replace(/[^\x20-\x7e]/g, '') // some follow theirs with garbage
  const [, name = '', rest] = /^@([^/]*)\/(.*)$/.exec(clean) ?? []
  if (rest === undefined) return undefined
  const unread: string[] = []
  const sectors: Sector[] = []
  // An address, then its groups of sectors; and so on.
  const fields = rest.split('/')
  for (let i = 0; i < fields.length; i += 2) {
    const [from = '', groups = ''] = [fields[i], fields[i + 1]]
    const [, digits] = /^\s*0x([0-9a-f]{1,8})\s*$/i.exec(from) ?? []
    if (digits === undefined) {
      unread.push([from, groups].join('/'))
      continue
    }
    let address = parseInt(digits, 16)
    for (const group of groups.split(',')) {
      const found = sectorsOf(group, address, name)
      if (!found || sectors.length + found.length > mostSectors) {
        if (group.trim() !== '') unread.push(group)
        break // where the next one begins is not known
      }
      sectors.push(...found)
      address += found.reduce((sum, { length }) => sum + length, 0)
    }
  }
  sectors.sort((a, b) => a.address - b.address)
  const apart = sectors.filter((sector, i) => {
    const before = sectors[i - 1]
    return !before || before.address + before.length <= sector.address
  })
  if (apart.length < sectors.length) unread.push('overlapping sectors')
  return apart.length > 0 ? { name: name.trim(), sectors: apart, unread } : undefined
}

/** `04*016Kg`; a unit may be missing before the type, which is a letter from a (1) to g (7). */
function sectorsOf(group: string, from: number, memory: string): Sector[] | undefined {
  const [, count, size, unit = ' ', letter] =
    /^\s*(\d{1,6})\s*\*\s*(\d{1,6})\s*([ BKM]?)\s*([a-g])\s*$/.exec(group) ?? []
  if (count === undefined || size === undefined || letter === undefined) return undefined
  const length = Number(size) * (units[unit === '' ? ' ' : unit] ?? 1)
  const number = Number(count)
  if (length === 0 || number === 0 || number > mostSectors || number * length > mostBytes) return undefined
  if (from + number * length > 2 ** 32) return undefined
  // `Device Feature` says g in some chips and can only be read by a command
  const rights = memory.startsWith('Device Feature') ? 5 : letter.charCodeAt(0) - 'a'.charCodeAt(0) + 1
  return Array.from({ length: number }, (_, i) => ({
    address: from + i * length,
    length,
    readable: (rights & 1) !== 0,
    erasable: (rights & 2) !== 0,
    writable: (rights & 4) !== 0,
  }))
}
