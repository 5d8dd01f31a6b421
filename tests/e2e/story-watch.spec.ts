/** This computer during a job: what its battery and a hidden page do is told when it happens, not only at the choice. */
import { expect, type Page } from '@playwright/test'
import { axe, objections } from './axe.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

/** The battery as the page has it; it can be changed from here. */
const withBattery = (page: Page) =>
  page.addInitScript(() => {
    const battery = Object.assign(new EventTarget(), { charging: true, level: 0.9 })
    Object.assign(navigator, { getBattery: () => Promise.resolve(battery) })
    addEventListener('test-battery', (event) => {
      Object.assign(battery, (event as CustomEvent<object>).detail)
      battery.dispatchEvent(new Event('levelchange'))
    })
  })
const setBattery = (page: Page, detail: { charging: boolean; level: number }) =>
  page.evaluate((detail) => dispatchEvent(new CustomEvent('test-battery', { detail })), detail)

const setHidden = (page: Page, hidden: boolean) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden)

test('a battery that empties is told during the job, and asked for while the plan is read', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  await withBattery(page)
  await story.openBench()
  await story.plugIn(en.practice_uno)
  await story.sees(story.button(en.backup_start))
  await setBattery(page, { charging: false, level: 0.12 })
  await story.reads(like(en.watch_battery, { level: '12 %' }))
  expect(await objections(page, {})).toEqual([])
  await setBattery(page, { charging: true, level: 0.12 })
  await expect(page.getByText(like(en.watch_battery))).toBeHidden()

  await story.backUp()
  await story.take('Blink 2 practice image for ATmega328P')
  await story.consent()
  const write = story.button(en.plan_write)
  await expect(write).toBeEnabled()
  await setBattery(page, { charging: false, level: 0.12 })
  await story.reads(like(en.check_battery_low, { level: '12 %' }))
  await expect(write).toBeDisabled()
  expect(await objections(page, {})).toEqual([])
  await story.consent()
  await story.write()
  await story.sees(story.heading(en.prove_title))
})

test('a page that was hidden while something ran says so when it is seen again', async ({ page, story }) => {
  await page.addInitScript({ content: axe })
  await story.openBench(1)
  await story.plugIn(en.practice_uno)
  await story.press(story.button(en.backup_start))
  await setHidden(page, true)
  await setHidden(page, false)
  await story.reads(en.watch_hidden)
  expect(await objections(page, {})).toEqual([])
})
