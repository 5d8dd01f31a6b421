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

/** A screen, for what only a person can do; its picture is a file. */
const screen = `export DISPLAY=:1
      [[ -e /tmp/.X11-unix/X1 ]] || setsid Xvfb $DISPLAY -screen 0 1280x800x24 -fbdir /tmp >/dev/null 2>&1 &
      for ((i = 0; i < 100; i++)); do [[ -e /tmp/.X11-unix/X1 ]] && break; sleep 0.2; done`
/** The lines of pixels below the browser's own bars, where its chooser begins. */
const top = 'tail -c +550000 /tmp/Xvfb_screen0 | head -c 150000 | md5sum'

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

  /**
   * `policy`: an administrator's allows the site all devices. `chooser`: nobody does; the browser has a screen, and
   * `pick` chooses.
   */
  static async start(guest: Guest, permission: 'policy' | 'chooser' = 'policy'): Promise<Chrome> {
    const isAllowed = permission === 'policy'
    const allowed = {
      WebUsbAllowDevicesForUrls: [{ devices: [{}], urls: [site] }],
      SerialAllowAllPortsForUrls: [site],
    }
    const folder = '/etc/chromium/policies/managed'
    const flags =
      '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --force-prefers-reduced-motion --window-size=800,600'
    const face = isAllowed ? '--headless=new' : '--ozone-platform=x11'
    await guest.do(
      `
      mkdir -p ${folder} && cat >${folder}/lab.json <<'END'
${JSON.stringify(isAllowed ? allowed : {})}
END
      rm -rf /tmp/chrome
      ${isAllowed ? '' : screen}
      pgrep -f 'httpd -p' >/dev/null || busybox httpd -p 127.0.0.1:8080 -h ${join(process.cwd(), 'dist')}
      setsid ${process.env['CHROMIUM'] ?? '/usr/bin/chromium'} ${face} ${flags} --user-data-dir=/tmp/chrome \\
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

  /** What this opens is the browser's own chooser; takes the first that it offers. */
  async pick(opens: Locator): Promise<void> {
    const before = await this.#guest.do(top)
    await opens.click()
    const hasChanged = `for ((i = 0; i < 120; i++)); do [[ $(${top}) != '${before.trim()}' ]] && exit 0; sleep 1; done; exit 1`
    await this.#guest.do(hasChanged, patienceMs)
    const isStill = `while now=$(${top}); sleep 2; [[ $(${top}) != "$now" ]]; do :; done`
    await this.#guest.do(`${isStill}; DISPLAY=:1 xdotool key --delay 1000 Tab Down Return`, patienceMs)
  }

  async open(): Promise<Story> {
    await this.page.goto(`${site}/`)
    return new Story(this.page, en, patienceMs)
  }

  /** From the first page, with the one device that is there, to its stored backup. */
  async backUp(): Promise<Story> {
    const story = await this.open()
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
