/**
 * Progress as a tree of weighted steps. A job declares its steps first, hands each callee a child, and
 * the callee says how much it did. Events are plain values. The fraction never goes backwards.
 */

export interface ProgressEvent {
  /** Names from the root down, e.g. `['write', 'program', 'flash']`. */
  readonly path: readonly string[]
  /** Bytes (or steps) done and expected in this leaf; `total` is undefined while it is not known. */
  readonly done: number
  readonly total: number | undefined
  /** The bytes this event is about, so that the memory map can show them. */
  readonly range: { readonly address: number; readonly length: number } | undefined
  /** Of the whole tree, 0 … 1. */
  readonly fraction: number
}

export class Progress {
  readonly #report: (leaf: Progress, range: ProgressEvent['range']) => void
  readonly path: readonly string[]
  #children: { readonly node: Progress; readonly weight: number }[] = []
  #done = 0
  #total: number | undefined

  private constructor(path: readonly string[], report: Progress['report']) {
    this.path = path
    this.#report = report
  }

  /** The root of a tree; `listen` hears every event. */
  static root(listen: (event: ProgressEvent) => void): Progress {
    let highest = 0
    const root: Progress = new Progress([], (leaf, range) => {
      highest = Math.max(highest, root.fraction)
      listen({ path: leaf.path, done: leaf.#done, total: leaf.#total, range, fraction: highest })
    })
    return root
  }

  /** A tree that nobody watches. */
  static silent(): Progress {
    return Progress.root(() => undefined)
  }

  /** Declares the steps of this node, in order, with their weights; gives one child for each. */
  steps<N extends string>(weights: Readonly<Record<N, number>>): Record<N, Progress> {
    const steps = {} as Record<N, Progress>
    for (const name of Object.keys(weights) as N[]) {
      const node = new Progress([...this.path, name], this.#report)
      this.#children.push({ node, weight: weights[name] })
      steps[name] = node
    }
    return steps
  }

  /** Says how much there is to do in this leaf, in bytes or steps. */
  expect(total: number): this {
    this.#total = total
    this.#report(this, undefined)
    return this
  }

  /** So much of this leaf. */
  get done(): number {
    return this.#done
  }

  /** `count` more are done; `address` says which bytes, when they have one. */
  advance(count: number, address?: number): void {
    this.#done += count
    this.#report(this, address === undefined ? undefined : { address, length: count })
  }

  /** This node and all below it are done. */
  finish(): void {
    for (const { node } of this.#children) node.finish()
    this.#total ??= this.#done
    this.#done = Math.max(this.#done, this.#total)
    if (this.#total === 0) this.#total = this.#done = 1
    this.#report(this, undefined)
  }

  /** Of this node, 0 … 1. */
  get fraction(): number {
    if (this.#children.length === 0) {
      if (this.#total === undefined || this.#total === 0) return 0
      return Math.min(1, this.#done / this.#total)
    }
    const whole = this.#children.reduce((sum, child) => sum + child.weight, 0)
    if (whole === 0) return 1
    return this.#children.reduce((sum, child) => sum + child.weight * child.node.fraction, 0) / whole
  }

  private get report() {
    return this.#report
  }
}
