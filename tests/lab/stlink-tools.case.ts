/** stlink-tools and OpenOCD, as Debian ships them, on ST-Links with an STM32F103: each with a flash loader of its own. */
import assert from 'node:assert/strict'
import { equal, isBlank } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

const flashBytes = 8192
const minutes = 60_000

const stFlash: LabCase = {
  name: 'st-flash, stlink:v2: probes, writes, reads, erases and resets',
  twins: [{ id: 'stlink:v2' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(flashBytes)
    await guest.put('/tmp/flash.bin', program)
    const probed = await guest.do('st-info --probe 2>&1')
    assert.match(probed, /Found 1 stlink programmers/)
    assert.match(probed, /version:\s+V2J37S7/)
    assert.match(probed, /chipid:\s+0x0?410/i)
    assert.match(probed, /flash:\s+65536 /)
    await guest.do(`st-flash read /tmp/was.bin 0x08000000 ${String(flashBytes)} 2>&1`, 2 * minutes)
    assert(
      equal(await guest.get('/tmp/was.bin'), before.slice(0, flashBytes)),
      'st-flash read something else',
    )
    const written = await guest.do('st-flash write /tmp/flash.bin 0x08000000 2>&1', 3 * minutes)
    assert.match(written, /jolly good/)
    assert(equal(twin.memory('flash').slice(0, flashBytes), program), 'the flash is not what was written')
    assert(
      equal(twin.memory('flash').slice(flashBytes), before.slice(flashBytes)),
      'nor is what was left alone',
    )
    await guest.do('st-flash reset 2>&1 && st-flash erase 2>&1', 2 * minutes)
    assert(isBlank(twin.memory('flash')), 'it was not erased')
  },
}

const probing = (id: string, version: RegExp, bytes: number): LabCase => ({
  name: `st-info, ${id}: says what it is and what is on its wires`,
  twins: [{ id }],
  async run({ guest }) {
    const probed = await guest.do('st-info --probe 2>&1')
    assert.match(probed, version)
    assert.match(probed, new RegExp(`flash:\\s+${String(bytes)} `))
  },
})

const openocd = (adapter: string, commands: string, transport: string): string =>
  `openocd -f interface/${adapter}.cfg -c 'transport select ${transport}' -f target/stm32f1x.cfg \
    -c 'init; ${commands}; shutdown' 2>&1`

const throughOpenOcd = (id: string, adapter: string, transport: string): LabCase => ({
  name: `OpenOCD, ${id}: writes, verifies and dumps the flash, by ${adapter}.cfg as ${transport}`,
  twins: [{ id }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(flashBytes)
    await guest.put('/tmp/flash.bin', program)
    await guest.do(
      openocd(
        adapter,
        `reset halt; dump_image /tmp/was.bin 0x08000000 ${String(flashBytes)};
        flash write_image erase /tmp/flash.bin 0x08000000 bin; verify_image /tmp/flash.bin 0x08000000 bin;
        dump_image /tmp/is.bin 0x08000000 ${String(flashBytes)}; reset run`.replaceAll('\n', ' '),
        transport,
      ),
      5 * minutes,
    )
    assert(equal(await guest.get('/tmp/was.bin'), before.slice(0, flashBytes)), 'OpenOCD read something else')
    assert(equal(await guest.get('/tmp/is.bin'), program), 'so it did afterwards')
    assert(equal(twin.memory('flash').slice(0, flashBytes), program), 'the flash is not what was written')
  },
})

export default [
  stFlash,
  probing('stlink:v2-1', /version:\s+V2J45/, 131_072),
  probing('stlink:v3', /version:\s+V3J15/, 131_072),
  throughOpenOcd('stlink:v2', 'stlink', 'hla_swd'),
  throughOpenOcd('stlink:v2', 'stlink', 'hla_jtag'),
  throughOpenOcd('stlink:v3', 'stlink-dap', 'dapdirect_swd'),
  throughOpenOcd('stlink:v3', 'stlink-dap', 'dapdirect_jtag'),
]
