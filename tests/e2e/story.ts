/**
 * What every story does: open the practice bench, plug something in, go from step to step, look at what
 * stopped. A story knows roles, names and labels, nothing of the page's inside; it waits for what a person
 * would wait for.
 */
import { readFile } from 'node:fs/promises'
import { expect, test as base, type Locator, type Page } from '@playwright/test'
import { en, like, type Words } from './words.ts'

export const test = base.extend<{ words: Words; story: Story }>({
  serviceWorkers: 'block', // the offline copy has its own stories, and here it would only cost time
  words: [en, { option: true }],
  story: ({ page, words }, use) => use(new Story(page, words)),
})

declare global {
  interface Window {
    /** How often a person has pressed a button of the mouse, or a finger on the glass. */
    presses: number
  }
}

/** How fast time passes on the practice bench. */
type Speed = 1 | 5 | 25

/** What the three parts of an error must say. */
interface Told {
  readonly happened: string | RegExp
  readonly safe: string
  readonly now: string
}

export class Story {
  readonly page: Page
  readonly words: Words
  readonly #expect: typeof expect

  /** `patienceMs`: where everything takes longer than the configuration has it, as in the lab. */
  constructor(page: Page, words: Words = en, patienceMs?: number) {
    this.page = page
    this.words = words
    this.#expect = patienceMs === undefined ? expect : expect.configure({ timeout: patienceMs })
  }

  button = (name: string | RegExp): Locator => this.page.getByRole('button', { name, exact: true })
  link = (name: string | RegExp): Locator => this.page.getByRole('link', { name, exact: true })
  heading = (name: string | RegExp): Locator => this.page.getByRole('heading', { name, exact: true })
  /** The steps at the side of a job. */
  step = (name: string): Locator =>
    this.page
      .getByRole('navigation', { name: this.words.steps_label })
      .getByRole('button', { name: new RegExp(`^${name}`) })
  get main(): Locator {
    return this.page.getByRole('main')
  }

  sees(locator: Locator): Promise<void> {
    return this.#expect(locator).toBeVisible()
  }

  press(locator: Locator): Promise<void> {
    return locator.click()
  }

  // ---- the bench ---------------------------------------------------------------------------------

  async openBench(speed: Speed = 25): Promise<void> {
    await this.page.goto('./')
    await this.practise(speed)
  }

  /** From the first page, whatever else it shows. */
  async practise(speed: Speed = 25): Promise<void> {
    await this.press(this.button(this.words.practice_start))
    await this.page.getByLabel(this.words.practice_speed).selectOption(String(speed))
  }

  /** Plugs in what the shelf calls by this name, and waits until it was recognised. */
  async plugIn(name: string, ...faults: string[]): Promise<void> {
    await this.plug(name, ...faults)
    await this.sees(this.button(this.words.backup_start))
  }

  async plug(name: string, ...faults: string[]): Promise<void> {
    if (faults.length > 0) await this.page.getByText(this.words.practice_faults, { exact: true }).click()
    for (const fault of faults) await this.page.getByLabel(fault).check()
    const entry = this.page.getByRole('button', { name })
    const more = this.page.getByText(this.words.practice_more, { exact: true })
    await this.#expect(more).toBeVisible()
    if (!(await entry.isVisible())) await more.click()
    await entry.click()
  }

  /** From now on the transfer of that number breaks. */
  async breakTransfer(fault: string, after: number): Promise<void> {
    const panel = this.page.getByRole('region', { name: this.words.practice_panel })
    await panel.getByText(this.words.practice_break).click()
    await panel.getByRole('combobox').selectOption({ label: fault })
    await panel.getByLabel(this.words.practice_fault_after).fill(String(after))
    await panel.getByRole('button', { name: this.words.practice_arm }).click()
    await this.sees(panel.getByText(like(this.words.practice_armed, { after: String(after), fault })))
  }

  // ---- the steps ---------------------------------------------------------------------------------

  async backUp(): Promise<void> {
    await this.press(this.button(this.words.backup_start))
    await this.backedUp()
  }

  backedUp = (): Promise<void> => this.sees(this.heading(this.words.choose_title))

  /** Takes what is offered by this name, and waits for the plan. */
  async take(name: string): Promise<void> {
    await this.press(this.button(like(this.words.offer_take_this, { title: name })))
    await this.planned()
  }

  planned = (): Promise<void> => this.sees(this.button(this.words.plan_write))

  /** Picks a file for a job, or for a screen that takes one. */
  async bring(name: string, bytes: Uint8Array | string, label = this.words.drop_file): Promise<void> {
    const buffer = Buffer.from(bytes)
    await this.page.getByLabel(label).setInputFiles({ name, mimeType: 'application/octet-stream', buffer })
  }

  /** Says yes to all that cannot be undone. */
  async consent(): Promise<void> {
    for (const tick of await this.page.getByLabel(this.words.consent_tick).all()) await tick.check()
    const word = this.words.consent_word_update
    const fields = this.page.getByLabel(like(this.words.consent_type, { word }))
    for (const field of await fields.all()) await field.fill(word)
  }

  write = (): Promise<void> => this.press(this.button(this.words.plan_write))

  /** The chip is read once more; for what has no version that could be asked for. */
  async proveByReading(): Promise<void> {
    await this.press(this.button(this.words.prove_start))
    await this.sees(this.heading(this.words.prove_read_again))
  }

  async openCertificate(): Promise<void> {
    await this.press(this.link(this.words.prove_certificate))
    await this.sees(this.heading(this.words.cert_title))
  }

  async finish(): Promise<void> {
    await this.press(this.button(this.words.prove_new_job))
    await this.sees(this.heading(this.words.bench_present))
  }

  /** The screen says this, in a passage of its own. */
  reads = (text: string | RegExp): Promise<void> =>
    this.#expect(this.main.getByText(text).first()).toBeVisible()

  // ---- what stopped ------------------------------------------------------------------------------

  /** What is on the screen says what happened, what is safe and what to do. */
  async told({ happened, safe, now }: Told, within: Locator = this.main): Promise<void> {
    const alert = within.getByRole('alert')
    await this.sees(alert)
    await this.#expect(alert.getByRole('heading')).toHaveText(
      typeof happened === 'string' ? like(happened) : happened,
    )
    const said = alert.getByRole('definition')
    await this.#expect(said.first()).toContainText(like(safe))
    await this.#expect(said.last()).toContainText(like(now))
  }

  // ---- counting and saving -----------------------------------------------------------------------

  /** Before the first page is opened. The hands at the plug, which the practice bench has buttons for, do not count. */
  async countPresses({ handsToo = true } = {}): Promise<void> {
    const hands = handsToo ? undefined : `[aria-label="${this.words.practice_panel}"]`
    await this.page.addInitScript((leftOut) => {
      window.presses = 0
      const press = ({ isTrusted, target }: Event) => {
        if (isTrusted && !(leftOut && (target as Element).closest(leftOut))) window.presses++
      }
      addEventListener('pointerdown', press, true)
    }, hands)
  }

  presses = (): Promise<number> => this.page.evaluate(() => window.presses)

  /** What a click on this saves on the disk. */
  async saved(locator: Locator): Promise<{ name: string; bytes: Uint8Array }> {
    const [download] = await Promise.all([this.page.waitForEvent('download'), locator.click()])
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) }
  }
}
