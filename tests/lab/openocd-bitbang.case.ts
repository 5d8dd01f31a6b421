/** OpenOCD on this computer, at the wires of chips, without a probe: its own flash drivers, and what they run on the cores. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SwdPort } from '#bench/twin-swd.ts'
import { TwinLpc11u35 } from '#bench/twin-lpc11u35.ts'
import { TwinSam3u } from '#bench/twin-sam3u.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { checksumAt, vectorChecksum } from '#chips/lpc-check.ts'
import { equal } from '#core/bytes.ts'
import { systemClock } from '#core/time.ts'
import { serveBitbang } from './bitbang.ts'
import type { LabCase } from './lab-case.ts'

interface Job {
  readonly swd: SwdPort
  readonly idcode: number
  readonly target: string
  readonly image: Uint8Array
  readonly address: number
  /** What is read back: from here on. */
  readonly from: number
  readonly length: number
  /** Before the write, and behind it. */
  readonly before: string
  readonly after: string
}

/** What it said, and what it read. */
async function written(job: Job, signal: AbortSignal): Promise<{ said: string; read: Uint8Array }> {
  const folder = mkdtempSync(join(tmpdir(), 'reflasher-bitbang-'))
  await using server = await serveBitbang(job.swd, job.idcode)
  try {
    const [image, read] = [join(folder, 'image.bin'), join(folder, 'read.bin')]
    writeFileSync(image, job.image)
    const at = `0x${job.address.toString(16)}`
    const adapter = `adapter driver remote_bitbang; remote_bitbang host localhost; remote_bitbang port ${String(server.port)}`
    const commands = [
      ...[
        'init',
        job.before,
        `flash write_image erase ${image} ${at} bin`,
        `verify_image ${image} ${at} bin`,
      ],
      ...[`dump_image ${read} 0x${job.from.toString(16)} ${String(job.length)}`, job.after, 'shutdown'],
    ]
    const { stderr } = await promisify(execFile)(
      'openocd',
      [
        ...['-c', `${adapter}; gdb_port disabled; tcl_port disabled; telnet_port disabled`],
        ...['-f', `target/${job.target}.cfg`, '-c', commands.join('; ')],
      ],
      { signal },
    )
    return { said: stderr, read: Uint8Array.from(readFileSync(read)) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** By calls of its ROM; it would mend the checksum of the first vectors, were it wrong. */
const lpc11u35: LabCase = {
  name: 'OpenOCD, an LPC11U35 at its wires, without the guest: writes, verifies and reads by its ROM, and it starts',
  async runHere({ random, signal }) {
    const flash = practiceProgram(0, 12_288)
    new DataView(flash.buffer).setUint32(checksumAt, vectorChecksum(flash), true)
    const chip = new TwinLpc11u35({ clock: systemClock, flash })
    const image = random(5000)
    image.set(flash.subarray(0, 32))
    const { said, read } = await written(
      {
        ...{ swd: chip.swd, idcode: 0x0bb1_1477, target: 'lpc11xx' },
        ...{ image, address: 0, from: 0, length: flash.length },
        before: 'reset init',
        after: 'echo [lpc2000 part_id 0]; reset run',
      },
      signal,
    )
    assert.match(said, /part id: 0x0001bc40/)
    flash.fill(0xff, 0, 8192).set(image)
    assert(equal(read, flash), 'OpenOCD read something else')
    assert(equal(chip.memory('flash').slice(0, flash.length), flash), 'the flash is not what was written')
    assert.equal(chip.bus.read(0x4004_8000, 4), 2, 'its ROM did not start it')
  },
}

const sam3u = (name: 'SAM3U2C' | 'SAM3U4E', address: number): LabCase => ({
  name: `OpenOCD, a ${name} at its wires, without the guest: writes, verifies and reads pages at ${address.toString(16)}`,
  async runHere({ random, signal }) {
    const start = 0x8_0000
    const chip = new TwinSam3u({ clock: systemClock, chip: name, flash: practiceProgram(start, 10_000) })
    const expected = chip.memory('flash').slice()
    const image = random(5000)
    const from = address & ~0x1fff
    const { said, read } = await written(
      {
        ...{ swd: chip.swd, idcode: 0x4ba0_0477, target: `at91${name.toLowerCase()}` },
        ...{ image, address, from, length: 16_384 },
        before: 'reset halt; flash protect 0 4 5 on',
        after: 'echo [at91sam3 gpnvm]; flash info 0; reset run',
      },
      signal,
    )
    assert.match(said, /sam3-gpnvm1: 1/)
    expected.fill(0xff, address - start, from - start + 16_384) // it fills up the last 8 KiB
    expected.set(image, address - start)
    assert(equal(read, expected.slice(from - start, from - start + 16_384)), 'OpenOCD read something else')
    assert(equal(chip.memory('flash'), expected), 'the flash is not what was written')
  },
})

export default [lpc11u35, sam3u('SAM3U2C', 0x8_1000), sam3u('SAM3U4E', 0x10_1000)]
