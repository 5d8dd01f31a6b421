/**
 * Espressif: an image for the boot loader in ROM, with what an application of ESP-IDF says of itself, and dumps of
 * a whole flash, where a partition table says what stands where. Documents: esptool, "Firmware Image Format";
 * ESP-IDF, "Partition Tables" and "App Image Format".
 */
import { hexBytes } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { evidence, place, type Clue, type Evidence, type Statement, type Subject } from './clue.ts'

const esp: Clue = (subject) => {
  const [flash] = subject.segments
  if (!flash) return []
  return [...imageOf(subject, flash), ...partitionsIn(subject, flash)]
}
export default esp

const none = '–'

/** The format's parser has found header, checksum and hash right. */
function imageOf({ format, claims }: Subject, { address, bytes }: Segment): Statement[] {
  if (format !== 'ESP image') return []
  const { chip = 'ESP', name = none, version = none, framework = none, built = none } = claims
  return [
    {
      code: 'esp-image',
      confidence: 'certain',
      values: { chip, name, version, framework, built },
      evidence: [header(bytes, address), ...texts({ name, version, framework, built }, bytes, address)],
      architecture: 'esp',
    },
  ]
}

const header = (bytes: Uint8Array, at: number): Evidence =>
  evidence('header', { bytes: hexBytes(bytes.subarray(0, 8)) }, at, 8)

/** Where ESP-IDF's description says these. */
const fields = { name: 0x50, version: 0x30, built: 0x80, framework: 0x90 } as const

const texts = (
  said: Readonly<Record<keyof typeof fields, string>>,
  bytes: Uint8Array,
  at: number,
): Evidence[] =>
  (Object.keys(fields) as (keyof typeof fields)[]).flatMap((field) => {
    const text = textAt(bytes, fields[field], 32)
    return said[field] === none || text === ''
      ? []
      : [evidence('text', { text }, at + fields[field], text.length)]
  })

// ---- a whole flash -------------------------------------------------------------------------------

/** The table may be moved by whoever builds; these are usual. */
const tablePlaces = [0x8000, 0x9000, 0xc000, 0xd000, 0x1_0000, 0]
const entryBytes = 32
const mostEntries = 95
const mostApplications = 8

interface Partition {
  readonly type: number
  readonly offset: number
  readonly length: number
  readonly label: string
}

function partitionsIn({ parts }: Subject, { address, bytes }: Segment): Statement[] {
  const started = parts.find(({ isStarted }) => isStarted)?.address
  const runs = ({ offset }: Partition) => address + offset === started
  for (const at of tablePlaces) {
    const table = tableAt(bytes, at)
    if (table.length < 2) continue
    const names = table.map(({ label }) => label).join(', ')
    return [
      {
        code: 'esp-flash',
        confidence: 'certain',
        values: { count: String(table.length), names },
        evidence: [
          evidence(
            'partitions',
            { address: place(address + at), names },
            address + at,
            table.length * entryBytes,
          ),
        ],
        architecture: 'esp',
      },
      ...table
        .filter(({ type }) => type === 0)
        .toSorted((a, b) => Number(runs(b)) - Number(runs(a))) // what runs is what the file is
        .slice(0, mostApplications)
        .flatMap((partition) => applicationIn(partition, bytes, address)),
    ]
  }
  return []
}

/** Entries AA 50 with a label that is text, up to blank bytes or the table's MD5. */
function tableAt(bytes: Uint8Array, from: number): Partition[] {
  const partitions: Partition[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = from; at + entryBytes <= bytes.length; at += entryBytes) {
    const magic = view.getUint16(at, false)
    if (magic === 0xffff || magic === 0xebeb) return partitions
    const label = textAt(bytes, at + 12, 16)
    const [offset, length] = [view.getUint32(at + 4, true), view.getUint32(at + 8, true)]
    const isEntry = magic === 0xaa50 && /^[\w.+-]+$/.test(label) && offset % 0x1000 === 0 && length > 0
    if (!isEntry || partitions.length === mostEntries) return []
    partitions.push({ type: view.getUint8(at + 2), offset, length, label })
  }
  return []
}

function applicationIn({ offset, label }: Partition, bytes: Uint8Array, start: number): Statement[] {
  const image = bytes.subarray(offset, offset + 0xd0)
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength)
  if (image.length < 0xd0 || image[0] !== 0xe9 || view.getUint32(0x20, true) !== 0xabcd_5432) return []
  const said = {
    name: textAt(image, fields.name, 32),
    version: textAt(image, fields.version, 32),
    built: textAt(image, fields.built, 16),
    framework: textAt(image, fields.framework, 32),
  }
  return [
    {
      code: 'esp-application',
      confidence: 'certain',
      values: {
        partition: label,
        address: place(start + offset),
        name: said.name || none,
        version: said.version || none,
        framework: said.framework ? `ESP-IDF ${said.framework}` : none,
      },
      evidence: [header(image, start + offset), ...texts(said, image, start + offset)],
      architecture: 'esp',
    },
  ]
}

/** Printable, up to a zero. */
function textAt(bytes: Uint8Array, at: number, most: number): string {
  const field = bytes.subarray(at, at + most)
  const end = field.indexOf(0)
  const text = String.fromCharCode(...field.subarray(0, end < 0 ? most : end))
  return /^[\x20-\x7e]*$/.test(text) ? text : ''
}
