/**
 * `npm run witness -- FILE.hex …`: runs USBasp firmware files of yours in an emulator, and holds our driver and
 * our twin against them. `bootrom.ts` is the RP2040's boot ROM, for which rp2040js has to be there; `--record` writes
 * down what it answers. Files stay where they are. Exit code 1: something differs.
 */
import { given, installPackages, typescript } from './machine.mjs'

const names = process.argv.slice(2)
const files = names.filter((name) => name !== '--record').map(given)
if (files.length === 0) {
  console.error('Usage: npm run witness -- FILE.hex … (USBasp firmware for ATmega8, 48 or 88 at 12 MHz)')
  console.error('       npm run witness -- [--record] bootrom.ts (of wokwi/rp2040js)')
  process.exit(2)
}
installPackages()
const server = await typescript()
let same = true
try {
  const { witness } = await server.ssrLoadModule('/tests/witness/usbasp.ts')
  const { witnessRp2040 } = await server.ssrLoadModule('/tests/witness/rp2040.ts')
  const record = names.includes('--record')
  for (const file of files)
    same =
      (await (file.endsWith('.ts')
        ? witnessRp2040(file, console.log, record)
        : witness(file, console.log))) && same
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  same = false
} finally {
  await server.close()
}
process.exit(same ? 0 : 1)
