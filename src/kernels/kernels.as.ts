/** The kernels in AssemblyScript; `kernels.ts` says what they are for. All of memory from `space` on is data. */

export const space: usize = 0

/** `crc.ts`: Fold, with units of 16 bytes. */
export function fold3(from: usize, to: usize, a: usize, b: usize, c: usize): void {
  for (let at = space + (from << 4), end = space + (to << 4); at < end; at += 16) {
    const unit = v128.load(at)
    add(at + (a << 4), unit)
    add(at + (b << 4), unit)
    add(at + (c << 4), unit)
  }
}

export function fold4(from: usize, to: usize, a: usize, b: usize, c: usize, d: usize): void {
  for (let at = space + (from << 4), end = space + (to << 4); at < end; at += 16) {
    const unit = v128.load(at)
    add(at + (a << 4), unit)
    add(at + (b << 4), unit)
    add(at + (c << 4), unit)
    add(at + (d << 4), unit)
  }
}

function add(at: usize, unit: v128): void {
  v128.store(at, v128.xor(v128.load(at), unit))
}

// ---- Intel HEX ------------------------------------------------------------------------------------

/** Where `hexRecords` stopped reading. */
export let stopped: usize = 0

/**
 * Reads data records that follow each other, from `text` to at most `end`, and writes their bytes to `bytes`; the first
 * one's offset is `expected`. Stops at whatever is not such a record. Gives how many bytes it wrote. Needs 32 bytes of
 * room behind `end` and 4 before `bytes`, and 32 behind what is written.
 */
export function hexRecords(text: usize, end: usize, bytes: usize, expected: u32): usize {
  let at = text
  let to = bytes
  while (at + 11 <= end) {
    const character = load<u8>(at)
    if (character != 0x3a) {
      if (character != 0x0a && character != 0x0d && character != 0x20 && character != 0x09) break
      at++
      continue
    }
    const first = decode(at + 1)
    const length = <u32>i8x16.extract_lane_u(first, 0)
    const offset = ((<u32>i8x16.extract_lane_u(first, 1)) << 8) | (<u32>i8x16.extract_lane_u(first, 2))
    const next = at + 11 + (length << 1)
    if (i8x16.extract_lane_u(first, 3) != 0 || offset != expected || offset + length > 0x1_0000 || next > end)
      break

    // The four bytes of the head land on those written last, which come back afterwards.
    const covered = load<u32>(to - 4)
    let wrong = i8x16.splat(0)
    let sum = i8x16.splat(0)
    let left = <i32>length + 5
    let part = first
    for (let i: usize = 0; ;) {
      const keep = left >= 16 ? i8x16.splat(-1) : i8x16.lt_s(lanes, i8x16.splat(<i8>left))
      wrong = v128.or(wrong, v128.and(bad, keep))
      sum = i8x16.add(sum, v128.and(part, keep))
      v128.store(to - 4 + i, part)
      left -= 16
      if (left <= 0) break
      i += 16
      part = decode(at + 1 + (i << 1))
    }
    store<u32>(to - 4, covered)
    if (v128.any_true(wrong) || (total(sum) & 0xff) != 0) break
    to += length
    expected += length
    at = next
  }
  stopped = at
  return to - bytes
}

const lanes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/** Not zero where the last `decode` met something else than two digits. */
let bad: v128 = i8x16.splat(0)

/** 16 bytes from the 32 digits at `at`. */
function decode(at: usize): v128 {
  const left = v128.load(at)
  const right = v128.load(at + 16)
  bad = i8x16.narrow_i16x8_s(v128.not(areDigits(left)), v128.not(areDigits(right)))
  return i8x16.narrow_i16x8_u(paired(nibbles(left)), paired(nibbles(right)))
}

function areDigits(characters: v128): v128 {
  return v128.or(isDecimal(characters), i8x16.lt_u(letters(characters), i8x16.splat(6)))
}

function isDecimal(characters: v128): v128 {
  return i8x16.lt_u(i8x16.sub(characters, i8x16.splat(0x30)), i8x16.splat(10))
}

function letters(characters: v128): v128 {
  return i8x16.sub(v128.or(characters, i8x16.splat(0x20)), i8x16.splat(0x61))
}

function nibbles(characters: v128): v128 {
  return v128.bitselect(
    i8x16.sub(characters, i8x16.splat(0x30)),
    i8x16.add(letters(characters), i8x16.splat(10)),
    isDecimal(characters),
  )
}

/** Each two nibbles, the higher one first, as a byte in 16 bits. */
function paired(halves: v128): v128 {
  return v128.and(v128.or(i16x8.shl(halves, 4), i16x8.shr_u(halves, 8)), i16x8.splat(0xff))
}

function total(bytes: v128): i32 {
  const words = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes))
  return (
    i32x4.extract_lane(words, 0) +
    i32x4.extract_lane(words, 1) +
    i32x4.extract_lane(words, 2) +
    i32x4.extract_lane(words, 3)
  )
}
