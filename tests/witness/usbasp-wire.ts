/**
 * Low-speed USB as levels on two wires: packets to line states and back. NRZI, bit stuffing, CRC5 and CRC16
 * as USB 2.0, 7.1 and 8.3 say. It knows no device and no time; one entry is one bit time.
 */

/** D− in bit 0, D+ in bit 1, as the USBasp's PINB has them. Low speed: J is D− high. */
export const Line = { SE0: 0b00, J: 0b01, K: 0b10 } as const

export const Pid = {
  Out: 0xe1,
  In: 0x69,
  Setup: 0x2d,
  Data0: 0xc3,
  Data1: 0x4b,
  Ack: 0xd2,
  Nak: 0x5a,
  Stall: 0x1e,
} as const

/** Eleven bits of address and endpoint with their CRC5, as the two bytes that follow a token's PID. */
export function tokenBytes(address: number, endpoint: number): number[] {
  const bits = address | (endpoint << 7)
  let crc = 0x1f
  for (let i = 0; i < 11; i++) crc = ((crc ^ (bits >> i)) & 1 ? 0x14 : 0) ^ (crc >> 1)
  const word = bits | ((crc ^ 0x1f) << 11)
  return [word & 0xff, word >> 8]
}

export function crc16(bytes: Iterable<number>): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc & 1 ? 0xa001 : 0) ^ (crc >> 1)
  }
  return crc ^ 0xffff
}

/** Data with its CRC16, as they follow a DATA0 or DATA1. */
export function dataBytes(bytes: Uint8Array): number[] {
  const crc = crc16(bytes)
  return [...bytes, crc & 0xff, crc >> 8]
}

/** One packet with SYNC in front and end-of-packet (two SE0, one J) behind. */
export function encodePacket(pid: number, payload: readonly number[] = []): number[] {
  const lines: number[] = []
  let line: number = Line.J
  let ones = 0
  for (const byte of [0x80, pid, ...payload])
    for (let i = 0; i < 8; i++) {
      const one = (byte >> i) & 1
      if (!one) line ^= 0b11
      lines.push(line)
      ones = one ? ones + 1 : 0
      if (ones < 6) continue
      line ^= 0b11 // stuffed zero
      lines.push(line)
      ones = 0
    }
  return [...lines, Line.SE0, Line.SE0, Line.J]
}

/** The bytes after SYNC, or undefined when this is no packet. `lines` begin with the first K. */
export function decodePacket(lines: readonly number[]): number[] | undefined {
  const bits: number[] = []
  let before: number = Line.J
  let ones = 0
  for (const line of lines) {
    if (line === Line.SE0) break
    const bit = line === before ? 1 : 0
    before = line
    if (ones === 6) {
      if (bit) return undefined // bit stuffing error
      ones = 0
      continue
    }
    ones = bit ? ones + 1 : 0
    bits.push(bit)
  }
  if (bits.length < 16 || bits.length % 8) return undefined
  const [sync, ...bytes] = Array.from({ length: bits.length / 8 }, (_, i) =>
    bits.slice(i * 8, i * 8 + 8).reduce((byte, bit, n) => byte | (bit << n), 0),
  )
  return sync === 0x80 ? bytes : undefined
}
