/**
 * Chromium in the guest with the built site on http://localhost:8080, driven from here over the DevTools
 * protocol: the real WebUSB, WebHID and Web Serial on the real kernel.
 */
import { expect } from '@playwright/test'
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { Story } from '../e2e/story.ts'
import { en } from '../e2e/words.ts'
import type { Guest } from './guest.ts'
import type { Lab, LabTwin } from './lab-case.ts'

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
export const patienceMs = 300_000

/** Between two looks at the page; each has to go through all of it, and takes from what is waited for. */
const lookMs = 3000
/** For the page's text when something was waited for in vain; it may hang, or be gone. */
const lastLookMs = 10_000

/** Waits for what takes long, without holding it up. */
export class PatientStory extends Story {
  override async sees(locator: Locator): Promise<void> {
    const options = { timeout: patienceMs, intervals: [lookMs] }
    try {
      await expect.poll(() => locator.isVisible(), options).toBe(true)
    } catch (cause) {
      const shown = await this.page.locator('body').innerText({ timeout: lastLookMs }).catch(String)
      throw new Error(`waited in vain for ${String(locator)}; the page shows:\n${shown}`, { cause })
    }
  }

  override async press(locator: Locator): Promise<void> {
    await this.sees(locator)
    await locator.click()
  }

  /** Writes until some of it is in the flash, where the plug is pulled; the screen must say so. */
  async writeUntilUnplugged(twin: LabTwin): Promise<void> {
    await Promise.all([this.write(), twin.unplugInMidWrite()])
    await this.told({
      happened: this.words.error_gone_writing,
      safe: `${this.words.safe_half} ${this.words.safe_backup}`,
      now: this.words.now_continue,
    })
  }

  /** Until what is written was read back. */
  async writeWhole(): Promise<void> {
    await this.write()
    await this.sees(this.button(this.words.prove_start))
  }
}

/** An administrator's policy allows the site all devices; or nobody does, and the browser has a screen with its chooser. */
type Permission = 'policy' | 'chooser'

type Place = Pick<Lab, 'guest' | 'site'>

/** Starting one takes half a minute, so cases share it. */
let running: { readonly guest: Guest; readonly permission: Permission; readonly browser: Browser } | undefined

/** The command lines of the browser and of what forwards its port; the brackets, so that they are not found themselves. */
const browsers = '[r]emote-debugging-port|[T]CP-LISTEN:9222'

async function endBrowser(guest: Guest): Promise<void> {
  const { browser } = running ?? {}
  running = undefined
  await browser?.close()
  await guest.do(`pkill -f '${browsers}'
    for ((i = 0; i < 100; i++)); do
      pgrep -f '${browsers}' >/dev/null || exit 0
      ((i == 50)) && pkill -9 -f '${browsers}'
      sleep 0.2
    done; echo 'the browser does not end:'; pgrep -af '${browsers}'; exit 1`)
}

async function browserIn({ guest, site: folder }: Place, permission: Permission): Promise<Browser> {
  if (running?.guest === guest && running.permission === permission && running.browser.isConnected())
    return running.browser
  await endBrowser(guest)
  const isAllowed = permission === 'policy'
  const allowed = {
    WebUsbAllowDevicesForUrls: [{ devices: [{}], urls: [site] }],
    SerialAllowAllPortsForUrls: [site],
    WebHidAllowAllDevicesForUrls: [site],
  }
  const folders = ['/etc/chromium/policies/managed', '/etc/opt/chrome/policies/managed'] // Debian's, and Google's
  const flags =
    '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --force-prefers-reduced-motion --window-size=800,600'
  const face = isAllowed ? '--headless=new' : '--ozone-platform=x11'
  await guest.do(
    `
    mkdir -p ${folders.join(' ')} && tee ${folders.map((folder) => `${folder}/lab.json`).join(' ')} >/dev/null <<'END'
${JSON.stringify(isAllowed ? allowed : {})}
END
    rm -rf /tmp/chrome
    ${isAllowed ? '' : screen}
    pgrep -f 'httpd -p' >/dev/null || busybox httpd -p 127.0.0.1:8080 -h ${folder}
    setsid ${process.env['CHROMIUM'] ?? '/usr/bin/chromium'} ${face} ${flags} --user-data-dir=/tmp/chrome \
      --remote-debugging-port=9221 about:blank >/tmp/chrome.log 2>&1 &
    setsid socat TCP-LISTEN:${String(devToolsPort)},bind=10.0.2.15,fork,reuseaddr TCP:127.0.0.1:9221 >/dev/null 2>&1 &
    for ((i = 0; i < 240; i++)); do
      busybox wget -q -O /dev/null http://127.0.0.1:9221/json/version && exit 0
      sleep 0.5
    done
    tail /tmp/chrome.log; exit 1`,
    200_000,
  )
  const address = `http://127.0.0.1:${String(guest.port(devToolsPort))}`
  const browser = await chromium.connectOverCDP(address, { timeout: patienceMs })
  running = { guest, permission, browser }
  return browser
}

async function newPage(context: BrowserContext, page?: Page): Promise<Page> {
  page ??= await context.newPage()
  page.setDefaultTimeout(patienceMs)
  page.setDefaultNavigationTimeout(patienceMs)
  return page
}

export class Chrome implements AsyncDisposable {
  #page: Page
  readonly #guest: Guest
  readonly #context: BrowserContext
  readonly #isShared: boolean

  private constructor(guest: Guest, context: BrowserContext, page: Page, isShared: boolean) {
    this.#guest = guest
    this.#context = context
    this.#isShared = isShared
    this.#page = page
  }

  get page(): Page {
    return this.#page
  }

  /** With nothing stored from before. With a chooser, what is on its screen is that of a person; `pick` chooses. */
  static async start(place: Place, permission: Permission = 'policy'): Promise<Chrome> {
    const browser = await browserIn(place, permission)
    // The offline copy has its own stories, and here it would only cost time.
    const isShared = permission === 'policy'
    const context = isShared
      ? await browser.newContext({ serviceWorkers: 'block' })
      : (browser.contexts()[0] ?? (await browser.newContext()))
    return new Chrome(place.guest, context, await newPage(context, context.pages()[0]), isShared)
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

  async open(page = this.page): Promise<PatientStory> {
    await page.goto(`${site}/`)
    return new PatientStory(page, en, patienceMs)
  }

  /** In a second tab. */
  openBeside = async (): Promise<PatientStory> => this.open(await newPage(this.#context))

  /** From the first page, with the one device that is there, to its stored backup. `as`: what is behind an adapter. */
  async backUp(as: string = en.device_start): Promise<PatientStory> {
    const story = await this.open()
    await story.press(story.button(as))
    await story.backUp()
    return story
  }

  /** From the first page to a plan that is agreed to: `image` goes to the beginning of the flash, at `address`. */
  async plan(image: Uint8Array, address = 0, as?: string): Promise<PatientStory> {
    const story = await this.backUp(as)
    await story.bring('program.hex', formatIntelHex([{ address, bytes: image }]))
    await story.planned()
    await story.consent()
    return story
  }

  /** As the system does it when memory is short; what is opened next is a new page, with all that was stored. */
  async killPage(): Promise<void> {
    const crashed = this.page.waitForEvent('crash')
    await this.#guest.do("pkill -9 -f '[t]ype=renderer'")
    await crashed
    this.#page = await newPage(this.#context)
  }

  /** What a click on this saves; the file is in the guest. */
  async saved(locator: Locator): Promise<Uint8Array> {
    const folder = '/tmp/downloads'
    await this.#guest.do(`rm -rf ${folder}; mkdir ${folder}`)
    const devTools = await this.#context.newCDPSession(this.page)
    const { targetInfo } = await devTools.send('Target.getTargetInfo')
    await devTools.send('Browser.setDownloadBehavior', {
      behavior: 'allow',
      downloadPath: folder,
      browserContextId: targetInfo.browserContextId ?? '',
    })
    await locator.click()
    const waiting = `for ((i = 0; i < 120; i++)); do ls ${folder} | grep -qv crdownload && exec ls ${folder}; sleep 0.5; done; exit 1`
    const name = (await this.#guest.do(waiting, 90_000)).trim()
    return this.#guest.get(`${folder}/${name}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isShared) await this.#context.close()
    else await endBrowser(this.#guest) // its own context cannot be closed, and keeps what was chosen
  }
}
