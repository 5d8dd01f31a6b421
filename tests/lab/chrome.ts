/**
 * Chromium in the guest with the built site on http://localhost:8080, driven from here over the DevTools
 * protocol: the real WebUSB and Web Serial on the real kernel.
 */
import { join } from 'node:path'
import { chromium, type Browser, type Locator, type Page } from 'playwright'
import { Story } from '../e2e/story.ts'
import { en } from '../e2e/words.ts'
import type { Guest } from './guest.ts'

/** Of the guest; to be forwarded. */
export const devToolsPort = 9222
const site = 'http://localhost:8080'

/** Everything here takes long: a click's answer, a transfer, a page of flash. */
export const patienceMs = 180_000

export class Chrome implements AsyncDisposable {
  readonly page: Page
  readonly #browser: Browser
  readonly #guest: Guest

  private constructor(guest: Guest, browser: Browser, page: Page) {
    this.#guest = guest
    this.#browser = browser
    this.page = page
  }

  /** An administrator's policy allows the site all devices. */
  static async start(guest: Guest): Promise<Chrome> {
    const policy = {
      WebUsbAllowDevicesForUrls: [{ devices: [{}], urls: [site] }],
      SerialAllowAllPortsForUrls: [site],
    }
    const folder = '/etc/chromium/policies/managed'
    const flags =
      '--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
    await guest.do(
      `
      mkdir -p ${folder} && cat >${folder}/lab.json <<'END'
${JSON.stringify(policy)}
END
      rm -rf /tmp/chrome
      pgrep -f 'httpd -p' >/dev/null || busybox httpd -p 127.0.0.1:8080 -h ${join(process.cwd(), 'dist')}
      setsid ${process.env['CHROMIUM'] ?? '/usr/bin/chromium'} ${flags} --user-data-dir=/tmp/chrome \\
        --remote-debugging-port=9221 about:blank >/tmp/chrome.log 2>&1 &
      setsid socat TCP-LISTEN:${String(devToolsPort)},bind=10.0.2.15,fork,reuseaddr TCP:127.0.0.1:9221 >/dev/null 2>&1 &
      for ((i = 0; i < 240; i++)); do
        busybox wget -q -O /dev/null http://127.0.0.1:9221/json/version && exit 0
        sleep 0.5
      done
      tail /tmp/chrome.log; exit 1`,
      200_000,
    )
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${String(guest.port(devToolsPort))}`, {
      timeout: patienceMs,
    })
    const context = browser.contexts()[0] ?? (await browser.newContext())
    const page = context.pages()[0] ?? (await context.newPage())
    page.setDefaultTimeout(patienceMs)
    page.setDefaultNavigationTimeout(patienceMs)
    return new Chrome(guest, browser, page)
  }

  /** From the first page, with the one device that is there, to its stored backup. */
  async backUp(): Promise<Story> {
    const story = new Story(this.page, en, patienceMs)
    await this.page.goto(`${site}/`)
    await story.button(en.device_start).click()
    await story.backUp()
    return story
  }

  /** What a click on this saves; the file is in the guest. */
  async saved(locator: Locator): Promise<Uint8Array> {
    const folder = '/tmp/downloads'
    await this.#guest.do(`rm -rf ${folder}; mkdir ${folder}`)
    const devTools = await this.#browser.newBrowserCDPSession()
    await devTools.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder })
    await locator.click()
    const waiting = `for ((i = 0; i < 120; i++)); do ls ${folder} | grep -qv crdownload && exec ls ${folder}; sleep 0.5; done; exit 1`
    const name = (await this.#guest.do(waiting, 90_000)).trim()
    return this.#guest.get(`${folder}/${name}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
    await this.#guest.run("pkill -f remote-debugging-port; pkill -f 'TCP-LISTEN:9222'; sleep 0.5")
  }
}
