/**
 * The memory map's logic: what state each page of a memory is in, and how pages become cells. Knows plans,
 * backups and progress events; draws nothing.
 */
import { isBlank } from '#core/bytes.ts'
import type { MemoryId, Range } from '#core/programmer.ts'
import type { ProgressEvent } from '#core/progress.ts'
import type { Plan } from '#jobs/plan.ts'

/** In order of attention: a cell of several pages shows the last of these that one of its pages has. */
export const pageStates = [
  'unread',
  'blank',
  'content',
  'keep',
  'reserved',
  'read',
  'reread', // twice, and not compared yet
  'confirmed',
  'clear', // planned: blank afterwards
  'refill', // planned: written again from the backup
  'program', // planned: new bytes
  'erased',
  'written',
  'checking', // read back, and not compared yet
  'verified',
  'mismatch',
] as const
export type PageState = (typeof pageStates)[number]

/** The part of a memory's layout that a map needs. */
export interface MapLayout extends Range {
  readonly id: MemoryId
  readonly pageBytes: number
  /** Where they are of several sizes: then cells are parts of them. */
  readonly sectors?: readonly Range[]
  /** Whose pages they are is not known: so many bytes are drawn together. */
  readonly isOfFile?: boolean
}

export const pageCount = ({ length, pageBytes }: MapLayout): number => Math.ceil(length / pageBytes)

/** More pages than this are no picture, and a file of two bytes may name addresses 4 GiB apart. */
const mostPages = 65_536

/** What a file covers, without knowing its chip; what is low begins at 0, as chips do. */
export function layoutOfFile({ address, length }: Range): MapLayout {
  const least = length > 0x1_0000 ? 256 : 64
  const pageBytes = Math.max(least, 2 ** Math.ceil(Math.log2(length / mostPages)))
  const first = address < 0x1_0000 ? 0 : address - (address % pageBytes)
  const pages = Math.max(1, Math.ceil((address + length - first) / pageBytes))
  return { id: 'flash', address: first, length: pages * pageBytes, pageBytes, isOfFile: true }
}

/** The whole memory in one state. */
export const filled = (layout: MapLayout, state: PageState): PageState[] =>
  Array<PageState>(pageCount(layout)).fill(state)

/** First and last page that a range touches, or none. */
function pagesOf(layout: MapLayout, range: Range): readonly [number, number] {
  const first = Math.floor((range.address - layout.address) / layout.pageBytes)
  const last = Math.ceil((range.address + range.length - layout.address) / layout.pageBytes) - 1
  return [Math.max(0, first), Math.min(last, pageCount(layout) - 1)]
}

function paint(states: PageState[], layout: MapLayout, range: Range, state: PageState): void {
  const [first, last] = pagesOf(layout, range)
  for (let page = first; page <= last; page++) states[page] = state
}

/** What is in it: blank or content. */
export function contentStates(layout: MapLayout, bytes: Uint8Array): PageState[] {
  return filled(layout, 'blank').map((state, page) => {
    const at = page * layout.pageBytes
    return isBlank(bytes.subarray(at, at + layout.pageBytes)) ? state : 'content'
  })
}

/** What a file covers. */
export function coveredStates(layout: MapLayout, ranges: readonly Range[]): PageState[] {
  const states = filled(layout, 'blank')
  for (const range of ranges) paint(states, layout, range, 'content')
  return states
}

/** What a plan is going to do. */
export function planStates(layout: MapLayout, plan: Plan): PageState[] {
  const states = filled(layout, 'keep')
  const shown = { keep: 'keep', refill: 'refill', program: 'program', blank: 'clear' } as const
  const ranges = plan.ranges.filter(({ memory }) => memory === layout.id)
  for (const action of ['keep', 'blank', 'refill', 'program'] as const)
    for (const range of ranges.filter((one) => one.action === action))
      paint(states, layout, range, range.why === 'bootloader' ? 'reserved' : shown[action])
  return states
}

const operationStates: Readonly<Record<string, PageState>> = {
  read: 'read',
  confirm: 'reread',
  program: 'written',
  verify: 'checking',
}

/** Follows a job: fed with its progress events, it knows each page's state. One for each memory. */
export class PageTracker {
  readonly layout: MapLayout
  readonly #states: PageState[]
  readonly #plan: Plan | undefined
  /** The newest page that something happened to. */
  now: number | undefined

  constructor(layout: MapLayout, plan?: Plan) {
    this.layout = layout
    this.#plan = plan
    this.#states = plan ? planStates(layout, plan) : filled(layout, 'unread')
  }

  get states(): readonly PageState[] {
    return this.#states
  }

  /** True when the event was about this memory. */
  follow({ path: [step, operation = '', memory], done, total, range }: ProgressEvent): boolean {
    if (step === 'prove') return false // another reading; the map keeps what the write proved
    if (operation === 'erase' && this.#plan?.erase === 'chip')
      return this.#turn(['program', 'refill', 'clear'], 'erased')
    if (operation === 'store') return this.#turn(['reread'], 'confirmed') // all memories were equal
    if (memory !== this.layout.id) return false
    // a memory's verify is over once it was compared, and not before
    if (operation === 'verify' && !range && done === total) return this.#turn(['checking'], 'verified')
    const state = operationStates[operation]
    if (!state || !range) return false
    paint(this.#states, this.layout, range, state)
    this.now = pagesOf(this.layout, range)[1]
    return true
  }

  /** Whether all that its plan writes of this memory was written. */
  get isWritten(): boolean {
    const planned = this.#plan ? planStates(this.layout, this.#plan) : []
    const isToWrite = (state: PageState | undefined) => state === 'program' || state === 'refill'
    return planned.every((state, page) => {
      const now = this.#states[page]
      return !isToWrite(state) || !(isToWrite(now) || now === 'erased')
    })
  }

  mark(range: Range, state: PageState): void {
    paint(this.#states, this.layout, range, state)
  }

  #turn(from: readonly PageState[], to: PageState): boolean {
    for (const [page, state] of this.#states.entries()) if (from.includes(state)) this.#states[page] = to
    return true
  }
}

/** A drawn cell: one page, or several when there are too many to draw. */
export interface Cell extends Range {
  readonly state: PageState
  readonly isNow: boolean
}

export function cellsOf(
  layout: MapLayout,
  states: readonly PageState[],
  most: number,
  now?: number,
): readonly Cell[] {
  const pages = states.length
  const each = 2 ** Math.max(0, Math.ceil(Math.log2(pages / most)))
  const cells: Cell[] = []
  for (let page = 0; page < pages; page += each) {
    const inside = states.slice(page, page + each)
    const address = layout.address + page * layout.pageBytes
    cells.push({
      address,
      length: Math.min(each * layout.pageBytes, layout.address + layout.length - address),
      state: pageStates[Math.max(...inside.map((state) => pageStates.indexOf(state)))] ?? 'unread',
      isNow: now !== undefined && now >= page && now < page + each,
    })
  }
  return cells
}

/** How many pages are in each state that occurs, in order of attention. */
export function countStates(states: readonly PageState[]): ReadonlyMap<PageState, number> {
  const counts = new Map<PageState, number>()
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1)
  return new Map([...counts].sort(([a], [b]) => pageStates.indexOf(a) - pageStates.indexOf(b)))
}

/**
 * Cells a row: a power of two, so that rows begin at round addresses; few cells make one short row,
 * and not many more make four. `least` is how narrow a cell and its gap may be.
 */
export function columnsFor(cells: number, widthPx: number, least = 11): number {
  const most = 2 ** Math.floor(Math.log2(Math.max(8, Math.min(64, widthPx / least))))
  const fourRows = 2 ** Math.ceil(Math.log2(Math.sqrt(8 * cells)))
  return Math.min(most, fourRows, 2 ** Math.ceil(Math.log2(Math.max(1, cells))))
}

/** What to show of `view` to see more of the place at `address`: a sixteenth, but a screenful at least. */
export function zoomTo(view: MapLayout, address: number): Range {
  const pages = 2 ** Math.ceil(Math.log2(Math.max(64, pageCount(view) / 16)))
  const length = pages * view.pageBytes
  const first = view.address + Math.floor((address - view.address) / length) * length
  return { address: first, length: Math.min(length, view.address + view.length - first) }
}
