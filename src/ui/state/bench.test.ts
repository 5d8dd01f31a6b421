import { afterEach, expect, test, vi } from 'vitest'
import { BenchState } from './bench.svelte.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** A browser whose lists come when they are let go, and whose devices come and go by `change`. */
function playedUsb() {
  const answers: ((devices: readonly object[]) => void)[] = []
  const usb = Object.assign(new EventTarget(), {
    getDevices: () => new Promise((resolve) => answers.push(resolve)),
  })
  vi.stubGlobal('navigator', { usb })
  return { answers, change: () => usb.dispatchEvent(new Event('connect')) }
}

const device = (forget = () => Promise.resolve()) => ({
  ...{ vendorId: 0x16c0, productId: 0x05dc, deviceClass: 0xff, productName: 'USBasp' },
  ...{ deviceVersionMajor: 1, deviceVersionMinor: 0, deviceVersionSubminor: 4 },
  configurations: [],
  forget,
})

test('an older list that comes late does not take the place of a newer one', async () => {
  const { answers, change } = playedUsb()
  const bench = new BenchState()
  change()
  answers[1]?.([])
  await settled()
  answers[0]?.([device()])
  await vi.dynamicImportSettled()
  expect(bench.present).toEqual([])
})

test('a device that cannot be forgotten says so', async () => {
  const { answers } = playedUsb()
  const bench = new BenchState()
  answers[0]?.([device(() => Promise.reject(new DOMException('no', 'UnknownError')))])
  await vi.waitUntil(() => bench.present.length > 0, { timeout: 10_000 })
  const [present] = bench.present
  if (present) await bench.forget(present)
  expect(bench.error?.code).toBe('bug')
})
