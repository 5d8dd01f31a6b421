import { ecb } from '@noble/ciphers/aes.js'
import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { ByteWriter, swapWords } from '#core/bytes.ts'
import { readImage } from './formats.ts'
import { bytesOf, refused, segment } from './test-images.ts'
import { formatIntelHex } from './intel-hex.ts'

/** Made up: a vector table and text, as long as the vendor's files are padded to. */
function program(base: number, text: string): Uint8Array {
  const bytes = new Uint8Array(3072).fill(0x5a)
  const table = new ByteWriter().u32le(0x2000_4000)
  for (let i = 0; i < 20; i++) table.u32le(base + 0x101 + i * 4)
  bytes.set(table.done())
  bytes.set(bytesOf(text), 0x200)
  return bytes
}
const wrapped = (key: string, plain: Uint8Array) =>
  swapWords(ecb(swapWords(bytesOf(key)), { disablePadding: true }).encrypt(swapWords(plain)))

const v2 = program(0x0800_4000, 'made up for a V2')
const v21 = program(0x0800_4000, 'made up for a V2-1')
const v3 = program(0x0802_0000, 'made up for a V3')
const file = (plain: Uint8Array) => wrapped('best performance', plain)
const file3 = wrapped(' .ST-Link.ver.3.', v3)

/** As the vendor's is laid out: the programs for computers, and the files in the archive of one of them. */
const jar = zipSync({
  'META-INF/MANIFEST.MF': bytesOf('Manifest-Version: 1.0\n'),
  'com/st/stlinkupgrade/app/Main.class': Uint8Array.of(0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0x34, 1),
  'com/st/stlinkupgrade/core/f2_1.bin': file(v2),
  'com/st/stlinkupgrade/core/f2_4.bin': file(v21),
  'com/st/stlinkupgrade/core/f3_1.bin': file3,
})
const pack = zipSync({
  'Windows/ST-LinkUpgrade.exe': bytesOf('MZ' + '\0'.repeat(58) + '\x40\0\0\0PE\0\0'),
  'AllPlatforms/STLinkUpgrade.jar': jar,
  'AllPlatforms/StlinkRulesFilesForLinux/49-stlinkv2-1.rules': bytesOf('SUBSYSTEMS=="usb"\n'),
})

describe("the vendor's update package for ST-Links", () => {
  it('gives a plain image at its place, and says for which generation it is', async () => {
    expect(await readImage(file(v2), 'f2_1.bin')).toMatchObject({
      format: 'STLinkUpgrade',
      segments: [{ address: 0x0800_4000, bytes: v2 }],
      claims: { chip: 'ST-Link V2, V2-1' },
    })
    expect(await readImage(file3, 'f3_1.bin')).toMatchObject({
      segments: [{ address: 0x0802_0000, bytes: v3 }],
      claims: { chip: 'ST-Link V3' },
    })
  })

  it('is opened down to its files, of which one is to be chosen', async () => {
    const error = await refused(readImage(pack, 'en.stsw-link007.zip'))
    expect(error.why).toBe('several-parts')
    expect(error.parts?.map(({ name }) => name)).toEqual([
      'com/st/stlinkupgrade/core/f2_1.bin',
      'com/st/stlinkupgrade/core/f2_4.bin',
      'com/st/stlinkupgrade/core/f3_1.bin',
    ])
    const part = error.parts?.[1]?.id ?? ''
    expect(await readImage(pack, 'en.stsw-link007.zip', { part })).toMatchObject({
      segments: [{ address: 0x0800_4000, bytes: v21 }],
      wrappers: ['ZIP', 'ZIP'],
      claims: { chip: 'ST-Link V2, V2-1' },
    })
  })

  it('takes no file for one that is not', async () => {
    expect((await readImage(v2, 'a.bin', { base: 0x0800_4000 })).format).toBe('binary')
    expect((await readImage(formatIntelHex([segment(0, 1, 2)]), 'f2_1.bin')).format).toBe('Intel HEX')
    const signed = Uint8Array.from({ length: 3072 }, (_, i) => (i * 7919) & 0xff)
    expect((await readImage(signed, 'f3_2.bin')).format).toBe('binary')
  })
})
