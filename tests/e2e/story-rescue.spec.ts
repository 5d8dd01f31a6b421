/**
 * A programmer that is dead comes back: from its rescue sheet, with a second programmer, to its own word that it runs.
 */
import { createHash } from 'node:crypto'
import { expect, type Page } from '@playwright/test'
import shelf from '../../protocols/usbasp/twin.ts'
import { axe, objections } from './axe.ts'
import { hashesOf, readCertificate } from './certificate.ts'
import { test, type Story } from './story.ts'
import { en, like } from './words.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** From the sheet to the screen that asks for the second programmer. */
async function openSheet({ page, link, heading }: Story, sheet: string, title: string): Promise<void> {
  await page.goto(`./#/rescue/${sheet}`)
  await link(title).click()
  await expect(heading(title)).toBeVisible()
}

const offers = ({ main }: Story, title: string) =>
  main.locator('section').filter({ has: main.page().getByRole('heading', { name: title, exact: true }) })

test('a USBasp whose update broke off gets its own firmware back, and says so itself', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  const passesAxe = async (screen: string) =>
    expect(await objections(page, { resultTypes: ['violations'] }), screen).toEqual([])
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp() // when it was well

  await openSheet(story, 'usbasp', en.bring_usbasp)
  await story.reads(en.rescue_usbasp_step_cable)
  await passesAxe('how it is brought back')
  await story.button(en.bring_practice).click()
  await story.reads(like(en.notice_rescue_chip, { chip: 'ATmega8', name: 'USBasp' }))
  await passesAxe('before the backup')

  await story.backUp()
  const own = offers(story, en.choose_backup_of.replace('{name}', 'USBasp'))
  await expect(story.main.getByRole('heading', { level: 2 }).first()).toHaveText(
    en.choose_backup_of.replace('{name}', 'USBasp'),
  )
  await expect(story.link('https://www.fischl.de/usbasp/')).toBeVisible()
  await passesAxe('what brings it back')
  await own.getByRole('button').click()
  await story.planned()
  await story.consent()
  await story.write()

  await expect(story.heading(en.prove_by_itself)).toBeVisible()
  await story.button(en.practice_by_itself).click()
  await story.button(en.prove_ask).click()
  await expect(story.heading(like(en.prove_runs, { found: 'fischl 2009-02-28 1.03' }))).toBeVisible()
  const certificate = await readCertificate((await story.saved(story.button(en.prove_save))).bytes)
  expect(certificate).toMatchObject({
    source: { kind: 'backup' },
    proof: { kind: 'running-version' },
    after: { firmware: { version: '1.03' } },
  })
  const { before, after } = hashesOf(certificate, 'flash')
  expect(after).toBe(sha256(shelf.pair.make().memory('flash')))
  expect(before).toBe(sha256(shelf.pair.make({ halfWritten: true }).memory('flash')))
})

test('without a backup from before published firmware brings it back, in eight presses from its sheet', async ({
  page,
  story,
}) => {
  await story.countPresses()
  await page.goto('./#/rescue/usbasp')
  await story.link(en.bring_usbasp).click()
  await story.button(en.bring_try).click()
  await story.button(en.bring_practice).click()
  await story.backUp()
  await expect(offers(story, en.choose_backup_of.replace('{name}', 'USBasp'))).toHaveCount(0)
  await story.take('USBasp 1.10 practice image for ATmega8')
  await story.write()
  await story.button(en.prove_practice).click()
  await story.button(en.prove_ask).click()
  await expect(story.heading(like(en.prove_runs))).toContainText('1.10')
  expect(await story.presses()).toBeLessThanOrEqual(8)
})

test('a locked stick is acknowledged as lost, and offered nothing that leaves its USB dead', async ({
  page,
  story,
}) => {
  await story.openBench()
  await openSheet(story, 'usbisp', en.bring_usbisp)
  await story.button(en.bring_practice).click()
  await story.reads(like(en.notice_rescue_chip, { chip: 'ATmega88', name: 'USB ISP' }))
  await story.button(en.backup_start).click()
  await page.getByLabel(en.backup_acknowledge).check()
  await story.button(en.backup_go_on).click()
  await story.backedUp()
  const published = offers(story, en.choose_published)
  await published.getByText(like(en.choose_published_all)).click()
  await expect(published.getByText('USBasp 1.10 (dioannidis)')).toBeVisible()
  await expect(published.getByText('2011-05-28')).toHaveCount(0)
  await expect(story.link('https://github.com/aleh/usbisp')).toBeVisible()
})

test('an Arduino as programmer brings the other one back', async ({ page, story }) => {
  await story.openBench()
  await openSheet(story, 'arduino', en.bring_arduino)
  await page.getByRole('radio', { name: en.bring_tool_arduino }).check()
  await story.reads(en.bring_wire_uno_isp6)
  await story.button(en.bring_practice).click()
  await story.reads(like(en.notice_rescue_chip, { chip: 'ATmega328P', name: 'Arduino' }))
  await story.step(en.step_connect).click()
  await expect(page.getByRole('radio')).toHaveCount(0) // never the second one itself
})

test('an Arduino’s USB chip comes back over its six pins, boot loader and all', async ({ page, story }) => {
  await story.openBench()
  await openSheet(story, 'arduino-usb', en.bring_arduino_usb)
  await story.reads(en.bring_wire_usb_pins)
  await story.button(en.bring_practice).click()
  await story.reads(like(en.notice_rescue_chip, { chip: 'ATmega16U2', name: 'Arduino USB' }))
  await story.backUp()
  const published = offers(story, en.choose_published)
  await published.getByText(like(en.choose_published_all)).click()
  await expect(published.getByText('Arduino Uno R3 boot loader and USB serial (2012-09-13)')).toBeVisible()
  await story.take('Arduino USB serial 2 practice image for ATmega16U2')
  await story.consent()
  await story.write()
  await expect(page.getByRole('heading', { name: en.prove_by_itself })).toBeVisible()
})

// ---- plugged into this computer --------------------------------------------------------------------

/** A USBasp as Chrome describes it; `granted`: it was allowed before. What the chooser is asked for is noted. */
const plugIn = (page: Page, granted: boolean) =>
  page.addInitScript((isGranted) => {
    const device = {
      ...{ vendorId: 0x16c0, productId: 0x05dc, deviceClass: 0xff },
      ...{ deviceVersionMajor: 1, deviceVersionMinor: 0, deviceVersionSubminor: 4 },
      ...{ manufacturerName: 'www.fischl.de', productName: 'USBasp' },
      configurations: [],
      open: () => Promise.reject(new DOMException('Access denied.', 'SecurityError')),
    } as unknown as USBDevice
    USB.prototype.getDevices = () => Promise.resolve(isGranted ? [device] : [])
    USB.prototype.requestDevice = () => Promise.resolve(device)
  }, granted)

for (const [name, granted, button] of [
  ['that is allowed already is found by itself', true, en.bring_start],
  ['is chosen', false, en.bring_choose],
] as const)
  test(`a second programmer ${name}, and a job begins with it`, async ({ page, story }) => {
    await plugIn(page, granted)
    await page.goto('./#/rescue/bring-usbasp')
    await expect(page.getByText(en.bring_there, { exact: true })).toHaveCount(granted ? 1 : 0)
    await story.button(button).click()
    await expect(story.main.getByRole('alert')).toBeVisible() // this computer does not let it be opened
    await expect(story.link(en.bring_usbasp)).toBeVisible()
    await story.link(en.job_try_again).click()
    await expect(story.heading(en.bring_usbasp)).toBeVisible()
  })
