/** OpenOCD, as Debian ships it: chips of several families through a CMSIS-DAP probe, with OpenOCD's own flash loaders on their cores. */
import assert from 'node:assert/strict'
import { equal, isBlank } from '#core/bytes.ts'
import { sameImage, writing, type LabCase } from './lab-case.ts'

const openocd = (
  commands: string,
  target = 'stm32f1x',
  backend: 'usb_bulk' | 'hid' = 'usb_bulk',
  transport: 'swd' | 'jtag' = 'swd',
): string =>
  `openocd -f interface/cmsis-dap.cfg -c 'transport select ${transport}; adapter speed 1000; cmsis_dap_backend ${backend}' \
    -f target/${target}.cfg -c 'adapter speed 1000; init; ${commands}; shutdown' 2>&1`

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

/** A few KiB at the beginning and across a border of sectors, so that it is short. */
const stm32f4: LabCase = {
  name: 'OpenOCD, cmsis-dap:stm32f410: writes, verifies and reads sectors',
  twins: [{ id: 'cmsis-dap:stm32f410' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(5000)
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `reset halt; flash write_image erase /tmp/flash.bin 0x08003000 bin; verify_image /tmp/flash.bin 0x08003000 bin;
        dump_image /tmp/is.bin 0x08003000 5000; reset run`.replaceAll('\n', ' '),
        'stm32f4x',
      ),
      120_000,
    )
    assert.match(said, /SWD DPIDR 0x2ba01477/)
    assert(equal(await guest.get('/tmp/is.bin'), program), 'OpenOCD read something else')
    assert(
      equal(twin.memory('flash').subarray(0x3000, 0x3000 + 5000), program),
      'the flash is not what was written',
    )
  },
}

/** The same of a Kinetis: across its configuration field, which stays open, with the loader (KL26) or sections (K20). */
const kinetis = (id: string, target: string, dpidr: RegExp): LabCase => ({
  name: `OpenOCD, ${id}: writes, verifies and reads sectors around the configuration field`,
  twins: [{ id }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(5000)
    program.fill(0xff, 0x400, 0x410)
    program[0x40c] = 0xfe
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `kinetis mdm check_security; reset halt; dump_image /tmp/was.bin 0 5000;
        flash write_image erase /tmp/flash.bin 0 bin; verify_image /tmp/flash.bin 0 bin;
        dump_image /tmp/is.bin 0 5000; reset run`.replaceAll('\n', ' '),
        target,
      ),
      120_000,
    )
    assert.match(said, dpidr)
    assert.match(said, /MDM: Chip is unsecured/)
    assert(equal(await guest.get('/tmp/was.bin'), before.slice(0, 5000)), 'OpenOCD read something else')
    assert(equal(await guest.get('/tmp/is.bin'), program), 'so it did afterwards')
    assert(equal(twin.memory('flash').subarray(0, 5000), program), 'the flash is not what was written')
    assert(equal(twin.memory('flash').subarray(5120), before.subarray(5120)), 'something else was changed')
  },
})

const massErased: LabCase = {
  name: 'OpenOCD, cmsis-dap:kl26z128: is kept out of a secured chip, and opens it by a mass erase',
  twins: [{ id: 'cmsis-dap:kl26z128', dials: { locked: true } }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    assert(!isBlank(twin.memory('flash').subarray(0, 0x400)))
    const said = await guest.run(openocd('catch {mdw 0}; kinetis mdm mass_erase', 'kl25'), 120_000)
    assert.match(said.output, /Your Kinetis MCU is in secured state/)
    assert(isBlank(twin.memory('flash').subarray(0, 0x400)), 'it was not erased')
    assert.equal(twin.memory('flash')[0x40c], 0xfe)
  },
}

const reports: LabCase = {
  name: 'OpenOCD, cmsis-dap:daplink-hid: reads, writes and verifies by reports, through hidraw',
  twins: [{ id: 'cmsis-dap:daplink-hid' }],
  async run({ guest, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const image = sameImage(before, 4096)
    await guest.put('/tmp/flash.bin', image)
    const by = (commands: string) => openocd(commands, 'stm32f1x', 'hid')
    const said = await guest.do(
      by('cmsis-dap info; reset halt; dump_image /tmp/was.bin 0x08000000 4096'),
      120_000,
    )
    assert.match(said, /CMSIS-DAP: Interface ready/)
    assert.match(said, /SWD DPIDR 0x1ba01477/)
    assert(equal(await guest.get('/tmp/was.bin'), before.slice(0, 4096)), 'OpenOCD read something else')
    const write =
      'flash write_image erase /tmp/flash.bin 0x08000000 bin; verify_image /tmp/flash.bin 0x08000000 bin'
    await measure(writing(image), () => guest.do(by(`reset halt; ${write}; reset run`), 120_000))
    assert(equal(twin.memory('flash').slice(0, 4096), image), 'the flash is not what was written')
    assert(equal(twin.memory('flash').slice(4096), before.slice(4096)), 'something else was changed')
  },
}

/** By OpenOCD's own calls of the ROM; it would mend the checksum of the first vectors, were it wrong. */
const lpc: LabCase = {
  name: 'OpenOCD, cmsis-dap:lpc11u35: writes, verifies and reads by calls of its ROM, and it starts',
  twins: [{ id: 'cmsis-dap:lpc11u35' }],
  onDemand: true,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(1500)
    program.set(before.subarray(0, 32))
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `reset init; flash write_image erase /tmp/flash.bin 0 bin; echo [lpc2000 part_id 0];
        verify_image /tmp/flash.bin 0 bin; dump_image /tmp/is.bin 0 4096; reset run`.replaceAll('\n', ' '),
        'lpc11xx',
      ),
      120_000,
    )
    assert.match(said, /SWD DPIDR 0x0bb11477/)
    assert.match(said, /part id: 0x0001bc40/)
    const image = before.slice()
    image.set(program)
    image.fill(0xff, program.length, 4096)
    assert(equal(await guest.get('/tmp/is.bin'), image.slice(0, 4096)), 'OpenOCD read something else')
    assert(equal(twin.memory('flash'), image), 'the flash is not what was written')
  },
}

/** By its controller, page after page. */
const sam3u: LabCase = {
  name: 'OpenOCD, cmsis-dap:sam3u2c: writes, verifies and reads pages',
  twins: [{ id: 'cmsis-dap:sam3u2c' }],
  onDemand: true,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(4096 + 512)
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `reset halt; flash write_image erase /tmp/flash.bin 0x81000 bin; echo [at91sam3 gpnvm];
        verify_image /tmp/flash.bin 0x81000 bin; dump_image /tmp/is.bin 0x80000 16384; reset run`.replaceAll(
          '\n',
          ' ',
        ),
        'at91sam3u2c',
      ),
      120_000,
    )
    assert.match(said, /SWD DPIDR 0x2ba01477/)
    assert.match(said, /sam3-gpnvm1: 1/)
    const image = before.slice()
    image.set(program, 0x1000)
    image.fill(0xff, 0x1000 + program.length, 0x4000) // it fills up the last 8 KiB
    assert(equal(await guest.get('/tmp/is.bin'), image.slice(0, 16_384)), 'OpenOCD read something else')
    assert(equal(twin.memory('flash'), image), 'the flash is not what was written')
  },
}

/** Bit by bit: its own driver sends JTAG so. */
const byJtag: LabCase = {
  name: 'OpenOCD, cmsis-dap:jtag: reads, writes, verifies and starts some of the flash by JTAG',
  twins: [{ id: 'cmsis-dap:jtag' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(2048)
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(
      openocd(
        `cmsis-dap info; dap info; reset halt; dump_image /tmp/was.bin 0x08000400 2048;
        flash write_image erase /tmp/flash.bin 0x08000400 bin; verify_image /tmp/flash.bin 0x08000400 bin;
        dump_image /tmp/is.bin 0x08000400 2048; reset run`.replaceAll('\n', ' '),
        'stm32f1x',
        'usb_bulk',
        'jtag',
      ),
      120_000,
    )
    assert.match(said, /JTAG tap: stm32f1x\.cpu tap\/device found: 0x3ba00477/)
    assert.match(said, /JTAG tap: stm32f1x\.bs tap\/device found: 0x16410041/)
    assert.match(said, /Cortex-M3 r1p1/)
    assert(equal(await guest.get('/tmp/was.bin'), before.slice(1024, 3072)), 'OpenOCD read something else')
    assert(equal(await guest.get('/tmp/is.bin'), program), 'so it did afterwards')
    const now = twin.memory('flash')
    assert(equal(now.slice(1024, 3072), program), 'the flash is not what was written')
    assert(equal(now.slice(3072), before.slice(3072)), 'something else was changed')
  },
}

export default [
  ...[whole, unlocked, stm32f4, reports, lpc, sam3u, byJtag],
  kinetis('cmsis-dap:kl26z128', 'kl25', /SWD DPIDR 0x0bc11477/),
  kinetis('cmsis-dap:k20dx128', 'k40', /SWD DPIDR 0x2ba01477/),
  massErased,
]
