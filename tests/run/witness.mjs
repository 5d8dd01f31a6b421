/**
 * `npm run witness -- FILE.hex …`: runs USBasp firmware files of yours in an emulator, and holds our driver and
 * our twin against them. Files stay where they are. Exit code 1: something differs.
 */
import { given, installPackages, typescript } from './machine.mjs'

const files = process.argv.slice(2).map(given)
if (files.length === 0) {
  console.error('Usage: npm run witness -- FILE.hex … (USBasp firmware for ATmega8, 48 or 88 at 12 MHz)')
  process.exit(2)
}
installPackages()
const server = await typescript()
let same = true
try {
  const { witness } = await server.ssrLoadModule('/tests/witness/usbasp.ts')
  for (const file of files) same = (await witness(file, console.log)) && same
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  same = false
} finally {
  await server.close()
}
process.exit(same ? 0 : 1)
