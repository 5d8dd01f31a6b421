/** `formats.bench.ts` in a browser's worker: the rows of `format-rows.ts`, and a file that was brought, until it is an image. */
import { dataBytes } from '#firmware/image.ts'
import { IntelHexReader } from '#firmware/intel-hex-reader.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { fastest } from '#kernels/kernels.ts'
import { parse } from '#worker/work.ts'
import { formatRows, verdict } from './format-rows.ts'
import { median, type Row } from './measure.ts'

const where = 'Chromium'
const rounds = 9

self.addEventListener('message', ({ data }: MessageEvent<File>) => {
  run(data).then(
    (rows) => {
      self.postMessage(rows)
    },
    (error: unknown) => {
      self.postMessage(String(error))
    },
  )
})

async function run(file: File): Promise<Row[]> {
  const collect = (globalThis as { gc?: (how: { type: 'minor' }) => void }).gc
  return [
    ...(await brought(file)),
    ...(await formatRows({ where, collect: () => collect?.({ type: 'minor' }) })),
  ]
}

/** Reading it from the disk alone is the limit. */
async function brought(file: File): Promise<Row[]> {
  const candidates = {
    'arrayBuffer alone': () => file.arrayBuffer(),
    'parsed, CRC-32, SHA-256 of the data': () => parsedAndHashed(file),
    'all that the product does': () => parse(file, file.name),
  }
  const times = Object.entries(candidates).map(([name, run]) => ({ name, run, ms: [] as number[] }))
  for (let round = 0; round < rounds; round++)
    for (const { run, ms } of times) {
      const start = performance.now()
      await run()
      ms.push(performance.now() - start)
    }
  const [limit = NaN, ...others] = times.map(({ ms }) => median(ms))
  return others.map((ms, i) => ({
    ...{ where, what: `a file: ${times[i + 1]?.name ?? ''}`, size: '32 MiB' },
    ...{ 'MB/s': file.size / 1e3 / ms, against: times[0]?.name ?? '', times: limit / ms },
    ...verdict(limit / ms, i === 0 ? 1 / 1.5 : undefined),
  }))
}

/** As the product does it, without the hash of the file itself and without looking for what is in it. */
async function parsedAndHashed(file: File): Promise<void> {
  const { fold, fastRecords } = await fastest()
  const reader = new IntelHexReader(file.size, fastRecords)
  const crc = new Crc(crcModel('CRC-32/ISO-HDLC'), fold)
  const pieces = file.stream().getReader()
  for (let counted = 0; ;) {
    const { done, value } = await pieces.read()
    if (done) break
    reader.push(value)
    crc.update(reader.runs.bytes.subarray(counted, reader.runs.filled))
    counted = reader.runs.filled
  }
  const image = reader.image()
  if (!image) throw new Error('it is wrong')
  crc.done()
  await crypto.subtle.digest('SHA-256', dataBytes(image.segments) as BufferSource)
}
