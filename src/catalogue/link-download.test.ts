import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { cancelSource } from '#core/context.ts'
import { sha256 } from '#firmware/hash.ts'
import { checkOffered, downloadFirmware } from './link-download.ts'
import type { FirmwareLink } from './link.ts'

const file = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff)
const other = file.map((byte) => byte ^ 1)
const link = async (...urls: string[]): Promise<FirmwareLink> => ({
  size: 1000,
  sha256: await sha256(file),
  urls,
})

type Answer = Response | Error | 'hang'
/** A network where each URL has one answer. */
function network(answers: Record<string, Answer>) {
  const asked: { url: string; options: RequestInit | undefined }[] = []
  const fetch = (url: string | URL | Request, options?: RequestInit) => {
    asked.push({ url: url as string, options })
    const answer = answers[url as string] ?? new TypeError('Failed to fetch')
    if (answer === 'hang') return new Promise<Response>(() => undefined)
    return answer instanceof Response ? Promise.resolve(answer) : Promise.reject(answer)
  }
  return { asked, fetch: fetch }
}

/** A body in pieces; tells how many were taken. */
function pieces(bytes: Uint8Array, length: number, end: 'close' | 'error' = 'close') {
  let taken = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const from = taken++ * length
        if (from < bytes.length) controller.enqueue(bytes.slice(from, from + length))
        else if (end === 'close') controller.close()
        else controller.error(new TypeError('network error'))
      },
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(body), taken: () => taken }
}

describe('downloading what a link promises', () => {
  it('gives the bytes, tells the progress, and says nothing about the user to the server', async () => {
    const { asked, fetch } = network({ 'https://a.org/': pieces(file, 300).response })
    const progress: number[][] = []
    const got = await downloadFirmware(await link('https://a.org/'), fetch, undefined, (...event) => {
      progress.push(event)
    })
    expect(got).toEqual({ bytes: file, url: 'https://a.org/' })
    expect(progress).toEqual([
      [300, 1000],
      [600, 1000],
      [900, 1000],
      [1000, 1000],
    ])
    expect(asked[0]?.options).toMatchObject({ credentials: 'omit', referrerPolicy: 'no-referrer' })
  })

  it('goes on with the next source when one is blocked or wrong', async () => {
    const { asked, fetch } = network({
      'https://b.org/': new Response('gone', { status: 404 }),
      'https://c.org/': new Response(other.slice()),
      'https://d.org/': new Response(file.slice()),
    })
    const sources = await link('https://a.org/', 'https://b.org/', 'https://c.org/', 'https://d.org/')
    expect(await downloadFirmware(sources, fetch)).toEqual({ bytes: file, url: 'https://d.org/' })
    expect(asked.map(({ url }) => url)).toEqual(sources.urls)
  })

  it('tells a blocked download from a wrong file, and the wrong file first', async () => {
    const { fetch } = network({
      'https://404.org/': new Response('gone', { status: 404 }),
      'https://other.org/': new Response(other.slice()),
      'https://short.org/': new Response(file.slice(1)),
    })
    const outcome = async (...urls: string[]) => downloadFirmware(await link(...urls), fetch)
    const hashes = { expected: await sha256(file), found: await sha256(other) }
    await expect(outcome('https://cors.org/')).rejects.toMatchObject({
      code: 'download-blocked',
      detail: { url: 'https://cors.org/', why: 'blocked' },
    })
    await expect(outcome('https://404.org/')).rejects.toMatchObject({ detail: { why: 'http-404' } })
    await expect(outcome('https://short.org/')).rejects.toMatchObject({
      code: 'size-mismatch',
      detail: { expected: 1000, found: 999 },
    })
    await expect(outcome('https://cors.org/', 'https://other.org/')).rejects.toMatchObject({
      code: 'hash-mismatch',
      detail: hashes,
    })
  })

  it('stops reading as soon as there is more than promised', async () => {
    const endless = pieces(new Uint8Array(1 << 20), 600)
    const { fetch } = network({ 'https://a.org/': endless.response })
    await expect(downloadFirmware(await link('https://a.org/'), fetch)).rejects.toMatchObject({
      code: 'size-mismatch',
      detail: { expected: 1000, found: 1200 },
    })
    expect(endless.taken()).toBe(2)
  })

  it('reports a broken and a silent connection', async () => {
    const clock = new VirtualClock()
    const { fetch } = network({
      'https://a.org/': pieces(file.slice(0, 500), 500, 'error').response,
      'https://b.org/': 'hang',
    })
    const outcome = async (url: string) =>
      downloadFirmware(await link(url), fetch, undefined, undefined, clock)
    await expect(outcome('https://a.org/')).rejects.toMatchObject({ detail: { why: 'interrupted' } })
    await expect(outcome('https://b.org/')).rejects.toMatchObject({ detail: { why: 'timeout' } })
    expect(clock.now()).toBeGreaterThanOrEqual(30_000)
  })

  it('gives up a source that trickles, whatever its pauses, and lets a slow line have its time', async () => {
    const clock = new VirtualClock()
    const trickle = (length: number, everyMs: number) =>
      new Response(
        new ReadableStream<Uint8Array>({
          async pull(controller) {
            await clock.sleep(everyMs)
            controller.enqueue(new Uint8Array(length))
          },
        }),
      )
    const { fetch } = network({
      'https://slow.org/': trickle(1, 20_000),
      'https://line.org/': trickle(400, 9000),
    })
    const outcome = async (url: string) =>
      downloadFirmware(await link(url), fetch, undefined, undefined, clock)
    await expect(outcome('https://slow.org/')).rejects.toMatchObject({
      code: 'download-blocked',
      detail: { why: 'timeout' },
    })
    expect(clock.now()).toBeLessThan(120_000)
    await expect(outcome('https://line.org/')).rejects.toMatchObject({ code: 'size-mismatch' }) // all of it came
  })

  it('can be cancelled, and then asks no other source', async () => {
    const { asked, fetch } = network({ 'https://a.org/': 'hang' })
    const { signal, cancel } = cancelSource()
    const download = downloadFirmware(await link('https://a.org/', 'https://b.org/'), fetch, signal)
    cancel('downloading')
    await expect(download).rejects.toMatchObject({ code: 'cancelled' })
    expect(asked).toHaveLength(1)
    expect(asked[0]?.options?.signal?.aborted).toBe(true)
  })
})

describe('a file that was downloaded by hand', () => {
  it('is checked against the same promise', async () => {
    expect(await checkOffered(file, await link())).toBe(file)
    await expect(checkOffered(other, await link())).rejects.toMatchObject({ code: 'hash-mismatch' })
    await expect(checkOffered(file.slice(1), await link())).rejects.toMatchObject({ code: 'size-mismatch' })
  })
})
