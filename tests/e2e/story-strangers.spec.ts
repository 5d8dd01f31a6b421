/**
 * What the page cannot help, or not by itself: a device that is no programmer, a clone that no browser can
 * drive, a browser that has no way to devices. It says what it sees and what to do now, and offers no start.
 */
import { expect, type Page } from '@playwright/test'
import { axe, objections } from './axe.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

test.beforeEach(async ({ page }) => {
  await page.addInitScript({ content: axe })
})

/** Plugged into this computer, as Chrome describes it once it was chosen: a label printer. */
const plugInPrinter = (page: Page) =>
  page.addInitScript(() => {
    const alternate = { interfaceClass: 7, interfaceSubclass: 1, interfaceProtocol: 2 }
    let granted: unknown[] = []
    const device: unknown = {
      ...{ vendorId: 0x0a5f, productId: 0x0164, deviceClass: 0 },
      ...{ deviceVersionMajor: 2, deviceVersionMinor: 2, deviceVersionSubminor: 0 },
      ...{ manufacturerName: 'Label Works', productName: 'Labels 203' },
      serialNumber: '357236583333',
      configuration: { interfaces: [{ interfaceNumber: 0, alternate }] },
      configurations: [],
      forget: () => Promise.resolve(void (granted = [])),
    }
    USB.prototype.getDevices = () => Promise.resolve(granted as USBDevice[])
    USB.prototype.requestDevice = (options?: USBDeviceRequestOptions) => {
      if (options?.filters.length) return new Promise(() => undefined) // it is not in that list
      granted = [device]
      return Promise.resolve(device as USBDevice)
    }
  })

test('a device that is no programmer is described as it describes itself, and guessed at', async ({
  page,
  story,
}) => {
  await plugInPrinter(page)
  await page.goto('./')
  await page.getByText(en.bench_not_listed).click()
  await story.button(en.bench_choose_any).click()

  const device = page.getByRole('article')
  await expect(device).toHaveCount(1)
  await expect(device.getByRole('heading')).toHaveText(en.guess_printer)
  await expect(device).toContainText(en.device_unknown_help)
  for (const said of ['0a5f:0164', 'Label Works', 'Labels 203', '357236583333', '2.20'])
    await expect(device.getByRole('definition').filter({ hasText: said })).toBeVisible()
  await expect(device.getByRole('button', { name: en.device_start })).toBeHidden()
  await expect(story.button(en.bench_choose_usb)).toHaveClass(/primary/)
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])

  await story.button(en.device_forget).click()
  await expect(device).toBeHidden()
})

test('a clone that no browser can drive is named, and its rescue sheet is a click away', async ({
  page,
  story,
}) => {
  await story.openBench()
  await story.plug(en.practice_clone)
  const device = page.getByRole('article')
  await expect(device).toContainText(en.notice_usbisp_hid)
  await expect(device).toContainText(en.notice_usbisp_hid_help)
  await expect(device).toContainText('zhifengsoft')
  await expect(device.getByRole('button', { name: en.device_start })).toBeHidden()
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])
  await story.link(en.notice_sheet).click()
  await story.sees(story.heading(en.rescue_usbisp))
  await story.reads(en.rescue_usbisp_step_bridge)
})

test('what shares the id of a USBasp is asked with a warning, and refused by its answers', async ({
  page,
  story,
}) => {
  await story.openBench()
  await story.plug(en.practice_other)
  await story.told({
    happened: like(en.error_wrong_device, { expected: 'USBasp' }),
    safe: en.safe_nothing_written,
    now: en.error_wrong_device_now,
  })
  await page.goto('./#/')
  await expect(page.getByRole('article')).toContainText(
    like(en.notice_shared_usb_id, { name: 'Lamp, practice maker' }),
  )
})

test('a browser without a way to devices says which has one, and what works all the same', async ({
  page,
  story,
}) => {
  await page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'usb')
    Reflect.deleteProperty(Navigator.prototype, 'serial')
  })
  await page.goto('./')
  await story.sees(story.heading(en.bench_unsupported))
  await story.reads(en.bench_unsupported_which)
  await story.reads(en.bench_unsupported_still)
  await expect(story.button(en.bench_choose_usb)).toBeHidden()
  await expect(story.button(en.bench_choose_serial)).toBeHidden()
  await expect(page.locator('.primary')).toHaveText(en.practice_start)
  await story.sees(page.getByText(en.promise_local))
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])

  await story.practise()
  await story.plugIn(en.practice_uno)
})
