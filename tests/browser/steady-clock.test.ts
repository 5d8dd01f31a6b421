/** The clock of jobs in a tab that is hidden, with a real worker. */
import { afterEach, expect, test, vi } from 'vitest'
import { steadyClock } from '#host/steady-clock.ts'

const hidden = vi.spyOn(document, 'hidden', 'get')
const pageTimers = vi.spyOn(globalThis, 'setTimeout')
afterEach(() => {
  hidden.mockReset()
  pageTimers.mockReset()
  vi.unstubAllGlobals()
})

test('in a hidden tab a wait ends in time, though the page has no timers left', async () => {
  hidden.mockReturnValue(true)
  pageTimers.mockImplementation((() => 0) as never)
  const from = steadyClock.now()
  await steadyClock.sleep(30)
  expect(steadyClock.now() - from).toBeGreaterThanOrEqual(29)
})

test('in a tab that is seen the page waits by itself', async () => {
  hidden.mockReturnValue(false)
  await steadyClock.sleep(30)
  expect(pageTimers.mock.calls.filter(([, ms]) => ms === 30)).toHaveLength(1)
})

test('where no worker can be started a hidden tab waits by its own timers', async () => {
  vi.resetModules()
  const { steadyClock: another } = await import('#host/steady-clock.ts')
  vi.stubGlobal(
    'Worker',
    vi.fn(function refused() {
      throw new DOMException('against the policy', 'SecurityError')
    }),
  )
  hidden.mockReturnValue(true)
  await another.sleep(10)
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
