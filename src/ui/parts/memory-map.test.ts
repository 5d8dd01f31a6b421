import { expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import type { Plan } from '#jobs/plan.ts'
import {
  cellsOf,
  columnsFor,
  contentStates,
  coveredStates,
  countStates,
  layoutOfFile,
  pageCount,
  PageTracker,
  planStates,
  zoomTo,
} from './memory-map.ts'

const flash = { id: 'flash', address: 0, length: 1024, pageBytes: 64 } as const

const plan: Plan = {
  patientKind: 'avr:1e9307',
  before: new Map(),
  erase: 'chip',
  ranges: [
    { memory: 'flash', address: 0, length: 100, action: 'program' },
    { memory: 'flash', address: 100, length: 28, action: 'blank' },
    { memory: 'flash', address: 128, length: 64, action: 'refill' },
    { memory: 'flash', address: 192, length: 768, action: 'keep', why: 'same' },
    { memory: 'flash', address: 960, length: 64, action: 'keep', why: 'bootloader' },
  ],
  expected: new Map(),
  lost: [],
  programBytes: 164,
  verifyBytes: 1024,
  estimateMs: [1, 2],
  consequences: [],
}

test('a page with any byte in it is content', () => {
  const bytes = blank(1024)
  bytes[65] = 0
  expect(contentStates(flash, bytes).slice(0, 3)).toEqual(['blank', 'content', 'blank'])
})

test('a page that is partly programmed shows as programmed', () => {
  const states = planStates(flash, plan)
  expect(states.slice(0, 4)).toEqual(['program', 'program', 'refill', 'keep'])
  expect(states.at(-1)).toBe('reserved')
})

test('a backup fills the map twice, and is called equal only when both readings were compared', () => {
  const tracker = new PageTracker(flash)
  const event = { done: 64, total: 1024, range: { address: 64, length: 64 }, fraction: 0 }
  tracker.follow({ ...event, path: ['back-up', 'read', 'flash'] })
  expect(tracker.states.slice(0, 3)).toEqual(['unread', 'read', 'unread'])
  tracker.follow({ ...event, path: ['back-up', 'confirm', 'flash'] })
  expect(tracker.states[1]).toBe('reread')
  tracker.follow({ ...event, path: ['back-up', 'store'], range: undefined })
  expect(tracker.states.slice(0, 3)).toEqual(['unread', 'confirmed', 'unread'])
})

test('a chip erase empties what is going to be written, and pages turn written and verified', () => {
  const tracker = new PageTracker(flash, plan)
  const event = { done: 64, total: 1024, fraction: 0 }
  tracker.follow({ ...event, path: ['write', 'erase'], range: undefined })
  expect(tracker.states.slice(0, 4)).toEqual(['erased', 'erased', 'erased', 'keep'])
  tracker.follow({ ...event, path: ['write', 'program', 'flash'], range: { address: 0, length: 64 } })
  tracker.follow({ ...event, path: ['write', 'program', 'eeprom'], range: { address: 64, length: 64 } })
  expect(tracker.states.slice(0, 2)).toEqual(['written', 'erased'])
  expect(tracker.now).toBe(0)
})

test('all is written when the last page that the plan writes is', () => {
  const tracker = new PageTracker(flash, plan)
  const event = { done: 64, total: 1024, fraction: 0, path: ['write', 'program', 'flash'] }
  tracker.follow({ ...event, path: ['write', 'erase'], range: undefined })
  tracker.follow({ ...event, range: { address: 0, length: 128 } })
  expect(tracker.isWritten).toBe(false)
  tracker.follow({ ...event, range: { address: 128, length: 64 } })
  expect(tracker.isWritten).toBe(true)
  tracker.follow({ ...event, path: ['write', 'verify', 'flash'], range: { address: 0, length: 64 } })
  expect(tracker.isWritten).toBe(true)
})

test('bytes that were read back are called equal only when all of them were compared', () => {
  const tracker = new PageTracker(flash, plan)
  const event = { done: 1024, total: 1024, fraction: 0, path: ['write', 'verify', 'flash'] }
  tracker.follow({ ...event, range: { address: 0, length: 1024 } })
  expect(new Set(tracker.states)).toEqual(new Set(['checking']))
  tracker.follow({ ...event, range: undefined })
  expect(new Set(tracker.states)).toEqual(new Set(['verified']))
})

test('reading once more for the proof leaves the map of the write as it is', () => {
  const tracker = new PageTracker(flash, plan)
  const event = { done: 64, total: 1024, fraction: 0, path: ['prove', 'read', 'flash'] }
  expect(tracker.follow({ ...event, range: { address: 0, length: 64 } })).toBe(false)
  expect(tracker.states[0]).toBe('program')
})

test('a cell of several pages shows the state that needs attention', () => {
  const states = contentStates(flash, blank(1024))
  const cells = cellsOf(flash, states.with(5, 'mismatch'), 4, 5)
  expect(cells.map(({ state, isNow }) => [state, isNow])).toEqual([
    ['blank', false],
    ['mismatch', true],
    ['blank', false],
    ['blank', false],
  ])
  expect(cells[1]).toMatchObject({ address: 256, length: 256 })
})

test('counts add up to the whole memory', () => {
  const counts = countStates(planStates(flash, plan))
  expect([...counts.values()].reduce((sum, pages) => sum + pages, 0)).toBe(16)
})

test('rows are a power of two and narrow screens have shorter ones', () => {
  expect([columnsFor(256, 900), columnsFor(256, 340), columnsFor(5, 900)]).toEqual([64, 16, 8])
  expect(columnsFor(128, 900)).toBe(32)
})

test('a large memory is looked into in sixteenths that begin at round addresses and end with the memory', () => {
  const whole = { id: 'flash', address: 0, length: 4096 * 4096 - 4096, pageBytes: 4096 } as const
  const part = zoomTo(whole, 0xf0_5000)
  expect(part).toEqual({ address: 0xf0_0000, length: 0x10_0000 - 4096 })
  expect(zoomTo({ ...whole, ...part }, 0xf4_1000)).toEqual({ address: 0xf4_0000, length: 0x4_0000 })
})

test('a file whose two bytes are 4 GiB apart has no more pages than can be counted at once', () => {
  const ends = [
    { address: 0, length: 1 },
    { address: 0xffff_ffff, length: 1 },
  ]
  const layout = layoutOfFile({ address: 0, length: 2 ** 32 })
  expect(pageCount(layout)).toBeLessThanOrEqual(65_537)
  expect(countStates(coveredStates(layout, ends)).get('content')).toBe(2)
})

test.each([
  [
    { address: 0x100, length: 1000 },
    { address: 0, length: 1280, pageBytes: 64 },
  ],
  [
    { address: 0x0800_0123, length: 0x2_0000 },
    { address: 0x0800_0100, length: 0x2_0100, pageBytes: 256 },
  ],
])('the picture of a file at %o begins and ends with a page', (span, layout) => {
  expect(layoutOfFile(span)).toEqual({ id: 'flash', isOfFile: true, ...layout })
})
