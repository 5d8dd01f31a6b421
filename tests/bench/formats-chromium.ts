/** Builds `formats-page.ts` as the site is built, opens it in Chromium, and brings it a file from the disk. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright'
import { build } from 'vite'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { assemblyScript } from '../../assemblyscript.js'
import { installChromium } from '../run/machine.mjs'
import { noise, type Row } from './measure.ts'

const site = 'http://localhost/'

export async function inChromium(): Promise<Row[]> {
  const executablePath = installChromium() ?? ''
  const folder = mkdtempSync(join(tmpdir(), 'reflasher-formats-page-'))
  try {
    await build({
      configFile: false,
      logLevel: 'error',
      mode: 'production',
      plugins: [assemblyScript()],
      worker: { format: 'es', plugins: () => [assemblyScript()] },
      build: {
        outDir: folder,
        target: 'chrome120',
        rolldownOptions: {
          input: 'tests/bench/formats-page.ts',
          output: { entryFileNames: 'page.js' },
        },
      },
    })
    const file = join(folder, 'firmware.hex')
    writeFileSync(file, formatIntelHex([{ address: 0, bytes: noise(32 << 20) }]))
    const browser = await chromium.launch({ executablePath, args: ['--js-flags=--expose-gc'] })
    try {
      const page = await browser.newPage()
      // alone in its process, a page has a clock that is fine enough
      const headers = {
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      }
      await page.route(`${site}**`, (route) => {
        const { pathname } = new URL(route.request().url())
        return pathname === '/'
          ? route.fulfill({
              headers,
              contentType: 'text/html',
              body: '<body><script type="module" src="/page.js"></script>',
            })
          : route.fulfill({
              headers,
              contentType: 'text/javascript',
              body: readFileSync(join(folder, pathname)),
            })
      })
      await page.goto(site)
      await page.locator('input').setInputFiles(file)
      return await page.evaluate(() => (globalThis as unknown as { measure: () => Promise<Row[]> }).measure())
    } finally {
      await browser.close()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
