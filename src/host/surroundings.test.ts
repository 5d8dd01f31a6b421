/** What a job asks of its surroundings, in browsers that do not answer; real locks are in tests/browser. */
import { afterEach, expect, test, vi } from 'vitest'
import { browserSurroundings as surroundings, watchComputer } from './surroundings.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

const refused = () =>
  Promise.reject(new DOMException('a permissions policy is against it', 'NotAllowedError'))

test.each([
  ['has no such API', {}],
  ['is not allowed to tell', { getBattery: refused, storage: { estimate: refused, persisted: refused } }],
])('battery and room are unknown where the browser %s', async (_, navigator) => {
  vi.stubGlobal('navigator', navigator)
  expect(await surroundings.battery()).toBeUndefined()
  expect(await surroundings.storageRoom()).toBeUndefined()
})

test.each([
  ['without storage', {}],
  ['that refuses it', { storage: { persist: refused } }],
])('a browser %s keeps nothing, and says so', async (_, navigator) => {
  vi.stubGlobal('navigator', navigator)
  expect(await surroundings.persist()).toBe(false)
})

test('a lock that was let go is free when that is said', async () => {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const locks = {
    async request(_name: string, _options: unknown, held: (lock: object) => unknown) {
      await held({})
      await released // the browser's own time
    },
  }
  vi.stubGlobal('navigator', { locks })
  const lock = await surroundings.lock('device')
  let isFree = false
  const disposed = lock?.[Symbol.asyncDispose]().then(() => (isFree = true))
  await new Promise((resolve) => setImmediate(resolve))
  expect(isFree).toBe(false)
  release()
  await disposed
  expect(isFree).toBe(true)
})

test('a job hears of the battery and of a hidden page until it ends', async () => {
  const battery = Object.assign(new EventTarget(), { charging: true, level: 1 })
  const page = new EventTarget()
  vi.stubGlobal('navigator', { getBattery: () => Promise.resolve(battery) })
  vi.stubGlobal('document', page)
  const heard = vi.fn()
  const end = new AbortController()
  await watchComputer(heard, end.signal)
  const happen = () => {
    for (const event of ['levelchange', 'chargingchange']) battery.dispatchEvent(new Event(event))
    page.dispatchEvent(new Event('visibilitychange'))
  }
  happen()
  expect(heard).toHaveBeenCalledTimes(3)
  end.abort()
  happen()
  expect(heard).toHaveBeenCalledTimes(3)
})
