import { expect, test } from 'vitest'
import type { SeenUsb } from '#core/programmer.ts'
import type { Attached } from '#transport/devices.ts'
import { awaitedAmong } from './awaited.ts'
import type { JobView } from './view.ts'

const seen = (productId: number, serial?: string): SeenUsb => ({
  ...{ link: 'usb', vendorId: 0x0483, productId, serial, deviceClass: 0, deviceVersion: [1, 0, 0] },
  ...{ manufacturer: undefined, product: undefined, interfaces: [] },
})
let keys = 0
const present = (...args: Parameters<typeof seen>) => ({
  attached: { key: `key-${String(++keys)}`, seen: seen(...args) } as Attached,
})

const [application, loader] = [1, 2]
const told = (last: SeenUsb): Pick<JobView, 'restart' | 'seen'> => ({
  restart: { link: 'usb', as: [{ vendorId: 0x0483, productId: loader }], isUnderWay: true },
  seen: [last],
})

test('is the only new one of its kind, or of several the one with its serial number', () => {
  const [mine, other] = [present(loader, 'A'), present(loader, 'B')]
  expect(awaitedAmong([mine, other], told(seen(application, 'A')), [])).toBe(mine)
  expect(awaitedAmong([mine, other], told(seen(application)), [])).toBeUndefined()
  expect(awaitedAmong([mine, other], told(seen(application)), [other.attached.key])).toBe(mine)
  expect(awaitedAmong([present(application, 'A')], told(seen(application, 'A')), [])).toBeUndefined()
})

test('may have another serial number as its boot loader, but not where it comes back as what it was', () => {
  const other = present(loader, 'B')
  expect(awaitedAmong([other], told(seen(application, 'A')), [])).toBe(other)
  expect(awaitedAmong([other], told(seen(loader, 'A')), [])).toBeUndefined()
  const unnumbered = present(loader)
  expect(awaitedAmong([unnumbered], told(seen(loader, 'A')), [])).toBe(unnumbered)
})
