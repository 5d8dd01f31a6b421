/**
 * 64 KiB into an STM32F103 through each kind of probe, beside the programs that people would use instead, on the same twins
 * and the same clock: what is theirs was measured in the lab (`tests/lab/measured.case.ts`, `npm run lab -- --record`). Each
 * page is another one than before, so each is erased and programmed, which the flash takes so long for, whoever asks. Theirs
 * is verified by reading back (st-flash) or by a checksum that the target's core makes (OpenOCD), ours by reading all of the flash.
 */
import { eraseMs, halfwordMs } from '#bench/twin-stm32f1-flash.ts'
import { imageBytes, measuredImage } from '../lab/measured.case.ts'
import type { KeptMeasure } from '../lab/run-case.ts'
import { add, nothing, wholeJob, type Cost } from './job-cost.ts'
import type { Bench, Row } from './measure.ts'

const measured = import.meta.glob<KeptMeasure>('../../protocols/*/*.measured.json', {
  eager: true,
  import: 'default',
})

const pageBytes = 1024
const flashMs = (imageBytes / pageBytes) * eraseMs + (imageBytes / 2) * halfwordMs

/** Words that fit into a packet at most, of the answer to a read and of a write (DAP_TransferBlock). */
const wordsPerPacket: Readonly<Record<string, number>> = {
  'cmsis-dap:stm32f103': 15,
  'cmsis-dap:daplink-hid': 15,
}

const ids = ['stlink:v2', 'stlink:v3', 'cmsis-dap:stm32f103', 'cmsis-dap:daplink-hid', 'jlink:v9-stm32f103']

async function compared(id: string): Promise<Row[]> {
  const { 'back up': backup = nothing, ...rest } = Object.fromEntries(await wholeJob(id, measuredImage()))
  const ours = Object.values(rest).reduce((sum, cost) => add(sum, cost), nothing)
  const theirs = Object.values(measured).filter(({ twin }) => twin === id)
  const row = (
    by: string,
    { transfers, bytes, ms }: Pick<KeptMeasure, 'transfers' | 'bytes' | 'ms'>,
  ): Row => ({
    ...{ probe: id, by, transfers, bytes, ms, 'times the flash': ms / flashMs },
    ...Object.fromEntries(theirs.map((one) => [`times ${one.program.split(' ')[0] ?? ''}`, ms / one.ms])),
  })
  const summed = (cost: Cost) => ({ ...cost, bytes: cost.bytesIn + cost.bytesOut })
  const words = wordsPerPacket[id]
  const inPackets = backup.transfers / 2
  return [
    ...theirs.map((one) => row(one.program, one)),
    row('Reflasher', summed(ours)),
    row('Reflasher, of that the erase and the write', summed(rest['program'] ?? nothing)),
    {
      ...row('Reflasher, the backup before it: all of the flash twice', summed(backup)),
      ...(words && { 'of the packet limit': (imageBytes * 2) / (inPackets * words * 4) }),
    },
  ]
}

export default {
  name: 'arm-probes',
  about: `64 KiB into an STM32F103, whose flash alone takes ${flashMs.toFixed(0)} ms. Of the tools' sleeps those are counted that their polling needs.`,
  run: async () => {
    const rows: Row[] = []
    for (const id of ids) rows.push(...(await compared(id)))
    return rows
  },
} satisfies Bench
