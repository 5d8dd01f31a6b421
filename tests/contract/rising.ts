/** What progress promises, whatever happens: it only rises, and never says more than there is. */
import type { ProgressEvent } from '#core/progress.ts'

export class Rising {
  readonly #done = new Map<string, number>()
  #fraction = 0
  /** What was wrong, if anything. */
  readonly wrong: string[] = []

  get fraction(): number {
    return this.#fraction
  }

  readonly hear = ({ path, done, total, fraction }: ProgressEvent): void => {
    const leaf = path.join('/')
    const before = this.#done.get(leaf) ?? 0
    if (fraction < this.#fraction || fraction > 1) this.#say(leaf, 'the fraction', this.#fraction, fraction)
    if (done < before) this.#say(leaf, 'what is done', before, done)
    if (done > (total ?? Infinity)) this.#say(leaf, 'what is done, of a total of', total ?? 0, done)
    this.#done.set(leaf, done)
    this.#fraction = fraction
  }

  #say(leaf: string, what: string, before: number, now: number): void {
    this.wrong.push(`${leaf}: ${what} ${String(before)}, then ${String(now)}`)
  }
}
