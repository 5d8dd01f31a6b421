import { describe, expect, it } from 'vitest'
import type { SeenUsb } from '#core/programmer.ts'
import identity from './identity.ts'

const seen = (changes: Partial<SeenUsb> = {}): SeenUsb => ({
  link: 'usb',
  vendorId: 0x16c0,
  productId: 0x05dc,
  deviceVersion: [1, 0, 4],
  deviceClass: 0xff,
  manufacturer: 'www.fischl.de',
  product: 'USBasp',
  serial: undefined,
  interfaces: [{ number: 0, classCode: 0, subclass: 0, protocol: 0 }],
  ...changes,
})
const codes = (changes: Partial<SeenUsb>) =>
  identity.recognise(seen(changes))?.notices.map(({ code }) => code)

describe('a USBasp', () => {
  it('is certain when ids and both strings are the original', () => {
    expect(identity.recognise(seen())).toMatchObject({
      model: 'USBasp',
      mode: 'application',
      confidence: 'certain',
      usable: true,
      notices: [],
    })
  })

  it.each([
    [[1, 0, 3], '1.03', 'fischl 2009-02-28'],
    [[1, 0, 4], '1.04', 'fischl 2011-05-28'],
    [[1, 1, 0], '1.10', 'dioannidis 1.10'],
  ] as const)('says its version from bcdDevice %o', (deviceVersion, version, build) => {
    const facts = identity.recognise(seen({ deviceVersion }))?.facts
    expect(facts).toContainEqual({ name: 'firmware-version', value: version, source: 'bcdDevice' })
    expect(facts).toContainEqual({ name: 'firmware', value: build, source: 'bcdDevice' })
  })

  it('says nothing about a build it does not know', () => {
    const facts = identity.recognise(seen({ deviceVersion: [9, 9, 9] }))?.facts ?? []
    expect(facts.map(({ name }) => name)).not.toContain('firmware')
  })

  it('of version 1.02 may be a boot loader', () => {
    expect(codes({ deviceVersion: [1, 0, 2] })).toEqual(['maybe-usbasploader'])
  })

  it('with ids of before 2006 is old', () => {
    expect(codes({ vendorId: 0x03eb, productId: 0xc7b4 })).toEqual(['old-usb-id'])
  })
})

describe('the shared id 16c0:05dc', () => {
  it.each([
    ['Protostack Pty Ltd', 'USBasp'],
    ['fischl.de', 'USBasp'],
    ['http://amitesh-singh.github.io', 'fastusbasp'],
  ])('with %s / %s is likely one under another name', (manufacturer, product) => {
    expect(identity.recognise(seen({ manufacturer, product }))).toMatchObject({
      confidence: 'likely',
      usable: true,
      notices: [{ code: 'clone-strings', values: { manufacturer, product } }],
    })
  })

  it('with foreign strings is possible at most', () => {
    expect(identity.recognise(seen({ manufacturer: 'obdev.at', product: 'LEDControl' }))).toMatchObject({
      confidence: 'possible',
      notices: [
        {
          code: 'shared-usb-id',
          level: 'warning',
          values: { manufacturer: 'obdev.at', product: 'LEDControl' },
        },
      ],
    })
  })

  it('without any string is possible at most', () => {
    expect(identity.recognise(seen({ manufacturer: undefined, product: undefined }))?.confidence).toBe(
      'possible',
    )
  })
})

it('a NIBObee speaks the same protocol', () => {
  const nibobee = seen({ productId: 0x092f, manufacturer: 'www.nicai-systems.com', product: 'NIBObee' })
  expect(identity.recognise(nibobee)).toMatchObject({ model: 'NIBObee', confidence: 'certain', usable: true })
})

it('the HID clone is known, but not usable, and says why', () => {
  const clone = seen({ vendorId: 0x03eb, productId: 0xc8b4, manufacturer: 'zhifengsoft', product: 'USBHID' })
  expect(identity.recognise(clone)).toMatchObject({
    model: 'USB ISP',
    confidence: 'certain',
    usable: false,
    notices: [{ code: 'usbisp-hid', level: 'warning' }],
  })
})

it('anything else is not recognised', () => {
  expect(identity.recognise(seen({ vendorId: 0x1781, productId: 0x0c9f }))).toBeUndefined()
  expect(identity.recognise({ link: 'serial', vendorId: 0x16c0, productId: 0x05dc })).toBeUndefined()
})
