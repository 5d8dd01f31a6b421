/**
 * How firmware travels to an ST-Link's boot loader: AES-128 in ECB mode with a key of the device's own, the bytes of every
 * 32-bit word in reverse, because its chip reads them as words. The keys keep nothing secret: they have been public for
 * years, and open firmware is written with them. Sources: blackmagic-debug/stlink-tool, `src/crypto.c`;
 * GMMan/st-link-hack, `paper/paper.md`.
 */
import { ecb } from '@noble/ciphers/aes.js'
import { swapWords } from '#core/bytes.ts'
import type { Protocol } from './loader-packets.ts'

const blockBytes = 16

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

const masters = { v2: ascii('I am key, wawawa'), v3: ascii(' found...STlink ') } as const
/** On a V3 the image has a layer of its own, the same for all devices, below the device's. */
const imageLayer = ascii(' .ST-Link.ver.3.')

const isV3 = (protocol: Protocol): boolean => protocol >= 3

/** Of whole blocks of 16 bytes. */
export const encrypt = (key: Uint8Array, bytes: Uint8Array): Uint8Array =>
  swapWords(ecb(swapWords(key), { disablePadding: true }).encrypt(swapWords(bytes)))

export const decrypt = (key: Uint8Array, bytes: Uint8Array): Uint8Array =>
  swapWords(ecb(swapWords(key), { disablePadding: true }).decrypt(swapWords(bytes)))

/** `keyMaterial`: of `LoaderIdentity`. */
export const deviceKey = (protocol: Protocol, keyMaterial: Uint8Array): Uint8Array =>
  encrypt(isV3(protocol) ? masters.v3 : masters.v2, keyMaterial)

/** What the device takes the checksum of: the plain bytes, or, of a V3, those with the image's own layer. */
export const layered = (protocol: Protocol, plain: Uint8Array): Uint8Array =>
  isV3(protocol) ? encrypt(imageLayer, plain) : plain

export const unlayered = (protocol: Protocol, bytes: Uint8Array): Uint8Array =>
  isV3(protocol) ? decrypt(imageLayer, bytes) : bytes

/** Whether bytes are a whole number of the cipher's blocks. */
export const isWhole = ({ length }: Uint8Array): boolean => length % blockBytes === 0
