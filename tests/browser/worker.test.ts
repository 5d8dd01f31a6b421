/** The real worker in a real browser: what is transferred, what a cancel does, and that the page stays free. */
import { describe, expect, it } from 'vitest'
import { cancelSource } from '#core/context.ts'
import { toFlashError } from '#core/errors.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { sha256 } from '#firmware/hash.ts'
import { parse, write, WorkerClient } from '#worker/client.ts'

const noise = (length: number) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 16) & 0xff)

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(packed).arrayBuffer())
}

/** Watches what a client starts, asks, hears and ends, around real workers. */
function workers(source: () => string | URL = () => new URL('../../src/worker/worker.ts', import.meta.url)) {
  const alive = new Set<Worker>()
  const asked: unknown[] = []
  const heard: unknown[] = []
  let started = 0
  return {
    alive,
    asked,
    heard,
    started: () => started,
    spawn: () => {
      const worker = new Worker(source(), { type: 'module' })
      const terminate = worker.terminate.bind(worker)
      worker.terminate = () => {
        alive.delete(worker)
        terminate()
      }
      const post = worker.postMessage.bind(worker)
      worker.postMessage = (message: unknown, transfer?: unknown) => {
        asked.push(message)
        post(message, transfer as Transferable[])
      }
      worker.addEventListener('message', ({ data }) => heard.push(data))
      alive.add(worker)
      started++
      return worker
    },
  }
}

const script = (text: string) => () => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }))

/** One byte, 07. */
const small = () => new File([':0100000007F8\n:00000001FF\n'], 'small.hex')

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('it never came true')
    await new Promise(requestAnimationFrame)
  }
}

describe('the worker', () => {
  it('parses a file and gives errors back as they are', async () => {
    const bytes = noise(100_000)
    const parsed = await parse(new File([formatIntelHex([{ address: 0x100, bytes }])], 'a.hex'))
    expect(parsed.image.segments).toEqual([{ address: 0x100, bytes }])
    expect(parsed.imageSha256).toBe(await sha256(bytes))
    await expect(parse(new File([':00'], 'a.hex'))).rejects.toMatchObject({
      name: 'FlashError',
      code: 'bad-file',
      detail: { why: 'truncated', line: 1, offset: 3 },
    })
  })

  it('tells what a file is, and whether it says where its bytes go', async () => {
    const { image } = await parse(new File(['S107000001020304EE\n', 'S9030000FC\n'], 'a.bin'))
    expect(image).toMatchObject({ format: 'Motorola S-record', warnings: [] })
    const raw = await parse(new File([noise(100)], 'a.bin'))
    expect(raw.image).toMatchObject({ format: 'binary', isRaw: true, warnings: [{ code: 'base-assumed' }] })
    await expect(parse(new File([noise(100)], 'a'))).rejects.toMatchObject({
      detail: { why: 'unknown-format', format: 'unknown' },
    })
    const suffix = Uint8Array.from('UFD', (character) => character.charCodeAt(0))
    await expect(parse(new File([noise(100), suffix, noise(5)], 'a'))).rejects.toMatchObject({
      code: 'bad-file',
      detail: { format: 'DFU' },
    })
  })

  it('unpacks, stops at a bomb, and writes what it read in another format', async () => {
    const bytes = noise(1000)
    const hex = formatIntelHex([{ address: 0x100, bytes }])
    const packed = await gzip(hex)
    const { image } = await parse(new File([packed], 'a'))
    expect(image).toMatchObject({ wrappers: ['gzip'], segments: [{ address: 0x100, bytes }] })
    const file = await write('intel-hex', image)
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(hex)
    expect(image.segments[0]?.bytes).toEqual(bytes) // it was not taken away

    const bomb = await gzip(new Uint8Array((64 << 20) + 1))
    await expect(parse(new File([bomb], 'a.gz'))).rejects.toMatchObject({
      detail: { format: 'gzip', why: 'too-large' },
    })
    const sumAt = packed.length - 8
    const damaged = packed.with(sumAt, (packed[sumAt] as number) ^ 1)
    await expect(parse(new File([damaged], 'a.gz'))).rejects.toMatchObject({
      detail: { why: 'bad-compression' },
    })
  })

  it('leaves the page free while it parses and hashes a big file', async () => {
    const file = new File([formatIntelHex([{ address: 0, bytes: noise(16 << 20) }])], 'a.hex')
    let longestMs = 0
    let turns = 0
    let last = performance.now()
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      const now = performance.now()
      longestMs = Math.max(longestMs, now - last)
      last = now
      turns++
      port2.postMessage(0)
    }
    port2.postMessage(0)
    const started = performance.now()
    await parse(file)
    const tookMs = performance.now() - started
    port1.close()
    expect(turns).toBeGreaterThan(10)
    expect(longestMs).toBeLessThan(tookMs / 2)
  })

  it('stops at a cancel and takes the next file', async () => {
    const { started, asked, heard, spawn } = workers()
    const client = new WorkerClient({ spawn, graceMs: 5000 })
    await client.parse(small())
    const { signal, cancel } = cancelSource()
    const parsed = client.parse(
      new File([formatIntelHex([{ address: 0, bytes: noise(4 << 20) }])], 'a.hex'),
      {},
      signal,
    )
    await until(() => asked.length === 2)
    cancel('reading')
    await expect(parsed).rejects.toMatchObject({ code: 'cancelled', detail: { during: 'reading' } })
    expect((await client.parse(small())).image.segments).toEqual([{ address: 0, bytes: Uint8Array.of(7) }])
    expect(heard[3]).toMatchObject({ error: { code: 'cancelled' } }) // it had begun, and gave up by itself
    expect(started()).toBe(1)
  })

  it('that does not hear a cancel is ended, and a fresh one serves those who wait', async () => {
    const stubborn = workers(script('onmessage = () => { for (;;); }'))
    const good = workers()
    let isFirst = true
    const client = new WorkerClient({
      spawn: () => {
        const { spawn } = isFirst ? stubborn : good
        isFirst = false
        return spawn()
      },
      graceMs: 50,
    })
    const { signal, cancel } = cancelSource()
    const stuck = client.parse(new File(['x'], 'a.hex'), {}, signal)
    const waiting = client.parse(small())
    await until(() => stubborn.alive.size === 1)
    cancel()
    await expect(stuck).rejects.toMatchObject({ code: 'cancelled' })
    expect((await waiting).image.segments).toEqual([{ address: 0, bytes: Uint8Array.of(7) }])
    expect([stubborn.alive.size, good.alive.size]).toEqual([0, 1])
  })

  it('that cannot be loaded is told as one that does not run', async () => {
    const client = new WorkerClient({ spawn: () => new Worker('/not-there.js', { type: 'module' }) })
    await expect(client.parse(small())).rejects.toMatchObject({ code: 'worker-ended' })
  })

  it('that dies is reported and replaced', async () => {
    const broken = workers(script('onmessage = () => { throw new Error("out of order") }'))
    const good = workers()
    const client = new WorkerClient({ spawn: () => (broken.started() === 0 ? broken : good).spawn() })
    await expect(client.parse(new File(['x'], 'a.hex'))).rejects.toMatchObject({ code: 'bug' })
    expect(broken.alive.size).toBe(0)
    await expect(client.parse(new File(['x'], 'a.hex'))).rejects.toMatchObject({ code: 'bad-file' })
  })

  it.each([
    ['before it has started', 'worker-ended'],
    ['when it is asked', 'worker-ended'],
    ['when it has begun', 'worker-ended'],
    ['when it has answered', undefined],
  ] as const)('that is killed %s is missed and replaced', async (when, code) => {
    const killed = workers()
    const good = workers()
    let messages = 0
    const client = new WorkerClient({
      startMs: 4000,
      spawn: () => {
        if (killed.started() > 0) return good.spawn()
        const victim = killed.spawn()
        let isKilled = false
        const kill = () => {
          isKilled = true
          victim.terminate()
        }
        if (when === 'before it has started') kill()
        const post = victim.postMessage.bind(victim)
        victim.postMessage = (message: unknown) => {
          post(message)
          if (when === 'when it is asked') kill()
        }
        victim.addEventListener('message', (event) => {
          if (isKilled)
            event.stopImmediatePropagation() // what was under way is lost
          else if (++messages === (code ? 1 : 2)) kill()
        })
        return victim
      },
    })
    const file = new File([formatIntelHex([{ address: 0, bytes: noise(4 << 20) }])], 'a.hex')
    const parsed = client.parse(file).then(
      ({ image }) => image.segments[0]?.bytes.length,
      (error: unknown) => toFlashError(error).code,
    )
    expect(await parsed).toBe(code ?? 4 << 20)
    const again = client.parse(small())
    if (!code) await expect(again).rejects.toMatchObject({ code: 'worker-ended' }) // it was dead, and is found so
    const { image } = await (code ? again : client.parse(small()))
    expect(image.segments).toEqual([{ address: 0, bytes: Uint8Array.of(7) }])
    expect([killed.started(), good.started()]).toEqual([1, 1])
  })

  it('without work is dropped', async () => {
    const { alive, started, spawn } = workers()
    const client = new WorkerClient({ spawn, idleMs: 20 })
    await client.parse(small())
    expect(alive.size).toBe(1)
    await until(() => alive.size === 0)
    await client.parse(small())
    expect(started()).toBe(2)
  })
})
