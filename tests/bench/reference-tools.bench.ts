/**
 * The same image into the same twin, by a reference tool and by us. The tool's transfers are those of its
 * recording (`npm run lab -- --record`), from the first to the last. Beside our write stands what only we do: the
 * backup before it. A serial line's transfers are what is said before an answer. What the tool's job takes is known
 * where it waits for nothing but what the device tells it to, or for its answer: with DFU and an STM32's serial loader.
 */
import { PracticeBench, take } from '#bench/bench.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { concat, fromHex, hexBytes } from '#core/bytes.ts'
import { Devices } from '#transport/devices.ts'
import { jobs } from '../lab/recordings.case.ts'
import { sameImage } from '../lab/lab-case.ts'
import { parseSetup } from '../lab/usbip-packets.ts'
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
    }
  for (const { sent, answered } of questionsIn(events)) {
    transfers++
    bytesOut += sent.length
    bytesIn += answered
  }
  return { transfers, bytesIn, bytesOut }
}

/** On a serial line: what was said, and how many bytes came before anything else was. */
interface Question {
  sent: Uint8Array
  answered: number
}

function questionsIn(events: Recording['events']): readonly Question[] {
  const questions: Question[] = []
  for (const event of events) {
    const last = questions.at(-1)
    if ('answered' in event && last) last.answered += fromHex(event.answered).length
    if (!('sent' in event)) continue
    const sent = fromHex(event.sent)
    if (last?.answered === 0) last.sent = concat(last.sent, sent)
    else questions.push({ sent, answered: 0 })
  }
  return questions
}

/** The same words over the same line as ours, each after the answer to the one before. */
async function serialMs({ twin, events }: Recording): Promise<number> {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  await bench.plug(twin)
  const [device] = await new Devices(bench, clock).list()
  const first = events.find((event) => 'sent' in event)
  if (device?.link !== 'serial' || !first) throw new Error(`${twin} is not listed`)
  const { parity = 'none' } = first
  await using link = await device.open(first.baud, { parity })
  await clock.sleep(100) // the tool is started later than the chip
  const from = clock.now()
  for (const { sent, answered } of questionsIn(events)) {
    await link.write(sent)
    await link.read(answered, { timeoutMs: 60_000 })
  }
  return clock.now() - from
}

/** The DFU job said again over the same wire as ours, each wait as long as it was told to be. */
async function dfuMs({ twin, events }: Recording): Promise<number> {
  const GetStatus = 3
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  await bench.plug(twin)
  const [device] = await new Devices(bench, clock).list()
  if (device?.link !== 'usb') throw new Error(`${twin} is not listed`)
  await using link = await device.open()
  for (const event of events) {
    if (!('endpoint' in event) || event.setup === undefined) continue
    const { request, value, index, length } = parseSetup(fromHex(event.setup))
    const setup = { requestType: 'class', recipient: 'interface', request, value, index } as const
    if (event.out !== undefined) await link.controlOut(setup, fromHex(event.out))
    else {
      const [, low = 0, middle = 0, high = 0] = await link.controlIn(setup, length)
      if (request === GetStatus) await clock.sleep(low | (middle << 8) | (high << 16))
    }
  }
  return clock.now()
}

/**
 * The frames said again, and the questions for one word as often as it takes until the answer is the one that was waited
 * for. What the tool sleeps in between is not in it, so it is somewhat slower than that.
 */
async function stLinkMs({ twin, events }: Recording): Promise<number> {
  const readWord = 'f236'
  const mostAsked = 1000
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  await bench.plug(twin)
  const [device] = await new Devices(bench, clock).list()
  if (device?.link !== 'usb') throw new Error(`${twin} is not listed`)
  await using link = await device.open()
  let ask = () => Promise.resolve()
  let isWord = false
  for (const event of events) {
    if (!('endpoint' in event)) continue
    const { endpoint, out, length = 0, in: answer = '' } = event
    if (out !== undefined) {
      ask = () => link.bulkOut(endpoint, fromHex(out))
      isWord = out.startsWith(readWord)
      await ask()
      continue
    }
    for (let left = mostAsked; left > 0; left--) {
      if (hexBytes(await link.bulkIn(endpoint, length), '') === answer || !isWord) break
      await ask()
    }
  }
  return clock.now()
}

async function compared({ id, name, flash }: (typeof jobs)[number]): Promise<Row[]> {
  const [protocol = ''] = id.split(':')
  const recording = await recordings[`../../protocols/${protocol}/${name}.recording.json`]?.()
  if (!recording) throw new Error(`${name} was not recorded`)
  const theirs = costOf(recording)
  const image = sameImage((await take(id)).setup.memory('flash'), flash)
  const { 'back up': backup = nothing, ...write } = Object.fromEntries(await wholeJob(id, image))
  const ours = Object.values(write).reduce((sum, cost) => add(sum, cost), nothing)
  const timed: Readonly<Record<string, typeof dfuMs>> = {
    ...{ dfu: dfuMs, 'stm32-uart': serialMs, stlink: stLinkMs },
  }
  const theirMs = await timed[protocol]?.(recording)
  const row = (by: string, { transfers, bytesIn, bytesOut }: typeof theirs, ms?: number): Row => ({
    ...{ job: `${id}, ${String(flash)} bytes`, by, transfers },
    'times theirs': transfers / theirs.transfers,
    ...{ 'bytes in': bytesIn, 'bytes out': bytesOut },
    ...(theirMs !== undefined && ms !== undefined && { ms }),
  })
  return [
    row(recording.program, theirs, theirMs),
    row('Reflasher', ours, ours.ms),
    row('Reflasher, of that the erase and the write', write['program'] ?? nothing, write['program']?.ms),
    row('Reflasher, the backup before it', backup, backup.ms),
  ]
}

export default {
  name: 'reference-tools',
  about:
    'Identify, write the flash, verify: transfers, and where it is known the time, of the same job on the same twin.',
  run: async () => (await Promise.all(jobs.map(compared))).flat(),
} satisfies Bench
