/** OpenOCD with libjaylink, as Debian ships them: an STM32F103 through a J-Link, bit by bit, and the J-Link's settings. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

const openocd = (commands: string, transport = 'swd'): string =>
  `openocd -f interface/jlink.cfg -c 'transport select ${transport}; adapter speed 4000' \
    -f target/stm32f1x.cfg -c 'init; ${commands.replaceAll('\n', ' ')}; shutdown' 2>&1`

const flashing = (id: string, transport: string, bytes: number, found: RegExp): LabCase => ({
  name: `OpenOCD, ${id}: reads, writes, verifies and starts ${String(bytes)} bytes of the flash by ${transport.toUpperCase()}`,
  twins: [{ id }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice(0, bytes)
    const program = random(bytes)
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `jlink hwstatus; jlink freemem; dap info; reset halt; dump_image /tmp/was.bin 0x08000000 ${String(bytes)};
        flash write_image erase /tmp/flash.bin 0x08000000 bin; verify_image /tmp/flash.bin 0x08000000 bin;
        dump_image /tmp/is.bin 0x08000000 ${String(bytes)}; reset run`,
        transport,
      ),
      300_000,
    )
    assert.match(said, found)
    assert.match(said, /Cortex-M3 r1p1/)
    assert(equal(await guest.get('/tmp/was.bin'), before), 'OpenOCD read something else')
    assert(equal(await guest.get('/tmp/is.bin'), program), 'so it did afterwards')
    assert(equal(twin.memory('flash').slice(0, bytes), program), 'the flash is not what was written')
  },
})

const settings: LabCase = {
  name: 'OpenOCD, jlink:v9-stm32f103: changes the settings of the J-Link itself',
  twins: [{ id: 'jlink:v9-stm32f103' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const before = twin.memory('config').slice()
    const said = await guest.do(openocd('echo [jlink config]; jlink config usb 1; jlink config write'))
    assert.match(said, /USB[ -]address/i)
    const now = twin.memory('config')
    assert.equal(now[0], 1)
    assert(equal(now.slice(1), before.slice(1)), 'more than the USB address was changed')
  },
}

export default [
  flashing('jlink:v9-stm32f103', 'swd', 65_536, /SWD DPIDR 0x1ba01477/),
  flashing('jlink:v9-stm32f103', 'jtag', 16_384, /JTAG tap: stm32f1x\.cpu tap\/device found: 0x3ba00477/),
  settings,
]
