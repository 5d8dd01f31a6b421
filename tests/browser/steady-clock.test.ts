/** The clock of jobs in a tab that is hidden, with a real worker. */
import { afterEach, expect, test, vi } from 'vitest'
import { steadyClock } from '#host/steady-clock.ts'

const hidden = vi.spyOn(document, 'hidden', 'get')
const pageTimers = vi.spyOn(globalThis, 'setTimeout')
afterEach(() => {
  hidden.mockReset()
  pageTimers.mockClear()
})

test.each([true, false])('with hidden %s a wait ends, by which timer is right', async (isHidden) => {
  hidden.mockReturnValue(isHidden)
  pageTimers.mockClear()
  const from = steadyClock.now()
  await steadyClock.sleep(30)
  expect(steadyClock.now() - from).toBeGreaterThanOrEqual(29)
  expect(pageTimers.mock.calls.filter(([, ms]) => ms === 30)).toHaveLength(isHidden ? 0 : 1)
})

test('what was called off does not strike, and the others do', async () => {
  hidden.mockReturnValue(true)
  const struck: string[] = []
  const stop = steadyClock.after(10, () => struck.push('called off'))
  const other = steadyClock.sleep(20).then(() => struck.push('slept'))
  stop()
  await other
  expect(struck).toEqual(['slept'])
})
