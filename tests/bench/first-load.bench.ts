/**
 * The first visit to the built site, and by a firmware link, against a page that is one button; same server,
 * taking turns, each time in a browser context of its own. `ready` is when what was asked for stands and what
 * is pressed in it is honoured (tests/e2e/first-page.spec.ts), `app` when it is honoured at once. Slowed down
 * as a field laptop on a phone's network is: CPU 4x, 10 Mbit/s, 40 ms to the server and back.
 */
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { chromium, type Browser } from 'playwright'
import { formatFirmwareLink } from '#catalogue/link.ts'
import { installChromium, tool } from '../run/machine.mjs'
import { median, type Bench, type Row } from './measure.ts'

const rounds = 15
const slow = { cpu: 4, bitsPerSecond: 10e6, roundTripMs: 40 }

const button = {
  'index.html': `<!doctype html><html lang="en"><meta charset="utf-8"><title>Button</title>
<script type="module" src="./button.js"></script>`,
  'button.js': `const button = document.createElement('button')
button.textContent = 'Press'
document.body.append(button)
performance.mark('ready')
performance.mark('hydrated')`,
}

const link = formatFirmwareLink({
  ...{ device: 'usbasp', chip: 'ATmega8', name: 'USBasp', version: '1.10', size: 13_000 },
  ...{ sha256: '0'.repeat(64), urls: ['https://firmware.example/usbasp.hex'] },
})

interface Visit {
  readonly readyMs: number
  /** And the app has taken over the page that was there. */
  readonly appMs: number
  /** Until then; paths from the site's root. */
  readonly scripts: readonly string[]
}

async function visit(browser: Browser, url: string): Promise<Visit> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const devtools = await context.newCDPSession(page)
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: slow.cpu })
    await devtools.send('Network.enable')
    await devtools.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: slow.roundTripMs,
      downloadThroughput: slow.bitsPerSecond / 8,
      uploadThroughput: slow.bitsPerSecond / 8,
    })
    // no question to the page before it is ready: Playwright's own script would run, and count, in it
    await page.goto(url, { waitUntil: 'networkidle' })
    return await page.evaluate(async () => {
      /** On a busy machine the network may be idle before. */
      const at = (name: string) =>
        new Promise<number>((resolve, reject) => {
          setTimeout(() => reject(new Error(`${location.href} never marked that it is ${name}.`)), 30_000)
          new PerformanceObserver((list) => {
            const [entry] = list.getEntriesByName(name)
            if (entry) resolve(entry.startTime)
          }).observe({ type: 'mark', buffered: true })
        })
      const readyMs = await at('ready')
      const appMs = Math.max(readyMs, await at('hydrated'))
      const scripts = performance
        .getEntriesByType('resource')
        .filter(({ name, startTime, duration }) => name.endsWith('.js') && startTime + duration <= appMs)
        .map(({ name }) => new URL(name).pathname)
      return { readyMs, appMs, scripts }
    })
  } finally {
    await context.close()
  }
}

async function run(): Promise<Row[]> {
  installChromium()
  const outDir = await mkdtemp(join(tmpdir(), 'reflasher-first-load-'))
  try {
    await build(outDir)
    const server = serve(outDir)
    const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium' })
    try {
      const site = await server.url
      const pages = { reflasher: site, 'a firmware link': site + link, 'one button': `${site}button/` }
      const visits = await takeTurns(browser, pages)
      return await rowsOf(visits, outDir)
    } finally {
      await browser.close()
      server.close()
    }
  } finally {
    await rm(outDir, { recursive: true })
  }
}

async function build(outDir: string): Promise<void> {
  const env = { ...process.env, NODE_ENV: 'production' } // the bench itself runs in development
  if (tool('vite', ['build', '--outDir', outDir, '--logLevel', 'error'], { env }) !== 0)
    throw new Error('The site could not be built.')
  await mkdir(join(outDir, 'button'))
  for (const [name, content] of Object.entries(button)) await writeFile(join(outDir, 'button', name), content)
}

const types: Readonly<Record<string, string>> = {
  ...{ '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' },
  '.webmanifest': 'application/manifest+json',
}

/** A static host, which sends everything compressed. */
function serve(folder: string): { readonly url: Promise<string>; close(): void } {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = pathname.endsWith('/') ? `${pathname}index.html` : pathname
    readFile(join(folder, file)).then(
      (bytes) => {
        const type = types[extname(file)] ?? 'application/octet-stream'
        response.writeHead(200, { 'content-type': type, 'content-encoding': 'gzip' }).end(gzipSync(bytes))
      },
      () => response.writeHead(404).end(),
    )
  })
  const url = new Promise<string>((resolve) => {
    server.listen(0, () => {
      resolve(`http://localhost:${String((server.address() as AddressInfo).port)}/`)
    })
  })
  return { url, close: () => server.close() }
}

type Visits = Readonly<Record<string, readonly Visit[]>>

/** One visit each that does not count, then `rounds` each. */
async function takeTurns(browser: Browser, pages: Readonly<Record<string, string>>): Promise<Visits> {
  const visits = Object.fromEntries(Object.keys(pages).map((name): [string, Visit[]] => [name, []]))
  for (let round = 0; round <= rounds; round++)
    for (const [name, url] of Object.entries(pages)) {
      const one = await visit(browser, url)
      if (round > 0) visits[name]?.push(one)
    }
  return visits
}

async function rowsOf(visits: Visits, outDir: string): Promise<Row[]> {
  const ready = (name: string) => median((visits[name] ?? []).map(({ readyMs }) => readyMs))
  const app = (name: string) => median((visits[name] ?? []).map(({ appMs }) => appMs))
  const rows = Object.entries(visits).map(async ([page, all]): Promise<Row> => {
    const files = await Promise.all(all[0]?.scripts.map((path) => readFile(join(outDir, path))) ?? [])
    const compressed = files.map((file) => gzipSync(file, { level: 9 }).length)
    return {
      page,
      'ready ms': ready(page),
      'times one button': ready(page) / ready('one button'),
      'app ms': app(page),
      'times that': app(page) / app('one button'),
      'script kB gzip': compressed.reduce((sum, length) => sum + length, 0) / 1000,
    }
  })
  return Promise.all(rows)
}

export default {
  name: 'first-load',
  about: `Navigation to ready, median of ${String(rounds)}; CPU ${String(slow.cpu)}x slower, 10 Mbit/s, 40 ms round trip.`,
  run,
} satisfies Bench
