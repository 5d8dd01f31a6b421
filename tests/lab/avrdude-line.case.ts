/**
 * avrdude on this computer, at the line of a serial twin as `npm run twins -- serve … --line` has it: as a TCP socket, and
 * as a pty that socat makes of it.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { blank, equal } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'
import { lineOf } from './serve.ts'
import { take } from '#bench/bench.ts'

interface Board {
  readonly id: string
  readonly part: string
  readonly baud: number
  /** Bytes of flash, all that is not the boot loader's. */
  readonly flash: number
  readonly by: 'a TCP socket' | 'a pty'
}

const boards: readonly Board[] = [
  { id: 'stk500:uno', part: 'm328p', baud: 115_200, flash: 32_256, by: 'a TCP socket' },
  { id: 'stk500:diecimila', part: 'm168', baud: 19_200, flash: 4096, by: 'a pty' },
]

const written = ({ id, part, baud, flash, by }: Board): LabCase => ({
  name: `avrdude, ${id} by ${by}, without the guest: ${String(flash)} bytes of flash, written and read`,
  async runHere({ random, signal }) {
    const { setup } = await take(id)
    assert(setup.twin.link === 'serial')
    const program = random(flash)
    const above = setup.memory('flash').slice(flash)
    const folder = mkdtempSync(join(tmpdir(), 'reflasher-line-'))
    const line = await lineOf(setup.twin, { port: 0, faults: {} }, baud)
    try {
      const [image, read] = [join(folder, 'flash.bin'), join(folder, 'read.bin')]
      writeFileSync(image, program)
      const address = `127.0.0.1:${String(line.port)}`
      await using port = by === 'a pty' ? await ptyOf(address, join(folder, 'tty'), signal) : undefined
      await promisify(execFile)(
        'avrdude',
        [
          ...['-q', '-q', '-c', 'arduino', '-P', port?.path ?? `net:${address}`, '-b', String(baud)],
          ...['-p', part, '-D', '-U', `flash:w:${image}:r`, '-U', `flash:r:${read}:r`],
        ],
        { signal },
      )
      assert(equal(setup.memory('flash').slice(0, flash), program), 'the flash is not what was written')
      assert(equal(setup.memory('flash').slice(flash), above), 'what is above it has changed')
      const back = blank(flash) // avrdude leaves blank bytes at the end out
      back.set(readFileSync(read).subarray(0, flash))
      assert(equal(back, program), 'avrdude read something else')
    } finally {
      await line.close()
      rmSync(folder, { recursive: true })
    }
  },
})

/** socat connects, which resets the board, when the pty is opened. */
async function ptyOf(
  address: string,
  path: string,
  signal: AbortSignal,
): Promise<AsyncDisposable & { path: string }> {
  const socat = spawn(
    'socat',
    [`PTY,link=${path},rawer,wait-slave,pty-interval=0.05`, `TCP:${address},nodelay`],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const ended = once(socat, 'close')
  while (!existsSync(path)) {
    if (socat.exitCode !== null) throw new Error('socat made no pty')
    await sleep(20, undefined, { signal })
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      socat.kill()
      await ended
    },
  }
}

export default boards.map(written)
