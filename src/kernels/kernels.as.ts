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
