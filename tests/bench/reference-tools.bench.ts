/**
 * The same image into the same twin, by a reference tool and by us. The tool's transfers are those of its
 * recording (`npm run lab -- --record`), from the first to the last. Beside our write stands what only we do: the
 * backup before it. A serial line's transfers are its writes.
 */
import { jobs } from '../lab/avrdude-recordings.case.ts'
import { sameImage } from '../lab/lab-case.ts'
import { make } from '../lab/twins.ts'
import type { Recording } from '../lab/recording.ts'
import { add, nothing, wholeJob, type Cost } from './job-cost.ts'
import type { Bench, Row } from './measure.ts'

const recordings = import.meta.glob<Recording>('../../protocols/*/*.recording.json', { import: 'default' })

function costOf({ events }: Recording): Pick<Cost, 'transfers' | 'bytesIn' | 'bytesOut'> {
  const length = (hex = '') => hex.length / 2
  let [transfers, bytesIn, bytesOut] = [0, 0, 0]
  for (const event of events)
    if ('endpoint' in event) {
      transfers++
      bytesIn += length(event.in)
      bytesOut += length(event.out)
    } else if ('sent' in event) {
      transfers++
      bytesOut += length(event.sent)
    } else if ('answered' in event) bytesIn += length(event.answered)
  return { transfers, bytesIn, bytesOut }
}

async function compared({ id, name, flash }: (typeof jobs)[number]): Promise<Row[]> {
  const [protocol = ''] = id.split(':')
  const recording = await recordings[`../../protocols/${protocol}/${name}.recording.json`]?.()
  if (!recording) throw new Error(`${name} was not recorded`)
  const theirs = costOf(recording)
  const image = sameImage((await make(id)).setup.memory('flash'), flash)
  const { 'back up': backup = nothing, ...write } = Object.fromEntries(await wholeJob(id, image))
  const ours = Object.values(write).reduce((sum, cost) => add(sum, cost), nothing)
  const row = (by: string, { transfers, bytesIn, bytesOut }: typeof theirs): Row => ({
    ...{ job: `${id}, ${String(flash)} bytes`, by, transfers },
    'times theirs': transfers / theirs.transfers,
    ...{ 'bytes in': bytesIn, 'bytes out': bytesOut },
  })
  return [
    row(recording.program, theirs),
    row('Reflasher', ours),
    row('Reflasher, the backup before it', backup),
  ]
}

export default {
  name: 'reference-tools',
  about: 'Identify, write the flash, verify: transfers of the same job on the same twin.',
  run: async () => (await Promise.all(jobs.map(compared))).flat(),
} satisfies Bench
