/**
 * The whole flash of an Espressif chip in one file, as esptool's `merge-bin` makes it: a boot loader, a partition
 * table at 0x8000 with an MD5, applications where the table says. It is one piece, blank parts included, because
 * they are meant to be blank; the parts are told, and which application starts. Document: ESP-IDF, "Partition
 * Tables", and `gen_esp32part.py`.
 */
import { md5 } from '@noble/hashes/legacy.js'
import { hexBytes, isBlank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import { readEspImage } from './esp-image.ts'
import { PartitionType, startOrder, type Partition } from './esp-otadata.ts'
import { refusing, startsWith, type FileFormat } from './file-format.ts'
import { buildImage, type Image, type ImagePart } from './image.ts'

const name = 'ESP flash image'
const tableAt = 0x8000
const entryBytes = 32
const mostEntries = 95
const espMagic = '\xe9'
/** By chip, from 0 on. */
const bootLoaderPlaces = [0, 0x1000, 0x2000]

const bad = refusing(name)

const bootLoaderAt = (file: Uint8Array): number | undefined =>
  bootLoaderPlaces.find((place) => startsWith(file, espMagic, place))

/** The first partition begins behind the table, and is as long as it is. */
function hasTable(file: Uint8Array): boolean {
  if (file.length < tableAt + entryBytes || !startsWith(file, '\xaa\x50', tableAt)) return false
  const { address, length } = partitionAt(file, tableAt)
  return address > tableAt && address % 0x1000 === 0 && length > 0
}

function partitionAt(file: Uint8Array, at: number): Partition {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const label = new TextDecoder().decode(file.subarray(at + 12, at + 28)).replace(/\0[^]*$/, '')
  return {
    label,
    type: view.getUint8(at + 2),
    subtype: view.getUint8(at + 3),
    address: view.getUint32(at + 4, true),
    length: view.getUint32(at + 8, true),
  }
}

/** Up to a blank entry; the MD5, of all before it, is the last before that. */
function tableOf(file: Uint8Array): { partitions: Partition[]; length: number } {
  const partitions: Partition[] = []
  for (let at = tableAt; at < tableAt + mostEntries * entryBytes; at += entryBytes) {
    const entry = file.subarray(at, at + entryBytes)
    if (entry.length < entryBytes) throw bad('truncated', file.length)
    if (isBlank(entry)) return { partitions, length: at - tableAt }
    if (startsWith(entry, '\xaa\x50')) partitions.push(partitionAt(file, at))
    else if (startsWith(entry, '\xeb\xeb')) {
      const found = hexBytes(entry.subarray(16), '')
      const expected = hexBytes(md5(file.subarray(tableAt, at)), '')
      if (found !== expected) throw bad('bad-hash', at + 16, { found, expected })
      return { partitions, length: at + entryBytes - tableAt }
    } else throw bad('bad-magic', at)
  }
  throw bad('bad-structure', tableAt, { found: `over ${mostEntries} partitions` })
}

/** A table of them could also make one application be read over and over. */
function refuseOverlaps(partitions: readonly Partition[]): void {
  let end = 0
  for (const { address, length } of partitions.toSorted((a, b) => a.address - b.address)) {
    if (address < end) throw new FlashError('bad-file', { format: name, why: 'overlap', address })
    end = address + length
  }
}

async function parse(file: Uint8Array): Promise<Image> {
  const loaderAt = bootLoaderAt(file)
  if (loaderAt === undefined || !hasTable(file)) throw bad('bad-magic', tableAt)
  const loader = await readEspImage(file.subarray(loaderAt, tableAt), loaderAt)
  const { partitions, length } = tableOf(file)
  refuseOverlaps(partitions)
  const parts: ImagePart[] = [
    { name: 'bootloader', address: loaderAt, length: tableAt - loaderAt },
    { name: 'partition-table', address: tableAt, length },
  ]
  for (const { label, type, address, length: room } of partitions) {
    const content = file.subarray(address, address + room)
    if (content.length === 0) continue // the file ends where the last part does that is not blank
    const isApp = type === PartitionType.App
    const isImage = isApp && startsWith(content, espMagic)
    const claims = isImage ? await readEspImage(content, address) : undefined
    if (!isApp || isImage || !isBlank(content))
      parts.push({ name: label, address, length: content.length, ...(claims && { claims }) })
  }
  const started = startOrder(file, partitions)
    .flatMap(({ address }) => parts.find((part) => part.address === address) ?? [])
    .find(({ claims }) => claims)
  const { chip } = loader
  return {
    ...buildImage(name, [{ address: 0, bytes: file }], {
      claims: { ...started?.claims, ...(chip && { chip }) },
    }),
    parts: parts.map((part) => (part === started ? { ...part, isStarted: true } : part)),
  }
}

export default {
  id: 'esp-flash',
  name,
  magic: (bytes) => bootLoaderAt(bytes) !== undefined && hasTable(bytes),
  parse,
} satisfies FileFormat
