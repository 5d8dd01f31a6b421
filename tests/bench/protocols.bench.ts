/**
 * What a job costs on the wire: transfers, bytes and time, by step. The real drivers and jobs against the
 * twins, on a virtual clock, so the figures are exact and the same on every machine. They measure the plan of
 * the protocol; the browser's own cost of a transfer is not in them.
 */
import { add, nothing, wholeJob, type Cost } from './job-cost.ts'
import { noise, type Bench, type Row } from './measure.ts'

const jobs = [
  'usbasp:atmega328p',
  'usbasp:atmega8',
  'usbasp:pair',
  'stk500:uno',
  'stk500:nano-old',
  'stk500:arduino-isp-atmega328p',
  'avr109:pro-micro-empty',
  'dfu:stm32f072',
  'dfu:stm32f405',
  'picoboot:pico',
  'stm32-uart:stm32f030',
  'cmsis-dap:stm32f103',
  'cmsis-dap:daplink-hid',
  'stlink:v2',
  'stlink:v3',
  'jlink:v9-stm32f103',
]

/** As large as a USBasp's firmware. */
const imageBytes = 4700

function rowsOf(job: string, steps: ReadonlyMap<string, Cost>): Row[] {
  const all = [...steps].filter(([, { transfers, ms }]) => transfers > 0 || ms > 0)
  const total = all.reduce((sum, [, cost]) => add(sum, cost), nothing)
  return [...all, ['total', total] as const].map(([step, cost]) => ({
    job,
    step,
    transfers: cost.transfers,
    'bytes in': cost.bytesIn,
    'bytes out': cost.bytesOut,
    ms: Math.round(cost.ms),
    waits: cost.waits,
    'waited ms': Math.round(cost.waitedMs),
  }))
}

export default {
  name: 'protocols',
  about: `A whole job with an image of ${imageBytes} bytes; backup twice, full verify. A serial line's transfers are its writes.`,
  run: async () => {
    const rows: Row[] = []
    for (const id of jobs) rows.push(...rowsOf(id, await wholeJob(id, noise(imageBytes))))
    return rows
  },
} satisfies Bench
