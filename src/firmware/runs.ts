/** The data bytes of a file in its own order, and where they go: what follows on is one run. */
import type { Segment } from '#core/programmer.ts'

/** More runs than this is no firmware; reading stops there. */
const mostRuns = 1 << 20

export class Runs {
  /** Bytes are put from `filled` on, and then taken. */
  readonly bytes: Uint8Array<ArrayBuffer>
  filled = 0
  /** Address and start in `bytes` of each run, flat. */
  readonly #runs: number[] = []
  /** Behind the last that was taken; -1: none was. */
  next = -1
  /** They ascend and do not overlap: `bytes` are what the image holds, in its order. */
  isAscending = true

  constructor(mostBytes: number) {
    this.bytes = new Uint8Array(mostBytes)
  }

  get isFull(): boolean {
    return this.#runs.length >= mostRuns * 2
  }

  take(address: number, length: number): void {
    if (length === 0) return
    if (address !== this.next) this.#runs.push(address, this.filled)
    this.isAscending &&= address >= this.next
    this.next = address + length
    this.filled += length
  }

  pieces(): Segment[] {
    const pieces: Segment[] = []
    for (let i = 0; i < this.#runs.length; i += 2) {
      const end = this.#runs[i + 3] ?? this.filled
      pieces.push({ address: this.#runs[i] as number, bytes: this.bytes.subarray(this.#runs[i + 1], end) })
    }
    return pieces
  }
}

export const tooManyRuns = `over ${mostRuns} pieces`
