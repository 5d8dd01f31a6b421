/** What begins inside an image by a magic number: file systems, kernels, archives. The magics are data. */
import { evidence, place, type Clue, type Statement } from './clue.ts'

interface Embedded {
  readonly name: string
  /** A character a byte. */
  readonly magic: string
  /** What else must be as it is said; `at` is where the magic stands. */
  readonly proof: (view: DataView, at: number) => boolean
}

const within = (view: DataView, at: number, size: number) => at + size <= view.byteLength

/** Documents: U-Boot `image.h`, squashfs `squashfs_fs.h`, devicetree specification 5.2, UBI `ubi-media.h`, cramfs, UEFI PI volume 3. */
const embedded: readonly Embedded[] = [
  {
    name: 'U-Boot image',
    magic: '\x27\x05\x19\x56',
    proof: (view, at) =>
      within(view, at, 64) && view.getUint8(at + 28) < 64 && within(view, at, view.getUint32(at + 12)),
  },
  {
    name: 'SquashFS',
    magic: 'hsqs',
    proof: (view, at) =>
      within(view, at, 96) && view.getUint16(at + 28, true) === 4 && view.getUint16(at + 20, true) <= 6,
  },
  {
    name: 'devicetree',
    magic: '\xd0\x0d\xfe\xed',
    proof: (view, at) =>
      within(view, at, 40) && view.getUint32(at + 20) <= 17 && within(view, at, view.getUint32(at + 4)),
  },
  {
    name: 'UBI',
    magic: 'UBI#\x01',
    proof: (view, at) => within(view, at, 64) && view.getUint32(at + 20) < 0x10_0000,
  },
  {
    name: 'cramfs',
    magic: '\x45\x3d\xcd\x28',
    proof: (view, at) => within(view, at, 64) && isText(view, at + 16, 'Compressed ROMFS'),
  },
  {
    name: 'UEFI firmware volume',
    magic: '_FVH',
    proof: (view, at) => at >= 40 && within(view, at, 16) && view.getUint16(at + 8, true) < 0x200,
  },
  {
    name: 'Intel flash descriptor',
    magic: '\x5a\xa5\xf0\x0f',
    proof: (view, at) => at % 0x1000 === 0x10 && within(view, at, 64),
  },
  {
    name: 'Android boot image',
    magic: 'ANDROID!',
    proof: (view, at) => at % 0x200 === 0 && within(view, at, 64),
  },
  {
    name: 'gzip',
    magic: '\x1f\x8b\x08',
    proof: (view, at) =>
      within(view, at, 18) && view.getUint8(at + 3) < 0x20 && [0, 2, 4].includes(view.getUint8(at + 8)),
  },
  {
    name: 'xz',
    magic: '\xfd7zXZ\0',
    proof: (view, at) => within(view, at, 12) && view.getUint8(at + 6) === 0 && view.getUint8(at + 7) < 16,
  },
  {
    name: 'ELF',
    magic: '\x7fELF',
    proof: (view, at) =>
      within(view, at, 52) && [1, 2].includes(view.getUint8(at + 4)) && view.getUint8(at + 6) === 1,
  },
]

function isText(view: DataView, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (view.getUint8(at + i) !== text.charCodeAt(i)) return false
  return true
}

/** More of one kind is not told. */
const mostOfOne = 4
/** Of places that begin like one and are none, so that they cost no more than the bytes. */
const mostHits = 65_536

/** By the first byte of their magics. */
const byFirst: readonly (readonly Embedded[] | undefined)[] = Array.from({ length: 256 }, (_, first) => {
  const own = embedded.filter(({ magic }) => magic.charCodeAt(0) === first)
  return own.length > 0 ? own : undefined
})
const isFirst = Uint8Array.from(byFirst, (own) => (own ? 1 : 0))

const inside: Clue = ({ segments }) => {
  const found = new Map(embedded.map((kind) => [kind, { hits: 0, statements: [] as Statement[] }]))
  for (const { address, bytes } of segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < bytes.length; at++) {
      const first = bytes[at] as number
      if (isFirst[first] === 0) continue
      for (const kind of byFirst[first] ?? []) {
        const { name, magic, proof } = kind
        if (
          bytes[at + 1] !== magic.charCodeAt(1) ||
          !within(view, at, magic.length) ||
          !isText(view, at, magic)
        )
          continue
        const own = found.get(kind)
        if (!own || ++own.hits > mostHits || own.statements.length === mostOfOne || !proof(view, at)) continue
        own.statements.push({
          code: 'embedded',
          confidence: magic.length > 3 ? 'likely' : 'possible',
          values: { name, address: place(address + at) },
          evidence: [evidence('bytes', { bytes: printable(magic) }, address + at, magic.length)],
        })
      }
    }
  }
  return [...found.values()].flatMap(({ statements }) => statements)
}
export default inside

const printable = (magic: string): string =>
  /^[\x20-\x7e]+$/.test(magic)
    ? magic
    : Array.from(magic, (character) => character.charCodeAt(0).toString(16).padStart(2, '0')).join(' ')
