import { zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { practiceImages } from '#bench/practice-images.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { parse } from '#worker/client.ts'
import { recogniseImage, wantedFromFile } from './choose.ts'

test('firmware is recognised in a file of the size of a chip, and not looked for in a huge one', async () => {
  const [image] = await practiceImages('usbasp')
  const segments = image?.build() ?? []
  expect((await recogniseImage(segments))?.family).toBe('usbasp')
  const rest = { address: 0x8000, bytes: new Uint8Array(2 << 20) }
  expect(await recogniseImage([...segments, rest])).toBeUndefined()
})

test('a certificate will say which file of an archive was written', async () => {
  const hex = (byte: number) => formatIntelHex([{ address: 0, bytes: Uint8Array.of(byte) }])
  const archive = { 'fw/a.hex': hex(1), 'fw/b.hex': hex(2), README: new TextEncoder().encode('Take b.') }
  const choice = { kind: 'file', file: new Blob([zipSync(archive)]), name: 'fw.zip' } as const
  const asked = await wantedFromFile(choice, parse).catch((error: unknown) => error)
  expect(asked).toMatchObject({ detail: { why: 'several-parts', parts: [{ id: '0' }, { id: '1' }] } })
  const { source, contents } = await wantedFromFile({ ...choice, read: { part: '1' } }, parse)
  expect(source.name).toBe('fw.zip: fw/b.hex')
  expect(contents.get('flash')).toEqual([{ address: 0, bytes: Uint8Array.of(2) }])
}, 30_000) // loading all that reads files takes its time in a test
