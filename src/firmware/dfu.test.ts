/** Vector: 1000 bytes 0x41 with the suffix that dfu-suffix 0.11 adds for 0483:df11, release 1.00. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, fromHex } from '#core/bytes.ts'
import { withDfuSuffix } from './dfu-suffix.ts'
import { readImage } from './formats.ts'
import { formatUf2 } from './uf2.format.ts'
import { bytesOf, refused, survivesReading } from './test-images.ts'

const content = new Uint8Array(1000).fill(0x41)
const file = concat(content, fromHex('0001 11df 8304 0001 554644 10 292eb5d0'))
const usb = { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0x0100 }
const read = (bytes: Uint8Array, name = 'a.dfu') => readImage(bytes, name)

describe('reading DFU', () => {
  it('takes the content as a raw binary, and for which device it is', async () => {
    expect(await read(file)).toEqual({
      format: 'binary',
      wrappers: ['DFU'],
      segments: [{ address: 0, bytes: content }],
      isRaw: true,
      claims: { usb },
      warnings: [{ code: 'base-assumed', address: 0 }],
    })
    expect((await readImage(file, 'a', { base: 0x800 })).segments).toMatchObject([{ address: 0x800 }])
    expect((await read(withDfuSuffix(content, 0x0100))).claims).toEqual({ usb: {} })
  })

  it('looks into the content', async () => {
    const uf2 = withDfuSuffix(formatUf2([{ address: 0x4000, bytes: content }]), 0x0100, usb)
    expect(await read(uf2)).toMatchObject({
      format: 'UF2',
      wrappers: ['DFU'],
      segments: [{ address: 0x4000 }],
      claims: { usb },
    })
    expect(await refused(read(withDfuSuffix(bytesOf('PK\x03\x04'), 0x0100)))).toMatchObject({
      format: 'ZIP',
    })
  })

  it('refuses wrappers without end, and nothing inside', async () => {
    let nested = content as Uint8Array
    for (let i = 0; i < 1000; i++) nested = withDfuSuffix(nested, 0x0100)
    expect(await refused(read(nested))).toMatchObject({ format: 'DFU', why: 'too-deep' })
    expect(await refused(read(withDfuSuffix(new Uint8Array(), 0x0100)))).toMatchObject({ why: 'empty' })
  })

  it('refuses a file with any byte changed, or without a suffix', async () => {
    for (let at = 0; at < file.length; at += at < 990 ? 90 : 1) {
      const { why, offset } = await refused(read(file.with(at, (file[at] as number) ^ 0x04)))
      const isMark = at >= 1008 && at < 1011
      expect(why, `byte ${at}`).toBe(isMark ? 'bad-magic' : at === 1011 ? 'bad-checksum' : 'bad-checksum')
      expect(offset).toBe(isMark ? 1008 : 1012)
    }
    expect(await refused(read(file.with(1011, 3)))).toMatchObject({
      why: 'bad-length',
      offset: 1011,
      found: '3',
    })
    expect(await refused(read(content))).toMatchObject({ format: 'DFU', why: 'bad-magic' })
    expect(await refused(read(Uint8Array.of(1)))).toMatchObject({ why: 'bad-magic', offset: 0 })
  })

  it('gives nothing but `bad-file` for anything else', () => {
    return survivesReading(read, [file, withDfuSuffix(bytesOf('x'), 0x0100)])
  })
})

describe('writing a DFU suffix', () => {
  it('gives what dfu-suffix adds', () => {
    expect(withDfuSuffix(content, 0x0100, usb)).toEqual(file)
  })

  it('is read back as it was', async () => {
    const ids = fc.record({
      vendorId: fc.nat(0xfffe),
      productId: fc.nat(0xfffe),
      deviceVersion: fc.nat(0xfffe),
    })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1 }), ids, async (bytes, device) => {
        const { claims, segments } = await read(
          withDfuSuffix(concat(Uint8Array.of(0xff), bytes), 0x0100, device),
        )
        expect(claims.usb).toEqual(device)
        expect(segments[0]?.bytes).toEqual(concat(Uint8Array.of(0xff), bytes))
      }),
    )
  })
})
