/** People press twice, and take the next device when one does not answer: nothing is lost or left locked by that. */
import { expect, type Route } from '@playwright/test'
import { hexFile, practiceBytes, sha256 } from './firmware.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

test('two clicks on the first start of a visit begin one job, and nothing else holds the device', async ({
  page,
  story,
}) => {
  await page.addInitScript(() => {
    // a USBasp of this computer that was chosen before, and that another program turns out to hold
    const known = new Promise((resolve) => addEventListener('known', resolve))
    const device: unknown = {
      ...{ vendorId: 0x16c0, productId: 0x05dc, deviceClass: 0xff },
      ...{ deviceVersionMajor: 1, deviceVersionMinor: 0, deviceVersionSubminor: 4 },
      ...{ manufacturerName: 'www.fischl.de', productName: 'USBasp' },
      ...{ configuration: null, configurations: [], opened: false },
      open: () => known.then(() => Promise.reject(new DOMException('claimed', 'NetworkError'))),
      close: () => Promise.resolve(),
    }
    USB.prototype.getDevices = () => Promise.resolve([device as USBDevice])
  })
  const stores = new Promise<Route>((resolve) => void page.route(/\/stores-/, resolve))
  await page.goto('./')
  await story.button(en.device_start).dblclick()
  await (await stores).continue() // what a job needs was still loading
  await story.sees(story.button(en.job_stop))
  await page.evaluate(() => dispatchEvent(new Event('known')))
  await story.sees(story.heading(en.error_busy_usb)) // not: another tab
  const held = () => page.evaluate(async () => JSON.stringify((await navigator.locks.query()).held))
  await expect.poll(held).not.toContain('reflasher:usb') // it is free for whoever wants it next
})

test('the file of a link waits for the next device when the first one is none', async ({ page, story }) => {
  const image = practiceBytes('USBasp 1.10 practice image for ATmega8')
  const file = Buffer.from(hexFile(image))
  const source = 'https://firmware.example/usbasp.hex'
  const fields = { device: 'usbasp', chip: 'ATmega8', format: 'intel-hex', size: String(file.length) }
  const link = new URLSearchParams({ ...fields, sha256: sha256(file), url: source })
  await page.route(source, (route) =>
    route.fulfill({ body: file, headers: { 'access-control-allow-origin': '*' } }),
  )
  await page.goto(`./#/flash?${link.toString()}`)
  await story.button(en.link_take).click()
  await story.reads(en.link_ready)
  await story.practise()
  await story.plug(en.practice_other)
  await story.sees(story.heading(like(en.error_wrong_device, { expected: 'USBasp' })))

  await story.link(en.job_to_bench).click()
  await story.sees(story.heading(en.pending_title))
  await story.plugIn(en.practice_usbasp_pair)
  await story.button(en.backup_start).click()
  await story.planned()
})
