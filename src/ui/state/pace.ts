/**
 * When progress is drawn next: ten times a second is as often as anybody sees. The same thread drives the wire, so on a
 * slow computer it gets four times as long to itself as the last drawing took.
 */
const oftenestMs = 100
const seldomestMs = 1000
const wireShare = 4

export class Pace {
  #startedAt = -Infinity
  #everyMs = oftenestMs

  /** Until the next drawing is due, if that is not now. */
  waitMs(now: number): number {
    return Math.max(0, this.#startedAt + this.#everyMs - now)
  }

  /** A drawing begins. What is returned is called when it is on the screen. */
  draw(now: number): (now: number) => void {
    this.#startedAt = now
    return (drawnAt) => {
      this.#everyMs = Math.min(seldomestMs, Math.max(oftenestMs, (drawnAt - now) * (1 + wireShare)))
    }
  }
}
