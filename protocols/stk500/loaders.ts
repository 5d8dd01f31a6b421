/**
 * Finds an STK500v1 boot loader in flash content: its name, version and where its boot section begins.
 *
 * All of them (optiboot 4.4 to 8.3, ATmegaBOOT, LilyPad's and the Bluetooth one) compare the received byte
 * with the same commands in the same order, in one register; the compiler leaves that as `cpi` instructions.
 * Optiboot has its version in the last word of the flash. Looked at: every image of ArduinoCore-avr and
 * Optiboot, and Debian's builds of them.
 */
import { hex, hexBytes } from '#core/bytes.ts'
import type { Fact } from '#core/programmer.ts'
import type { AvrPart } from '#chips/avr-parts.ts'
import { Command } from './packets.ts'

export interface Loader {
  readonly name: 'Optiboot' | 'ATmegaBOOT'
  /** Optiboot only. */
  readonly version: string | undefined
  /** First address of the boot section. */
  readonly start: number
  readonly evidence: readonly string[]
  /** What it answers to READ_SIGN. */
  readonly signature: readonly [number, number, number] | undefined
}

/** Commands in the order of every decoder: GET_PARAMETER, SET_DEVICE(_EXT), LOAD_ADDRESS … READ_SIGN. */
const decoded = [0x41, 0x42, 0x45, 0x55, 0x56, 0x64, 0x74, 0x75]
/** The longest decoder looked at has 760 bytes from the first compare to the last. */
const longestDecoder = 1024
/** Boot sections of chips that are not known. */
const commonBootBytes = [256, 512, 1024, 2048, 4096, 8192]

/** The sizes that the boot section of a chip can have, smallest first. */
export const bootSizes = (part: AvrPart | undefined): readonly number[] => part?.bootBytes ?? commonBootBytes

/**
 * `top` is the end of the flash, at least as long as the largest boot section; `address` is that of its
 * first byte.
 */
export function findLoader(top: Uint8Array, address: number, part?: AvrPart): Loader | undefined {
  const flashEnd = address + top.length
  const sizes = bootSizes(part)
  const largest = Math.min(top.length, Math.max(...sizes))
  const decoder = findDecoder(top, top.length - largest)
  if (!decoder) return undefined

  const inSection = top.length - decoder.first
  const size = sizes.find((bytes) => bytes >= inSection) ?? largest
  const version = decoder.answersSignOn ? undefined : optibootVersion(top)
  const at = (offset: number) => hex(address + offset, 4)
  const signature = compiledSignature(top, decoder.last)
  return {
    name: decoder.answersSignOn ? 'ATmegaBOOT' : 'Optiboot',
    version,
    start: flashEnd - size,
    signature,
    evidence: [
      `STK500 command decoder at ${at(decoder.first)}`,
      ...(version === undefined ? [] : [`version word ${version} at ${at(top.length - 2)}`]),
      ...(signature ? [`signature ${hexBytes(Uint8Array.from(signature))} after ${at(decoder.last)}`] : []),
    ],
  }
}

/** As a programmer and an image have it alike, so that the two can be compared. */
export const loaderFact = ({
  name = 'STK500v1',
  version,
}: {
  name?: string | undefined
  version: string | undefined
}): Fact => ({
  name: 'bootloader',
  value: version === undefined ? name : `${name} ${version}`,
})

interface Decoder {
  /** Offsets of the first and the last compare. */
  readonly first: number
  readonly last: number
  /** ATmegaBOOT answers GET_SIGN_ON with text, optiboot does not know it. */
  readonly answersSignOn: boolean
}

function findDecoder(code: Uint8Array, from: number): Decoder | undefined {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength)
  /** For each register: how many of the commands were compared with it, and where it began. */
  const found = new Map<number, { count: number; first: number; signOnAt: number | undefined }>()
  for (let offset = from + (from % 2); offset + 1 < code.length; offset += 2) {
    const word = view.getUint16(offset, true)
    if (word >> 12 !== 0x3) continue // cpi
    const register = (word >> 4) & 0x0f
    const value = (word & 0x0f) | ((word >> 4) & 0xf0)
    const sofar = found.get(register) ?? { count: 0, first: offset, signOnAt: undefined }
    found.set(register, sofar)
    if (value === Command.GetSignOn) sofar.signOnAt = offset
    if (value === decoded[0]) Object.assign(sofar, { count: 1, first: offset })
    else if (value === decoded[sofar.count] && offset - sofar.first < longestDecoder) sofar.count++
    if (sofar.count < decoded.length) continue
    const { first, signOnAt } = sofar
    return { first: signOnAt ?? first, last: offset, answersSignOn: signOnAt !== undefined }
  }
  return undefined
}

function optibootVersion(top: Uint8Array): string | undefined {
  const [minor, major] = top.subarray(-2)
  if (minor === undefined || major === undefined || major < 3 || major > 99 || minor > 99) return undefined
  return `${String(major)}.${String(minor)}`
}

/** Three constants that go out after READ_SIGN: `ldi r24, 0x1e` and the next two `ldi r24`. */
function compiledSignature(code: Uint8Array, from: number): Loader['signature'] {
  const loaded: number[] = []
  for (let offset = from; offset + 1 < Math.min(code.length, from + 48); offset += 2) {
    const [low = 0, high = 0] = code.subarray(offset, offset + 2)
    if (high >> 4 !== 0xe || low >> 4 !== 8) continue
    const value = (low & 0x0f) | ((high & 0x0f) << 4)
    if (loaded.length > 0 || value === 0x1e) loaded.push(value)
    const [first, second, third] = loaded
    if (first !== undefined && second !== undefined && third !== undefined) return [first, second, third]
  }
  return undefined
}
