/** The clock of jobs in a tab that is hidden, with a real worker. */
import { afterEach, expect, test, vi } from 'vitest'
import { steadyClock } from '#host/steady-clock.ts'
import { BenchState } from '#ui/state/bench.svelte.ts'
import { JobState } from '#ui/state/job.svelte.ts'
import type { Stores } from '#ui/state/stores.ts'

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

test('in a hidden tab a device that does not answer is given up in time', async () => {
  const device = {
    ...{ vendorId: 0x16c0, productId: 0x05dc, deviceClass: 0xff, productName: 'USBasp' },
    ...{ deviceVersionMajor: 1, deviceVersionMinor: 0, deviceVersionSubminor: 4 },
    ...{ configurations: [], opened: true, open: () => Promise.resolve() },
    controlTransferIn: () => new Promise(() => undefined),
  }
  vi.spyOn(navigator.usb, 'getDevices').mockResolvedValue([device as unknown as USBDevice])
  const bench = new BenchState()
  new JobState(bench, {} as Stores)
  await vi.waitUntil(() => bench.present.length > 0, { timeout: 10_000 })
  const attached = bench.present[0]?.attached
  const link = attached?.link === 'usb' ? await attached.open() : undefined

  hidden.mockReturnValue(true)
  pageTimers.mockImplementation((() => 0) as never)
  const setup = { requestType: 'vendor', recipient: 'device', request: 1, value: 0, index: 0 } as const
  await expect(link?.controlIn(setup, 4, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'timeout' })
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
