/** CRC-32 as in zlib and DFU: polynomial 04C11DB7, reflected, from FFFFFFFF. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  return crc
})

/** Without the final inversion, which DFU leaves out and zlib does not. */
export function crc32Register(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number)
  return crc >>> 0
}
