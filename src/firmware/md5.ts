/** MD5 (RFC 1321), which browsers do not have; some files carry it against damage, never as a proof of origin. */
const shifts = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const
const sines = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32))
/** Which word of a block each step takes: by its round, a step and a start. */
const order = Uint8Array.from({ length: 64 }, (_, i) => {
  const [step, start] = (
    [
      [1, 0],
      [5, 1],
      [3, 5],
      [7, 0],
    ] as const
  )[i >> 4] ?? [1, 0]
  return (step * i + start) % 16
})

export function md5(bytes: Uint8Array): Uint8Array {
  const blocks = ((bytes.length + 8) >> 6) + 1
  const last = new Uint8Array(128)
  const whole = Math.max(0, blocks - 2) * 64
  last.set(bytes.subarray(whole))
  last[bytes.length - whole] = 0x80
  const end = blocks * 64 - whole
  new DataView(last.buffer).setUint32(end - 8, bytes.length << 3, true)
  new DataView(last.buffer).setUint32(end - 4, Math.floor(bytes.length / 2 ** 29), true)

  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
  digest(state, bytes.subarray(0, whole))
  digest(state, last.subarray(0, end))
  const result = new Uint8Array(16)
  state.forEach((word, i) => {
    new DataView(result.buffer).setInt32(i * 4, word, true)
  })
  return result
}

function digest(state: Int32Array, blocks: Uint8Array): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength)
  for (let at = 0; at < blocks.length; at += 64) {
    let [a, b, c, d] = state as unknown as [number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const round = i >> 4
      const mixed =
        round === 0
          ? (b & c) | (~b & d)
          : round === 1
            ? (b & d) | (c & ~d)
            : round === 2
              ? b ^ c ^ d
              : c ^ (b | ~d)
      const sum = (a + mixed + (sines[i] as number) + view.getInt32(at + (order[i] as number) * 4, true)) | 0
      const shift = shifts[round]?.[i & 3] as number
      a = d
      d = c
      c = b
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
    }
    ;[a, b, c, d].forEach((word, i) => {
      state[i] = (state[i] as number) + word
    })
  }
}
