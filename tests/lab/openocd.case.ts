/** OpenOCD, as Debian ships it: an STM32F103 through a CMSIS-DAP probe, with OpenOCD's own flash loader on the chip's core. */
import assert from 'node:assert/strict'
import { equal, isBlank } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

const openocd = (commands: string): string =>
  `openocd -f interface/cmsis-dap.cfg -c 'transport select swd; adapter speed 1000; cmsis_dap_backend usb_bulk' \
    -f target/stm32f1x.cfg -c 'init; ${commands}; shutdown' 2>&1`

const whole: LabCase = {
  name: 'OpenOCD, cmsis-dap:stm32f103: reads, writes, verifies and starts the whole flash',
  twins: [{ id: 'cmsis-dap:stm32f103' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(before.length)
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `cmsis-dap info; dap info; reset halt; dump_image /tmp/was.bin 0x08000000 ${String(before.length)};
        flash write_image erase /tmp/flash.bin 0x08000000 bin; verify_image /tmp/flash.bin 0x08000000 bin;
        dump_image /tmp/is.bin 0x08000000 ${String(before.length)}; reset run`.replaceAll('\n', ' '),
      ),
      300_000,
    )
    assert.match(said, /SWD DPIDR 0x1ba01477/)
    assert.match(said, /Cortex-M3 r1p1/)
    assert(equal(await guest.get('/tmp/was.bin'), before), 'OpenOCD read something else')
    assert(equal(await guest.get('/tmp/is.bin'), program), 'so it did afterwards')
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
  },
}

const unlocked: LabCase = {
  name: 'OpenOCD, cmsis-dap:stm32f103: is refused what is read-protected, and lifts the protection',
  twins: [{ id: 'cmsis-dap:stm32f103', dials: { locked: true } }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    assert(!isBlank(twin.memory('flash')))
    const refused = await guest.run(openocd('reset halt; mdw 0x08000000'), 120_000)
    assert.match(refused.output, /Failed to read memory/)
    await guest.do(openocd('reset halt; stm32f1x unlock 0; reset halt; mdw 0x08000000'), 120_000)
    assert(isBlank(twin.memory('flash')), 'it was not erased')
  },
}

export default [whole, unlocked]
