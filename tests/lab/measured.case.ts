/**
 * The same 64 KiB into the same STM32F103 by reference tools, for the bench (`tests/bench/arm-probes.bench.ts`): how many
 * transfers and bytes that is, and what they take on the wire and in the twin. Of a tool's own sleeps there are those between
 * two questions whether the flash is done, where it gives up after so many; with the others it is slower than that.
 */
import assert from 'node:assert/strict'
import { equal, hexBytes } from '#core/bytes.ts'
import { noise } from '../bench/measure.ts'
import { writing, type LabCase } from './lab-case.ts'

interface Job {
  readonly id: string
  readonly name: string
  readonly program: string
  /** Writes /tmp/flash.bin, and looks whether it is there. */
  readonly command: string
  readonly sleepsBefore?: { readonly question: string; readonly ms: number }
}

export const imageBytes = 65_536
/** Every page is another one than before. */
export const measuredImage = (): Uint8Array => noise(imageBytes)

/**
 * It reads back what it has written. Its loader is asked whether it is done (by DHCSR) each 10 ms, for half a second:
 * stlink-org/stlink 1.7.0, `src/stlink-lib/flash_loader.c` (`stlink_flash_loader_run`).
 */
const stFlash = {
  ...{ program: 'st-flash 1.7.0', command: 'st-flash write /tmp/flash.bin 0x08000000' },
  sleepsBefore: { question: 'f236f0ed00e0', ms: 10 },
}

/** At a speed that we choose, too. It verifies by a checksum that the target's core makes. */
const openocd = (adapter: string, kHz: number) => ({
  program: 'OpenOCD 0.12.0',
  command: `openocd ${adapter} -f target/stm32f1x.cfg -c 'adapter speed ${String(kHz)}; init; reset halt; \
    flash write_image erase /tmp/flash.bin 0x08000000 bin; verify_image /tmp/flash.bin 0x08000000 bin; \
    reset run; shutdown'`,
})
const dap = (backend: string) =>
  `-f interface/cmsis-dap.cfg -c 'transport select swd; cmsis_dap_backend ${backend}'`
const jlink = `-f interface/jlink.cfg -c 'transport select swd'`

const jobs: readonly Job[] = [
  { id: 'stlink:v2', name: 'st-flash-64k-v2', ...stFlash },
  { id: 'stlink:v3', name: 'st-flash-64k-v3', ...stFlash },
  { id: 'stlink:v2', name: 'openocd-64k-v2', ...openocd('-f interface/stlink.cfg', 1800) },
  { id: 'stlink:v3', name: 'openocd-64k-v3', ...openocd('-f interface/stlink.cfg', 3300) },
  { id: 'cmsis-dap:stm32f103', name: 'openocd-64k-bulk', ...openocd(dap('usb_bulk'), 2000) },
  { id: 'cmsis-dap:daplink-hid', name: 'openocd-64k-hid', ...openocd(dap('hid'), 2000) },
  { id: 'jlink:v9-stm32f103', name: 'openocd-64k', ...openocd(jlink, 2000) },
]

const measured = ({ id, name, program, command, sleepsBefore }: Job): LabCase => ({
  name: `${program.split(' ')[0] ?? ''}, ${id}: measured for the bench as ${name}`,
  twins: [{ id }],
  timing: {
    sleptBefore: (sent) =>
      sleepsBefore && hexBytes(sent, '').startsWith(sleepsBefore.question) ? sleepsBefore.ms : 0,
  },
  measuredAs: { program, name },
  async run({ guest, twins: [twin], measure }) {
    assert(twin)
    const image = measuredImage()
    await guest.put('/tmp/flash.bin', image)
    await measure(writing(image), () => guest.do(command, 540_000))
    assert(equal(twin.memory('flash').slice(0, imageBytes), image), 'the flash is not what was written')
  },
})

export default jobs.map(measured)
