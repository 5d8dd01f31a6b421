/**
 * tar of any dialect (v7, ustar, GNU and pax names), and Samsung's `.tar.md5`: the same with a line of md5sum
 * behind it, over everything before it. Document: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual,
 * "Basic Tar Format".
 */
import { md5 } from '@noble/hashes/legacy.js'
import { hexBytes } from '#core/bytes.ts'
import { mostEntries, refusing, startsWith, type Inside, type Wrapper } from './file-format.ts'

const name = 'tar'
const blockBytes = 512
/** Longer names are none. */
const mostNameBytes = 1 << 16

const bad = refusing(name)

/** By its type flag, what is more than a file; the rest are folders, links and devices. */
const Type = { Pax: 'x', LongName: 'L' } as const
const isFile = (type: string) => type === '0' || type === '\0' || type === '7'

function unwrap(bytes: Uint8Array, fileName: string): Inside[] {
  const inside: Inside[] = []
  let given: string | undefined
  let at = 0
  for (let seen = 0; !isEnd(bytes, at); seen++) {
    if (at + blockBytes > bytes.length) throw bad('truncated', bytes.length)
    if (!isHeader(bytes, at)) throw bad('bad-checksum', at + 148)
    if (seen > mostEntries) throw bad('bad-structure', at, { found: `over ${mostEntries} files` })
    const type = String.fromCharCode(bytes[at + 156] as number)
    const size = sizeAt(bytes, at + 124)
    const start = at + blockBytes
    if (size > bytes.length - start) throw bad('truncated', bytes.length)
    const content = bytes.subarray(start, start + size)
    if (type === Type.Pax) given = paxName(content) ?? given
    else if (type === Type.LongName) given = textOf(content.subarray(0, mostNameBytes))
    else {
      if (isFile(type) && size > 0)
        inside.push({
          name: given ?? nameAt(bytes, at),
          sizeBytes: content.length,
          read: (mostBytes) => content.subarray(0, mostBytes),
        })
      given = undefined
    }
    at = start + Math.ceil(size / blockBytes) * blockBytes
  }
  prove(bytes, at, /\.md5$/i.test(fileName))
  return inside
}

/** Two blocks of zeros; one is enough. */
const isEnd = (bytes: Uint8Array, at: number): boolean =>
  at + blockBytes <= bytes.length && bytes.subarray(at, at + blockBytes).every((byte) => byte === 0)

/** Its sum is right, the field of the sum taken as spaces. */
function isHeader(bytes: Uint8Array, at: number): boolean {
  if (at + blockBytes > bytes.length) return false
  let sum = 8 * 0x20
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += bytes[at + i] as number
  const told = /^ *([0-7]+)[\0 ]/.exec(latin1(bytes.subarray(at + 148, at + 156)))?.[1]
  return told !== undefined && parseInt(told, 8) === sum
}

/** Octal digits, or binary after a set bit where they do not suffice. */
function sizeAt(bytes: Uint8Array, at: number): number {
  if ((bytes[at] as number) & 0x80)
    return bytes.subarray(at + 1, at + 12).reduce((sum, byte) => sum * 256 + byte, 0)
  const digits = /^ *([0-7]*)[\0 ]*$/.exec(latin1(bytes.subarray(at, at + 12)))?.[1]
  if (digits === undefined) throw bad('bad-digit', at)
  return digits === '' ? 0 : parseInt(digits, 8)
}

function nameAt(bytes: Uint8Array, at: number): string {
  const own = textOf(bytes.subarray(at, at + 100))
  const hasPrefix = startsWith(bytes, 'ustar\0', at + 257)
  const prefix = hasPrefix ? textOf(bytes.subarray(at + 345, at + 500)) : ''
  return prefix === '' ? own : `${prefix}/${own}`
}

/** Records `<length> <key>=<value>\n`. */
const paxName = (content: Uint8Array): string | undefined =>
  /^\d+ path=(.*)$/m.exec(textOf(content.subarray(0, mostNameBytes)))?.[1]

const latin1 = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/\0[^]*$/, '')

/** Behind the end are zeros, and maybe the line of md5sum. */
function prove(bytes: Uint8Array, end: number, isPromised: boolean): void {
  let at = end
  while (at < bytes.length && bytes[at] === 0) at++
  if (at === bytes.length) {
    if (isPromised) throw bad('truncated', at)
    return
  }
  const line = /^([0-9a-f]{32}) [ *][^\r\n]*\r?\n?$/i.exec(latin1(bytes.subarray(at, at + 1024)))
  if (!line?.[1]) throw bad('bad-structure', at)
  const expected = hexBytes(md5(bytes.subarray(0, at)), '')
  const found = line[1].toLowerCase()
  if (found !== expected) throw bad('bad-hash', at, { found, expected })
}

export default {
  id: 'tar',
  name,
  magic: (bytes) => isHeader(bytes, 0),
  names: /\.tar(\.md5)?$/i,
  unwrap,
} satisfies Wrapper
