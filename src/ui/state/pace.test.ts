import { describe, expect, it } from 'vitest'
import { Pace } from './pace.ts'

/** How long after the start of a drawing that took so long the next one begins. */
function nextAfter(drawingMs: number): number {
  const pace = new Pace()
  pace.draw(1000)(1000 + drawingMs)
  return pace.waitMs(1000)
}

describe('drawing progress', () => {
  it('begins at once', () => {
    expect(new Pace().waitMs(0)).toBe(0)
  })
  it('happens ten times a second, also before it is known what it costs, as in a hidden tab', () => {
    expect(nextAfter(2)).toBe(100)
    const pace = new Pace()
    pace.draw(0)
    expect([pace.waitMs(30), pace.waitMs(200)]).toEqual([70, 0])
  })
  it('leaves four fifths of the time to the wire on a slow computer', () => {
    expect(nextAfter(60)).toBe(300)
  })
  it('never leaves a person without news for more than a second', () => {
    expect(nextAfter(3000)).toBe(1000)
  })
})
