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

// ---- comparing ------------------------------------------------------------------------------------

/**
 * Compares what is at `a`, up to `end`, with as much at `b`, in blocks of 64 bytes; marks each block that differs with a
 * byte that is not 0, from `marks` on. Gives how many bytes differ.
 */
export function compare(a: usize, end: usize, b: usize, marks: usize): u32 {
  let count: u32 = 0
  for (; a < end; a += 64, b += 64, marks++) {
    const first = i8x16.ne(v128.load(a), v128.load(b))
    const second = i8x16.ne(v128.load(a, 16), v128.load(b, 16))
    const third = i8x16.ne(v128.load(a, 32), v128.load(b, 32))
    const fourth = i8x16.ne(v128.load(a, 48), v128.load(b, 48))
    const differs = v128.any_true(v128.or(v128.or(first, second), v128.or(third, fourth)))
    store<u8>(marks, differs)
    // Each lane of a byte that differs is -1.
    if (differs) count -= total(i8x16.add(i8x16.add(first, second), i8x16.add(third, fourth)))
  }
  return count
}

function total(bytes: v128): i32 {
  const words = i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes))
  return (
    i32x4.extract_lane(words, 0) +
    i32x4.extract_lane(words, 1) +
    i32x4.extract_lane(words, 2) +
    i32x4.extract_lane(words, 3)
  )
}

// ---- records of hexadecimal text ------------------------------------------------------------------

/** Where reading stopped; how many records were taken, and where the last of them begins. */
export let stopped: usize = 0
export let taken: u32 = 0
export let last: usize = 0

/**
 * Reads data records of Intel HEX that follow each other, from `text` to at most `end`, and writes their bytes to
 * `bytes`; the first one's offset is `expected`. Stops at whatever is not such a record. Gives how many bytes it wrote.
 * Needs 32 bytes of room behind `end` and behind what is written.
 */
export function hexRecords(text: usize, end: usize, bytes: usize, expected: u32): usize {
  let at = text
  let to = bytes
  let digits: u16 = 0
  let length: u32 = 0
  taken = 0
  while (at + 11 <= end) {
    if (load<u8>(at) != 0x3a) {
      if (!isSpace(load<u8>(at))) break
      at++
      continue
    }
    const first = nibbles(at + 1)
    const second = nibbles(at + 17)
    const part = spelled(first, second)
    const head = i64x2.extract_lane(part, 0)
    // Nearly all are as long as the one before; so where the next one is need not wait for this one's decoding.
    if (load<u16>(at + 1) != digits) {
      digits = load<u16>(at + 1)
      length = <u32>(head & 0xff)
    }
    const offset = bswap<u16>(<u16>(head >> 8))
    const next = at + 11 + (length << 1)
    if (<u8>(head >> 24) != 0 || offset != expected || offset + length > 0x1_0000 || next > end) break
    if (spell(at + 1, first, second, part, length + 5, to, 4) != 0) break
    last = at
    taken++
    to += length
    expected += length
    at = next
  }
  stopped = at
  return to - bytes
}

/**
 * The same for S-records of one type, 1 … 3; the first one's address is `expected`. White space is after each. Written
 * out, as one loop for both is slower by a third.
 */
export function sRecords(text: usize, end: usize, bytes: usize, expected: u32, type: u32): usize {
  const width = type + 1
  let at = text
  let to = bytes
  let digits: u16 = 0
  let count: u32 = 0
  taken = 0
  while (at + 10 < end) {
    if (load<u8>(at) != 0x53) {
      if (!isSpace(load<u8>(at))) break
      at++
      continue
    }
    const first = nibbles(at + 2)
    const second = nibbles(at + 18)
    const part = spelled(first, second)
    const head = i64x2.extract_lane(part, 0)
    if (load<u16>(at + 2) != digits) {
      digits = load<u16>(at + 2)
      count = <u32>(head & 0xff)
    }
    const address = bswap<u32>(<u32>(head >> 8)) >> ((4 - width) << 3)
    const length = count - width - 1
    const next = at + 4 + (count << 1)
    if (load<u8>(at + 1) != 0x30 + type || address != expected || count <= width) break
    if (<u64>address + length >= 0x1_0000_0000 || next >= end || !isSpace(load<u8>(next))) break
    if (spell(at + 2, first, second, part, count + 1, to, 1 + width) != 0xff) break
    last = at
    taken++
    to += length
    expected += length
    at = next
  }
  stopped = at
  return to - bytes
}

@inline
function isSpace(character: u8): bool {
  return character == 0x0a || character == 0x0d || character == 0x20 || character == 0x09
}

/**
 * Writes what the digits of a record spell to `data`, without its first `head` bytes; `first` and `second` are the first
 * 32 digits, `part` what they spell. Gives the sum of all bytes, in a byte; more: a digit is none.
 */
@inline
function spell(digits: usize, first: v128, second: v128, part: v128, count: u32, data: usize, head: usize): u32 {
  let left = <i32>count
  v128.store(data, i8x16.swizzle(part, i8x16.add(lanes, i8x16.splat(<i8>head))))
  if (left < 16) {
    first = until(first, left << 1)
    second = until(second, (left << 1) - 16)
    part = spelled(first, second)
  }
  let wrong = v128.or(first, second)
  let sum = part
  left -= 16
  let at: usize = 16
  for (; left > 8; at += 16) {
    first = nibbles(digits + (at << 1))
    second = nibbles(digits + (at << 1) + 16)
    if (left < 16) second = until(second, (left << 1) - 16)
    part = spelled(first, second)
    wrong = v128.or(wrong, v128.or(first, second))
    sum = i8x16.add(sum, part)
    v128.store(data + at - head, part)
    left -= 16
  }
  if (left > 0) {
    first = until(nibbles(digits + (at << 1)), left << 1)
    part = i8x16.narrow_i16x8_u(joined(first), i8x16.splat(0))
    wrong = v128.or(wrong, first)
    sum = i8x16.add(sum, part)
    v128.store(data + at - head, part)
  }
  const pairs = i16x8.extadd_pairwise_i8x16_u(sum)
  const half = i64x2.extract_lane(i64x2.add(pairs, i64x2.shuffle(pairs, pairs, 1, 0)), 0)
  const total = <u32>((half * 0x0001_0001_0001_0001) >>> 48) & 0xff
  return v128.any_true(v128.and(wrong, i8x16.splat(-16))) ? 0x100 : total
}

/** The first `count` of them; the others are zero. */
@inline
function until(values: v128, count: i32): v128 {
  return v128.and(values, i8x16.lt_s(lanes, i8x16.splat(<i8>count)))
}

const lanes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/** What 16 digits stand for; more than 15 where there is another character. */
@inline
function nibbles(at: usize): v128 {
  const characters = v128.load(at)
  // 0 … 9, and from 10 on what comes before or after them.
  const decimal = i8x16.sub(i8x16.sub_sat_u(i8x16.add(characters, i8x16.splat(-58)), i8x16.splat(6)), i8x16.splat(-16))
  const letter = i8x16.add_sat_u(i8x16.sub(v128.and(characters, i8x16.splat(-33)), i8x16.splat(65)), i8x16.splat(10))
  return i8x16.min_u(decimal, letter)
}

/** The bytes of 32 nibbles. */
@inline
function spelled(first: v128, second: v128): v128 {
  return i8x16.narrow_i16x8_u(joined(first), joined(second))
}

/** The higher one of two is first: their word times 0x1001 has the byte above. */
@inline
function joined(halves: v128): v128 {
  return i16x8.shr_u(i16x8.mul(halves, i16x8.splat(0x1001)), 8)
}
