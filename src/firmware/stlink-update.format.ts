/**
 * A firmware file from the vendor's update package for ST-Links: enciphered with a key that is the same for all, AES-128 in
 * ECB mode over words in reverse; one key for V2 and V2-1, one for V3. Nothing in it says so: it is recognised by the
 * vector table that comes out. Newer files for a V3, which its loader wants signed, do not come out of it. Sources:
 * lujji/st-decrypt; GMMan/st-link-hack, `upgrade/upgrade.md`.
 */
import { ecb } from '@noble/ciphers/aes.js'
import { swapWords } from '#core/bytes.ts'
import { refusing, type FileFormat } from './file-format.ts'
import { buildImage } from './image.ts'

const name = 'STLinkUpgrade'
const bad = refusing(name)
const blockBytes = 16

interface Kind {
  readonly key: string
  /** For what it is, in the words of who writes it. */
  readonly chip: string
  readonly base: number
  readonly end: number
  readonly ramEnd: number
}

const kinds: readonly Kind[] = [
  {
    ...{ key: 'best performance', chip: 'ST-Link V2, V2-1' },
    ...{ base: 0x0800_4000, end: 0x0802_0000, ramEnd: 0x2000_5000 },
  },
  {
    ...{ key: ' .ST-Link.ver.3.', chip: 'ST-Link V3' },
    ...{ base: 0x0802_0000, end: 0x0808_0000, ramEnd: 0x2004_0000 },
  },
]

/** Of the end of a file, what is no whole block is left as it is: padding. */
function decipher({ key }: Kind, bytes: Uint8Array): Uint8Array {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % blockBytes))
  const cipher = ecb(swapWords(new TextEncoder().encode(key)), { disablePadding: true })
  const plain = new Uint8Array(bytes) // a Buffer's slice would be the same memory
  plain.set(swapWords(cipher.decrypt(swapWords(whole))))
  return plain
}

/** Whether a stack and a start come out: of other bytes, once in a thousand millions. */
function isOf(kind: Kind, bytes: Uint8Array): boolean {
  const plain = decipher(kind, bytes.subarray(0, blockBytes))
  const view = new DataView(plain.buffer, plain.byteOffset)
  const [stack, ...handlers] = [0, 4, 8, 12].map((at) => view.getUint32(at, true))
  const isStart = (handler: number) => (handler & 1) === 1 && handler > kind.base && handler < kind.end
  return stack !== undefined && stack > 0x2000_0000 && stack <= kind.ramEnd && handlers.every(isStart)
}

const kindOf = (bytes: Uint8Array): Kind | undefined =>
  bytes.length < 4 * blockBytes ? undefined : kinds.find((kind) => isOf(kind, bytes))

export default {
  id: 'stlink-update',
  name,
  magic: (bytes) => kindOf(bytes) !== undefined,
  parse(bytes) {
    const kind = kindOf(bytes)
    if (!kind) throw bad('bad-magic', 0)
    const { base: address, end, chip } = kind
    if (address + bytes.length > end) throw bad('bad-length', bytes.length)
    return buildImage(name, [{ address, bytes: decipher(kind, bytes) }], { claims: { chip } })
  },
} satisfies FileFormat
